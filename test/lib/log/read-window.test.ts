import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encodeRecord, text } from '../../../infra/local/encode.ts'
import type { LaneState, Position } from '../../../lib/checkpoint/types.ts'
import { ReadRecords } from '../../../lib/dispatch/read-records.ts'
import { digestOf, identityOf } from '../../../lib/dts/digest.ts'
import { isFiller, readHeader } from '../../../lib/dts/header.ts'
import { LogRecords } from '../../../lib/kafka/records.ts'
import { identifiedLanes, identifyRouted } from '../../../lib/log/anchor.ts'
import { ReadWindow, type WindowPosition } from '../../../lib/log/read-window.ts'
import type { NewRecord } from '../../support/parts.ts'
import { t0, Writer } from '../../support/records.ts'

const write = new Writer()
const base: WindowPosition = { offset: 0n, timestamp: t0 - 1, times: null, anchor: null, tail: null }
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

function windowOf(place: WindowPosition = base): ReadWindow {
  const readWindow = new ReadWindow(place)
  readWindow.add(readFrom(records), 5n)
  return readWindow
}

/** The lanes that a run stores. */
function identified(
  readWindow: ReadWindow,
  states: Readonly<Record<string, LaneState>>,
  stored: Position['lanes'],
): Position['lanes'] {
  return identifiedLanes(states, stored, (offset) => readWindow.anchorAt(offset, identifyRouted))
}

/** The position at an offset, in one step. */
const at = (offset: bigint) => windowOf().advanceTo(offset)
const all = [0n, 1n, 2n, 3n, 4n, 5n]

describe('the position at an offset', () => {
  test('has the highest time so far, because times go back a little', () => {
    assert.deepEqual(
      all.map((offset) => at(offset).timestamp),
      [t0 - 1, t0 + 5, t0 + 5, t0 + 9, t0 + 9, t0 + 10],
    )
  })

  test('has the last change of any table as its anchor, identified by its content', () => {
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
      ordinal: 0,
      digest: identityOf(value, readHeader(value)),
    })
  })

  test('has the last record of any kind as its tail, identified by its bytes', () => {
    assert.deepEqual(
      all.map((offset) => at(offset).tail),
      [null, ...records.map(({ value }, index) => ({ offset: BigInt(index), digest: digestOf(value) }))],
    )
  })

  test('is the same in one step and in several', () => {
    for (const last of all) {
      const readWindow = windowOf()
      for (const step of all.filter((offset) => offset < last)) readWindow.advanceTo(step)
      assert.deepEqual(readWindow.advanceTo(last), at(last))
    }
  })

  test('keeps time, anchor and tail if there is no record before the new offset', () => {
    const before = at(2n)
    const readWindow = new ReadWindow(before)
    readWindow.add(new ReadRecords(new LogRecords(), 0, 0), 9n)
    assert.equal(readWindow.end, 9n)
    assert.deepEqual(readWindow.advanceTo(9n), { ...before, offset: 9n })
  })

  test('reads the milliseconds of a synchronisation topic as seconds', () => {
    const readWindow = new ReadWindow(base)
    readWindow.add(readFrom([write.insert('shop.orders', 1, (t0 + 7) * 1_000)]), 1n)
    const { timestamp, anchor } = readWindow.advanceTo(1n)
    assert.deepEqual([timestamp, anchor?.timestamp], [t0 + 7, t0 + 7])
  })

  test('identifies a change that is broken after its header by its bytes', () => {
    const { value } = write.insert('shop.orders', 1, t0)
    assert.ok(value !== null)
    const broken = value.subarray(0, -30)
    const readWindow = new ReadWindow(base)
    readWindow.add(readFrom([{ value: broken, timestamp: t0 }]), 1n)
    assert.equal(readWindow.advanceTo(1n).anchor?.digest, digestOf(broken))
  })
})

describe('the number of the anchor within its statement', () => {
  const row = (statement: string, transaction: string) => ({
    value: encodeRecord({
      operation: 'INSERT',
      objectName: 'shop.log',
      sourcePosition: statement,
      sourceTxid: transaction,
      fields: [['text', 253]],
      after: [text('equal')],
    }),
    timestamp: t0,
  })
  const log = [
    row('1@1', 'a'),
    row('2@1', 'a'),
    row('2@1', 'a'),
    write.mark('HEARTBEAT', t0),
    { value: null, timestamp: t0 },
    row('2@1', 'a'),
    row('2@1', 'b'),
    row('3@1', 'b'),
  ]
  const ordinals = [undefined, null, 0, 1, 1, 1, 2, 0, 0]

  function read(place: WindowPosition, steps: readonly number[]) {
    const readWindow = new ReadWindow(place)
    readWindow.add(readFrom(log), BigInt(log.length))
    return steps.map((step) => readWindow.advanceTo(BigInt(step)).anchor?.ordinal)
  }

  test('counts from the change of another statement, across marks', () => {
    assert.deepEqual(
      ordinals.map((_, offset) => read(base, [offset])[0]),
      ordinals,
    )
  })

  test('continues across commits', () => {
    const steps = [...ordinals.keys()]
    assert.deepEqual(read(base, steps), ordinals)
    for (const from of steps) {
      const earlier = new ReadWindow(base)
      earlier.add(readFrom(log), BigInt(log.length))
      const later = new ReadWindow(earlier.advanceTo(BigInt(from)))
      later.add(readFrom(log.slice(from), BigInt(from)), BigInt(log.length))
      for (const step of steps.slice(from))
        assert.equal(later.advanceTo(BigInt(step)).anchor?.ordinal, ordinals[step], `from ${from} to ${step}`)
    }
  })
})

describe('lanes that are ahead', () => {
  const ahead = (through: bigint | null) => ({ through, trouble: null })
  /** The anchor below an offset, with a lane's digest. */
  const routed = (offset: bigint) => {
    const anchor = at(offset).anchor ?? assert.fail('no anchor')
    const value = records[Number(anchor.offset)]?.value ?? assert.fail('no value')
    return { ...anchor, digest: identifyRouted(value, readHeader(value)) }
  }

  test('are found in each slice of the log, and nowhere in a gap between two', () => {
    const readWindow = new ReadWindow(base)
    readWindow.add(readFrom(records.slice(0, 2)), 4n)
    readWindow.add(readFrom(records.slice(0, 2), 6n), 8n)
    readWindow.add(readFrom(records.slice(0, 1), 8n), 9n)
    const found = all
      .concat(6n, 7n, 8n, 9n)
      .map((offset) => readWindow.anchorAt(offset, identifyRouted)?.offset)
    const none = undefined
    assert.deepEqual(found, [0n, 1n, none, none, none, none, 6n, 7n, 8n, none])
    // What lies below the base is done, and the rest of its slice is still there.
    readWindow.advanceTo(1n)
    assert.deepEqual(
      [0n, 1n, 6n].map((offset) => readWindow.anchorAt(offset, identifyRouted)?.offset),
      [none, 1n, 6n],
    )
  })

  test('are stored with the last change that they delivered', () => {
    const readWindow = windowOf()
    readWindow.advanceTo(1n)
    const lanes = identified(readWindow, { orders: ahead(4n), 'other#1/2': ahead(1n), late: ahead(null) }, {})
    assert.deepEqual(lanes.orders, { ...ahead(4n), anchor: routed(5n) })
    assert.deepEqual(lanes['other#1/2'], { ...ahead(1n), anchor: routed(2n) })
    assert.deepEqual(lanes.late, { ...ahead(null), anchor: null })
  })

  test('keep their stored anchor until they move, also if this run has not read that far', () => {
    const anchor = { ...(at(2n).anchor ?? assert.fail('no anchor')), digest: 'as it was stored' }
    const stored = { orders: { ...ahead(1n), anchor }, 'other#1/2': { ...ahead(1n), anchor } }
    const lanes = identified(windowOf(), { orders: ahead(1n), 'other#1/2': ahead(4n) }, stored)
    assert.deepEqual(lanes.orders?.anchor, anchor)
    assert.deepEqual(lanes['other#1/2']?.anchor, routed(5n))
    const unread = identified(new ReadWindow(base), { orders: ahead(1n), 'other#1/2': ahead(4n) }, stored)
    assert.deepEqual([unread.orders?.anchor, unread['other#1/2']?.anchor], [anchor, null])
  })
})

test('with very many lanes ahead, only some are stored with their change, because an item has a size limit', () => {
  const states = Object.fromEntries(
    Array.from({ length: 1_920 }, (_, index) => [`f#${index}`, { through: 4n, trouble: null }]),
  )
  const lanes = identified(windowOf(), states, {})
  const bytes = JSON.stringify(lanes, (_key, value) =>
    typeof value === 'bigint' ? String(value) : value,
  ).length
  assert.equal(Object.keys(lanes).length, 1_920)
  assert.ok(Object.values(lanes).some(({ anchor }) => anchor !== null))
  assert.ok(bytes < 300_000, `${bytes} bytes`)
})

test('reading continues at the end of reading, whatever was committed meanwhile', () => {
  const readWindow = new ReadWindow(base)
  assert.equal(readWindow.end, 0n)
  readWindow.add(readFrom(records.slice(0, 2)), 2n)
  readWindow.advanceTo(1n)
  readWindow.add(readFrom(records.slice(2), 2n), 5n)
  assert.equal(readWindow.end, 5n)
  assert.deepEqual(readWindow.advanceTo(5n), at(5n))
})

test('the memory of a slice is freed when the position has passed all of it', () => {
  const readWindow = new ReadWindow(base)
  const freed: string[] = []
  readWindow.add(readFrom(records.slice(0, 2)), 2n, () => void freed.push('first'))
  readWindow.add(readFrom(records.slice(2), 2n), 5n, () => void freed.push('second'))
  const after = all.map((offset) => {
    readWindow.advanceTo(offset)
    return freed.length
  })
  assert.deepEqual(after, [0, 0, 1, 1, 1, 2])
  assert.deepEqual(freed, ['first', 'second'])
})

test('it says before whether an advance frees memory', () => {
  const readWindow = new ReadWindow(base)
  readWindow.add(readFrom(records.slice(0, 1)), 1n)
  assert.deepEqual(
    all.map((offset) => readWindow.freesAt(offset)),
    all.map(() => false),
  )
  readWindow.add(readFrom(records.slice(1, 3), 1n), 3n, () => {})
  readWindow.add(readFrom(records.slice(3), 3n), 5n, () => {})
  assert.deepEqual(
    all.map((offset) => readWindow.freesAt(offset)),
    [false, false, false, true, true, true],
  )
  readWindow.advanceTo(3n)
  assert.deepEqual(
    all.map((offset) => readWindow.freesAt(offset)),
    [false, false, false, false, false, true],
  )
})

test('records after the end are ignored', () => {
  const readWindow = new ReadWindow(base)
  readWindow.add(readFrom(records), 2n)
  assert.deepEqual(readWindow.advanceTo(readWindow.end), at(2n))
})
