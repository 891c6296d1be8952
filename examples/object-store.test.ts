import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseChange } from 'dts-functions'
import { changesOf, deliver } from 'dts-functions/testing'
import { startRecorder } from './recorder.ts'

const recorder = await startRecorder()
process.env.BUCKET = 'history'
const { handler } = await import('./object-store.ts')

test('a batch is one object of JSON lines, and a repeat replaces it', async () => {
  const make = changesOf(handler, { table: 'shop.orders', keys: ['id'] })
  const changes = [make.insert({ id: 7n, note: 'ä' }), make.delete({ id: 7n, note: 'ä' })]
  assert.deepEqual(await deliver(handler, changes), { handled: 2, filtered: 0, error: null })
  await deliver(handler, changes)
  const [first, again] = recorder.requests
  assert.match(first?.path ?? '', /\/changes\/day%3D2026-01-01\/1-0{20}\.jsonl/)
  assert.equal(again?.path, first?.path)
  const lines = (first?.body ?? '').split('\n').filter((line) => line.startsWith('{'))
  assert.deepEqual(
    lines.map((line) => parseChange(line).operation),
    ['INSERT', 'DELETE'],
  )
})
