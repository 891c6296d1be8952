import assert from 'node:assert/strict'
import { appendFileSync, existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { runNode } from '../../../support/run-node.ts'
import { copyService, type ServiceCopy } from '../../../support/service-copy.ts'

/** The variables of a deployment, which packaging checks. */
const deployment = {
  DTS_BROKER_URL: 'dts.example.com:18001',
  DTS_TOPIC: 'topic',
  DTS_SID: 'dtsabc',
  DTS_USER: 'reader',
  DTS_PASSWORD_SECRET: 'dts-password',
  DTS_CHECKPOINT: '2026-01-01T00:00:00Z',
}

/** Each test continues with the files of the one before. */
describe('a newcomer, in a fresh copy of the service', () => {
  let copy: ServiceCopy
  before(() => {
    copy = copyService()
  })
  after(() => copy.remove())

  const node = (...argv: readonly string[]) => runNode(copy.folder, argv, { NO_COLOR: '1' })
  const handler = () => join(copy.folder, 'functions/tables/payments.ts')

  test('writes a handler and its test for a table, from the columns that the stream shows', async () => {
    const { code, stdout, stderr } = await node('infra/operate/tables/new.ts', 'shop.payments')
    assert.equal(code, 0, stderr)
    assert.match(stdout, /^No stream is configured, so these are the columns of the example shop\.$/m)
    assert.match(stdout, /^functions\/tables\/payments\.ts {2}3 columns, from 500 changes$/m)
    assert.ok(existsSync(join(copy.folder, 'test/payments.test.ts')))
  })

  test('adds a line of business code, and the test passes', async () => {
    const text = readFileSync(handler(), 'utf8')
    const line = "console.log('Paid:', change.after.id)"
    writeFileSync(handler(), text.replace('// change.after is the new row.', line))
    const { code, stdout } = await node('--test', 'test/payments.test.ts')
    assert.equal(code, 0, stdout)
    assert.match(stdout, /Paid: 1n/)
  })

  describe('after npm start -- --once', () => {
    let result: Awaited<ReturnType<typeof node>>
    // It starts two servers and bundles every function.
    before(
      async () => {
        result = await node('infra/local/start.ts', '--once')
      },
      { timeout: 180_000 },
    )

    test('sees that the changes of the new table were handled', () => {
      const { code, stdout, output } = result
      assert.equal(code, 0, output)
      const [, produced, handled, lost] = /^shop\.payments +(\d+) +(\d+) +(\d+)/m.exec(stdout) ?? []
      assert.ok(Number(produced) > 100, stdout)
      assert.deepEqual([handled, lost], [produced, '0'])
    })
  })

  test('packages a function for the table', async () => {
    const { code, output } = await copy.serverless(['package'], deployment)
    assert.equal(code, 0, output)
    const [template = ''] = globSync('.serverless/cloudformation-template-update-stack.json', {
      cwd: copy.folder,
    })
    assert.match(readFileSync(join(copy.folder, template), 'utf8'), /"PaymentsLambdaFunction"/)
  })

  test('sees that the handlers fit the stream, and where one no longer does', async () => {
    const fitting = await node('infra/operate/tables/types.ts', '--check')
    assert.equal(fitting.code, 0, fitting.stderr)
    assert.match(fitting.stdout, /^4 handlers and the newest \d+ records of the stream fit\.$/m)
    const text = readFileSync(handler(), 'utf8')
    writeFileSync(handler(), text.replace('id: z.bigint()', 'id: z.string()'))
    const broken = await node('infra/operate/tables/types.ts', '--check')
    assert.equal(broken.code, 1)
    assert.match(
      broken.stderr,
      /^functions\/tables\/payments\.ts:\d+: shop\.payments\.id at offset \d+: the handler expects string, the stream has bigint$/m,
    )
  })

  const mistakes: [argv: string[], code: number, message: RegExp][] = [
    [
      ['shop.paymnts'],
      1,
      /have no change of shop\.paymnts\. Nothing was written\. Their tables: .*shop\.payments/,
    ],
    [['shop.payments'], 2, /functions\/tables\/payments\.ts exists\. Nothing was written/],
    [
      ['shop.payments', '--file', 'others'],
      2,
      /functions\/tables\/payments\.ts handles shop\.payments already/,
    ],
    [['shop.*'], 2, /write its whole name/],
    [['payments'], 2, /database\.table/],
    [['shop.2024'], 2, /"2024" cannot be a file's name/],
    [[], 2, /Give one table/],
  ]
  for (const [argv, expected, message] of mistakes) {
    test(`is told what is wrong with npm run new -- ${argv.join(' ')}`, async () => {
      const { code, stderr } = await node('infra/operate/tables/new.ts', ...argv)
      assert.equal(code, expected)
      assert.match(stderr, message)
      assert.equal(existsSync(join(copy.folder, 'functions/tables/others.ts')), false)
    })
  }

  test('is told that a stream without an address is not configured', async () => {
    appendFileSync(join(copy.folder, '.env'), 'DTS_TOPIC=x\n')
    const { code, stderr } = await node('infra/operate/tables/types.ts')
    assert.equal(code, 1)
    assert.match(stderr, /^CONFIG_INVALID: .*DTS_BROKER_URL is missing/)
  })
})
