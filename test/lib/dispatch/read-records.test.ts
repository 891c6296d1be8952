import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ReadRecords } from '../../../lib/dispatch/read-records.ts'
import { scanHeader } from '../../../lib/dts/header.ts'
import { LogRecords } from '../../../lib/kafka/records.ts'
import { t0, Writer } from '../../support/records.ts'

/** The records from the index `from` on, as a run reads them. Filler has no header. */
function readFrom(from: number): ReadRecords {
  const write = new Writer()
  const values = [
    write.insert('shop.orders', 0, t0 + 900).value,
    write.mark('BEGIN', t0 + 5).value,
    write.insert('shop.orders', 1, t0 + 7).value,
    Buffer.alloc(2),
    write.insert('shop.orders', 2, t0 + 6).value,
  ]
  const records = LogRecords.of(values.map((value, at) => ({ offset: BigInt(100 + 10 * at), value })))
  const read = new ReadRecords(records, from, values.length)
  for (let at = from; at < values.length; at++) {
    const isHeaded = records.size(at) > 2
    read.push(isHeaded ? scanHeader(records.bytes(at), records.start(at), records.end(at)) : null)
  }
  return read
}

test('a part of a slice knows the size, the highest time and the changes of its own records', () => {
  const read = readFrom(1)
  const sizes = [0, 1, 2, 3].map((at) => read.record(at).size)
  assert.deepEqual([read.length, read.bytes], [4, sizes.reduce((sum, size) => sum + size)])
  assert.equal(read.youngest, t0 + 7)
  assert.deepEqual(
    [0, 1, 2, 3, 4].map((at) => [read.timestamp(at), read.isChange(at)]),
    [
      [t0 + 5, false],
      [t0 + 7, true],
      [null, false],
      [t0 + 6, true],
      [null, false],
    ],
  )
  assert.deepEqual([read.record(0).offset, read.record(3).offset], [110n, 140n])
})

test('records below an offset are counted, gaps between offsets included', () => {
  const read = readFrom(1)
  const counts = [0n, 110n, 111n, 120n, 139n, 140n, 141n].map((offset) => read.countBelow(offset))
  assert.deepEqual(counts, [0, 0, 1, 1, 3, 3, 4])
})

test('filler alone has no time', () => {
  const records = LogRecords.of([{ offset: 0n, value: Buffer.alloc(2) }])
  const read = new ReadRecords(records, 0, 1)
  assert.equal(read.youngest, null)
  read.push(null)
  assert.deepEqual([read.youngest, read.timestamp(0), read.bytes], [null, null, 2])
})
