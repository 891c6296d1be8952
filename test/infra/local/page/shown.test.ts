import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shownCheckpoint, shownLog } from '../../../../infra/local/page/shown.ts'
import { type Checkpoint, freshPosition } from '../../../../lib/checkpoint/types.ts'
import type { ErrorCode } from '../../../../lib/errors.ts'

function haltedBy(code: ErrorCode): Checkpoint {
  return {
    ...freshPosition(20n, 1_790_000_000),
    key: 'topic/0',
    epoch: 1,
    owner: null,
    leaseUntil: null,
    generation: 1,
    clusterId: 'c1\u202e',
    replayUntil: null,
    wish: null,
    state: 'HALTED',
    halt: { code, message: 'It \u001b[2J halted.', facts: {}, next: [], at: 7 },
    ledger: [],
  }
}

test('the reserve is the time between the first readable record and the checkpoint', () => {
  const log = {
    clusterId: 'c1',
    range: { earliest: 3n, end: 9n },
    times: { first: 1_789_999_400, last: 1_790_000_100 },
  }
  const { times, reserve } = shownLog(log, haltedBy('CLUSTER_CHANGED'))
  assert.deepEqual([times?.first, reserve], [1_789_999_400_000, 600])
  assert.equal(shownLog({ ...log, times: null }, null).reserve, null)
})

test('the checkpoint on the page has its time in milliseconds, and no hidden character of the stream', () => {
  const { at, clusterId, halt } = shownCheckpoint(haltedBy('CLUSTER_CHANGED'))
  assert.deepEqual([at, clusterId, halt?.message], [1_790_000_000_000, 'c1\\u202e', 'It \\u001b[2J halted.'])
})
