import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LogRecords } from '../../../lib/kafka/records.ts'

test('an offset is written as it is read, also across the middle of its eight bytes', () => {
  const bases = [
    0n,
    5n,
    2n ** 32n - 3n,
    2n ** 32n,
    3n * 2n ** 32n - 1n,
    2n ** 53n + 1n,
    2n ** 63n - 2n ** 31n,
  ]
  const deltas = [0, 1, 3, 4, 2 ** 31 - 1, -1, -6]
  const records = new LogRecords()
  for (const base of bases) {
    records.beginPiece(Buffer.alloc(0), base)
    for (const delta of deltas) records.add(delta, -1, -1)
  }
  const target = new DataView(new ArrayBuffer(16))
  for (const [index, record] of [...records].entries()) {
    record.writeOffset(target, 3)
    assert.equal(target.getBigInt64(3), records.offset(index))
  }
  assert.equal(records.length, bases.length * deltas.length)
})
