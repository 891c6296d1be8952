import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Position } from '../../../lib/checkpoint/types.ts'
import { planSlice, positionAt } from '../../../lib/dispatch/plan.ts'
import { Router } from '../../../lib/dispatch/routes.ts'
import { digestOf } from '../../../lib/dts/digest.ts'
import type { NewRecord } from '../../integration/parts.ts'
import { filler, t0, Writer } from '../../integration/records.ts'

const router = new Router({ 'shop.orders': 'orders', 'shop.customers': 'customers' })
const write = new Writer()

function slice(records: readonly NewRecord[], from = 0n) {
  const numbered = records.map(({ value, timestamp }, i) => ({ offset: from + BigInt(i), value, timestamp }))
  return { records: numbered, nextOffset: from + BigInt(records.length) }
}

const offsets = (plan: ReturnType<typeof planSlice>) =>
  Object.fromEntries([...plan.queues].map(([name, queue]) => [name, queue.map(({ offset }) => offset)]))

const origin: Position = { offset: 0n, timestamp: t0 - 1, anchor: null, tail: null, progress: {} }

describe('planSlice', () => {
  test('sorts the changes by function, and counts what nobody handles', () => {
    const plan = planSlice(
      slice([
        write.mark('BEGIN', t0),
        write.insert('shop.orders', 1, t0),
        write.insert('shop.customers', 2, t0),
        write.insert('shop.other', 3, t0),
        ...filler(t0),
        write.delete('shop.orders', 1, t0),
        write.insert('shop.other', 4, t0),
      ]),
      router,
      'skip',
      {},
    )
    assert.deepEqual(offsets(plan), { orders: [1n, 7n], customers: [2n] })
    assert.deepEqual(plan.skipped, new Map([['shop.other', 2]]))
    assert.deepEqual([plan.nextOffset, plan.stop], [9n, null])
  })

  test('leaves out what a function acknowledged before, and nothing else', () => {
    const records = slice(
      [1, 2, 3].map((id) => write.insert('shop.orders', id, t0)),
      10n,
    )
    assert.deepEqual(offsets(planSlice(records, router, 'skip', { orders: 10n })), { orders: [11n, 12n] })
    assert.deepEqual(offsets(planSlice(records, router, 'skip', { orders: 12n })), {})
    assert.deepEqual(offsets(planSlice(records, router, 'skip', { customers: 12n })), {
      orders: [10n, 11n, 12n],
    })
    assert.deepEqual(offsets(planSlice(records, router, 'skip', { orders: 9n })), { orders: [10n, 11n, 12n] })
  })

  test('a statement on a database goes to each function of it', () => {
    const plan = planSlice(slice([write.ddl('shop', 'x', t0), write.ddl('', 'y', t0)]), router, 'skip', {})
    assert.deepEqual(offsets(plan), { orders: [0n, 1n], customers: [0n, 1n] })
  })

  test('ends before what must not be passed over, with all that comes before it', () => {
    const before = [write.insert('shop.orders', 1, t0), write.insert('shop.orders', 2, t0)]
    const after = write.insert('shop.orders', 4, t0)
    const stops: [record: NewRecord, code: string][] = [
      [{ value: Buffer.from('abc'), timestamp: t0 }, 'RECORD_INVALID'],
      [write.insert('shop.other', 3, t0), 'TABLE_UNROUTED'],
    ]
    for (const [record, code] of stops) {
      const plan = planSlice(slice([...before, record, after]), router, 'halt', {})
      assert.equal(plan.stop?.code, code)
      assert.equal(plan.stop?.facts.offset, '2')
      assert.equal(plan.nextOffset, 2n)
      assert.deepEqual(offsets(plan), { orders: [0n, 1n] })
    }
  })

  test('three bytes are a record that cannot be read, two are filler', () => {
    const two = planSlice(slice([{ value: Buffer.alloc(2), timestamp: t0 }]), router, 'halt', {})
    assert.equal(two.stop, null)
    const three = planSlice(slice([{ value: Buffer.alloc(3), timestamp: t0 }]), router, 'halt', {})
    assert.equal(three.stop?.code, 'RECORD_INVALID')
  })
})

describe('positionAt', () => {
  const records = [
    write.insert('shop.orders', 1, t0 + 5),
    write.insert('shop.other', 2, t0 + 3),
    write.mark('HEARTBEAT', t0 + 9),
    { value: null, timestamp: t0 + 9 },
    write.insert('shop.orders', 3, t0 + 10),
  ]
  const plan = planSlice(slice(records), router, 'skip', {})
  const at = (offset: bigint, previous = origin, acknowledged = new Map<string, bigint>()) =>
    positionAt(previous, plan, offset, acknowledged)

  test('the time is the highest so far: times go back a little', () => {
    const times = [0n, 1n, 2n, 3n, 4n, 5n].map((offset) => at(offset).timestamp)
    assert.deepEqual(times, [t0 - 1, t0 + 5, t0 + 5, t0 + 9, t0 + 9, t0 + 10])
  })

  test('the anchor is the last change, whoever handles it; the tail is the last record of any kind', () => {
    const anchors = [0n, 1n, 2n, 4n, 5n].map((offset) => at(offset).anchor?.offset)
    assert.deepEqual(anchors, [undefined, 0n, 1n, 1n, 4n])
    const { anchor } = at(4n)
    assert.deepEqual([anchor?.timestamp, anchor?.transactionId], [t0 + 3, at(2n).anchor?.transactionId])
    assert.equal(at(0n).tail, null)
    assert.deepEqual(at(4n).tail, { offset: 3n, digest: digestOf(null) })
    assert.deepEqual(at(3n).tail, { offset: 2n, digest: digestOf(records[2]?.value ?? null) })
  })

  test('progress is kept where it is ahead, and forgotten where the offset has caught up', () => {
    const previous = { ...origin, progress: { orders: 4n, gone: 1n } }
    assert.deepEqual(at(2n, previous, new Map([['customers', 3n]])).progress, { orders: 4n, customers: 3n })
    assert.deepEqual(at(4n, previous).progress, { orders: 4n })
    assert.deepEqual(at(5n, previous).progress, {})
  })

  test('an offset that passes nothing changes nothing but itself', () => {
    const previous = at(2n)
    const empty = planSlice({ records: [], nextOffset: 9n }, router, 'skip', {})
    assert.deepEqual(positionAt(previous, empty, 9n, new Map()), { ...previous, offset: 9n })
  })
})
