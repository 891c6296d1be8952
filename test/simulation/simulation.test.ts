import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { type FaultNumber, faultNumbers, type Kind, kinds } from './faults.ts'
import { type Report, simulate } from './simulate.ts'

const seeds = 5_000
const reports = new Map<Kind, Report>()

/** One kind after the other, on two cores. */
before(async () => {
  for (const kind of kinds) reports.set(kind, await simulate(kind, 1, seeds, 2))
})

function reportOf(kind: Kind): Report {
  return reports.get(kind) ?? assert.fail(`${kind} was not played`)
}

/** Faults that a kind of world does not know: a large change halts a stream for good, a restored item damages it. */
const unknown: Readonly<Record<Kind, readonly FaultNumber[]>> = { faults: [22, 23], switch: [10, 16] }

for (const kind of kinds) {
  describe(`${seeds} worlds of the kind ${kind}`, () => {
    test('no invariant is broken', () => {
      const replay = reportOf(kind).violations.map(
        ({ seed, invariant, message }) =>
          `${invariant}: ${message} (npm run simulate -- --kind ${kind} --from ${seed} --seeds 1 --trace)`,
      )
      assert.deepEqual(replay, [])
    })

    test('every fault on the list has happened', () => {
      const { faults } = reportOf(kind)
      const missing = faultNumbers.filter((number) => faults[number] === 0)
      assert.deepEqual(missing, unknown[kind])
    })

    test('the worlds were not idle: changes were committed, taken over, repeated, and given up', () => {
      const report = reportOf(kind)
      assert.ok(report.commits > seeds, `${report.commits} commits`)
      assert.ok(report.takeovers > seeds, `${report.takeovers} takeovers`)
      assert.ok(report.deadLetters > 0, 'dead letters')
      const drained = report.ends.drained ?? 0
      assert.ok(drained > seeds * 0.8, JSON.stringify(report.ends))
      assert.ok(
        report.maxDuplicates > 0 && report.maxDuplicates <= report.bound,
        `${report.maxDuplicates} duplicates`,
      )
    })
  })
}

test('damage that stays halts the stream', () => {
  for (const kind of kinds) {
    const { happenings } = reportOf(kind)
    for (const code of ['BATCH_CORRUPT', 'BATCH_TOO_LARGE'])
      assert.ok((happenings[`halted: ${code}`] ?? 0) > 0, `${kind}: ${code}`)
  }
})

/** What clusters, people and brokers can do, each of which at least so many of the worlds must have seen. */
const expected: readonly (readonly [what: string, times: number])[] = [
  ['switch: begins whole', 100],
  ['switch: begins overlap', 100],
  ['switch: begins behind', 100],
  ['switch: begins cut', 100],
  ['switch: begins gap', 100],
  ['switch: cut off and grown again', 100],
  ['switch: filled at once', 100],
  ['switch: filled shorter', 100],
  ['switch: filled slowly', 100],
  ['switch: filled empty', 100],
  ['switch: same cluster id', 100],
  ['switch: written differently', 100],
  ['switch: without tags of keys', 100],
  ['switch: back to an older cluster', 100],
  ['switch: offsets overlap', 100],
  ['switch: old offset below', 100],
  ['switch: old offset above', 100],
  ['switch: old offset valid', 100],
  ['halted: CLUSTER_CHANGED', 100],
  ['halted: LOG_CHANGED', 100],
  ['halted: DATA_GAP', 20],
  ['moved by stored', 20],
  ['moved by anchor', 100],
  ['moved by time', 100],
  ['moved by gap', 100],
  ['moved by earliest', 10],
  ['moved by latest', 10],
  ['moved by committed', 10],
  ['moved by timestamp', 10],
  ['moved by offset', 10],
  ['moved by ledger', 1],
  ['recovered by the poller', 100],
  ['a poller waited for the log to be filled', 100],
  ['went on exactly', 100],
  ['a lane stayed ahead', 20],
  ['equal rows told apart', 20],
  ['found among times: a change ahead', 50],
  ['found among times: a transaction ahead', 50],
  ['found among times: a transaction back', 50],
  ['found among times: shards', 50],
  ['found among times: a clock step', 50],
  ['repeated by a move', 100],
  ['lost, as stated', 100],
  ['a plan was applied by its token', 100],
  ['recovery killed', 100],
  ['two recoveries at once', 100],
  ['recovery against a live poller', 100],
  ['recovery was told LEASE_HELD', 20],
  ['recovery was told DATA_GAP', 20],
  ['look-up: none found', 1],
  ['look-up: before the range, nothing', 100],
  ['look-up: before the range, earliest', 100],
  ['look-up: ties', 20],
  ['look-up: early', 100],
  ['look-up: out of order', 10],
]

test('clusters changed in every way on the list, and were recovered from in every way', () => {
  const { happenings } = reportOf('switch')
  const rare = expected.filter(([what, times]) => (happenings[what] ?? 0) < times)
  assert.deepEqual(
    rare.map(([what]) => `${what}: ${happenings[what] ?? 0}`),
    [],
  )
})

const routings = [
  'exact',
  'pattern',
  'logical',
  'catch-all',
  'nobody',
  'physical over logical',
  'exact over pattern',
]

test('changes were routed by every kind of route, and by none', () => {
  const { happenings } = reportOf('faults')
  for (const kind of routings) assert.ok((happenings[`routed: ${kind}`] ?? 0) > 100, kind)
})
