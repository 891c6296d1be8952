import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { LaneState } from '../../../lib/checkpoint/types.ts'
import type { SendResult } from '../../../lib/dispatch/delivery.ts'
import { Dispatcher } from '../../../lib/dispatch/dispatcher.ts'
import { QueuedEvent, type RoutedEvent } from '../../../lib/dispatch/event.ts'
import { FunctionQueue } from '../../../lib/dispatch/function-queue.ts'
import type { Route } from '../../../lib/dispatch/settings.ts'
import { LogRecords } from '../../../lib/kafka/records.ts'
import { all, FakeRun, failure, route, through } from '../../support/dispatch.ts'

const concurrency = 2
const two = route('orders', { concurrency, batchSize: 10 })

type Keyed = readonly [offset: number, key: number | null, columns?: readonly string[], table?: string]

const idColumn = ['id']

/** `[offset, key]` of each event. The parity of a key selects its lane. */
const keyed = (...given: readonly Keyed[]) => keyedFor(two, ...given)

function keyedFor(to: Route, ...given: readonly Keyed[]): QueuedEvent[] {
  return given.map(([offset, hash, columns = idColumn, table = 'shop.orders']) => {
    const records = LogRecords.of([{ offset: BigInt(offset), value: Buffer.alloc(10) }])
    return new QueuedEvent(records, 0, table, to, hash === null ? null : { hash, columns })
  })
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** Works until all events are done, or until no invocation may start. */
async function work(lane: FunctionQueue, events: readonly QueuedEvent[], run: FakeRun): Promise<void> {
  for (const event of events) lane.offer(event)
  const stopping = new AbortController()
  const finished = lane.run(stopping.signal)
  for (let turn = 0; turn < 10_000 && lane.firstUndone !== null && run.permits > 0; turn++) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  stopping.abort()
  await finished
}

/** Answers at a later turn, so that parallel invocations overlap. */
function recordOverlaps(run: FakeRun, answer: (events: readonly RoutedEvent[]) => SendResult = all) {
  const inFlight = new Set<readonly RoutedEvent[]>()
  const overlaps: [number, number][] = []
  const order: number[] = []
  run.answer = async (events) => {
    for (const other of inFlight) {
      overlaps.push([Number(other[0]?.offset), Number(events[0]?.offset)])
    }
    inFlight.add(events)
    await new Promise((resolve) => setImmediate(resolve))
    inFlight.delete(events)
    const result = answer(events)
    if (result.kind === 'acknowledged') {
      for (const { offset } of events) if (offset <= (result.through ?? -1n)) order.push(Number(offset))
    }
    return result
  }
  return { overlaps, order }
}

describe('a function queue with one lane', () => {
  test('delivers changes in order that arrive while it works', async () => {
    const run = new FakeRun()
    const lane = new FunctionQueue(route('orders', { batchSize: 2 }), {}, run)
    await work(lane, keyed([1, null], [2, null], [3, null]), run)
    assert.deepEqual(run.batches, [[1, 2], [3]])
    assert.deepEqual([lane.firstUndone, lane.bytes], [null, 0])
  })

  test('leaves out changes that the checkpoint has as done', async () => {
    const run = new FakeRun()
    const lane = new FunctionQueue(route('orders'), { orders: { through: 2n, trouble: null } }, run)
    await work(lane, keyed([1, 4], [2, null], [3, 4]), run)
    assert.deepEqual(run.batches, [[3]])
  })

  describe('while more records are known to follow', () => {
    /** A queue with batches of three. `elapse` lets the time pass for which a batch may wait. */
    function growing(t: TestContext, answer?: FakeRun['answer']) {
      const run = new FakeRun(answer)
      run.growsFrom = 0n
      let elapse = (_earlyMs = 0) => {}
      const pause = (milliseconds: number) =>
        new Promise<void>((resolve) => {
          elapse = (earlyMs = 0) => {
            run.clock += milliseconds - earlyMs
            resolve()
          }
        })
      const lane = new FunctionQueue(route('orders', { batchSize: 3 }), {}, Object.assign(run, { pause }))
      const stopping = new AbortController()
      const finished = lane.run(stopping.signal)
      t.after(() => {
        stopping.abort()
        return finished
      })
      return { run, lane, elapse: (earlyMs?: number) => elapse(earlyMs) }
    }

    test('a batch waits until it is full', async (t) => {
      const { run, lane } = growing(t)
      for (const event of keyed([1, null], [2, null])) lane.offer(event)
      await turn()
      assert.deepEqual(run.batches, [])
      for (const event of keyed([3, null], [4, null])) lane.offer(event)
      await turn()
      assert.deepEqual(run.batches, [[1, 2, 3]])
    })

    test('a batch waits only for a limited time', async (t) => {
      const { run, lane, elapse } = growing(t)
      for (const event of keyed([1, null])) lane.offer(event)
      await turn()
      assert.deepEqual(run.batches, [])
      elapse()
      await turn()
      assert.deepEqual(run.batches, [[1]])
    })

    test('a batch stops waiting even if the timer ends a moment before the clock', async (t) => {
      const { run, lane, elapse } = growing(t)
      for (const event of keyed([1, null])) lane.offer(event)
      await turn()
      elapse(1)
      await turn()
      assert.deepEqual(run.batches, [])
      elapse()
      await turn()
      assert.deepEqual(run.batches, [[1]])
    })

    test('a batch waits its whole time if the timer of the batch before it ends', async (t) => {
      const { run, lane, elapse } = growing(t)
      for (const event of keyed([1, null])) lane.offer(event)
      await turn()
      run.clock += 1_000
      for (const event of keyed([2, null], [3, null])) lane.offer(event)
      await turn()
      for (const event of keyed([4, null])) lane.offer(event)
      await turn()
      elapse(1_000)
      await turn()
      assert.deepEqual(run.batches, [[1, 2, 3]])
      elapse()
      await turn()
      assert.deepEqual(run.batches, [[1, 2, 3], [4]])
    })

    test('a batch is sent as soon as it may not wait any more', async (t) => {
      const { run, lane } = growing(t)
      for (const event of keyed([5, null])) lane.offer(event)
      await turn()
      run.growsFrom = 5n
      lane.nudge()
      await turn()
      assert.deepEqual(run.batches, [])
      run.growsFrom = 6n
      lane.nudge()
      await turn()
      assert.deepEqual(run.batches, [[5]])
    })

    test('a batch that failed does not wait for more changes before its next attempt', async (t) => {
      let failures = 0
      const { run, lane, elapse } = growing(t, (events) =>
        failures++ === 0 ? through(events[0]?.offset ?? null, failure()) : all(events),
      )
      for (const event of keyed([1, null], [2, null], [3, null])) lane.offer(event)
      await turn()
      elapse()
      await turn()
      assert.deepEqual(run.batches, [
        [1, 2, 3],
        [2, 3],
      ])
    })
  })

  test('counts the bytes of waiting changes until they are done', () => {
    const lane = new FunctionQueue(route('orders'), {}, new FakeRun())
    for (const event of keyed([1, 0], [2, 0])) lane.offer(event)
    assert.ok(lane.bytes >= 20)
    assert.equal(lane.firstUndone, 1n)
  })
})

describe('a function queue with several lanes', () => {
  test('works on different keys in parallel, and on one key in order', async () => {
    const run = new FakeRun()
    const { overlaps, order } = recordOverlaps(run)
    await work(new FunctionQueue(two, {}, run), keyed([1, 0], [2, 1], [3, 0], [4, 1]), run)
    assert.deepEqual(run.batches, [
      [1, 3],
      [2, 4],
    ])
    assert.deepEqual(overlaps, [[1, 2]])
    assert.deepEqual(order.toSorted(), [1, 2, 3, 4])
  })

  test('a failing key holds back only its own later changes', async () => {
    const run = new FakeRun()
    let failures = 0
    const { order } = recordOverlaps(run, (events) => {
      if (events[0]?.offset !== 1n || failures++ >= 3) return all(events)
      return { kind: 'failed', error: failure() }
    })
    await work(new FunctionQueue(two, {}, run), keyed([1, 0], [2, 1], [3, 0], [4, 1]), run)
    assert.equal(failures, 4)
    assert.deepEqual(order, [2, 4, 1, 3])
  })

  test('a lane that is done with its batch does not wait for a slower lane', async () => {
    const run = new FakeRun()
    let finish = (_: SendResult) => {}
    run.answer = (events) =>
      events[0]?.offset === 1n
        ? new Promise((resolve) => {
            finish = resolve
          })
        : all(events)
    const ten = Array.from({ length: 30 }, (_, at): Keyed => [at + 2, 1])
    const queue = new FunctionQueue(two, {}, run)
    const working = work(queue, keyed([1, 0], ...ten), run)
    for (let turns = 0; turns < 10; turns++) await turn()
    assert.deepEqual(
      run.batches.map(([first]) => first),
      [1, 2, 12, 22],
    )
    assert.equal(queue.firstUndone, 1n)
    finish(through(1n))
    await working
  })

  test('a change that must not be parallel runs after all earlier changes and before all later ones', async () => {
    const run = new FakeRun()
    const { overlaps, order } = recordOverlaps(run)
    const events = keyed([1, 0], [2, 1], [3, null], [4, 1], [5, 0])
    await work(new FunctionQueue(two, {}, run), events, run)
    assert.deepEqual(run.batches.slice(0, 3), [[1], [2], [3]])
    assert.deepEqual(overlaps, [
      [1, 2],
      [4, 5],
    ])
    assert.deepEqual(order[2], 3)
  })

  test('neighbours that must not be parallel to other changes travel in one batch', async () => {
    const run = new FakeRun()
    const alone = Array.from({ length: 12 }, (_, at): Keyed => [at + 2, null])
    await work(new FunctionQueue(two, {}, run), keyed([1, 0], ...alone, [14, 1]), run)
    assert.deepEqual(
      run.batches.map((batch) => [batch[0], batch.length]),
      [
        [1, 1],
        [2, 10],
        [12, 2],
        [14, 1],
      ],
    )
  })

  test('neighbours that arrive while the one before them is handled join it', async () => {
    const run = new FakeRun()
    const queue = new FunctionQueue(two, {}, run)
    run.answer = (events) => {
      if (events[0]?.offset === 1n) for (const event of keyed([2, null], [3, null])) queue.offer(event)
      return all(events)
    }
    await work(queue, keyed([1, null]), run)
    assert.deepEqual(run.batches, [[1], [2, 3]])
  })

  test('a lane does not wait for more changes while others wait for it', async () => {
    const run = Object.assign(new FakeRun(), { pause: () => new Promise<void>(() => {}) })
    run.growsFrom = 0n
    const queue = new FunctionQueue(two, {}, run)
    const stopping = new AbortController()
    const finished = queue.run(stopping.signal)
    for (const event of keyed([1, 0], [2, 1])) queue.offer(event)
    await turn()
    assert.deepEqual(run.batches, [])
    for (const event of keyed([3, null])) queue.offer(event)
    await turn()
    assert.deepEqual(run.batches, [[1], [2]])
    stopping.abort()
    await finished
  })

  test('changes of a table wait for earlier ones that have another key, and other tables do not', async () => {
    const run = new FakeRun()
    const { order, overlaps } = recordOverlaps(run)
    const both = ['id', 'part']
    const events = keyed(
      [1, 0],
      [2, 1, both, 'shop.items'],
      [3, 1, both],
      [4, 0, both],
      [5, 1, idColumn, 'shop.items'],
    )
    await work(new FunctionQueue(two, {}, run), events, run)
    assert.deepEqual(overlaps, [
      [1, 2],
      [4, 3],
    ])
    assert.deepEqual(order, [1, 2, 4, 3, 5])
  })

  test('a change that must not be parallel waits for an earlier change that fails', async () => {
    const run = new FakeRun((events) =>
      events[0]?.offset === 1n ? { kind: 'failed', error: failure() } : all(events),
    )
    run.permits = 4
    const lane = new FunctionQueue(two, {}, run)
    await work(lane, keyed([1, 0], [2, 1], [3, null], [4, 1]), run)
    assert.deepEqual(run.batches, [[1], [2], [1], [1]])
    assert.equal(lane.firstUndone, 1n)
  })

  test('a redelivery skips in each lane the changes that the checkpoint has as done', async () => {
    const run = new FakeRun()
    const states: Record<string, LaneState> = {
      'orders#1/2/v3': { through: 5n, trouble: null },
      'orders#2/2/v3': { through: 2n, trouble: null },
    }
    await work(
      new FunctionQueue(two, states, run),
      keyed([1, 0], [2, 1], [3, 0], [4, 1], [5, 0], [6, 0]),
      run,
    )
    assert.deepEqual(run.batches.toSorted(), [[4], [6]])
  })

  test('a lane that is ahead keeps its progress while the others catch up', async () => {
    const run = new FakeRun()
    const lane = new FunctionQueue(two, { 'orders#1/2/v3': { through: 9n, trouble: null } }, run)
    await work(lane, keyed([4, 1], [6, 0]), run)
    assert.deepEqual(run.batches, [[4]])
    for (const event of keyed([9, 0])) lane.offer(event)
    assert.equal(lane.firstUndone, null)
  })

  test('a queue ignores the states of another concurrency or of another version of the key hash', async () => {
    const states: Record<string, LaneState> = {
      orders: { through: 9n, trouble: null },
      'orders#1/3/v3': { through: 9n, trouble: null },
      'orders#2/4/v3': { through: 9n, trouble: null },
      // With another hash, the change at 2 belonged to the second lane, which had not reached it.
      'orders#1/2': { through: 9n, trouble: null },
      'orders#1/2/v2': { through: 9n, trouble: null },
    }
    const run = new FakeRun()
    await work(new FunctionQueue(two, states, run), keyed([1, 0], [2, 1]), run)
    assert.deepEqual(run.batches.flat().toSorted(), [1, 2])
  })

  test('the first undone change is the earliest of all lanes, even if other lanes are ahead', async () => {
    const run = new FakeRun((events) =>
      events[0]?.offset === 2n ? { kind: 'failed', error: failure() } : all(events),
    )
    run.permits = 3
    const lane = new FunctionQueue(two, {}, run)
    await work(lane, keyed([1, 0], [2, 1], [3, 0]), run)
    assert.equal(lane.firstUndone, 2n)
    assert.deepEqual(
      lane.lanes.map(({ through }) => through),
      [3n, null],
    )
  })
})

describe('all lanes of a run', () => {
  const items = route('items', { onFailure: 'halt', attempts: 1 })
  async function runLanes(
    run: FakeRun,
    states: Record<string, LaneState>,
    offer: (lanes: Dispatcher) => void,
  ) {
    const stopping = new AbortController()
    const lanes = new Dispatcher(states, run, stopping.signal)
    offer(lanes)
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
    stopping.abort()
    await lanes.ended()
    return lanes
  }
  const failItems = () =>
    new FakeRun((events, name) => (name === 'items' ? { kind: 'failed', error: failure() } : all(events)))

  test('a failing function stops only its own changes, and the checkpoint keeps the progress of the others', async () => {
    const lanes = await runLanes(failItems(), {}, (all) => {
      for (const event of keyedFor(route('orders'), [1, null], [3, null])) all.offer(event)
      for (const event of keyedFor(items, [2, null])) all.offer(event)
    })
    assert.equal(lanes.firstUndone, 2n)
    assert.equal(lanes.halt?.code, 'HANDLER_FAILED')
    assert.deepEqual(lanes.statesAt(2n), { orders: { through: 3n, trouble: null } })
    assert.deepEqual(lanes.statesAt(4n), {})
  })

  test('the checkpoint keeps the attempts of a failing change', async () => {
    const run = failItems()
    run.permits = 2
    const lanes = await runLanes(run, {}, (all) => {
      for (const event of keyedFor({ ...items, attempts: 9 }, [2, null])) all.offer(event)
    })
    const state = lanes.statesAt(2n).items
    assert.deepEqual([state?.through, state?.trouble?.offset, state?.trouble?.attempts], [null, 2n, 2])
    assert.deepEqual(
      lanes.failures.map(({ name, error }) => [name, error.code]),
      [['items', 'HANDLER_FAILED']],
    )
  })

  test('a halt is reported at once', async () => {
    const run = failItems()
    const lanes = await runLanes(run, {}, (all) => {
      for (const event of keyedFor(items, [2, null])) all.offer(event)
    })
    assert.deepEqual([lanes.halt?.code, run.changes], ['HANDLER_FAILED', 1])
  })

  describe('an unexpected error', () => {
    const odd = new TypeError('odd')

    test('is reported at once: its changes are not done, other queues continue, and no promise rejects', async () => {
      const run = new FakeRun((events, name) => {
        if (name === 'items') throw odd
        return all(events)
      })
      const lanes = await runLanes(run, {}, (all) => {
        for (const event of keyedFor(items, [2, null])) all.offer(event)
      })
      assert.deepEqual(
        [lanes.unexpectedError, lanes.halt, lanes.firstUndone, run.changes],
        [odd, null, 2n, 1],
      )
      // The request may have been sent. So the lease must be kept as after a lost answer.
      assert.equal(lanes.mayRunUntil, run.clock + run.worstCaseMs)
      const others = await runLanes(run, {}, (all) => {
        for (const event of keyedFor(items, [2, null])) all.offer(event)
        for (const event of keyedFor(route('orders'), [1, null], [3, null])) all.offer(event)
      })
      assert.equal(others.unexpectedError, odd)
      assert.deepEqual(others.statesAt(2n), { orders: { through: 3n, trouble: null } })
    })

    test('may be null or undefined', async () => {
      const run = new FakeRun(() => Promise.reject(undefined))
      const lanes = await runLanes(run, {}, (all) => {
        for (const event of keyedFor(items, [2, null])) all.offer(event)
      })
      assert.ok(lanes.unexpectedError instanceof Error)
    })

    test('in one lane ends the queue after the other lanes have ended', async () => {
      const stopping = new AbortController()
      let answer = (_: SendResult) => {}
      const run = new FakeRun((events) => {
        if (events[0]?.offset === 2n) throw odd
        return new Promise<SendResult>((resolve) => {
          answer = resolve
        })
      })
      const lanes = new Dispatcher({}, run, stopping.signal)
      for (const event of keyed([1, 0], [2, 1], [3, 0], [4, 1])) lanes.offer(event)
      const turns = async () => {
        for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
      }
      await turns()
      assert.deepEqual([lanes.unexpectedError, run.changes], [odd, 1])
      stopping.abort()
      let ended = false
      const settled = lanes.ended().then(() => {
        ended = true
      })
      await turns()
      assert.equal(ended, false)
      answer(through(3n))
      await settled
      assert.deepEqual(
        [lanes.firstUndone, run.batches],
        [
          2n,
          [
            [1, 3],
            [2, 4],
          ],
        ],
      )
    })

    test('while the next batch is packed has no effect before that batch is sent', async () => {
      const events = keyedFor(route('orders', { batchSize: 1 }), [1, null], [2, null], [3, null])
      let asked = 0
      // The function works until the next batch is being packed.
      const run = new FakeRun(async (given) => {
        while (asked === 0) await new Promise((resolve) => setImmediate(resolve))
        return all(given)
      })
      Object.assign(events[1] ?? {}, {
        copyTo: () => {
          asked += 1
          throw odd
        },
      })
      const lanes = await runLanes(run, {}, (all) => {
        for (const event of events) all.offer(event)
      })
      assert.deepEqual([lanes.unexpectedError, lanes.firstUndone, run.batches, asked], [odd, 2n, [[1]], 2])
    })
  })

  test('want more changes until 4 MB wait and one lane has enough, or until 32 MB wait', () => {
    const megabyte = (functionName: string, offset: number, batchSize: number) => {
      const records = LogRecords.of([{ offset: BigInt(offset), value: Buffer.alloc(1024 * 1024) }])
      return new QueuedEvent(records, 0, 'shop.orders', route(functionName, { batchSize }), null)
    }
    const wantedAfter = (offer: (lanes: Dispatcher, at: number) => void) => {
      const stopped = new AbortController()
      stopped.abort()
      const lanes = new Dispatcher({}, new FakeRun(), stopped.signal)
      let count = 0
      while (lanes.wantsMore) offer(lanes, count++)
      return count
    }
    // Two batches of one change each are enough for a lane. Without them, 4 MB are one full batch.
    assert.equal(
      wantedAfter((lanes, at) => lanes.offer(megabyte('orders', at, 1))),
      4,
    )
    assert.equal(
      wantedAfter((lanes, at) => lanes.offer(megabyte('orders', at, 1_000))),
      5,
    )
    assert.equal(
      wantedAfter((lanes, at) => lanes.offer(megabyte(`f${at}`, at, 1_000))),
      32,
    )
  })

  test('a lane without changes in a run keeps its progress as long as it is ahead', async () => {
    const trouble = { offset: 20n, attempts: 1, since: 1, nextAt: 2, limit: null }
    const states = { idle: { through: 15n, trouble: null }, failing: { through: null, trouble } }
    const lanes = await runLanes(new FakeRun(), states, (all) => {
      for (const event of keyedFor(route('orders'), [12, null])) all.offer(event)
    })
    assert.deepEqual(lanes.statesAt(13n), states)
    assert.deepEqual(lanes.statesAt(16n), { failing: states.failing })
    // Its function was removed or renamed. Its state disappears once the stream has passed the failed change.
    assert.deepEqual(lanes.statesAt(21n), {})
  })
})
