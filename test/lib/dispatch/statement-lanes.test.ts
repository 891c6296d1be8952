import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LaneState } from '../../../lib/checkpoint/types.ts'
import { Dispatcher } from '../../../lib/dispatch/dispatcher.ts'
import { routeSlice } from '../../../lib/dispatch/route-slice.ts'
import { Router } from '../../../lib/dispatch/routes.ts'
import { LogRecords } from '../../../lib/kafka/records.ts'
import { all, FakeRun, failure, route, through } from '../../support/dispatch.ts'
import { t0, Writer } from '../../support/records.ts'

const write = new Writer()
const records = [
  write.insert('shop.orders', 1, t0),
  write.insert('shop.items', 2, t0),
  write.ddl('shop.orders', 'DROP TABLE orders, items', t0),
  write.insert('shop.items', 3, t0),
  write.insert('shop.items', 4, t0),
]

/** Delivers the records until nothing more happens. */
async function deliver(
  run: FakeRun,
  onFailure: 'dead-letter' | 'halt',
  states: Record<string, LaneState> = {},
) {
  const router = new Router({
    'shop.orders': route('orders', { attempts: 1, onFailure }),
    'shop.items': route('items', { concurrency: 2 }),
  })
  const log = LogRecords.of(records.map(({ value }, at) => ({ offset: BigInt(at), value })))
  const routed = routeSlice({ records: log, from: 0, to: log.length, nextOffset: 5n }, router, 'halt')
  const stopping = new AbortController()
  const lanes = new Dispatcher(states, run, stopping.signal)
  for (const event of routed.events) lanes.offer(event)
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
  stopping.abort()
  await lanes.ended()
  return lanes
}

const offsetsOf = (run: FakeRun, name: string) =>
  run.sent.filter(({ functionName }) => functionName === name).map(({ offsets }) => offsets)

/** `orders` takes no statement. */
const refusing = () =>
  new FakeRun((events, name) => {
    if (name !== 'orders' || events.every(({ offset }) => offset !== 2n)) return all(events)
    const before = events.filter(({ offset }) => offset < 2n).at(-1)?.offset ?? null
    return through(before, failure('no statements'))
  })

describe('a statement that concerns two functions', () => {
  test('keeps its place in both, and runs alone in a function with several lanes', async () => {
    const run = new FakeRun()
    const lanes = await deliver(run, 'halt')
    assert.deepEqual(offsetsOf(run, 'orders').flat(), [0, 2])
    const items = offsetsOf(run, 'items')
    assert.deepEqual([items[0], items[1], items.slice(2).flat().sort()], [[1], [2], [3, 4]])
    assert.equal(lanes.firstUndone, null)
  })

  test('becomes a dead letter of the function that refuses it, and is not sent again to the other', async () => {
    const run = refusing()
    const lanes = await deliver(run, 'dead-letter')
    assert.deepEqual(
      run.aside.map(({ offset }) => offset),
      [2],
    )
    assert.deepEqual(offsetsOf(run, 'items').flat().sort(), [1, 2, 3, 4])
    assert.equal(lanes.firstUndone, null)
  })

  test('is not committed before both have done it, and the faster function is stored as ahead', async () => {
    const run = refusing()
    const lanes = await deliver(run, 'halt')
    assert.deepEqual([lanes.firstUndone, lanes.halt?.code], [2n, 'HANDLER_FAILED'])
    const states = lanes.statesAt(2n)
    const again = new FakeRun()
    await deliver(again, 'halt', states)
    assert.deepEqual(offsetsOf(again, 'items').flat(), [])
    assert.deepEqual(offsetsOf(again, 'orders').flat().at(-1), 2)
  })
})
