import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LaneState } from '../../../lib/checkpoint/types.ts'
import type { SendResult } from '../../../lib/dispatch/delivery.ts'
import { Dispatcher } from '../../../lib/dispatch/dispatcher.ts'
import { QueuedEvent } from '../../../lib/dispatch/event.ts'
import { LogRecords } from '../../../lib/kafka/records.ts'
import { all, FakeRun, failure, route, through } from '../../support/dispatch.ts'
import { keyed, keyedFor, turn } from './support.ts'

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

  test('a lane that has done the committed offset itself, or fails there, keeps its state', async () => {
    const trouble = { offset: 15n, attempts: 1, since: 1, nextAt: 2, limit: null }
    const states = { idle: { through: 15n, trouble: null }, failing: { through: null, trouble } }
    const lanes = await runLanes(new FakeRun(), states, (all) => {
      for (const event of keyedFor(route('orders'), [15, null])) all.offer(event)
    })
    assert.deepEqual(lanes.statesAt(15n), { ...states, orders: { through: 15n, trouble: null } })
    assert.deepEqual(lanes.statesAt(16n), {})
  })

  test('the first undone change is the lowest of all functions, in whichever order they got theirs', () => {
    const stopped = new AbortController()
    stopped.abort()
    for (const offsets of [
      [2, 4, 6],
      [4, 2, 6],
      [6, 4, 2],
    ]) {
      const lanes = new Dispatcher({}, new FakeRun(), stopped.signal)
      for (const [index, offset] of offsets.entries())
        for (const event of keyedFor(route(`f${index}`), [offset, null])) lanes.offer(event)
      assert.equal(lanes.firstUndone, 2n)
    }
  })

  test('an error is found in any of the functions, and only those that wait are named as failing', async () => {
    const failing = new FakeRun((events, name) => {
      if (name === 'odd') throw new TypeError('odd')
      return name === 'items' ? { kind: 'failed', error: failure() } : all(events)
    })
    failing.permits = 4
    const lanes = await runLanes(failing, {}, (all) => {
      for (const to of [route('orders'), { ...items, attempts: 9 }, route('odd')])
        for (const event of keyedFor(to, [1, null])) all.offer(event)
    })
    assert.ok(lanes.unexpectedError instanceof TypeError)
    assert.deepEqual(
      lanes.failures.map(({ name }) => name),
      ['items'],
    )
  })

  test('a halt of any function halts the stream', async () => {
    for (const names of [
      ['items', 'orders'],
      ['orders', 'items'],
    ]) {
      const lanes = await runLanes(failItems(), {}, (all) => {
        for (const name of names)
          for (const event of keyedFor(name === 'items' ? items : route(name), [1, null])) all.offer(event)
      })
      assert.equal(lanes.halt?.code, 'HANDLER_FAILED')
    }
  })

  describe('a function that does not answer', () => {
    test('may run until the latest end of all such invocations', async () => {
      const unknown = (run: FakeRun, laterMs: number): SendResult => {
        run.clock += laterMs
        return { kind: 'unknown', error: failure() }
      }
      for (const names of [
        ['first', 'second'],
        ['second', 'first'],
      ]) {
        const run = new FakeRun()
        const begin = run.clock
        run.permits = 2
        let sent = 0
        run.answer = () => unknown(run, sent++ === 0 ? 7_000 : 0)
        // Waiting for the next attempt does not move the clock.
        Object.assign(run, { pause: async () => {} })
        const lanes = await runLanes(run, {}, (all) => {
          for (const name of names) for (const event of keyedFor(route(name), [1, null])) all.offer(event)
        })
        assert.equal(sent, 2)
        assert.equal(lanes.mayRunUntil, begin + 7_000 + run.worstCaseMs)
      }
    })

    test('is not reported if every function answered', async () => {
      const lanes = await runLanes(new FakeRun(), {}, (all) => {
        for (const event of keyedFor(route('orders'), [1, null])) all.offer(event)
      })
      assert.equal(lanes.mayRunUntil, null)
    })
  })

  test('the next attempt is the earliest of all functions with work, if all of them wait', async () => {
    const since = new FakeRun().clock
    const waits = (afterMs: number): LaneState => ({
      through: null,
      trouble: { offset: 2n, attempts: 1, since, nextAt: since + afterMs, limit: null },
    })
    const states = { early: waits(5_000), late: waits(9_000), later: waits(12_000) }
    const cases: [functions: string[], afterMs: number | null][] = [
      [['early', 'late', 'later'], 5_000],
      [['later', 'early', 'late'], 5_000],
      [['later', 'late'], 9_000],
      [['late', 'orders'], null],
      [['orders', 'late'], null],
      [[], null],
    ]
    for (const [functions, afterMs] of cases) {
      const stopping = new AbortController()
      const pauses: (() => void)[] = []
      let answer = () => {}
      const run = Object.assign(
        new FakeRun((events) => new Promise((resolve) => (answer = () => resolve(all(events))))),
        { pause: () => new Promise<void>((resolve) => pauses.push(resolve)) },
      )
      const lanes = new Dispatcher(states, run, stopping.signal)
      for (const name of functions) for (const event of keyedFor(route(name), [2, null])) lanes.offer(event)
      await turn()
      assert.equal(lanes.waitsUntil, afterMs === null ? null : since + afterMs, functions.join())
      // A function that is done does not count.
      answer()
      await turn()
      if (functions.includes('orders')) assert.equal(lanes.waitsUntil, since + 9_000)
      stopping.abort()
      run.permits = 0
      for (const resolve of pauses) resolve()
      await lanes.ended()
    }
  })

  test('a nudge starts the waiting batches of all functions', async () => {
    const run = Object.assign(new FakeRun(), { pause: () => new Promise<void>(() => {}) })
    run.growsFrom = 0n
    const stopping = new AbortController()
    const lanes = new Dispatcher({}, run, stopping.signal)
    for (const name of ['orders', 'items'])
      for (const event of keyedFor(route(name), [1, null])) lanes.offer(event)
    await turn()
    assert.deepEqual(run.batches, [])
    run.growsFrom = null
    lanes.nudge()
    await turn()
    assert.deepEqual(
      run.sent.map(({ functionName }) => functionName),
      ['orders', 'items'],
    )
    stopping.abort()
    await lanes.ended()
  })
})
