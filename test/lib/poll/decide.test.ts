import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DtsError } from '../../../lib/errors.ts'
import {
  type CommitState,
  type DeliveryState,
  decide,
  decideSend,
  decideWait,
  type HandOverState,
  type ReadingState,
  type RunState,
  type Step,
  type WaitState,
  type WaitStep,
} from '../../../lib/poll/decide.ts'

const now = 1_000_000
const corrupt = new DtsError('BATCH_CORRUPT', 'A batch is damaged.', { retryable: false })
const away = new DtsError('BROKER_FAILED', 'The broker does not answer.', { retryable: true })
const poison = new DtsError('HANDLER_FAILED', 'A change fails.', { retryable: false })
const unexpected = new TypeError('unexpected')

interface Changes {
  readonly run?: Omit<Partial<RunState>, 'reading' | 'delivery' | 'commit' | 'handOver'>
  readonly reading?: Partial<ReadingState>
  readonly delivery?: Partial<DeliveryState>
  readonly commit?: Partial<CommitState>
  /** Left out: runs do not hand the lease over. */
  readonly handOver?: Partial<HandOverState>
}

/** A run that has read everything, has nothing to do, and may fetch. */
function state({ run, reading, delivery, commit, handOver }: Changes): RunState {
  return {
    now,
    superseded: false,
    timeLeftMs: 60_000,
    ...run,
    reading: {
      fetching: false,
      mayFetch: true,
      atEnd: false,
      lingered: false,
      bound: null,
      halt: null,
      fault: null,
      unexpectedError: null,
      ...reading,
    },
    delivery: {
      idle: true,
      holdsStart: false,
      waitsUntil: null,
      mayRunUntil: null,
      halt: null,
      unexpectedError: null,
      ...delivery,
    },
    commit: { pending: false, last: now, pauseMs: 0, leaseCoversInvocation: true, ...commit },
    handOver:
      handOver === undefined
        ? null
        : { wishedAt: null, looking: false, lastLook: now, drain: 'no', ...handOver },
  }
}

const working = { idle: false }
const rows: readonly [reason: string, changes: Changes, step: Step][] = [
  ['nothing is being fetched: fetch', {}, { do: 'fetch' }],
  ['a function works and there is room: fetch ahead', { delivery: working }, { do: 'fetch' }],
  ['a fetch is under way: wait', { reading: { fetching: true } }, { do: 'wait', milliseconds: 1_000 }],
  [
    'the buffers are full: wait',
    { reading: { mayFetch: false }, delivery: working },
    { do: 'wait', milliseconds: 1_000 },
  ],
  [
    'something is done: wait no longer than until the next commit',
    { reading: { fetching: true }, commit: { pending: true, last: now - 50 } },
    { do: 'wait', milliseconds: 150 },
  ],
  [
    'the next commit is due in less than a millisecond: wait at least one',
    { reading: { fetching: true }, commit: { pending: true, last: now - 199.9 } },
    { do: 'wait', milliseconds: 1 },
  ],

  ['something is done for 200 ms: commit', { commit: { pending: true, last: now - 200 } }, { do: 'commit' }],
  [
    'the lease no longer covers an invocation: commit, which renews it',
    { commit: { leaseCoversInvocation: false } },
    { do: 'commit' },
  ],
  [
    'a commit failed a moment ago: its pause comes first, though the lease runs short',
    {
      reading: { fetching: true },
      commit: { pending: true, pauseMs: 3_200, last: now - 3_000, leaseCoversInvocation: false },
    },
    { do: 'wait', milliseconds: 200 },
  ],
  [
    'a commit is due at the end of the run: the commit comes first',
    { run: { timeLeftMs: 0 }, commit: { pending: true, last: now - 200 } },
    { do: 'commit' },
  ],

  [
    'no time for another invocation: end',
    { run: { timeLeftMs: 0 }, delivery: working },
    { do: 'end', why: 'time' },
  ],
  [
    'the end is read, nothing to do, and the run has lingered: end',
    { reading: { atEnd: true, lingered: true } },
    { do: 'end', why: 'end-of-stream' },
  ],
  ['at the end, but the run still lingers: fetch', { reading: { atEnd: true } }, { do: 'fetch' }],
  [
    'at the end, but a function still works: fetch',
    { reading: { atEnd: true, lingered: true }, delivery: working },
    { do: 'fetch' },
  ],
  [
    'a bound is reached and all is done: end',
    { reading: { bound: 'records', mayFetch: false } },
    { do: 'end', why: 'records' },
  ],
  [
    'the other bound is reached: end',
    { reading: { bound: 'bytes', mayFetch: false } },
    { do: 'end', why: 'bytes' },
  ],
  [
    'a bound is reached, but a function still works: wait',
    { reading: { bound: 'records', mayFetch: false }, delivery: working },
    { do: 'wait', milliseconds: 1_000 },
  ],
  [
    'a bound is reached, but a fetch may still bring work: wait',
    { reading: { bound: 'bytes', mayFetch: false, fetching: true } },
    { do: 'wait', milliseconds: 1_000 },
  ],

  [
    'all work waits for a distant attempt, and all is read: end',
    { reading: { atEnd: true }, delivery: { idle: false, waitsUntil: now + 5_001 } },
    { do: 'end', why: 'handler-failed' },
  ],
  [
    'all work waits for a distant attempt, and nothing more may be read: end',
    { reading: { mayFetch: false }, delivery: { idle: false, waitsUntil: now + 5_001 } },
    { do: 'end', why: 'handler-failed' },
  ],
  [
    'the attempt is near: stay',
    { reading: { mayFetch: false }, delivery: { idle: false, waitsUntil: now + 5_000 } },
    { do: 'wait', milliseconds: 1_000 },
  ],
  [
    'other functions may still get work: fetch',
    { delivery: { idle: false, waitsUntil: now + 60_000 } },
    { do: 'fetch' },
  ],
  [
    'all work waits, but a fetch is under way: wait for it',
    { reading: { atEnd: true, fetching: true }, delivery: { idle: false, waitsUntil: now + 60_000 } },
    { do: 'wait', milliseconds: 1_000 },
  ],

  [
    'reading met a halt and all before it is done: halt',
    { reading: { halt: corrupt, mayFetch: false } },
    { do: 'halt', reason: corrupt },
  ],
  [
    'reading met a halt, but a function still works: wait',
    { reading: { halt: corrupt, mayFetch: false }, delivery: working },
    { do: 'wait', milliseconds: 1_000 },
  ],
  [
    'a lane met a halt: halt at once, even with work and a fetch under way',
    { reading: { fetching: true }, delivery: { idle: false, halt: poison } },
    { do: 'halt', reason: poison },
  ],
  [
    'reading failed and all is done: fail with that',
    { reading: { fault: away, mayFetch: false } },
    { do: 'fail', error: away },
  ],
  [
    'reading failed, but a function still works: wait',
    { reading: { fault: away, mayFetch: false }, delivery: working },
    { do: 'wait', milliseconds: 1_000 },
  ],
  [
    'reading failed and the time is over: fail, so that the run does not look healthy',
    { run: { timeLeftMs: 0 }, reading: { fault: away, mayFetch: false }, delivery: working },
    { do: 'fail', error: away },
  ],
  [
    'reading failed and all work waits for a distant attempt: fail',
    {
      reading: { fault: away, mayFetch: false },
      delivery: { idle: false, waitsUntil: now + 60_000 },
    },
    { do: 'fail', error: away },
  ],
  [
    'a fetch threw an unexpected error: fail at once',
    { reading: { unexpectedError: unexpected }, delivery: working },
    { do: 'fail', error: unexpected },
  ],
  [
    'a lane threw an unexpected error: fail at once',
    { delivery: { idle: false, unexpectedError: unexpected } },
    { do: 'fail', error: unexpected },
  ],
  [
    'a halt and an unexpected error in lanes: halt, because a person must look',
    { delivery: { idle: false, halt: poison, unexpectedError: unexpected } },
    { do: 'halt', reason: poison },
  ],

  ['another run asks for the lease: drain', { handOver: { wishedAt: now - 100 } }, { do: 'drain' }],
  [
    'another run asks while functions work: drain all the same, so that no new batch starts',
    { delivery: working, handOver: { wishedAt: now - 100 } },
    { do: 'drain' },
  ],
  [
    'another run asks while a handler that did not answer may still run: the lease could not be released, so continue',
    { delivery: { mayRunUntil: now + 1 }, handOver: { wishedAt: now - 100 } },
    { do: 'fetch' },
  ],
  [
    'another run asks while the first change waits for its transaction: no next run would come further, so continue',
    { delivery: { holdsStart: true }, handOver: { wishedAt: now - 100 } },
    { do: 'fetch' },
  ],
  [
    'another run asks after the time in which such a handler may run: drain',
    { delivery: { mayRunUntil: now }, handOver: { wishedAt: now - 100 } },
    { do: 'drain' },
  ],
  [
    'one table waits for a distant attempt and another run would take over: continue, for the other tables',
    { reading: { atEnd: true }, delivery: { idle: false, waitsUntil: now + 60_000 }, handOver: {} },
    { do: 'fetch' },
  ],
  [
    'another run asked 15 s ago, and has probably ended: continue',
    { handOver: { wishedAt: now - 15_000 } },
    { do: 'fetch' },
  ],
  [
    'the clock of the run that asks is ahead: drain',
    { handOver: { wishedAt: now + 14_999 } },
    { do: 'drain' },
  ],
  [
    'a wish from a clock that is far ahead would never get old: continue',
    { handOver: { wishedAt: now + 15_000 } },
    { do: 'fetch' },
  ],
  [
    'a commit is due when another run asks: the commit comes first',
    { commit: { pending: true, last: now - 200 }, handOver: { wishedAt: now } },
    { do: 'commit' },
  ],
  [
    'a batch is in flight during a drain: wait, and fetch nothing',
    { delivery: working, handOver: { wishedAt: now, drain: 'underway' } },
    { do: 'wait', milliseconds: 1_000 },
  ],
  [
    'something is done during a drain: commit',
    {
      delivery: working,
      commit: { pending: true, last: now - 200 },
      handOver: { wishedAt: now, drain: 'underway' },
    },
    { do: 'commit' },
  ],
  [
    'the time is over during a drain: the batch in flight still decides the end',
    { run: { timeLeftMs: 0 }, handOver: { wishedAt: now, drain: 'underway' } },
    { do: 'wait', milliseconds: 1_000 },
  ],
  [
    'the run that asked is silent since the drain began: end, and the next run acquires',
    { handOver: { wishedAt: now - 60_000, drain: 'done' } },
    { do: 'end', why: 'handed-over' },
  ],
  [
    'nothing is in flight after a drain: end, with changes that wait',
    { delivery: working, handOver: { wishedAt: now, drain: 'done' } },
    { do: 'end', why: 'handed-over' },
  ],
  [
    'reading failed before a drain: fail, so that the run does not look healthy',
    { reading: { fault: away }, handOver: { wishedAt: now, drain: 'done' } },
    { do: 'fail', error: away },
  ],
  [
    'a lane meets a halt during a drain: halt',
    { delivery: { idle: false, halt: poison }, handOver: { wishedAt: now, drain: 'underway' } },
    { do: 'halt', reason: poison },
  ],
  [
    '250 ms without commit or look: look for a wish',
    { commit: { last: now - 250 }, handOver: { lastLook: now - 250 } },
    { do: 'look' },
  ],
  [
    'a commit has just looked for a wish: no look',
    { commit: { last: now - 249 }, handOver: { lastLook: 0 } },
    { do: 'fetch' },
  ],
  [
    'a look is under way: no second one',
    { commit: { last: 0 }, handOver: { lastLook: 0, looking: true } },
    { do: 'fetch' },
  ],
  [
    'runs do not hand the lease over: no look',
    { reading: { fetching: true }, commit: { last: 0 } },
    { do: 'wait', milliseconds: 1_000 },
  ],
  [
    'nothing to do: wait no longer than until the next look',
    { reading: { fetching: true }, commit: { last: 0 }, handOver: { lastLook: now - 50 } },
    { do: 'wait', milliseconds: 200 },
  ],
  [
    'a look is under way and there is nothing to do: its end wakes the run, so wait',
    { reading: { fetching: true }, commit: { last: 0 }, handOver: { lastLook: 0, looking: true } },
    { do: 'wait', milliseconds: 1_000 },
  ],

  [
    'a newer invocation runs in this process: end, whatever else is true',
    {
      run: { superseded: true, timeLeftMs: 0 },
      reading: { unexpectedError: unexpected, halt: corrupt, fault: away },
      delivery: { halt: poison, unexpectedError: unexpected },
      commit: { pending: true, last: 0, leaseCoversInvocation: false },
      handOver: { wishedAt: now },
    },
    { do: 'end', why: 'superseded' },
  ],
]

describe('the next step of a run', () => {
  for (const [reason, changes, step] of rows) {
    test(reason, () => {
      assert.deepEqual(decide(state(changes)), step)
    })
  }
})

describe('whether an invocation may start', () => {
  const open = { stopping: false, timeLeftMs: 1, leaseCoversInvocation: true }
  const cases: readonly [reason: string, change: Partial<typeof open>, answer: 'now' | 'later' | 'never'][] =
    [
      ['the lease covers its worst case: now', {}, 'now'],
      ['the lease is too short: after the next commit', { leaseCoversInvocation: false }, 'later'],
      ['the run has no time left: never', { timeLeftMs: 0 }, 'never'],
      ['the run stops: never', { stopping: true }, 'never'],
      [
        'the run stops and the lease is too short: never',
        { stopping: true, leaseCoversInvocation: false },
        'never',
      ],
    ]
  for (const [reason, change, answer] of cases) {
    test(reason, () => {
      assert.equal(decideSend({ ...open, ...change }), answer)
    })
  }
})

describe('a run that waits for the lease', () => {
  const waiting: WaitState = {
    now,
    superseded: false,
    timeLeftMs: 60_000,
    firstEpoch: 7,
    epoch: 7,
    leaseUntil: now + 30_000,
    wishedAt: null,
    askedAt: null,
  }
  const [wish, wait] = (['wish', 'wait'] as const).map((step) => ({ do: step, milliseconds: 100 }) as const)
  const [acquire, leave] = (['acquire', 'leave'] as const).map((step) => ({ do: step }) as const)
  const waits: readonly [reason: string, changes: Partial<WaitState>, step: WaitStep | undefined][] = [
    ['another run holds the lease: ask for it', {}, wish],
    ['the holder was asked a moment ago: wait', { wishedAt: now - 4_999 }, wait],
    ['the holder was asked by a run whose clock is ahead: wait', { wishedAt: now + 4_999 }, wait],
    [
      'the holder was asked 5 s ago without effect: ask again',
      { wishedAt: now - 5_000, askedAt: now - 5_000 },
      wish,
    ],
    [
      'a run with another clock replaced our wish: leave it',
      { wishedAt: now - 25_000, askedAt: now - 4_999 },
      wait,
    ],
    ['the holder released the lease: acquire', { leaseUntil: null, wishedAt: now }, acquire],
    ['the lease ran out longer ago than clocks differ: acquire', { leaseUntil: now - 5_001 }, acquire],
    [
      'the lease ran out, but the clock of its holder may be behind: not yet',
      { leaseUntil: now - 5_000 },
      wish,
    ],
    ['another run took the lease over: leave', { epoch: 8 }, leave],
    ['recovery took the lease and released it: leave', { epoch: 8, leaseUntil: null }, leave],
    [
      'no time for an invocation is left: leave, even if the lease is free',
      { timeLeftMs: 0, leaseUntil: null },
      leave,
    ],
    ['a newer invocation runs in this process: leave', { superseded: true, leaseUntil: null }, leave],
  ]
  for (const [reason, changes, step] of waits)
    test(reason, () => assert.deepEqual(decideWait({ ...waiting, ...changes }), step))
})
