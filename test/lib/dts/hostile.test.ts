import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Cursor } from '../../../lib/dts/cursor.ts'
import { hostile, type Outcomes, upTo, varint } from './hostile-records.ts'
import type { Held } from './hostile-stream.ts'
import { decode } from './samples.ts'

const MiB = 2 ** 20

test('hostile lengths, counts and branches are refused before memory is allocated for them', () => {
  const script = fileURLToPath(new URL('hostile-records.ts', import.meta.url))
  const child = spawnSync(process.execPath, ['--max-old-space-size=64', script], { encoding: 'utf8' })
  assert.equal(child.status, 0, child.stderr)
  const { refusals, grownBytes, bufferBytes }: Outcomes = JSON.parse(child.stdout)
  assert.equal(refusals.length, hostile.length)
  for (const [index, [, path, problem, reason]] of hostile.entries()) {
    const refusal = refusals[index]
    assert.deepEqual([refusal?.code, refusal?.path], ['RECORD_INVALID', path], reason)
    assert.match(refusal?.message ?? '', problem, reason)
  }
  assert.ok(grownBytes < 64 * MiB, `${grownBytes} bytes more than before`)
  assert.ok(bufferBytes < MiB, `buffers of ${bufferBytes} bytes`)
})

test('one reader gives each record the full budget of items', () => {
  const block = Buffer.concat([varint(150_000n), Buffer.alloc(150_000)])
  const cursor = new Cursor(Buffer.alloc(0))
  for (let record = 0; record < 3; record++) {
    cursor.reset(block, 0, block.length)
    assert.equal(cursor.block(1), 150_000)
    cursor.position = 0
    assert.throws(() => cursor.block(1), { code: 'RECORD_INVALID' }, 'a second time in one record')
  }
})

test('an array can be written in several blocks, and in blocks with a size', () => {
  const values = [4, varint(-1n), varint(1n), 0, 2, 0, 0]
  const two = Buffer.concat([
    upTo('images').subarray(0, -9),
    Buffer.from([0, 0, 4, 4, 2, 0x61, 6, 2, 0x62, 6, 0, 0]),
    ...values.map((value) => (typeof value === 'number' ? Buffer.from([value]) : value)),
  ])
  const change = decode(two)
  assert.ok(change.operation === 'INSERT')
  assert.deepEqual(Object.entries(change.after), [
    ['a', null],
    ['b', null],
  ])
})

test('a stream in which nothing repeats does not fill the memory', () => {
  const script = fileURLToPath(new URL('hostile-stream.ts', import.meta.url))
  const child = spawnSync(process.execPath, ['--expose-gc', '--max-old-space-size=96', script], {
    encoding: 'utf8',
  })
  assert.equal(child.status, 0, child.stderr)
  const { records, bytes }: Held = JSON.parse(child.stdout)
  assert.ok(records > 0 && bytes < 64 * MiB, `${bytes} bytes after ${records} records`)
})
