import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const start = fileURLToPath(new URL('../../../infra/local/start.ts', import.meta.url))

describe('npm start -- --once', () => {
  let stdout: string
  // It starts two servers, bundles every function, and handles 10,000 changes.
  before(
    async () => {
      // Settings of a deployment must not reach the local functions, not even misspelt ones.
      const env = { ...process.env, DTS_TOPIC: 'of_a_deployment', DTS_CHECKPIONT: '1', POLL_MAX_RECORD: '1' }
      stdout = (await promisify(execFile)(process.execPath, [start, '--once'], { env })).stdout
    },
    { timeout: 180_000 },
  )

  test('loses no change over a cluster change, and says so in its last line', () => {
    const lines = stdout.trimEnd().split('\n')
    assert.deepEqual(JSON.parse(lines.at(-1) ?? ''), {
      produced: 10_000,
      handled: 10_000,
      lost: 0,
      outOfOrder: 0,
      duplicates: 0,
      halts: 1,
      recoveries: 1,
    })
    assert.match(stdout, /Cluster changed from \S+ to \S+, consumer require restart/)
  })
})

test('an address of a real stream, which npm start does not read, is refused by name', async () => {
  const env = { ...process.env, DTS_BROKER_URL: 'dts-cn-hangzhou.aliyuncs.com:18001' }
  await assert.rejects(promisify(execFile)(process.execPath, [start], { env }), {
    code: 1,
    stdout: '',
    stderr:
      /^DTS_BROKER_URL is set in this shell, .*npm start -- --dts\n.*env -u DTS_BROKER_URL npm start\n$/s,
  })
})

test('a feed with a line that is no change is refused with that line, and nothing is started', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'dts-functions-feed-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'orders.jsonl')
  writeFileSync(
    file,
    '{"operation":"INSERT","table":"shop.orders","after":{"id":7}}\n{"operation":"INSERT"}\n',
  )
  await assert.rejects(promisify(execFile)(process.execPath, [start, '--feed', file]), {
    code: 1,
    stdout: '',
    stderr: new RegExp(
      `^CHANGE_JSON_INVALID: ${file} has a line that is no change, so no line of it was sent\\.\n${file}:2: `,
    ),
  })
})

test('an unknown option prints the usage', async () => {
  await assert.rejects(
    promisify(execFile)(process.execPath, [start, '--twice']),
    (error: { stderr?: string }) =>
      /Unknown option '--twice'[\s\S]*npm start -- --once/.test(error.stderr ?? ''),
  )
})

test('a page port that is no port is refused, and nothing is started', async () => {
  await assert.rejects(promisify(execFile)(process.execPath, [start, '--page-port', '70000']), {
    code: 1,
    stdout: '',
    stderr: /^--page-port needs a port from 1 to 65535, not "70000"\.\nnpm start /,
  })
})
