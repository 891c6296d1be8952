import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
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

  /** Runs a program of the copy. Of this process's variables it sees only PATH. */
  async function node(...argv: readonly string[]) {
    const env = { PATH: process.env.PATH, HOME: copy.folder, NO_COLOR: '1' }
    const texts = { out: '', messages: '' }
    const child = execFile(process.execPath, argv, { cwd: copy.folder, env })
    child.stdout?.on('data', (part) => (texts.out += part))
    child.stderr?.on('data', (part) => (texts.messages += part))
    const [code] = await once(child, 'close')
    return { code, ...texts }
  }
  const handler = () => join(copy.folder, 'functions/tables/payments.ts')

  test('writes a handler and its test for a table, from the columns that the stream shows', async () => {
    const { code, out, messages } = await node('infra/operate/tables/new.ts', 'shop.payments')
    assert.equal(code, 0, messages)
    assert.match(out, /^No stream is configured, so these are the columns of the example shop\.$/m)
    assert.match(out, /^functions\/tables\/payments\.ts {2}3 columns, from 500 changes$/m)
    assert.ok(existsSync(join(copy.folder, 'test/payments.test.ts')))
  })

  test('adds a line of business code, and the test passes', async () => {
    const text = readFileSync(handler(), 'utf8')
    const line = "console.log('Paid:', change.after.id)"
    writeFileSync(handler(), text.replace('// change.after is the new row.', line))
    const { code, out } = await node('--test', 'test/payments.test.ts')
    assert.equal(code, 0, out)
    assert.match(out, /Paid: 1n/)
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
      const { code, out, messages } = result
      assert.equal(code, 0, out + messages)
      const [, produced, handled, lost] = /^shop\.payments +(\d+) +(\d+) +(\d+)/m.exec(out) ?? []
      assert.ok(Number(produced) > 100, out)
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
    assert.equal(fitting.code, 0, fitting.messages)
    assert.match(fitting.out, /^4 handlers and the newest \d+ records of the stream fit\.$/m)
    const text = readFileSync(handler(), 'utf8')
    writeFileSync(handler(), text.replace('id: z.bigint()', 'id: z.string()'))
    const broken = await node('infra/operate/tables/types.ts', '--check')
    assert.equal(broken.code, 1)
    assert.match(
      broken.messages,
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
      const { code, messages } = await node('infra/operate/tables/new.ts', ...argv)
      assert.equal(code, expected)
      assert.match(messages, message)
      assert.equal(existsSync(join(copy.folder, 'functions/tables/others.ts')), false)
    })
  }

  test('is told that a stream without an address is not configured', async () => {
    appendFileSync(join(copy.folder, '.env'), 'DTS_TOPIC=x\n')
    const { code, messages } = await node('infra/operate/tables/types.ts')
    assert.equal(code, 1)
    assert.match(messages, /^CONFIG_INVALID: .*DTS_BROKER_URL is missing/)
  })
})
