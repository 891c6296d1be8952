import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { FeedFolder } from '../../../../infra/local/feed/feed-folder.ts'
import { FeedReader } from '../../../../infra/local/feed/feed-reader.ts'
import { folderOrigin } from '../../../../infra/local/feed/folder-origin.ts'
import type { LocalRecord } from '../../../../infra/local/shop.ts'

const now = 1_790_000_000
const change = (id: number, table = 'shop.a') =>
  `${JSON.stringify({ operation: 'INSERT', table, after: { id, text: 'é' } })}\n`

/** A watched folder. `pass` lets the origin look once more, and returns the changes and notes since the last look. */
async function watched(t: TestContext, files: Record<string, string>) {
  const folder = mkdtempSync(join(tmpdir(), 'dts-functions-folder-'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  const reading = folderOrigin(folder, new FeedReader(), now)
  const origin = await reading.catch((error) => {
    rmSync(folder, { recursive: true })
    throw error
  })
  const appended: LocalRecord[] = []
  const notes: string[] = []
  const ended = new AbortController()
  let waiting = Promise.withResolvers<void>()
  let looked = Promise.withResolvers<void>()
  const wait = async (ms: number) => {
    // The heartbeats wait for a second.
    if (ms === 1_000)
      return new Promise<void>((resolve) => ended.signal.addEventListener('abort', () => resolve()))
    looked.resolve()
    await waiting.promise
  }
  const stream = {
    append: async (records: readonly LocalRecord[]) => appended.push(...records),
    filler: async () => {},
    waiting: () => 0n,
    note: (text: string) => notes.push(text),
  }
  const written = origin.write(stream, wait, ended.signal)
  t.after(async () => {
    ended.abort()
    waiting.resolve()
    await written
    rmSync(folder, { recursive: true })
  })
  return {
    folder,
    first: origin.first.filter(({ table }) => table !== undefined).length,
    async pass() {
      const go = waiting
      waiting = Promise.withResolvers()
      looked = Promise.withResolvers()
      go.resolve()
      await looked.promise
      const tables = appended.splice(0).flatMap(({ table }) => table ?? [])
      return { tables, notes: notes.splice(0) }
    },
  }
}

test('the files of a folder are fed once, and so is each line that is added to them', async (t) => {
  const { folder, first, pass } = await watched(t, {
    'a.jsonl': change(1) + change(2),
    'notes.txt': 'no feed',
  })
  assert.equal(first, 2)
  assert.deepEqual((await pass()).tables, [])
  appendFileSync(join(folder, 'a.jsonl'), change(3))
  writeFileSync(join(folder, 'b.jsonl'), change(1, 'shop.b'))
  assert.deepEqual((await pass()).tables, ['shop.a', 'shop.b'])
  assert.deepEqual((await pass()).tables, [])
})

test('a line is fed when its end is written, also if the write cuts a character', async (t) => {
  const { folder, pass } = await watched(t, {})
  const bytes = Buffer.from(change(1))
  const cut = bytes.indexOf(0xc3) + 1
  const file = join(folder, 'a.jsonl')
  writeFileSync(file, bytes.subarray(0, cut))
  assert.deepEqual(await pass(), { tables: [], notes: [] })
  appendFileSync(file, bytes.subarray(cut))
  assert.deepEqual(await pass(), { tables: ['shop.a'], notes: [] })
})

test('a line with bytes that are no text does not shift the lines after it', async (t) => {
  const { folder, pass } = await watched(t, {})
  const file = join(folder, 'a.jsonl')
  writeFileSync(file, Buffer.from(change(1).replace('é', '\xe9\xe9'), 'latin1'))
  assert.deepEqual((await pass()).tables, ['shop.a'])
  appendFileSync(file, change(2) + change(3))
  assert.deepEqual(await pass(), { tables: ['shop.a', 'shop.a'], notes: [] })
})

test('a line that is no change is named at once with file and line, and the others are fed', async (t) => {
  const { folder, pass } = await watched(t, { 'a.jsonl': change(1) })
  const file = join(folder, 'a.jsonl')
  appendFileSync(file, `${change(2)}no change\n${change(3)}`)
  const { tables, notes } = await pass()
  assert.deepEqual(tables, ['shop.a', 'shop.a'])
  assert.deepEqual(notes, [`${file}:3: it is not JSON text. This line was not sent.`])
})

test('a faulty line at the start is refused, and nothing is started', async (t) => {
  await assert.rejects(watched(t, { 'a.jsonl': `${change(1)}{}\n` }), {
    code: 'CHANGE_JSON_INVALID',
    message: /a\.jsonl:2: /,
  })
})

test('a file that became shorter is not fed again', async (t) => {
  const { folder, pass } = await watched(t, { 'a.jsonl': change(1) + change(2) })
  const file = join(folder, 'a.jsonl')
  writeFileSync(file, change(1))
  const { tables, notes } = await pass()
  assert.deepEqual(tables, [])
  assert.match(notes.join(), /a\.jsonl is shorter than before/)
  appendFileSync(file, change(9, 'shop.c'))
  assert.deepEqual((await pass()).tables, ['shop.c'])
})

/** Looks into a folder whose lines are fed only if they are shorter than 100 bytes. */
function shortLines(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'dts-functions-folder-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'a.jsonl')
  const feed = new FeedFolder(folder, 100)
  const look = async () => {
    const warnings: string[] = []
    const found = await feed.look((text) => warnings.push(text))
    return { lines: found.map(({ text, linesBefore }) => [text, linesBefore]), warnings }
  }
  return { file, look }
}

test('a line that is too long is named once, and the lines after it are fed', async (t) => {
  const { file, look } = shortLines(t)
  writeFileSync(file, `first\n${'x'.repeat(250)}`)
  assert.deepEqual(await look(), { lines: [['first\n', 0]], warnings: [] })
  const [warning, ...more] = (await look()).warnings
  assert.deepEqual(more, [])
  assert.match(warning ?? '', /a\.jsonl:2: the line is longer than 100 bytes\. It is not fed/)
  appendFileSync(file, 'the end\nthird\n')
  const looks = [await look(), await look(), await look(), await look()]
  assert.deepEqual(
    looks.flatMap(({ lines }) => lines),
    [['third\n', 2]],
  )
  assert.deepEqual(
    looks.flatMap(({ warnings }) => warnings),
    [],
  )
})

test('after a file was shortened within a line, the rest of that line is not fed', async (t) => {
  const { file, look } = shortLines(t)
  writeFileSync(file, 'first\nsecond line\n')
  await look()
  writeFileSync(file, 'first\nsecond')
  assert.match((await look()).warnings.join(), /shorter than before/)
  appendFileSync(file, ' line\nthird\n')
  const looks = [await look(), await look()]
  assert.deepEqual(
    looks.flatMap(({ lines }) => lines),
    [['third\n', 2]],
  )
})
