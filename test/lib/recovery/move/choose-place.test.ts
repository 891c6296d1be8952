import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startOfTimes } from '../../../../lib/checkpoint/source-times.ts'
import { type Checkpoint, freshPosition } from '../../../../lib/checkpoint/types.ts'
import type { Comparison } from '../../../../lib/log/compare.ts'
import type { Progress } from '../../../../lib/log/progress.ts'
import type { Survey } from '../../../../lib/log/survey.ts'
import type { PlaceDetails } from '../../../../lib/log/survey-place.ts'
import { choosePlace, type Facts, questionAt } from '../../../../lib/recovery/move/choose-place.ts'
import { decide } from '../../../../lib/recovery/move/decide.ts'
import { resolveTarget, type Target } from '../../../../lib/recovery/move/target.ts'
import { checkpointOf } from '../../../support/streams.ts'
import { anchor } from './support.ts'

const times = startOfTimes(1049, 1055)
const read = checkpointOf({ ...freshPosition(150n, 1049, anchor, null, {}, times), clusterId: 'here' })
const now = 1_080_000

const lanes = new Map()
const here = { ...anchor, offset: 160n }
const logs = {
  same: { kind: 'same-log' },
  anchor: { kind: 'anchor', main: { anchor: here, exact: true, unfinished: false }, lanes },
  equal: { kind: 'anchor', main: { anchor: here, exact: false, unfinished: false }, lanes },
  time: {
    kind: 'no-anchor',
    since: { offset: 130n, timestamp: 1041 },
    hasTime: true,
    first: { middle: 1000, highest: 1000 },
    last: { middle: 1099, highest: 1099 },
    lanes,
  },
  gap: {
    kind: 'no-anchor',
    since: { offset: 130n, timestamp: 1041 },
    hasTime: true,
    first: { middle: 1060, highest: 1060 },
    last: { middle: 1099, highest: 1099 },
    lanes,
  },
} as const satisfies Readonly<Record<string, Comparison>>

interface Given {
  readonly to?: Target
  readonly log: keyof typeof logs
  readonly item?: Checkpoint | null
  readonly survey?: Partial<Survey>
}

function factsOf({ to, log, item = read, survey: other = {} }: Given): Facts {
  const progress: Progress | null = item
  const survey: Survey = {
    clusterId: 'here',
    range: { earliest: 100n, end: 200n },
    ends: { kind: 'covers', first: 1000, last: 1099 },
    group: { isKnown: true, committed: null },
    known:
      progress === null
        ? { source: 'nothing', progress: null, replayUntil: null }
        : { source: 'checkpoint', progress, replayUntil: null },
    located: null,
    ...other,
  }
  const target = resolveTarget(to, item, survey)
  assert.ok(target.kind !== 'refusal')
  return { target, read: item, survey, comparison: item === null ? null : logs[log], now }
}

function chosenFor(given: Given) {
  const chosen = choosePlace(factsOf(given))
  assert.ok(chosen.kind !== 'refusal')
  return chosen
}

const details: PlaceDetails = {
  time: { kind: 'at', seconds: 1060 },
  lowestNext: null,
  levelBelow: null,
  leavesOutWork: true,
  tail: null,
  next: null,
  repeats: { counts: {}, countedTo: null },
  youngestRepeat: -1,
}

function moveFor(given: Given, change: Partial<PlaceDetails> = {}) {
  const decision = decide(factsOf(given), { ...details, ...change }, true)
  assert.ok(decision.kind === 'move')
  return decision
}

describe('the changes that may repeat', () => {
  const cases: [what: string, given: Given, handled: number, handledBelow: bigint | null][] = [
    ['none at the stored offset', { log: 'same' }, -1, null],
    ['none after the last committed change', { log: 'anchor' }, -1, null],
    [
      'those up to the youngest that was read, after one of several equal changes',
      { log: 'equal' },
      1055,
      null,
    ],
    ['those up to the youngest that was read, after a reset by time', { log: 'time' }, 1055, null],
    ['those below the stored offset', { log: 'same', to: { offset: 149n } }, 1055, 150n],
    ['none from the stored offset on', { log: 'same', to: { offset: 150n } }, -1, 150n],
    ['those of another log, wherever they are', { log: 'anchor', to: { offset: 180n } }, 1055, null],
    ['none of a stream that was never read', { log: 'same', to: { offset: 110n }, item: null }, -1, null],
  ]
  for (const [what, given, handled, handledBelow] of cases) {
    test(`are ${what}`, () => {
      const { repeats } = chosenFor(given)
      assert.deepEqual([repeats.handled, repeats.handledBelow], [handled, handledBelow])
    })
  }

  const ahead = { 'test-orders': { through: 170n, anchor: null, trouble: null } }
  const unknown: Checkpoint = { ...read, lanes: ahead }
  test('are all that the log, the progress or the clock shows, if it is unknown what a function did', () => {
    const anywhere = (survey: Partial<Survey>, item = unknown) =>
      chosenFor({ log: 'anchor', item, survey }).repeats.anywhere
    assert.equal(anywhere({}), 1109)
    assert.equal(anywhere({ ends: { kind: 'covers', first: 900, last: 1000 } }), 1090)
    assert.equal(anywhere({}, { ...unknown, timestamp: 1200 }), 1210)
    assert.equal(anywhere({}, { ...unknown, times: startOfTimes(1049, 1300) }), 1310)
    assert.equal(chosenFor({ log: 'anchor' }).repeats.anywhere, -1)
    assert.equal(chosenFor({ log: 'anchor', item: unknown }).repeats.everyBelow, 200n)
    assert.equal(chosenFor({ log: 'anchor' }).repeats.everyBelow, null)
  })

  test('are also what a restored item had reached, although its progress does not count', () => {
    const commit: Progress = { ...read, clusterId: 'not known', timestamp: 1060, times: null, anchor: null }
    const survey = { known: { source: 'restored', progress: commit, replayUntil: null } } as const
    const anywhere = (timestamp: number) =>
      chosenFor({ to: { offset: 150n }, log: 'time', item: { ...read, timestamp }, survey }).repeats.anywhere
    assert.equal(anywhere(1049), 1109)
    assert.equal(anywhere(1500), 1510)
  })

  test('include those that the log shows, whatever their time', () => {
    assert.equal(moveFor({ log: 'anchor', item: unknown }, { youngestRepeat: 8309 }).replayUntil, 8309)
    assert.equal(moveFor({ log: 'anchor', item: unknown }, { youngestRepeat: 1000 }).replayUntil, 1109)
  })

  test('include the repeats of an earlier move', () => {
    assert.equal(chosenFor({ log: 'anchor', item: { ...read, replayUntil: 1200 } }).repeats.anywhere, 1200)
    assert.equal(moveFor({ log: 'anchor', item: { ...read, replayUntil: 1200 } }).replayUntil, 1200)
    assert.equal(moveFor({ log: 'anchor' }).replayUntil, null)
    assert.equal(moveFor({ log: 'anchor', item: { ...read, replayUntil: 0 } }).replayUntil, 0)
  })
})

describe('the details that a move needs of its place', () => {
  const ask = (given: Given, wants = { countsRepeats: true, wantsNext: true }) => {
    const { time, wantsLowestNext, leavesOut, repeats, wantsNext } = questionAt(chosenFor(given), wants)
    return { time, wantsLowestNext, leavesOut, counts: repeats !== null, wantsNext }
  }
  const asked = { counts: true, wantsNext: true }

  test('are only the repeats where the log says the rest', () => {
    const nothing = { time: null, wantsLowestNext: false, leavesOut: null, ...asked }
    for (const log of ['same', 'anchor', 'time'] as const) assert.deepEqual(ask({ log }), nothing)
    assert.deepEqual(ask({ log: 'gap' }), { ...nothing, wantsLowestNext: true })
    assert.deepEqual(ask({ log: 'same' }, { countsRepeats: false, wantsNext: false }), {
      ...nothing,
      counts: false,
      wantsNext: false,
    })
    // Their times decide which deliveries are marked as replays.
    const lanes = { 'test-orders': { through: 170n, anchor: null, trouble: null } }
    const wants = { countsRepeats: false, wantsNext: false }
    assert.equal(ask({ log: 'anchor', item: { ...read, lanes } }, wants).counts, true)
  })

  test('are its time and the part that it leaves out, if a person names it', () => {
    const located = { located: { kind: 'at', offset: 180n } } as const
    const named = { time: { asked: null }, wantsLowestNext: true, ...asked }
    const cases: [given: Given, expected: object][] = [
      [
        { log: 'same', to: { offset: 180n } },
        { ...named, leavesOut: { from: 150n, to: 180n } },
      ],
      [
        { log: 'same', to: { offset: 150n } },
        { ...named, leavesOut: null },
      ],
      [
        { log: 'same', to: { offset: 120n } },
        { ...named, leavesOut: null },
      ],
      [
        { log: 'gap', to: { offset: 180n } },
        { ...named, leavesOut: null },
      ],
      [
        { log: 'time', to: { timestamp: 1080 }, survey: located },
        { ...named, time: { asked: 1080 }, leavesOut: { from: 130n, to: 180n } },
      ],
    ]
    for (const [given, expected] of cases) assert.deepEqual(ask(given), expected)
  })
})

describe('the position after a move', () => {
  test('keeps the change that is done, which another log has at another offset', () => {
    assert.deepEqual(moveFor({ log: 'same' }).position.anchor, anchor)
    assert.deepEqual(moveFor({ log: 'anchor' }).position.anchor, here)
    for (const log of ['time', 'gap'] as const) assert.equal(moveFor({ log }).position.anchor, null)
    assert.equal(moveFor({ log: 'same', to: { offset: 150n } }).position.anchor, null)
  })

  const settled = (given: Given, change: Partial<PlaceDetails>) =>
    moveFor(given, change).position.times?.settled
  test('has a time that none of the next records is older than', () => {
    assert.equal(settled({ log: 'gap' }, { lowestNext: 1030 }), 1030)
    for (const lowestNext of [1060, 1061, null]) assert.equal(settled({ log: 'gap' }, { lowestNext }), 1060)
    const named: Given = { log: 'same', to: { offset: 160n } }
    assert.equal(settled(named, { lowestNext: 1030 }), 1030)
    for (const lowestNext of [1060, 1061, null]) assert.equal(settled(named, { lowestNext }), 1060)
  })

  test('has the time of the records below if those of the place are dated far ahead', () => {
    const named: Given = { log: 'same', to: { offset: 160n } }
    for (const [middle, expected] of [
      [459, 459],
      [460, 1060],
    ] as const)
      assert.equal(settled(named, { levelBelow: { middle, highest: middle } }), expected)
  })

  test('keeps how far times go back and ahead, but not their state in the old log', () => {
    const back = { once: 30, often: 5 }
    const jump = { from: 2000, to: 2049, width: 951 }
    const item: Checkpoint = { ...read, times: { ...times, back, jump, fall: 7 } }
    const moved = moveFor({ log: 'gap', item }).position.times
    assert.deepEqual([moved?.back, moved?.jump, moved?.fall], [back, null, 0])
    const fresh = moveFor({ log: 'same', item: null, to: { offset: 160n } }).position.times
    assert.deepEqual(fresh, startOfTimes(1060, 1060))
  })
})

describe('the loss of a move to a named place', () => {
  const lost = (given: Given, change: Partial<PlaceDetails> = {}) => moveFor(given, change).lost
  test('is what lies between the place without loss and that one', () => {
    assert.deepEqual(lost({ log: 'same', to: { offset: 160n } }), { from: 1039, to: 1070 })
    assert.equal(lost({ log: 'same', to: { offset: 160n } }, { leavesOutWork: false }), null)
    assert.equal(lost({ log: 'same', to: { offset: 150n } }), null)
    assert.equal(lost({ log: 'same', to: { offset: 160n }, item: null }), null)
  })

  test('begins with the gap, and ends at whichever is later, if the log has a gap', () => {
    const gap = { from: 1039, to: 1070 }
    assert.deepEqual(lost({ log: 'gap', to: { offset: 160n } }), gap)
    const later = { time: { kind: 'at', seconds: 1090 } } as const
    assert.deepEqual(lost({ log: 'gap', to: { offset: 160n } }, later), { from: 1039, to: 1100 })
    const earlier = { time: { kind: 'at', seconds: 1000 } } as const
    assert.deepEqual(lost({ log: 'gap', to: { offset: 160n } }, earlier), gap)
  })

  test('is unknown at a place without a record, and then refused', () => {
    for (const change of [{ time: { kind: 'empty' } }, { time: null }] as const) {
      const decision = decide(factsOf({ log: 'same', to: { offset: 160n } }), { ...details, ...change }, true)
      assert.ok(decision.kind === 'refusal')
      assert.equal(decision.reason, 'empty-log')
    }
  })
})
