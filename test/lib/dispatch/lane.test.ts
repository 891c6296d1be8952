import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LaneState } from '../../../lib/checkpoint/types.ts'
import { recordOverhead, sizeInBatch } from '../../../lib/dispatch/batch-format.ts'
import type { SendResult } from '../../../lib/dispatch/delivery.ts'
import { RoutedEvent } from '../../../lib/dispatch/event.ts'
import { Lane } from '../../../lib/dispatch/lane.ts'
import { type DeliveryInput, maxBatchBytes } from '../../../lib/dispatch/settings.ts'
import { DtsError } from '../../../lib/errors.ts'
import { LogRecords } from '../../../lib/kafka/records.ts'
import { all, eventOf, eventsAt, FakeRun, failure, route, through } from '../../support/dispatch.ts'

const away: SendResult = {
  kind: 'unavailable',
  error: new DtsError('HANDLER_UNAVAILABLE', 'not deployed', { retryable: true }),
}
const lost: SendResult = {
  kind: 'unknown',
  error: new DtsError('HANDLER_UNAVAILABLE', 'no answer', { retryable: true }),
}

function laneOf(run: FakeRun, settings: DeliveryInput = {}, state?: LaneState): Lane {
  return new Lane('orders', 'orders', route('orders', settings), state, run)
}

/** Runs the lane until all events are done, or until it ends by itself. @returns whether all are done */
async function deliver(lane: Lane, events: readonly RoutedEvent[]): Promise<boolean> {
  for (const event of events) lane.offer(event)
  const stopping = new AbortController()
  let hasEnded = false
  const running = lane.run(stopping.signal).finally(() => {
    hasEnded = true
  })
  while (lane.firstUndone !== null && !hasEnded) await new Promise((resolve) => setImmediate(resolve))
  stopping.abort()
  await running
  return lane.firstUndone === null
}

/** Fails every batch that contains one of these offsets, without naming it. */
const failing =
  (...bad: number[]) =>
  (events: readonly RoutedEvent[]): SendResult =>
    events.some(({ offset }) => bad.includes(Number(offset)))
      ? { kind: 'failed', error: failure() }
      : all(events)

/** Fails at the first of these offsets, and names it. */
const failingAt =
  (...bad: number[]) =>
  (events: readonly RoutedEvent[]): SendResult => {
    const at = events.findIndex(({ offset }) => bad.includes(Number(offset)))
    return at === -1 ? all(events) : through(events[at - 1]?.offset ?? null, failure())
  }

describe('a lane', () => {
  test('sends its events in order, one batch at a time, within the limits of its settings and of an invocation', async () => {
    const run = new FakeRun()
    const lane = laneOf(run, { batchSize: 2 })
    assert.equal(await deliver(lane, eventsAt(1, 2, 3, 4, 5)), true)
    assert.deepEqual(run.batches, [[1, 2], [3, 4], [5]])
    assert.deepEqual([lane.through, lane.firstUndone, lane.trouble], [5n, null, null])

    const large = [1n, 2n, 3n, 4n].map((offset) =>
      eventOf(offset, Buffer.alloc(maxBatchBytes / 2 - recordOverhead)),
    )
    const wide = new FakeRun()
    await deliver(laneOf(wide), large)
    assert.deepEqual(wide.batches, [
      [1, 2],
      [3, 4],
    ])
  })

  test('sends at most `batchBytes`, and a larger event alone', async () => {
    const run = new FakeRun()
    const sizes = [400, 500, 200, 1_500, 100]
    const events = sizes.map((size, at) => eventOf(BigInt(at + 1), Buffer.alloc(size - recordOverhead)))
    assert.equal(await deliver(laneOf(run, { batchBytes: 1_000 }), events), true)
    assert.deepEqual(run.batches, [[1, 2], [3], [4], [5]])
    assert.deepEqual(run.aside, [])
  })

  test('continues after the last acknowledged event if the function’s time ran out', async () => {
    const run = new FakeRun((events) => through(events[1]?.offset ?? events[0]?.offset ?? null))
    assert.equal(await deliver(laneOf(run), eventsAt(1, 2, 3, 4, 5)), true)
    assert.deepEqual(run.batches, [[1, 2, 3, 4, 5], [3, 4, 5], [5]])
  })

  test('does not send acknowledged events again after a failure', async () => {
    const run = new FakeRun()
    run.answer = (events) => (run.sent.length === 1 ? through(2n, failure()) : all(events))
    const lane = laneOf(run)
    assert.equal(await deliver(lane, eventsAt(1, 2, 3, 4)), true)
    assert.deepEqual(run.batches, [
      [1, 2, 3, 4],
      [3, 4],
    ])
    assert.equal(run.aside.length, 0)
    assert.deepEqual([lane.failure, lane.trouble], [null, null])
  })

  test('sends the event that the function names to the dead-letter queue after its attempts, and delivers all others', async () => {
    const run = new FakeRun(failingAt(3))
    assert.equal(await deliver(laneOf(run, { attempts: 3 }), eventsAt(1, 2, 3, 4, 5)), true)
    assert.deepEqual(
      run.aside.map(({ offset, attempts, error }) => [offset, attempts, error.code]),
      [[3, 3, 'HANDLER_FAILED']],
    )
    // The change after it is not delayed by a search, because the function named the one that failed.
    assert.deepEqual(run.batches, [[1, 2, 3, 4, 5], [3, 4, 5], [3, 4, 5], [3], [4, 5]])
  })

  test('with one attempt, sends the last event of a batch to the dead-letter queue as soon as the function names it', async () => {
    const run = new FakeRun(failingAt(3))
    assert.equal(await deliver(laneOf(run, { attempts: 1 }), eventsAt(1, 2, 3)), true)
    assert.deepEqual(run.batches, [[1, 2, 3]])
    assert.deepEqual(
      run.aside.map(({ offset, attempts }) => [offset, attempts]),
      [[3, 1]],
    )
  })

  test('halves the batch to find the failing event if the function does not name it', async () => {
    for (const bad of [[1], [8], [4, 5], [1, 2, 3, 4, 5, 6, 7, 8]]) {
      const run = new FakeRun()
      let done = 0
      run.answer = (events) => {
        // Each batch starts with the first event that is not done, so order holds during the search.
        done = Math.max(done, run.aside.at(-1)?.offset ?? 0)
        assert.equal(events[0]?.offset, BigInt(done + 1))
        const result = failing(...bad)(events)
        if (result.kind === 'acknowledged') done = Number(result.through)
        return result
      }
      const lane = laneOf(run, { attempts: 2 })
      assert.equal(await deliver(lane, eventsAt(1, 2, 3, 4, 5, 6, 7, 8)), true)
      assert.deepEqual(
        run.aside.map(({ offset }) => offset),
        bad,
      )
      assert.equal(lane.through, 8n)
      if (bad.length === 1 && bad[0] === 1)
        assert.deepEqual(
          run.batches.map(({ length }) => length),
          [8, 8, 4, 2, 1, 2, 4, 1],
        )
    }
  })

  test('waits between attempts, and keeps the last error', async () => {
    const run = new FakeRun(failing(1))
    run.permits = 2
    const lane = laneOf(run)
    assert.equal(await deliver(lane, eventsAt(1)), false)
    assert.deepEqual(
      run.sent.map(({ at }) => at - (run.sent[0]?.at ?? 0)),
      [0, 500],
    )
    assert.deepEqual([lane.failure?.code, lane.trouble?.attempts], ['HANDLER_FAILED', 2])
    assert.deepEqual([lane.firstUndone, lane.through, lane.halt], [1n, null, null])
  })

  test('continues to count the attempts of the run before', async () => {
    const run = new FakeRun(failing(7))
    const nextAt = run.clock + 20_000
    const trouble = { offset: 7n, attempts: 4, since: run.clock - 1_000, nextAt, limit: null }
    await deliver(laneOf(run, {}, { through: null, trouble }), eventsAt(7))
    assert.deepEqual(
      run.sent.map(({ at }) => at),
      [nextAt],
    )
    assert.deepEqual(
      run.aside.map(({ attempts }) => attempts),
      [5],
    )
  })

  test('an outage never makes an event a dead letter, however long it lasts', async () => {
    for (const outage of [away, lost]) {
      const run = new FakeRun()
      run.answer = (events) => (run.sent.length <= 200 ? outage : all(events))
      assert.equal(await deliver(laneOf(run, { attempts: 1, maxAgeSeconds: 1 }), eventsAt(1, 2)), true)
      assert.equal(run.sent.length, 201)
      assert.equal(run.aside.length, 0)
    }
  })

  test('an event without an answer is sent again only after the handler must have ended', async () => {
    const run = new FakeRun()
    run.answer = (events) => {
      if (run.sent.length > 1) return all(events)
      run.clock += 10_000
      return lost
    }
    const startedAt = run.clock
    const lane = laneOf(run)
    assert.equal(await deliver(lane, eventsAt(1)), true)
    assert.equal(lane.mayRunUntil, startedAt + run.worstCaseMs)
    assert.equal(run.sent[1]?.at, startedAt + run.worstCaseMs)
  })

  test('starts no invocation without a permit', async () => {
    const run = new FakeRun()
    run.permits = 1
    const lane = laneOf(run, { batchSize: 1 })
    assert.equal(await deliver(lane, eventsAt(1, 2)), false)
    assert.deepEqual(run.batches, [[1]])
    assert.deepEqual([lane.through, lane.firstUndone], [1n, 2n])
  })

  test('an event that is too large for an invocation becomes a dead letter unsent; one at the limit is sent', async () => {
    const sized = (offset: number, bytes: number) =>
      eventOf(BigInt(offset), Buffer.alloc(bytes - recordOverhead))
    assert.equal(sizeInBatch(sized(1, maxBatchBytes)), maxBatchBytes)
    const events = [...eventsAt(0), sized(1, maxBatchBytes), sized(2, maxBatchBytes + 1), ...eventsAt(3)]
    const run = new FakeRun()
    assert.equal(await deliver(laneOf(run), events), true)
    assert.deepEqual(run.batches, [[0], [1], [3]])
    assert.deepEqual(
      run.aside.map(({ offset, error }) => [offset, error.code]),
      [[2, 'EVENT_TOO_LARGE']],
    )
    const halting = new FakeRun()
    const lane = laneOf(halting, { onFailure: 'halt' })
    assert.equal(await deliver(lane, events), false)
    assert.deepEqual([lane.halt?.code, lane.firstUndone, lane.through], ['EVENT_TOO_LARGE', 2n, 1n])
  })

  test('an event with a fault is never sent: it becomes a dead letter in its place, or halts the stream', async () => {
    const fault = new DtsError('COLUMN_UNKNOWN', 'no such column', { retryable: false })
    const records = LogRecords.of([{ offset: 2n, value: Buffer.alloc(10) }])
    const events = [...eventsAt(0, 1), new RoutedEvent(records, 0, 'shop.orders', fault), ...eventsAt(3, 4)]
    const run = new FakeRun()
    assert.equal(await deliver(laneOf(run), events), true)
    assert.deepEqual(run.batches, [
      [0, 1],
      [3, 4],
    ])
    assert.deepEqual(run.aside, [{ offset: 2, attempts: 1, error: fault }])
    const lane = laneOf(new FakeRun(), { onFailure: 'halt' })
    assert.equal(await deliver(lane, events), false)
    assert.deepEqual([lane.halt, lane.firstUndone, lane.through], [fault, 2n, 1n])
  })

  test('that halts the stream starts nothing more, whatever the reason is', async () => {
    const large = eventOf(1n, Buffer.alloc(maxBatchBytes + 1))
    const run = new FakeRun()
    run.permits = 5
    const lane = laneOf(run, { onFailure: 'halt' })
    assert.equal(await deliver(lane, [large, ...eventsAt(2)]), false)
    assert.deepEqual([lane.halt?.code, run.permits, run.batches], ['EVENT_TOO_LARGE', 4, []])
  })

  test('halts at the event if the route says so, or if there is no dead-letter queue', async () => {
    for (const onFailure of ['halt', 'dead-letter'] as const) {
      const run = new FakeRun(failingAt(2))
      run.hasQueue = onFailure === 'halt'
      const lane = laneOf(run, { onFailure, attempts: 2 })
      assert.equal(await deliver(lane, eventsAt(1, 2, 3)), false)
      assert.deepEqual([lane.halt?.code, lane.firstUndone, lane.through], ['HANDLER_FAILED', 2n, 1n])
      assert.deepEqual(run.aside, [])
      assert.ok(!run.batches.some((offsets) => offsets[0] === 3))
    }
  })

  test('while the dead-letter queue is unavailable, the event keeps its place', async () => {
    const run = new FakeRun(failing(1))
    let refused = 0
    run.store = () => {
      if (refused++ < 3) throw new DtsError('DEAD_LETTER_FAILED', 'away', { retryable: true })
    }
    const lane = laneOf(run, { attempts: 2 })
    assert.equal(await deliver(lane, eventsAt(1, 2)), true)
    assert.equal(refused, 4)
    assert.deepEqual(
      run.aside.map(({ offset }) => offset),
      [1],
    )
    assert.ok(run.batches.every(([first], index) => first === 1 || index === run.batches.length - 1))
    assert.deepEqual(run.batches.at(-1), [2])
  })

  test('an event that the dead-letter queue can never store halts the stream with the reason', async () => {
    const run = new FakeRun(failing(1))
    run.store = () => {
      throw new DtsError('DEAD_LETTER_BREAKER', 'too many', { retryable: false })
    }
    const lane = laneOf(run, { attempts: 1 })
    assert.equal(await deliver(lane, eventsAt(1, 2)), false)
    assert.deepEqual([lane.halt?.code, lane.firstUndone], ['DEAD_LETTER_BREAKER', 1n])
    assert.deepEqual(run.batches.at(-1), [1])
  })

  test('an event that this run may no longer send to the dead-letter queue stays for the next run', async () => {
    const run = new FakeRun(failing(1))
    run.permits = 1
    run.store = () => {
      throw new DtsError('LEASE_LOST', 'ran out', { retryable: true })
    }
    const lane = laneOf(run, { attempts: 1 })
    assert.equal(await deliver(lane, eventsAt(1)), false)
    assert.deepEqual([run.aside, lane.halt, lane.firstUndone], [[], null, 1n])
  })
})
