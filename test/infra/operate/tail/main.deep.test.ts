import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { open } from '../../../support/open-stream.ts'
import { t0, Writer } from '../../../support/records.ts'

const main = fileURLToPath(new URL('../../../../infra/operate/tail/main.ts', import.meta.url))
const write = new Writer()

/** A stream, and a folder whose .env file names it. */
async function service(t: TestContext, records = write.inserts('shop.orders', 1, 3)) {
  const { store, stream } = await open(t, records)
  const { host, port } = store.advertised
  const folder = mkdtempSync(join(tmpdir(), 'tail-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const settings = {
    DTS_BROKER_URL: `${host}:${port}`,
    DTS_TOPIC: store.topic,
    DTS_SID: store.sid ?? '',
    DTS_USER: store.user,
    DTS_PASSWORD: store.password,
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`)
  writeFileSync(join(folder, '.env'), lines.join(''))
  return { store, stream, folder }
}

function start(t: TestContext, folder: string, argv: readonly string[]): ChildProcess {
  const others = Object.entries(process.env).filter(([name]) => !name.startsWith('DTS_'))
  const child = spawn(process.execPath, [main, ...argv], { cwd: folder, env: Object.fromEntries(others) })
  t.after(() => child.kill('SIGKILL'))
  return child
}

async function run(t: TestContext, folder: string, argv: readonly string[]) {
  const child = start(t, folder, argv)
  const texts = { out: '', messages: '' }
  child.stdout?.on('data', (part) => (texts.out += part))
  child.stderr?.on('data', (part) => (texts.messages += part))
  const [code] = await once(child, 'close')
  return { code, ...texts }
}

test('the stream of the .env file is printed, plain in a pipe', async (t) => {
  const { folder } = await service(t)
  const { code, out, messages } = await run(t, folder, ['--columns', 'status'])
  assert.equal(code, 0, messages)
  assert.deepEqual(
    out.split('\n'),
    [1, 2, 3].map((id, at) => `2023-11-14T22:13:2${id}Z ${at} INSERT shop.orders  status='new'`).concat(''),
  )
  assert.equal(messages, '3 changes of 3 records, offsets 0 to 2.\n')
})

test('a flag overrides the .env file, and a refused password is reported without it', async (t) => {
  const { folder } = await service(t)
  const { code, out, messages } = await run(t, folder, ['--password', 'wrong-secret'])
  assert.deepEqual([code, out], [1, ''])
  assert.match(messages, /^AUTHENTICATION_FAILED: /)
  assert.doesNotMatch(messages, /wrong-secret/)
})

const mistakes: [argv: string[], message: RegExp][] = [
  [['--tabel', 'x'], /'--tabel'.*\nnpm run tail -- --help/s],
  [['--where', 'status ='], /^CONDITION_INVALID: .*\n {2}status =\n {10}\^\n$/],
  [['--broker-url', 'nonsense'], /^CONFIG_INVALID: .*DTS_BROKER_URL must be host:port/],
]
for (const [argv, message] of mistakes) {
  test(`a mistake ends the command with exit code 2: ${argv.join(' ')}`, async (t) => {
    const { folder } = await service(t)
    const result = await run(t, folder, argv)
    assert.equal(result.code, 2)
    assert.match(result.messages, message)
  })
}

test('Ctrl-C ends --follow with the summary, and leaves no stack trace', async (t) => {
  const { folder } = await service(t)
  const child = start(t, folder, ['--follow', '--from', 'earliest'])
  let messages = ''
  child.stderr?.on('data', (part) => (messages += part))
  await once(child.stdout as NonNullable<typeof child.stdout>, 'data')
  child.kill('SIGINT')
  const [code] = await once(child, 'close')
  assert.deepEqual([code, messages], [130, '3 changes of 3 records, offsets 0 to 2.\n'])
})

test('a closed pipe ends the command silently', async (t) => {
  const { store, folder } = await service(t, write.inserts('shop.orders', 1, 20_000))
  const child = start(t, folder, ['--follow', '--from', 'earliest', '--format', 'json'])
  let messages = ''
  child.stderr?.on('data', (part) => (messages += part))
  await once(child.stdout as NonNullable<typeof child.stdout>, 'data')
  child.stdout?.destroy()
  // More than a pipe holds.
  await store.append(write.inserts('shop.orders', 1, 20_000, t0))
  const [code] = await once(child, 'close')
  assert.equal(code, 0)
  assert.doesNotMatch(messages, /EPIPE|Error/)
})

test('--help prints the flags', async (t) => {
  const { folder } = await service(t)
  const { code, out } = await run(t, folder, ['--help'])
  assert.equal(code, 0)
  for (const name of ['--broker-url', '--where', '--format', '--follow']) assert.match(out, new RegExp(name))
})
