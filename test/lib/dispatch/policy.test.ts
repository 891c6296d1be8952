import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Trouble } from '../../../lib/checkpoint/types.ts'
import { afterEventFailure, afterOutage, afterSuccess, type Failure } from '../../../lib/dispatch/policy.ts'

const now = 1_795_433_580_000
const rules = { attempts: 5, maxAgeSeconds: 3_600 }
const failed = (failure: Partial<Failure> = {}): Failure => ({
  offset: 7n,
  size: 8,
  together: 1,
  maySplit: true,
  firstIsToBlame: false,
  ...failure,
})
const trouble = (given: Partial<Trouble> = {}): Trouble => ({
  offset: 7n,
  attempts: 1,
  since: now - 1_000,
  nextAt: now,
  limit: null,
  ...given,
})

describe('a failure that the events may have caused', () => {
  test('is retried after a random pause below a bound that doubles up to 30 s', () => {
    const cases: [failedBefore: number, longestMs: number][] = [
      [0, 1_000],
      [1, 2_000],
      [2, 4_000],
      [3, 8_000],
      [4, 16_000],
      [5, 30_000],
      [60, 30_000],
    ]
    for (const [failedBefore, longestMs] of cases) {
      const before = failedBefore === 0 ? null : trouble({ attempts: failedBefore })
      for (const [random, pause] of [
        [0, 0],
        [0.5, longestMs / 2],
        [1, longestMs],
      ] as const) {
        const many = { ...rules, attempts: 100 }
        const decision = afterEventFailure(many, before, failed(), now, random)
        assert.ok(decision.kind === 'retry')
        assert.equal(decision.trouble.nextAt - now, pause)
        assert.equal(decision.trouble.attempts, failedBefore + 1)
      }
    }
  })

  test('keeps its age and its limit, and starts again at another offset', () => {
    const before = trouble({ attempts: 2, limit: 4 })
    const same = afterEventFailure(rules, before, failed(), now, 0)
    assert.deepEqual(same, {
      kind: 'retry',
      trouble: { offset: 7n, attempts: 3, since: now - 1_000, nextAt: now, limit: 4 },
    })
    const other = afterEventFailure(rules, before, failed({ offset: 8n }), now, 0)
    assert.deepEqual(other, {
      kind: 'retry',
      trouble: { offset: 8n, attempts: 1, since: now, nextAt: now, limit: null },
    })
  })

  test('halves the batch at once after the last attempt, or cuts it to the event that the handler named', () => {
    const cases: [size: number, firstIsToBlame: boolean, limit: number][] = [
      [8, false, 4],
      [5, false, 3],
      [3, false, 2],
      [2, false, 1],
      [8, true, 1],
      [2, true, 1],
    ]
    for (const [size, firstIsToBlame, limit] of cases) {
      const before = trouble({ attempts: 4 })
      const decision = afterEventFailure(rules, before, failed({ size, firstIsToBlame }), now, 1)
      assert.ok(decision.kind === 'retry')
      assert.deepEqual([decision.trouble.limit, decision.trouble.nextAt], [limit, now])
      // The half gets one attempt, not all of them again.
      const next = afterEventFailure(rules, decision.trouble, failed({ size: limit }), now, 1)
      if (limit === 1) assert.deepEqual(next, { kind: 'dead-letter', attempts: 5 })
      else assert.equal(next.kind === 'retry' && next.trouble.limit, Math.ceil(limit / 2))
    }
  })

  test('tries a transaction alone before it halves it, and never halves one that must stay whole', () => {
    const cases: [failure: Partial<Failure>, limit: number | 'dead letter'][] = [
      [{ size: 8, together: 2 }, 4],
      [{ size: 8, together: 6 }, 6],
      [{ size: 8, together: 6, firstIsToBlame: true }, 6],
      [{ size: 8, together: 2, firstIsToBlame: true }, 2],
      [{ size: 6, together: 6 }, 3],
      [{ size: 6, together: 6, firstIsToBlame: true }, 3],
      [{ size: 8, together: 6, maySplit: false }, 6],
      [{ size: 6, together: 6, maySplit: false }, 'dead letter'],
    ]
    for (const [failure, limit] of cases) {
      const decision = afterEventFailure(rules, trouble({ attempts: 4 }), failed(failure), now, 1)
      assert.equal(decision.kind === 'retry' ? decision.trouble.limit : 'dead letter', limit)
    }
  })

  test('counts a halved batch as failed even if there is only one attempt, so that its transaction may be cut', () => {
    const decision = afterEventFailure({ ...rules, attempts: 1 }, null, failed({ together: 8 }), now, 0)
    assert.deepEqual(decision.kind === 'retry' && [decision.trouble.limit, decision.trouble.attempts], [4, 1])
  })

  test('reports one attempt of a change that a search finds if there is only one attempt', () => {
    const rule = { ...rules, attempts: 1 }
    const half = afterEventFailure(rule, null, failed({ size: 2 }), now, 0)
    assert.ok(half.kind === 'retry')
    assert.deepEqual(afterEventFailure(rule, half.trouble, failed({ size: 1 }), now, 0), {
      kind: 'dead-letter',
      attempts: 1,
    })
  })

  test('keeps a transaction whole for all of its attempts although an earlier search made batches small', () => {
    const before = trouble({ attempts: 1, limit: 2 })
    const decision = afterEventFailure(rules, before, failed({ size: 6, together: 6 }), now, 0)
    assert.equal(decision.kind === 'retry' && decision.trouble.limit, 6)
  })

  test('finds the one failing event of any batch within as many attempts as the batch can be halved', () => {
    for (const size of [1, 2, 3, 7, 1_000, 10_000]) {
      let state: Trouble | null = null
      let left = size
      for (let tries = 1; ; tries++) {
        assert.ok(tries <= rules.attempts + Math.ceil(Math.log2(size)))
        const decision = afterEventFailure(rules, state, failed({ size: left }), now, 0)
        if (decision.kind === 'dead-letter') break
        state = decision.trouble
        left = Math.min(left, state.limit ?? left)
      }
      assert.equal(left, 1)
    }
  })

  test('sends a single event to the dead-letter queue after its attempts, or when it is too old', () => {
    const cases: [attempts: number, ageSeconds: number, gives: boolean, reason: string][] = [
      [3, 0, false, 'one attempt is left'],
      [4, 0, true, 'it was the last'],
      [9, 0, true, 'the setting was lowered'],
      [1, 3_599, false, 'a second is left'],
      [1, 3_600, true, 'the age is reached'],
    ]
    for (const [attempts, age, gives, reason] of cases) {
      const before = trouble({ attempts, since: now - age * 1_000 })
      const decision = afterEventFailure(rules, before, failed({ size: 1 }), now, 0)
      assert.equal(decision.kind, gives ? 'dead-letter' : 'retry', reason)
    }
    const once = afterEventFailure({ ...rules, attempts: 1 }, null, failed({ size: 1 }), now, 0)
    assert.deepEqual(once, { kind: 'dead-letter', attempts: 1 })
  })
})

describe('an outage', () => {
  test('never counts as an attempt and never ages an event', () => {
    let state: Trouble | null = null
    let clock = now
    for (let i = 0; i < 1_000; i++) {
      state = afterOutage(state, 7n, 0, clock, 1)
      assert.ok(state.nextAt - clock <= 30_000)
      clock = state.nextAt
    }
    assert.deepEqual([state?.attempts, state?.outages], [0, 1_000])
    const decision = afterEventFailure(rules, state, failed({ size: 1 }), clock, 0)
    assert.ok(decision.kind === 'retry')
    assert.deepEqual([decision.trouble.attempts, decision.trouble.since], [1, clock])
  })

  test('that lasts is reported since its first failure', () => {
    const first = afterOutage(null, 7n, 0, now, 1)
    const second = afterOutage(first, 7n, 0, first.nextAt + 60_000, 1)
    assert.deepEqual([second.outages, second.since], [2, now])
  })

  test('keeps the earlier attempts and the limit', () => {
    const before = trouble({ attempts: 3, limit: 2 })
    assert.deepEqual(afterOutage(before, 7n, 0, now, 0), { ...before, nextAt: now, outages: 1 })
    const other = afterOutage(before, 8n, 0, now, 0)
    assert.deepEqual([other.offset, other.attempts, other.limit], [8n, 0, null])
  })

  test('between failures adds nothing to the age of the change', () => {
    const age = (state: Trouble, at: number) => at - state.since
    const first = afterEventFailure(rules, null, failed({ size: 1 }), now, 1)
    assert.ok(first.kind === 'retry')
    // The next attempt is due a second later. From then on the function is unavailable for an hour, then for a minute.
    let state = afterOutage(first.trouble, 7n, 0, first.trouble.nextAt + 3_600_000, 1)
    assert.equal(age(state, state.nextAt), 1_000)
    state = afterOutage(state, 7n, state.nextAt + 60_000, state.nextAt, 1)
    assert.equal(age(state, state.nextAt), 1_000)
    const second = afterEventFailure(rules, state, failed({ size: 1 }), state.nextAt, 0)
    assert.ok(second.kind === 'retry')
    assert.deepEqual([second.trouble.attempts, age(second.trouble, state.nextAt)], [2, 1_000])
    // The time of real failures still counts.
    const last = afterEventFailure(rules, second.trouble, failed({ size: 1 }), state.nextAt + 3_599_000, 0)
    assert.deepEqual(last, { kind: 'dead-letter', attempts: 3 })
  })

  test('pauses longer with each outage, and at least until a running handler must have ended', () => {
    const pauses = [0, 1, 2, 10].map((outages) => {
      const before = outages === 0 ? null : trouble({ attempts: 0, outages })
      return afterOutage(before, 7n, 0, now, 1).nextAt - now
    })
    assert.deepEqual(pauses, [1_000, 2_000, 4_000, 30_000])
    assert.equal(afterOutage(null, 7n, now + 45_000, now, 1).nextAt, now + 45_000)
    assert.equal(afterOutage(null, 7n, now - 45_000, now, 1).nextAt, now + 1_000)
  })
})

describe('success', () => {
  test('forgets a failure, but lets a halved batch grow back step by step', () => {
    const cases: [before: Trouble | null, done: number, limit: number | null, reason: string][] = [
      [null, 100, null, 'nothing had failed'],
      [trouble({ attempts: 3 }), 100, null, 'a retry went through whole'],
      [trouble({ limit: 1 }), 1, 2, 'from one event'],
      [trouble({ limit: 125 }), 125, 250, 'doubled'],
      [trouble({ limit: 4 }), 2, 4, 'a part of the batch: not yet'],
      [trouble({ limit: 500 }), 500, null, 'back to the whole batch'],
      [trouble({ limit: 300 }), 300, 600, 'still below it'],
    ]
    for (const [before, done, limit, reason] of cases) {
      const after = afterSuccess(before, done, 1_000, 50n)
      assert.equal(after?.limit ?? null, limit, reason)
      if (after !== null) assert.deepEqual([after.offset, after.attempts, after.nextAt], [50n, 0, 0], reason)
    }
  })

  test('keeps nothing if no event is left', () => {
    assert.equal(afterSuccess(trouble({ limit: 1 }), 1, 1_000, null), null)
  })
})
