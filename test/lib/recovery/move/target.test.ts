import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Checkpoint, freshPosition, type LedgerEntry } from '../../../../lib/checkpoint/types.ts'
import { DtsError } from '../../../../lib/errors.ts'
import type { GroupPosition } from '../../../../lib/kafka/commit-mark.ts'
import type { Survey } from '../../../../lib/log/survey.ts'
import { lossNotAccepted } from '../../../../lib/recovery/move/decide.ts'
import { moves } from '../../../../lib/recovery/move/ledger.ts'
import { searchLimits } from '../../../../lib/recovery/move/plan-move.ts'
import { resolveTarget, type Target } from '../../../../lib/recovery/move/target.ts'
import { checkpointOf } from '../../../support/streams.ts'

const placeAt = (offset: string, clusterId = 'here') => ({ clusterId, offset, generation: 1 })
const entry = (from: LedgerEntry['from'], to: LedgerEntry['to']): LedgerEntry => ({
  at: 1,
  by: 'me',
  how: 'x',
  from,
  to,
})
const ledger = [
  entry(null, placeAt('100')),
  entry(placeAt('110'), placeAt('120')),
  entry(placeAt('130'), placeAt('130')),
  entry(placeAt('140', 'gone'), placeAt('140')),
]

test('the ledger counts the moves from the last one back, without entries that moved nothing', () => {
  assert.deepEqual(moves(ledger), [ledger[3], ledger[1], ledger[0]])
  const otherGeneration = entry(placeAt('130'), { ...placeAt('130'), generation: 2 })
  assert.deepEqual(moves([otherGeneration]), [otherGeneration])
})

describe('a place that a person names', () => {
  const read: Checkpoint = { ...checkpointOf({ ...freshPosition(150n, 1049), clusterId: 'here' }), ledger }
  const survey: Survey = {
    clusterId: 'here',
    range: { earliest: 100n, end: 200n },
    ends: { kind: 'covers', first: 1000, last: 1099 },
    group: { isKnown: true, committed: null },
    known: { source: 'checkpoint', progress: read, replayUntil: null },
    located: null,
  }
  const committed = (mark: GroupPosition['mark']): Survey => ({
    ...survey,
    group: { isKnown: true, committed: { offset: 160n, metadata: '', mark } },
  })
  const resolve = (to: Target | undefined, facts = survey, item: Checkpoint | null = read) =>
    resolveTarget(to, item, facts)
  const refusal = (...asked: Parameters<typeof resolve>) => {
    const target = resolve(...asked)
    assert.ok(target.kind === 'refusal')
    const { code, retryable, facts, message, next } = target.error
    return { reason: target.reason, code, retryable, facts, message, next }
  }
  const ours = { whose: 'ours', timestamp: 1049, place: { generation: 1, offset: 150n } } as const

  test('is resolved to its offset, and keeps how it was named', () => {
    const located: Survey = { ...survey, located: { kind: 'at', offset: 170n } }
    const cases: [to: Target, facts: Survey, resolved: object][] = [
      ['earliest', survey, { how: 'earliest', to: 'earliest', offset: 100n, asked: null }],
      ['latest', survey, { how: 'latest', to: 'latest', offset: 200n, asked: null }],
      ['committed', committed(ours), { how: 'committed', to: 'committed', offset: 160n, asked: null }],
      [{ offset: 100n }, survey, { how: 'offset', to: { offset: '100' }, offset: 100n, asked: null }],
      [{ offset: 200n }, survey, { how: 'offset', to: { offset: '200' }, offset: 200n, asked: null }],
      [
        { timestamp: 1070 },
        located,
        { how: 'timestamp', to: { timestamp: 1070 }, offset: 170n, asked: 1070 },
      ],
      [{ ledger: 1 }, survey, { how: 'ledger', to: { ledger: 1 }, offset: 110n, asked: null }],
    ]
    for (const [to, facts, resolved] of cases)
      assert.deepEqual(resolve(to, facts), { kind: 'named', ...resolved })
  })

  test('is refused if reading cannot begin there, with the range of the log', () => {
    for (const offset of [99n, 201n]) {
      assert.deepEqual(refusal({ offset }), {
        reason: 'no-such-place',
        code: 'CHECKPOINT_OUT_OF_RANGE',
        retryable: false,
        facts: { earliest: '100', end: '200' },
        message: `The offset ${offset} is not one where reading can begin: cluster here has offsets 100 to 199; the next record gets 200.`,
        next: [],
      })
    }
  })

  test('is refused in a log without a record, which may still be filled', () => {
    const { reason, retryable, facts, message } = refusal('earliest', { ...survey, ends: { kind: 'empty' } })
    assert.deepEqual([reason, retryable, facts], ['empty-log', true, { earliest: '100', end: '200' }])
    assert.match(
      message,
      /^The log of cluster here holds no record, .*DTS may still be filling it: wait, and run the same again\.$/,
    )
  })

  test('is refused if the ledger, or the group, does not have it', () => {
    const none = {
      reason: 'no-such-place',
      code: 'CHECKPOINT_OUT_OF_RANGE',
      retryable: false,
      facts: {},
      next: [],
    }
    assert.deepEqual(refusal({ ledger: 2 }), {
      ...none,
      message: 'The ledger has no earlier position at entry 2.',
    })
    assert.match(refusal({ ledger: 0 }, survey, null).message, /no earlier position at entry 0/)
    assert.match(
      refusal({ ledger: 0 }).message,
      /^That position belongs to cluster gone, but the broker is cluster here now, where the offset means nothing\. Use a timestamp/,
    )
    assert.deepEqual(refusal('committed'), {
      ...none,
      message: 'The consumer group holds no offset on this cluster.',
    })
  })

  test('is refused if the commit is of another deployment', () => {
    const deployment = { service: 'shop', stage: 'dev', table: 'elsewhere' }
    const place = { generation: 1, offset: 160n }
    const other = refusal('committed', committed({ whose: 'another deployment', deployment, place }))
    assert.deepEqual(
      [other.reason, other.code, other.retryable, other.facts],
      ['group-shared', 'GROUP_SHARED', false, { offset: '160' }],
    )
    assert.match(
      other.message,
      /Its offset 160 says nothing about this stream, and nothing was done\. Say where to continue by a time or an offset instead of "committed"\.$/,
    )
  })

  test('is needed if the item was restored: the group’s place, or all of a log that does not have it', () => {
    const ahead = (offset: bigint) => {
      const place = { generation: 1, offset: 151n }
      const mark = { whose: 'ours', timestamp: 1049, place } as const
      return refusal(undefined, {
        ...survey,
        group: { isKnown: true, committed: { offset, metadata: '', mark } },
      })
    }
    const steps = (offset: bigint) => ahead(offset).next.map((step) => ('to' in step ? step.to : step.action))
    const time = { timestamp: 1049 }
    assert.equal(ahead(160n).reason, 'restored')
    for (const offset of [100n, 160n, 200n]) assert.deepEqual(steps(offset), ['committed', time])
    assert.deepEqual(steps(99n), ['earliest'])
    assert.deepEqual(steps(201n), ['earliest', time])
    assert.match(JSON.stringify(ahead(99n).next), /"acceptLoss":true/)
  })

  test('is needed if there is no checkpoint', () => {
    assert.deepEqual(refusal(undefined, survey, null), {
      reason: 'no-checkpoint',
      code: 'CHECKPOINT_MISSING',
      retryable: false,
      facts: {},
      message:
        'There is no checkpoint to resume from. Say where to start: at a time, or at the earliest or latest record.',
      next: [
        { action: 'reset', to: 'earliest', purpose: 'deliver everything that the log holds' },
        { action: 'reset', to: 'latest', purpose: 'deliver only what is written from now on' },
      ],
    })
    assert.deepEqual(resolve(undefined), { kind: 'safe', read })
  })

  test('is refused with the fault of a look-up that failed', () => {
    for (const [code, reason] of [
      ['CHECKPOINT_OUT_OF_RANGE', 'no-such-place'],
      ['BATCH_CORRUPT', 'unreadable'],
    ] as const) {
      const fault = new DtsError(code, 'why', { retryable: false })
      const found = refusal({ timestamp: 1 }, { ...survey, located: { kind: 'nowhere', fault } })
      assert.deepEqual([found.reason, found.code, found.message], [reason, code, 'why'])
    }
  })
})

test('a loss that was not accepted is named, with the same reset that accepts it', () => {
  const { reason, error } = lossNotAccepted({ from: 1000, to: 1049 }, 'gap', { token: 't' })
  assert.deepEqual([reason, error.code, error.retryable], ['loss-not-accepted', 'DATA_GAP', false])
  assert.deepEqual(error.facts, { from: 1000, to: 1049 })
  assert.equal(
    error.message,
    'A reset by gap loses the changes from 1970-01-01T00:16:40Z (1000) to 1970-01-01T00:17:29Z (1049). Nothing was done. ' +
      'If you accept that, copy the affected rows from the source.',
  )
  assert.deepEqual(error.next, [
    { action: 'reset', token: 't', acceptLoss: true, purpose: 'accept the loss' },
  ])
})

test('a search leaves half a minute for the rest of the invocation', () => {
  const mayContinue = (remaining: number) =>
    searchLimits({ now: () => 0, remainingMs: () => remaining }).mayContinue()
  assert.deepEqual([30_000, 30_001].map(mayContinue), [false, true])
})
