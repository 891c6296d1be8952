import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { LaneState } from '../../../lib/checkpoint/types.ts'
import type { SendResult } from '../../../lib/dispatch/delivery.ts'
import { FunctionQueue, functionOfLane, laneName } from '../../../lib/dispatch/function-queue.ts'
import type { DeliveryInput } from '../../../lib/dispatch/settings.ts'
import { all, FakeRun, failure, route, through } from '../../support/dispatch.ts'
import { idColumn, type Keyed, keyed, keyedFor, recordOverlaps, turn, two, work } from './support.ts'

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
    function growing(t: TestContext, answer?: FakeRun['answer'], settings: DeliveryInput = {}) {
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
      const lane = new FunctionQueue(
        route('orders', { batchSize: 3, ...settings }),
        {},
        Object.assign(run, { pause }),
      )
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

    test('a batch that waits has one timer, however many changes arrive meanwhile', async (t) => {
      const { run, lane } = growing(t)
      const pausing = t.mock.method(run, 'pause')
      for (const event of keyed([1, null], [2, null])) {
        lane.offer(event)
        lane.nudge()
        await turn()
      }
      assert.deepEqual([run.batches, pausing.mock.callCount()], [[], 1])
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
      const retryAt = lane.waitsUntil
      elapse()
      await turn()
      assert.deepEqual(run.batches, [
        [1, 2, 3],
        [2, 3],
      ])
      assert.equal(run.sent[1]?.at, retryAt)
    })

    test('a batch that has all the bytes that it may have does not wait', async (t) => {
      const { run, lane } = growing(t, undefined, { batchSize: 1_000, batchBytes: 1_000 })
      let offset = 0
      while (lane.bytes < 1_000) {
        await turn()
        assert.deepEqual(run.batches, [])
        for (const event of keyed([++offset, null])) lane.offer(event)
      }
      await turn()
      assert.equal(run.batches.length, 1)
    })
  })

  describe('with a window, at the end of the stream', () => {
    /** A queue with batches of three, and with a window. `elapse` lets time pass. */
    function waiting(t: TestContext, settings: DeliveryInput) {
      const run = new FakeRun()
      let timers: { readonly at: number; readonly wake: () => void }[] = []
      const pause = (milliseconds: number) =>
        new Promise<void>((wake) => timers.push({ at: run.clock + milliseconds, wake }))
      const longestGrowthMs = () => 20_000
      const lane = new FunctionQueue(
        route('orders', { batchSize: 3, ...settings }),
        {},
        Object.assign(run, { pause, longestGrowthMs }),
      )
      const stopping = new AbortController()
      const finished = lane.run(stopping.signal)
      t.after(() => {
        stopping.abort()
        return finished
      })
      const elapse = async (milliseconds: number) => {
        const until = run.clock + milliseconds
        await turn()
        while (run.clock < until) {
          run.clock = Math.min(until, ...timers.map(({ at }) => at))
          const due = timers.filter(({ at }) => at <= run.clock)
          timers = timers.filter(({ at }) => at > run.clock)
          for (const { wake } of due) wake()
          await turn()
        }
      }
      return { run, lane, elapse }
    }

    test('a batch waits for its window to pass, and takes what comes meanwhile', async (t) => {
      const { run, lane, elapse } = waiting(t, { batchWindowSeconds: 5 })
      for (const event of keyed([1, null])) lane.offer(event)
      await elapse(4_999)
      assert.deepEqual(run.batches, [])
      for (const event of keyed([2, null])) lane.offer(event)
      await elapse(1)
      assert.deepEqual(run.batches, [[1, 2]])
    })

    test('a full batch does not wait', async (t) => {
      const { run, lane } = waiting(t, { batchWindowSeconds: 5 })
      for (const event of keyed([1, null], [2, null], [3, null], [4, null])) lane.offer(event)
      await turn()
      assert.deepEqual(run.batches, [[1, 2, 3]])
    })

    test('without a window nothing waits', async (t) => {
      const { run, lane } = waiting(t, {})
      for (const event of keyed([1, null])) lane.offer(event)
      await turn()
      assert.deepEqual(run.batches, [[1]])
    })

    test('a batch does not wait longer than the run allows', async (t) => {
      const { run, lane, elapse } = waiting(t, { batchWindowSeconds: 30 })
      for (const event of keyed([1, null])) lane.offer(event)
      await elapse(19_999)
      assert.deepEqual(run.batches, [])
      await elapse(1)
      assert.deepEqual(run.batches, [[1]])
    })

    test('a batch does not wait if the run reads no more', async (t) => {
      const { run, lane } = waiting(t, { batchWindowSeconds: 5 })
      for (const event of keyed([1, null])) lane.offer(event)
      await turn()
      assert.deepEqual(run.batches, [])
      run.mayHold = () => false
      lane.nudge()
      await turn()
      assert.deepEqual(run.batches, [[1]])
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

describe('what a function queue says of its lanes', () => {
  /** Queue and run. `letGo` ends the pauses of lanes that wait for another attempt. */
  function queueOf(to = two, states: Record<string, LaneState> = {}, answer?: FakeRun['answer']) {
    const pauses: (() => void)[] = []
    const pause = () => new Promise<void>((resolve) => pauses.push(resolve))
    const run = Object.assign(new FakeRun(answer), { pause })
    const stopping = new AbortController()
    const queue = new FunctionQueue(to, states, run)
    const finished = queue.run(stopping.signal)
    const stop = async () => {
      stopping.abort()
      run.permits = 0
      for (const resolve of pauses) resolve()
      await finished
    }
    return { queue, run, stop }
  }

  test('the first undone change is the lowest of all lanes, whichever lane has it', () => {
    for (const events of [keyed([2, 0], [3, 1]), keyed([2, 1], [3, 0])]) {
      const queue = new FunctionQueue(two, {}, new FakeRun())
      for (const event of events) queue.offer(event)
      assert.equal(queue.firstUndone, 2n)
    }
  })

  test('the time of the next attempt is the earliest of the lanes with work, if all of them wait', async () => {
    const since = 1_795_433_580_000
    const trouble = (offset: bigint, nextAt: number) => ({ offset, attempts: 1, since, nextAt, limit: null })
    const waiting = (first: number, second: number): Record<string, LaneState> => ({
      'orders#1/2/v3': { through: null, trouble: trouble(2n, since + first) },
      'orders#2/2/v3': { through: null, trouble: trouble(3n, since + second) },
    })
    const cases: [states: Record<string, LaneState>, events: Keyed[], until: number | null][] = [
      [
        waiting(5_000, 9_000),
        [
          [2, 0],
          [3, 1],
        ],
        since + 5_000,
      ],
      [
        waiting(9_000, 5_000),
        [
          [2, 0],
          [3, 1],
        ],
        since + 5_000,
      ],
      // A lane without work does not count.
      [waiting(9_000, 5_000), [[2, 0]], since + 9_000],
      [waiting(9_000, 5_000), [[3, 1]], since + 5_000],
      [waiting(9_000, 5_000), [], null],
    ]
    for (const [states, events, until] of cases) {
      const { queue, stop } = queueOf(two, states)
      for (const event of keyed(...events)) queue.offer(event)
      await turn()
      assert.equal(queue.waitsUntil, until)
      await stop()
    }
  })

  test('there is no such time while one of the lanes works', async () => {
    const trouble = { offset: 2n, attempts: 1, since: 0, nextAt: 1_795_433_589_000, limit: null }
    for (const waiting of [1, 2]) {
      const states = { [`orders#${waiting}/2/v3`]: { through: null, trouble } }
      let answer = (_: SendResult) => {}
      const { queue, stop } = queueOf(two, states, () => new Promise((resolve) => (answer = resolve)))
      for (const event of keyed([2, waiting - 1], [3, 2 - waiting])) queue.offer(event)
      await turn()
      assert.equal(queue.waitsUntil, null)
      answer(through(3n))
      await turn()
      assert.equal(queue.waitsUntil, trouble.nextAt)
      await stop()
    }
  })

  test('a halt of any lane halts the stream', async () => {
    const halting = route('orders', { concurrency: 2, batchSize: 10, onFailure: 'halt', attempts: 1 })
    for (const failing of [2n, 3n]) {
      const run = new FakeRun((events) =>
        events[0]?.offset === failing ? { kind: 'failed', error: failure() } : all(events),
      )
      const queue = new FunctionQueue(halting, {}, run)
      run.permits = 2
      await work(queue, keyedFor(halting, [2, 0], [3, 1]), run)
      assert.equal(queue.halt?.code, 'HANDLER_FAILED')
    }
  })

  test('it is stocked while one lane has enough, or while two batches a lane are held', () => {
    const small = route('orders', { concurrency: 2, batchSize: 3 })
    const stockedAfter = (nth: (at: number) => Keyed) => {
      const queue = new FunctionQueue(small, {}, new FakeRun())
      let count = 0
      while (!queue.isStocked) for (const event of keyedFor(small, nth(count++))) queue.offer(event)
      return count
    }
    assert.equal(
      stockedAfter((at) => [at, 0]),
      6,
    )
    assert.equal(
      stockedAfter((at) => [at, at === 0 ? 0 : null]),
      1 + 2 * 3 * 2,
    )
  })

  test('its bytes are those of all changes that are not done, also while they are held', async () => {
    const run = new FakeRun()
    const one = new FunctionQueue(two, {}, run)
    for (const event of keyed([1, 0])) one.offer(event)
    const each = one.bytes
    const queue = new FunctionQueue(two, {}, run)
    const events = keyed([1, 0], [2, null], [3, 1])
    for (const [index, event] of events.entries()) {
      queue.offer(event)
      assert.equal(queue.bytes, (index + 1) * each)
    }
    await work(queue, [], run)
    assert.deepEqual([queue.bytes, queue.firstUndone], [0, null])
  })
})

test('changes of one lane travel in one batch, whatever their tables and keys are', async () => {
  const run = new FakeRun()
  const one = route('orders', { batchSize: 10 })
  const events = keyedFor(one, [1, 0], [2, null], [3, 1, ['part']], [4, 1, idColumn, 'shop.items'])
  await work(new FunctionQueue(one, {}, run), events, run)
  assert.deepEqual(run.batches, [[1, 2, 3, 4]])
})

test('a redelivery from offset 0 on skips what is done in its lane, and nothing else', async () => {
  const states: Record<string, LaneState> = {
    'orders#1/2/v3': { through: 0n, trouble: null },
  }
  const first = new FakeRun()
  await work(new FunctionQueue(two, states, first), keyed([0, 0], [1, 0]), first)
  assert.deepEqual(first.batches, [[1]])
  const other = new FakeRun()
  await work(new FunctionQueue(two, states, other), keyed([0, 1], [1, 0]), other)
  assert.deepEqual(other.batches.toSorted(), [[0], [1]])
})

test('the name of a lane leads to its function, in every form', () => {
  for (const concurrency of [1, 4]) assert.equal(functionOfLane(laneName('orders', 0, concurrency)), 'orders')
  assert.equal(functionOfLane('orders#1/2'), 'orders')
})
