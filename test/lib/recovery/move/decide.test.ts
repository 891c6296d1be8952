import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startOfTimes } from '../../../../lib/checkpoint/source-times.ts'
import type { Anchor, Checkpoint } from '../../../../lib/checkpoint/types.ts'
import { DtsError } from '../../../../lib/errors.ts'
import type { GroupPosition } from '../../../../lib/kafka/commit-mark.ts'
import type { Comparison } from '../../../../lib/log/compare.ts'
import type { AnchorMatch } from '../../../../lib/log/find-anchors.ts'
import type { GroupAnswer } from '../../../../lib/log/group.ts'
import type { LogEnds } from '../../../../lib/log/log-times.ts'
import type { KnownProgress, Progress } from '../../../../lib/log/progress.ts'
import type { Survey } from '../../../../lib/log/survey.ts'
import type { PlaceDetails } from '../../../../lib/log/survey-place.ts'
import { choosePlace } from '../../../../lib/recovery/move/choose-place.ts'
import { decide, type How, type Move } from '../../../../lib/recovery/move/decide.ts'
import type { Refusal, RefusalReason } from '../../../../lib/recovery/move/refusal.ts'
import { type NamedBy, resolveTarget, type Target } from '../../../../lib/recovery/move/target.ts'
import { checkpointOf } from '../../../support/streams.ts'
import { anchor } from './support.ts'

/** The log that is there holds offsets 100 to 199, of the times 1000 to 1099 (seconds). */
const clusterId = 'here'
const range = { earliest: 100n, end: 200n }
const covers: LogEnds = { kind: 'covers', first: 1000, last: 1099 }
const now = 1_100_000
const place = { clusterId, offset: '120', generation: 1 }
/** Fifty changes are done, up to the time 1049. */
const progress: Progress = {
  clusterId,
  offset: 150n,
  timestamp: 1049,
  times: startOfTimes(1049),
  anchor,
  tail: null,
  lanes: {},
}
const checkpoint: Checkpoint = {
  ...checkpointOf(progress),
  ledger: [{ at: 1, by: 'me', how: 'reset', from: place, to: { ...place, offset: '150' } }],
}
const damage = new DtsError('BATCH_CORRUPT', 'damaged', { retryable: true })
const late = new DtsError('BROKER_FAILED', 'timed out', { retryable: true })
const outside = new DtsError('CHECKPOINT_OUT_OF_RANGE', 'outside', { retryable: false })

type Source = KnownProgress['source']
/** Each source of progress, as the checkpoint and the group's answer lead to it. */
const sources: Readonly<
  Record<
    Source,
    { readonly read: Checkpoint | null; readonly known: KnownProgress; readonly group: GroupAnswer }
  >
> = {
  checkpoint: {
    read: checkpoint,
    known: { source: 'checkpoint', progress, replayUntil: null },
    group: committed(150n, 1),
  },
  restored: {
    read: checkpoint,
    known: { source: 'restored', progress, replayUntil: null },
    group: committed(160n, 2),
  },
  group: { read: null, known: { source: 'group', progress, replayUntil: null }, group: committed(150n, 1) },
  nothing: {
    read: null,
    known: { source: 'nothing', progress: null, replayUntil: null },
    group: { isKnown: true, committed: null },
  },
  unasked: {
    read: null,
    known: { source: 'unasked', progress: null, replayUntil: null },
    group: { isKnown: false, error: new DtsError('GROUP_REFUSED', 'no', { retryable: false }) },
  },
  other: {
    read: null,
    known: { source: 'other', progress: null, replayUntil: null },
    group: {
      isKnown: true,
      committed: {
        offset: 150n,
        metadata: '',
        mark: {
          whose: 'another deployment',
          deployment: { service: 's', stage: 'dev', table: 't' },
          place: { generation: 1, offset: 150n },
        },
      },
    },
  },
  unanswered: {
    read: null,
    known: { source: 'unanswered', fault: late },
    group: { isKnown: false, error: late },
  },
}

function committed(offset: bigint, generation: number): GroupAnswer {
  const mark = { whose: 'ours', timestamp: 1049, place: { generation, offset } } as const
  const position: GroupPosition = { offset, metadata: '', mark }
  return { isKnown: true, committed: position }
}

/** Each way in which the log can compare with the progress; the kinds that lead to several places have several rows. */
type LogCase =
  | Exclude<Comparison['kind'], 'anchor' | 'no-anchor'>
  | 'anchor'
  | 'anchor among equal changes'
  | 'anchor not reached'
  | 'no-anchor, complete'
  | 'no-anchor, begins later'
  | 'no-anchor, lacks the time'
  | 'no-anchor, not filled'

const lanes = new Map<Anchor, AnchorMatch>()
const found: AnchorMatch = { anchor: { ...anchor, offset: 160n }, exact: true, unfinished: false }
const last = { middle: 1099, highest: 1099 }
const since = { offset: 130n, timestamp: 1039 }
const logs: Readonly<Record<LogCase, Comparison>> = {
  'same-log': { kind: 'same-log' },
  empty: { kind: 'empty' },
  unreadable: { kind: 'unreadable', fault: damage },
  anchor: { kind: 'anchor', main: found, lanes },
  'anchor among equal changes': { kind: 'anchor', main: { ...found, exact: false }, lanes },
  'anchor not reached': { kind: 'anchor', main: { ...found, exact: false, unfinished: true }, lanes },
  'no-anchor, complete': {
    kind: 'no-anchor',
    since,
    hasTime: true,
    first: { middle: 1000, highest: 1000 },
    last,
    lanes,
  },
  'no-anchor, begins later': {
    kind: 'no-anchor',
    since,
    hasTime: true,
    first: { middle: 1060, highest: 1060 },
    last,
    lanes,
  },
  'no-anchor, lacks the time': {
    kind: 'no-anchor',
    since,
    hasTime: false,
    first: { middle: 1000, highest: 1000 },
    last,
    lanes,
  },
  'no-anchor, not filled': {
    kind: 'no-anchor',
    since: null,
    hasTime: false,
    first: { middle: 1000, highest: 1000 },
    last: { middle: 1020, highest: 1020 },
    lanes,
  },
}

const targets: Readonly<Record<NamedBy, Target>> = {
  timestamp: { timestamp: 1080 },
  offset: { offset: 180n },
  earliest: 'earliest',
  latest: 'latest',
  committed: 'committed',
  ledger: { ledger: 0 },
}
interface Situation {
  readonly source: Source
  readonly to: Target | undefined
  readonly log: LogCase
  readonly survey?: Partial<Survey>
  readonly details?: Partial<PlaceDetails>
  readonly mayLose?: boolean
}

/** The changes of the log that are not done begin at a safe place: the named places after it lose some of them. */
const afterSafePlace: Readonly<Record<NamedBy, boolean>> = {
  timestamp: true,
  offset: true,
  earliest: false,
  latest: true,
  committed: false,
  ledger: false,
}
/** The safe place is before the group's commit. */
const afterTime: Readonly<Record<NamedBy, boolean>> = { ...afterSafePlace, committed: true }
const everywhere: Readonly<Record<NamedBy, boolean>> = {
  timestamp: true,
  offset: true,
  earliest: true,
  latest: true,
  committed: true,
  ledger: true,
}

/** The decision in short: how, to which offset, and what it loses; or why it is refused. */
type Outcome = readonly [how: How, offset: bigint, loses: boolean] | RefusalReason

function outcomeOf(situation: Situation): Outcome {
  const decision = decisionOf(situation)
  if (decision.kind === 'refusal') return decision.reason
  return [decision.how, decision.position.offset, decision.lost !== null]
}

function decisionOf({ source, to, log, survey: other, details, mayLose = true }: Situation): Move | Refusal {
  const { read, known, group } = sources[source]
  const located = { kind: 'at', offset: 180n } as const
  const survey: Survey = { clusterId, range, ends: covers, group, known, located, ...other }
  const target = resolveTarget(to, read, survey)
  if (target.kind === 'refusal') return target
  const isComparable = known.source !== 'unanswered' && known.progress !== null
  const facts = { target, read, survey, comparison: isComparable ? logs[log] : null, now }
  const chosen = choosePlace(facts)
  if (chosen.kind === 'refusal') return chosen
  const time = { kind: 'at', seconds: 900 + Number(chosen.offset) } as const
  const repeats = { counts: {}, countedTo: null }
  const at = {
    time,
    lowestNext: null,
    levelBelow: null,
    leavesOutWork: true,
    tail: null,
    next: null,
    repeats,
    youngestRepeat: -1,
    ...details,
  }
  return decide(facts, at, mayLose)
}

describe('the decision about a move', () => {
  /** Without a named place: the log decides. */
  const safe: Readonly<Record<LogCase, Outcome>> = {
    'same-log': ['stored', 150n, false],
    empty: 'not-there-yet',
    unreadable: 'unreadable',
    anchor: ['anchor', 161n, false],
    'anchor among equal changes': ['anchor', 161n, false],
    'anchor not reached': 'not-there-yet',
    'no-anchor, complete': ['time', 130n, false],
    'no-anchor, begins later': ['gap', 100n, true],
    'no-anchor, lacks the time': ['gap', 130n, true],
    'no-anchor, not filled': 'not-there-yet',
  }
  /** Without a named place: the checkpoint is needed. */
  const withoutPlace: Readonly<Record<Exclude<Source, 'checkpoint'>, RefusalReason>> = {
    restored: 'restored',
    group: 'no-checkpoint',
    nothing: 'no-checkpoint',
    unasked: 'no-checkpoint',
    other: 'no-checkpoint',
    unanswered: 'no-checkpoint',
  }
  for (const log of keysOf(safe)) {
    test(`without a named place, log "${log}"`, () => {
      assert.deepEqual(outcomeOf({ source: 'checkpoint', to: undefined, log }), safe[log])
      for (const source of keysOf(withoutPlace))
        assert.equal(outcomeOf({ source, to: undefined, log }), withoutPlace[source], source)
    })
  }

  /** To each named place, if the progress is known: whether it loses changes, by the log. */
  const named: Readonly<Record<LogCase, Readonly<Record<NamedBy, boolean>>>> = {
    'same-log': afterSafePlace,
    // Nothing shows where the changes are, so each place may lose some.
    empty: everywhere,
    unreadable: everywhere,
    anchor: afterSafePlace,
    'anchor among equal changes': afterSafePlace,
    'anchor not reached': everywhere,
    'no-anchor, complete': afterTime,
    // The changes before the log's beginning are lost wherever the stream continues.
    'no-anchor, begins later': everywhere,
    'no-anchor, lacks the time': everywhere,
    'no-anchor, not filled': everywhere,
  }
  const offsets: Readonly<Record<NamedBy, bigint>> = {
    timestamp: 180n,
    offset: 180n,
    earliest: 100n,
    latest: 200n,
    committed: 150n,
    ledger: 120n,
  }
  /** If no progress is known, or the item was restored, some places cannot be resolved. */
  const refused: Readonly<Record<Source, (by: NamedBy) => RefusalReason | null>> = {
    checkpoint: () => null,
    restored: () => null,
    group: (by) => (by === 'ledger' ? 'no-such-place' : null),
    nothing: (by) => (by === 'ledger' || by === 'committed' ? 'no-such-place' : null),
    unasked: (by) => (by === 'committed' ? 'group-unanswered' : by === 'ledger' ? 'no-such-place' : null),
    other: (by) => (by === 'committed' ? 'group-shared' : by === 'ledger' ? 'no-such-place' : null),
    unanswered: (by) => (by === 'ledger' ? 'no-such-place' : 'group-unanswered'),
  }
  for (const log of keysOf(named)) {
    test(`to a named place, log "${log}"`, () => {
      for (const by of keysOf(targets)) {
        for (const source of keysOf(sources)) {
          const { known, group } = sources[source]
          const isKnown = known.source !== 'unanswered' && known.progress !== null
          const committedAt = group.isKnown ? group.committed?.offset : undefined
          const offset = by === 'committed' ? (committedAt ?? -1n) : offsets[by]
          const isLoss = isKnown && isLost(named[log], by, log, offset)
          const expected = refused[source](by) ?? ([by, offset, isLoss] as const)
          assert.deepEqual(outcomeOf({ source, to: targets[by], log }), expected, `${by}, ${source}`)
        }
      }
    })
  }

  /** A restored item's group is ahead, so that its commit may lie after the place without loss. */
  function isLost(
    row: Readonly<Record<NamedBy, boolean>>,
    by: NamedBy,
    log: LogCase,
    offset: bigint,
  ): boolean {
    return by === 'committed' && log === 'same-log' ? offset > 150n : row[by]
  }
})

test('the refusal of a loss recommends the same reset with the loss accepted', () => {
  for (const to of [undefined, ...Object.values(targets)]) {
    const decision = decisionOf({ source: 'checkpoint', to, log: 'no-anchor, begins later', mayLose: false })
    assert.ok(decision.kind === 'refusal')
    const same =
      to === undefined ? {} : { to: typeof to === 'object' && 'offset' in to ? { offset: '180' } : to }
    const step = { action: 'reset', ...same, acceptLoss: true, purpose: 'accept the loss' }
    assert.deepEqual(decision.error.next, [step])
  }
})

describe('a decision that needs more than the log', () => {
  const base = { source: 'checkpoint', to: targets.offset, log: 'same-log' } as const
  const rows: readonly [name: string, situation: Situation, outcome: Outcome][] = [
    ['a loss is refused unless it was accepted', { ...base, mayLose: false }, 'loss-not-accepted'],
    [
      'a gap is refused unless the loss was accepted',
      { ...base, to: undefined, log: 'no-anchor, begins later', mayLose: false },
      'loss-not-accepted',
    ],
    [
      'a place over marks and filler alone loses nothing',
      { ...base, details: { leavesOutWork: false }, mayLose: false },
      ['offset', 180n, false],
    ],
    ['an offset before the range is refused', { ...base, to: { offset: 99n } }, 'no-such-place'],
    ['an offset after the end is refused', { ...base, to: { offset: 201n } }, 'no-such-place'],
    [
      'a time outside the range is refused',
      { ...base, to: targets.timestamp, survey: { located: { kind: 'nowhere', fault: outside } } },
      'no-such-place',
    ],
    [
      'a time that damage hides is refused',
      { ...base, to: targets.timestamp, survey: { located: { kind: 'nowhere', fault: damage } } },
      'unreadable',
    ],
    [
      'a ledger entry of another cluster is refused',
      { ...base, to: targets.ledger, survey: { clusterId: 'new' } },
      'no-such-place',
    ],
    ['a ledger entry that does not exist is refused', { ...base, to: { ledger: 7 } }, 'no-such-place'],
    ['a place in an empty log is refused', { ...base, survey: { ends: { kind: 'empty' } } }, 'empty-log'],
    [
      'a place whose records are damaged is refused',
      { ...base, details: { time: { kind: 'unreadable', fault: damage } } },
      'unreadable',
    ],
  ]
  for (const [name, situation, outcome] of rows)
    test(name, () => assert.deepEqual(outcomeOf(situation), outcome))

  test('the tables reach every way to find a place and every reason to refuse', () => {
    const outcomes = new Set(rows.map(([, situation]) => outcomeOf(situation)).map(nameOf))
    for (const source of keysOf(sources))
      for (const log of keysOf(logs))
        for (const to of [undefined, ...Object.values(targets)])
          outcomes.add(nameOf(outcomeOf({ source, to, log })))
    const all: Readonly<Record<How | RefusalReason, true>> = {
      stored: true,
      anchor: true,
      time: true,
      gap: true,
      timestamp: true,
      offset: true,
      earliest: true,
      latest: true,
      committed: true,
      ledger: true,
      'no-checkpoint': true,
      restored: true,
      'no-such-place': true,
      'group-shared': true,
      'group-unanswered': true,
      'empty-log': true,
      'not-there-yet': true,
      unreadable: true,
      'loss-not-accepted': true,
    }
    assert.deepEqual([...outcomes].sort(), keysOf(all).sort())
  })

  test('a log of the same cluster that was trimmed is a gap, whatever its times are', () => {
    const trimmed = { ...progress, offset: 90n }
    const read = { ...checkpoint, ...trimmed }
    const known = { source: 'checkpoint', progress: read, replayUntil: null } as const
    const survey: Survey = { clusterId, range, ends: covers, group: committed(90n, 1), known, located: null }
    const comparison = logs['no-anchor, complete']
    const chosen = choosePlace({ target: { kind: 'safe', read }, read, survey, comparison, now })
    assert.deepEqual(chosen.kind === 'safe' && [chosen.safe.how, chosen.offset], ['gap', 100n])
  })

  test('a decision to a named place marks everything that may have been delivered as replay', () => {
    /** Until which time, by the source of the progress. */
    const until: Readonly<Record<Exclude<Source, 'unanswered'>, number>> = {
      checkpoint: 1049,
      // Unknown runs may have delivered all that the log has by now.
      restored: 1110,
      group: 1110,
      nothing: -1,
      unasked: 1110,
      other: 1110,
    }
    for (const source of keysOf(until)) {
      const { read, known, group } = sources[source]
      const survey: Survey = { clusterId, range, ends: covers, group, known, located: null }
      const target = resolveTarget('earliest', read, survey)
      assert.equal(target.kind, 'named')
      const comparison = known.source !== 'unanswered' && known.progress !== null ? logs.anchor : null
      const chosen = choosePlace({ target, read, survey, comparison, now })
      assert.ok(chosen.kind === 'named')
      assert.equal(Math.max(chosen.repeats.anywhere, chosen.repeats.handled), until[source], source)
    }
  })
})

function nameOf(outcome: Outcome): How | RefusalReason {
  return typeof outcome === 'string' ? outcome : outcome[0]
}

function keysOf<Key extends string>(record: Readonly<Record<Key, unknown>>): Key[] {
  return Object.keys(record) as Key[]
}
