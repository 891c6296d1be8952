import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { digestOf, identityOf } from '../../lib/dts/digest.ts'
import { isFiller, readHeader } from '../../lib/dts/header.ts'
import { LogRecords } from '../../lib/kafka/records.ts'
import { type Place, ReadRecords, Trail } from '../../lib/trail.ts'
import type { NewRecord } from '../integration/parts.ts'
import { t0, Writer } from '../integration/records.ts'

const write = new Writer()
const base: Place = { offset: 0n, timestamp: t0 - 1, anchor: null, tail: null }
const records = [
  write.insert('shop.orders', 1, t0 + 5),
  write.insert('shop.other', 2, t0 + 3),
  write.mark('HEARTBEAT', t0 + 9),
  { value: null, timestamp: t0 + 9 },
  write.ddl('shop', 'ALTER', t0 + 10),
]

function readFrom(given: readonly NewRecord[], from = 0n): ReadRecords {
  const records = LogRecords.of(given.map(({ value }, index) => ({ offset: from + BigInt(index), value })))
  const read = new ReadRecords(records, 0, records.length)
  for (const { value } of given) {
    read.push(value === null || isFiller(value.length) ? null : readHeader(value))
  }
  return read
}

function trailOf(place: Place = base): Trail {
  const trail = new Trail(place)
  trail.add(readFrom(records), 5n)
  return trail
}

/** The position at an offset, asked for at once. */
const at = (offset: bigint) => trailOf().moveTo(offset)
const all = [0n, 1n, 2n, 3n, 4n, 5n]

describe('the position at an offset', () => {
  test('has the highest time so far: times go back a little', () => {
    assert.deepEqual(
      all.map((offset) => at(offset).timestamp),
      [t0 - 1, t0 + 5, t0 + 5, t0 + 9, t0 + 9, t0 + 10],
    )
  })

  test('has the last change as its anchor, whoever handles it, by what it says', () => {
    assert.deepEqual(
      all.map((offset) => at(offset).anchor?.offset),
      [undefined, 0n, 1n, 1n, 1n, 4n],
    )
    const value = records[1]?.value
    assert.ok(value)
    const { sourcePosition, sourceTxid } = readHeader(value)
    assert.deepEqual(at(4n).anchor, {
      offset: 1n,
      timestamp: t0 + 3,
      sourcePosition,
      transactionId: sourceTxid,
      digest: identityOf(value, readHeader(value)),
    })
  })

  test('has the last record of any kind as its tail, by its bytes', () => {
    assert.deepEqual(
      all.map((offset) => at(offset).tail),
      [null, ...records.map(({ value }, index) => ({ offset: BigInt(index), digest: digestOf(value) }))],
    )
  })

  test('is the same, whether one goes there step by step or at once', () => {
    for (const last of all) {
      const trail = trailOf()
      for (const step of all.filter((offset) => offset < last)) trail.moveTo(step)
      assert.deepEqual(trail.moveTo(last), at(last))
    }
  })

  test('in a gap of offsets, or where nothing was passed, keeps what it had', () => {
    const before = at(2n)
    const trail = new Trail(before)
    trail.add(new ReadRecords(new LogRecords(), 0, 0), 9n)
    assert.equal(trail.end, 9n)
    assert.deepEqual(trail.moveTo(9n), { ...before, offset: 9n })
  })

  test('counts milliseconds of a synchronisation topic as seconds', () => {
    const trail = new Trail(base)
    trail.add(readFrom([write.insert('shop.orders', 1, (t0 + 7) * 1_000)]), 1n)
    const { timestamp, anchor } = trail.moveTo(1n)
    assert.deepEqual([timestamp, anchor?.timestamp], [t0 + 7, t0 + 7])
  })

  test('knows a change that is broken behind its header by its bytes', () => {
    const { value } = write.insert('shop.orders', 1, t0)
    assert.ok(value !== null)
    const broken = value.subarray(0, -30)
    const trail = new Trail(base)
    trail.add(readFrom([{ value: broken, timestamp: t0 }]), 1n)
    assert.equal(trail.moveTo(1n).anchor?.digest, digestOf(broken))
  })
})

test('reading goes on where it ended, whatever was committed meanwhile', () => {
  const trail = new Trail(base)
  assert.equal(trail.end, 0n)
  trail.add(readFrom(records.slice(0, 2)), 2n)
  trail.moveTo(1n)
  trail.add(readFrom(records.slice(2), 2n), 5n)
  assert.equal(trail.end, 5n)
  assert.deepEqual(trail.moveTo(5n), at(5n))
})

test('the memory of a slice is given back when all of it is passed, and not before', () => {
  const trail = new Trail(base)
  const freed: string[] = []
  trail.add(readFrom(records.slice(0, 2)), 2n, () => void freed.push('first'))
  trail.add(readFrom(records.slice(2), 2n), 5n, () => void freed.push('second'))
  const after = all.map((offset) => {
    trail.moveTo(offset)
    return freed.length
  })
  assert.deepEqual(after, [0, 0, 1, 1, 1, 2])
  assert.deepEqual(freed, ['first', 'second'])
})

test('what lies behind the end is not looked at', () => {
  const trail = new Trail(base)
  trail.add(readFrom(records), 2n)
  assert.deepEqual(trail.moveTo(trail.end), at(2n))
})
