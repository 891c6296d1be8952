import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shownCheckpoint } from '../../../../infra/local/page/shown.ts'
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

test('a halt because of one change says on the page that the local stack has no dead-letter queue', () => {
  assert.match(shownCheckpoint(haltedBy('HANDLER_FAILED')).halt?.hint ?? '', /no dead-letter queue/)
  assert.equal(shownCheckpoint(haltedBy('CLUSTER_CHANGED')).halt?.hint, null)
})

test('the checkpoint on the page has its time in milliseconds, and no hidden character of the stream', () => {
  const { at, clusterId, halt } = shownCheckpoint(haltedBy('CLUSTER_CHANGED'))
  assert.deepEqual([at, clusterId, halt?.message], [1_790_000_000_000, 'c1\\u202e', 'It \\u001b[2J halted.'])
})
