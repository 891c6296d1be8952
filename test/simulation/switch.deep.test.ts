import assert from 'node:assert/strict'
import { test } from 'node:test'
import { completeTests, worldTests } from './tests.ts'

const report = worldTests('switch', 2_000)
completeTests('switch', report)

/** Each event that clusters, people and brokers can cause, and how often it must happen at least. */
const expected: readonly (readonly [what: string, times: number])[] = [
  ['switch: begins whole', 100],
  ['switch: begins overlap', 100],
  ['switch: begins after', 100],
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
  ['moved by time', 20],
  ['moved by gap', 100],
  ['moved by earliest', 10],
  ['moved by latest', 10],
  ['moved by committed', 10],
  ['moved by timestamp', 10],
  ['moved by offset', 10],
  ['moved by ledger', 1],
  ['recovered by the poller', 100],
  ['a poller waited for the log to be filled', 100],
  ['continued exactly', 100],
  ['halted: CHECKPOINT_RESTORED', 5],
  ['created from the group commit', 20],
  ['created: position unknown', 20],
  ['fence: ignored an older change', 100],
  ['a lane stayed ahead', 20],
  ['equal rows distinguished', 20],
  ['repeated by a move', 100],
  ['lost, as stated', 100],
  ['a dry run was applied by its token', 100],
  ['recovery killed', 100],
  ['two recoveries at once', 100],
  ['recovery against a live poller', 50],
  ['recovery was refused: LEASE_HELD', 20],
  ['recovery was refused: DATA_GAP', 20],
  ['look-up: none found', 1],
  ['look-up: before the range, nothing', 100],
  ['look-up: before the range, earliest', 100],
  ['look-up: ties', 20],
  ['look-up: early', 100],
  ['look-up: out of order', 10],
  ['found among times: a change ahead', 50],
  ['found among times: a transaction ahead', 50],
  ['found among times: a transaction back', 50],
  ['found among times: shards', 50],
  ['found among times: a clock step', 50],
]

test('clusters change in every listed way, and recovery continues in every listed way', () => {
  const { happenings } = report
  const rare = expected.filter(([what, times]) => (happenings[what] ?? 0) < times)
  assert.deepEqual(
    rare.map(([what]) => `${what}: ${happenings[what] ?? 0}`),
    [],
  )
})
