import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type SourceTimes, startOfTimes } from '../../../../lib/checkpoint/source-times.ts'
import type { Comparison } from '../../../../lib/log/compare.ts'
import { type Progress, sinceOf } from '../../../../lib/log/progress.ts'
import { assess, type LogFacts, lostBetween } from '../../../../lib/recovery/move/assess.ts'
import { anchor } from './support.ts'

const progress: Progress = {
  clusterId: 'old',
  offset: 150n,
  timestamp: 1049,
  times: startOfTimes(1049),
  anchor,
  tail: null,
  lanes: {},
}
const log: LogFacts = {
  clusterId: 'here',
  range: { earliest: 100n, end: 200n },
  ends: { kind: 'covers', first: 1000, last: 1099 },
}
const begins = (time: number) => ({ middle: time, highest: time })
type NoAnchor = Extract<Comparison, { kind: 'no-anchor' }>
const complete: NoAnchor = {
  kind: 'no-anchor',
  since: { offset: 130n, timestamp: 1041 },
  hasTime: true,
  first: begins(1000),
  last: { middle: 1099, highest: 1099 },
  lanes: new Map(),
}
const now = 2_000_000

const place = (read: Partial<Progress>, found: Partial<NoAnchor>, here: Partial<LogFacts> = {}) =>
  assess({ ...progress, ...read }, { ...complete, ...found }, { ...log, ...here }, now)

/** The place in short. */
function short(read: Partial<Progress>, found: Partial<NoAnchor>, here: Partial<LogFacts> = {}) {
  const chosen = place(read, found, here)
  return chosen.kind === 'refusal' ? chosen.reason : [chosen.how, chosen.offset]
}

const byTime = ['time', 130n]
const waits = 'not-there-yet'
const fromEarliest = ['gap', 100n]
const fromSince = ['gap', 130n]

describe('a log without the last committed change', () => {
  const cases: [what: string, read: Partial<Progress>, found: Partial<NoAnchor>, expected: unknown][] = [
    ['is complete', {}, {}, byTime],
    ['has no beginning yet', {}, { first: null }, waits],
    ['has no end yet', {}, { last: null }, waits],
    ['has no change since the checkpoint yet', {}, { since: null }, waits],
    ['has reached the time of the checkpoint', {}, { last: { middle: 1049, highest: 1049 } }, byTime],
    ['ends a second before it', {}, { last: { middle: 1048, highest: 1048 } }, waits],
    [
      'has one record of that time among records a minute older',
      {},
      { last: { middle: 989, highest: 1049 } },
      byTime,
    ],
    ['has one record of that time among older ones', {}, { last: { middle: 988, highest: 1049 } }, waits],
    [
      'has the time of a checkpoint that was among changes with a wrong date',
      {},
      { first: begins(400), last: { middle: 448, highest: 448 } },
      byTime,
    ],
    [
      'has that time, but the date can be right',
      {},
      { first: begins(400), last: { middle: 449, highest: 449 } },
      waits,
    ],
    [
      'does not have that time',
      {},
      { first: begins(400), last: { middle: 448, highest: 448 }, hasTime: false },
      waits,
    ],
    ['begins just before the changes after the checkpoint', {}, { first: begins(1039) }, byTime],
    ['may begin after them', {}, { first: begins(1040) }, fromEarliest],
    ['lacks the time of the change', {}, { hasTime: false }, fromSince],
    [
      'has nothing to find, and no times were measured',
      { anchor: null, times: null },
      { hasTime: false },
      byTime,
    ],
    ['has nothing to find, after times were measured', { anchor: null }, {}, fromSince],
  ]
  for (const [what, read, found, expected] of cases) {
    test(`${what}: ${JSON.stringify(expected, (_, value) => (typeof value === 'bigint' ? String(value) : value))}`, () => {
      assert.deepEqual(short(read, found), expected)
    })
  }

  test('of the same cluster was cut off if it begins after the stored offset', () => {
    const same = { clusterId: 'old' }
    assert.deepEqual(short({ offset: 99n }, {}, same), fromEarliest)
    assert.deepEqual(short({ offset: 100n }, {}, same), byTime)
    assert.deepEqual(short({ offset: 99n }, {}), byTime)
  })

  test('a loss includes the times of a shard that is ahead where the log begins', () => {
    const { lost } = { lost: null, ...place({}, { first: { middle: 1060, highest: 1100 } }) }
    assert.deepEqual(lost, lostBetween(progress, 1100))
  })

  test('continues at a time that is not younger than the change, or after a gap that names what is lost', () => {
    const timestamp = sinceOf(progress)
    assert.deepEqual(place({}, {}), { kind: 'place', how: 'time', offset: 130n, timestamp })
    const lost = lostBetween(progress, 1060)
    assert.deepEqual(place({}, { first: begins(1060) }), {
      kind: 'place',
      how: 'gap',
      offset: 100n,
      timestamp: 1060,
      lost,
    })
  })
})

describe('the times between which changes are lost', () => {
  const times = (change: Partial<SourceTimes>): Progress => ({
    ...progress,
    times: { ...startOfTimes(1049), ...change },
  })
  const cases: [what: string, read: Progress, first: number, from: number, to: number][] = [
    ['include ten seconds', progress, 1055, 1039, 1065],
    ['end at the checkpoint if the log begins before it', progress, 1000, 1039, 1059],
    ['include changes that were read but not committed', times({ youngest: 1070 }), 1055, 1039, 1080],
    ['include them up to ten minutes ahead', times({ youngest: 1649 }), 1055, 1039, 1659],
    ['leave out a date further ahead', times({ youngest: 1650 }), 1055, 1039, 1065],
    [
      'include how far times go back now',
      times({ fall: 30, back: { once: 20, often: 5 } }),
      1055,
      1009,
      1085,
    ],
    [
      'include how far times once went back',
      times({ fall: 30, back: { once: 50, often: 5 } }),
      1055,
      989,
      1115,
    ],
    ['end ten minutes later at most', times({ back: { once: 9_000, often: 0 } }), 9_055, 0, 9_665],
    ['include how far times often go ahead', times({ ahead: { once: 99, often: 25 } }), 1055, 1039, 1080],
    ['do not begin before 1970', { ...progress, times: startOfTimes(5) }, 1055, 0, 1065],
  ]
  for (const [what, read, first, from, to] of cases)
    test(what, () => assert.deepEqual(lostBetween(read, first), { from, to }))
})

describe('a log that has not reached the checkpoint', () => {
  const refusalAt = (at: number, last: NoAnchor['last'], comparison: Comparison = { ...complete, last }) => {
    const refusal = assess(progress, comparison, log, at)
    assert.ok(refusal.kind === 'refusal')
    const { code, retryable, facts, next, message } = refusal.error
    assert.deepEqual([code, retryable], ['CHECKPOINT_OUT_OF_RANGE', true])
    return { facts, next, message }
  }
  const wait =
    'DTS may still be filling it: wait, and run the same again. If it does not get there although the source has new changes, the ' +
    "source's clock was set back: choose the place to continue from."

  test('may still be filled: the answer names both times and says to wait', () => {
    const ends = refusalAt(1_049_000, { middle: 1020, highest: 1020 })
    assert.deepEqual([ends.facts, ends.next], [{ timestamp: 1049, last: 1020 }, []])
    const before = "before the checkpoint's time 1970-01-01T00:17:29Z (1049)."
    assert.equal(
      ends.message,
      `The log of cluster here ends at 1970-01-01T00:17:00Z (1020), ${before} ${wait}`,
    )
    const empty = refusalAt(1_049_000, null)
    assert.deepEqual(empty.facts, { timestamp: 1049, last: null })
    assert.equal(empty.message, `The log of cluster here holds no record, ${before} ${wait}`)
    assert.equal(refusalAt(1_049_000, null, { kind: 'empty' }).message, empty.message)
  })

  test('never will, in time, if the checkpoint is dated in the future: a person has to choose a place', () => {
    const { message, next } = refusalAt(1_048_999, null)
    assert.match(
      message,
      /which is in the future, so waiting would last until then\. Choose the time to continue from, and accept the loss\.$/,
    )
    assert.deepEqual(next, [
      {
        action: 'reset',
        to: 'earliest',
        acceptLoss: true,
        purpose: 'continue with everything that the log holds, or at a time in it that you choose instead',
      },
    ])
  })

  test('may end within the statement of the last committed change', () => {
    const main = { anchor, exact: false, unfinished: true }
    const unfinished: Comparison = { kind: 'anchor', main, lanes: new Map() }
    assert.match(
      refusalAt(now, null, unfinished).message,
      /here ends at 1970-01-01T00:18:19Z \(1099\), before/,
    )
    const empty = assess(progress, unfinished, { ...log, ends: { kind: 'empty' } }, now)
    assert.ok(empty.kind === 'refusal')
    assert.match(empty.error.message, /holds no record/)
  })
})
