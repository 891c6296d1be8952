import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { readAddress, serveFeed } from '../../../../infra/local/feed/control.ts'
import { FeedReader } from '../../../../infra/local/feed/feed-reader.ts'
import { feeder } from '../../../../infra/local/feed/feeder.ts'
import { runFeed } from '../../../../infra/local/feed/run-feed.ts'
import type { ShopRecord } from '../../../../infra/local/shop.ts'
import { UsageError } from '../../../../infra/operate/report.ts'
import { decodeChange } from '../../../../lib/dts/decode-change.ts'
import { readHeader } from '../../../../lib/dts/header.ts'
import { rowToPlain } from './rows.ts'

describe('npm run feed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dts-functions-feed-'))
  const stream: ShopRecord[] = []
  let stop: () => Promise<void>
  before(async () => {
    const handlers = [{ tables: { patterns: ['shop.orders'], except: [] } }]
    stop = await serveFeed(
      folder,
      feeder(handlers, async (records) => BigInt(stream.push(...records) - records.length), new FeedReader()),
    )
  })
  beforeEach(() => void stream.splice(0))
  after(async () => {
    await stop()
    assert.equal(readAddress(folder), null)
    rmSync(folder, { recursive: true })
  })

  async function run(...argv: string[]): Promise<string[]> {
    const said: string[] = []
    assert.equal(await runFeed(argv, folder, (line) => said.push(line)), 0)
    return said
  }

  const calls: [argv: string[], change: object, what: string][] = [
    [[], { operation: 'INSERT', after: { id: 7n } }, 'an insert'],
    [['--operation', 'delete'], { operation: 'DELETE', before: { id: 7n } }, 'a delete'],
    [['--operation', 'update'], { operation: 'UPDATE', before: {}, after: { id: 7n } }, 'an update'],
    [
      ['--operation', 'update', '--before', '{"id":6}'],
      { operation: 'UPDATE', before: { id: 6n }, after: { id: 7n } },
      'an update with its before image',
    ],
    [['--columns', '{"id":"int"}'], { operation: 'INSERT', after: { id: 7 } }, 'a type of a column'],
  ]
  for (const [argv, expected, what] of calls) {
    test(`sends one change to the running local stack: ${what}`, async () => {
      assert.deepEqual(await run('shop.orders', '{\n"id":7}', ...argv), [
        '1 change is in the local stream, from offset 0 on.',
      ])
      assert.equal(stream.length, 1)
      const { value } = stream[0] as ShopRecord
      const change = decodeChange(value, readHeader(value), { offset: 0n, generation: 0, replay: false })
      assert.deepEqual(rowToPlain(change), expected)
    })
  }

  test('says that no file handles the table', async () => {
    const said = await run('shop.payments', '{"id":7}')
    assert.equal(said[1], 'No file of functions/tables handles shop.payments: it is skipped.')
  })

  test('sends a file, or nothing of it', async () => {
    const file = join(folder, 'changes.jsonl')
    const good = '{"operation":"INSERT","table":"shop.orders","after":{"id":7}}\n'
    writeFileSync(file, good.repeat(3))
    assert.deepEqual(await run('--file', file), ['3 changes are in the local stream, from offset 0 on.'])
    writeFileSync(file, `${good}${good}7\n`)
    await assert.rejects(run('--file', file), (error: Error) => error.message.includes(`${file}:3: `))
    assert.equal(stream.length, 3)
  })

  test('refuses a change that is none, and sends nothing', async () => {
    await assert.rejects(run('orders', '{"id":7}'), {
      code: 'CHANGE_JSON_INVALID',
      message: /^Nothing was sent\. .*database\.table/,
    })
    assert.equal(stream.length, 0)
  })

  const wrong: [argv: string[], message: RegExp][] = [
    [['shop.orders'], /A table and a row are needed/],
    [['shop.orders', '{id:7}'], /The row is not JSON\. Put it in single quotes/],
    [['shop.orders', '{}', '--operation', 'upsert'], /insert, update, delete or init, not upsert/],
    [['shop.orders', '{}', '--before', '{}'], /--before belongs to --operation update/],
    [['shop.orders', '{}', '--file', 'x'], /--file takes no other argument/],
    [['--file', 'missing.jsonl'], /missing\.jsonl cannot be read/],
    [['--table', 'x'], /Unknown option/],
    [['--file', 'x', '--operation', 'delete'], /--file takes no other argument/],
  ]
  for (const [argv, message] of wrong) {
    test(`refuses wrong arguments: ${argv.join(' ')}`, async () => {
      await assert.rejects(
        run(...argv),
        (error: Error) => error instanceof UsageError && message.test(error.message),
      )
    })
  }

  test('reaches the stack with a token that only the user of the machine can read', async () => {
    const path = join(folder, '.local-stack.json')
    assert.equal(statSync(path).mode & 0o777, 0o600)
    const { url } = JSON.parse(readFileSync(path, 'utf8')) as { url: string }
    for (const authorization of ['', 'Bearer ', 'Bearer 00']) {
      const { status } = await fetch(url, { method: 'POST', headers: { authorization }, body: '7' })
      assert.equal(status, 403)
    }
    assert.match(url, /^http:\/\/127\.0\.0\.1:/)
  })

  test('keeps the address of a stack that was started later, and its mode', async () => {
    const other = mkdtempSync(join(tmpdir(), 'dts-functions-feed-'))
    const path = join(other, '.local-stack.json')
    writeFileSync(path, '{}', { mode: 0o644 })
    const none = async () => ({ sent: 0, offset: null, unhandled: [], faults: [] })
    const endFirst = await serveFeed(other, none)
    assert.equal(statSync(path).mode & 0o777, 0o600)
    const endSecond = await serveFeed(other, none)
    const address = readAddress(other)
    await endFirst()
    assert.deepEqual(readAddress(other), address)
    await endSecond()
    assert.equal(readAddress(other), null)
    rmSync(other, { recursive: true })
  })

  test('says that no local stack runs when none was started, and when one was killed', async () => {
    const other = mkdtempSync(join(tmpdir(), 'dts-functions-feed-'))
    const message = /No local stack runs in this folder, so nothing was sent\. Start it with npm start/
    const send = () => runFeed(['shop.orders', '{}'], other, () => {})
    await assert.rejects(send(), { code: 'CONFIG_INVALID', message })
    // A port that no server has: that of a server that ended.
    const end = await serveFeed(other, async () => ({ sent: 0, offset: null, unhandled: [], faults: [] }))
    const address = readFileSync(join(other, '.local-stack.json'))
    await end()
    writeFileSync(join(other, '.local-stack.json'), address)
    await assert.rejects(send(), { code: 'CONFIG_INVALID', message })
    rmSync(other, { recursive: true })
  })
})
