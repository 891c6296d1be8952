import assert from 'node:assert/strict'
import { test } from 'node:test'
import { render, type View } from '../../../infra/local/view.ts'
import { type Checkpoint, freshPosition } from '../../../lib/checkpoint/types.ts'

test('the live view shows names from the stream in one line each, with control characters escaped', () => {
  const name = 'shop.\u001b[2J\u009b31m\nstate       RUNNING\u202e'
  const checkpoint: Checkpoint = {
    ...freshPosition(3n, 1_790_000_000),
    key: 'topic/0',
    epoch: 1,
    owner: null,
    leaseUntil: null,
    generation: 1,
    clusterId: name,
    replayUntil: null,
    state: 'HALTED',
    halt: { code: 'TABLE_UNROUTED', message: `no function for ${name}`, facts: {}, next: [], at: 0 },
    ledger: [],
  }
  const view: View = {
    tables: [{ table: name, handled: 1, replays: 0, lastOperation: 'INSERT', lastOffset: '2' }],
    checkpoint,
    clusterId: name,
    range: { earliest: 0n, end: 9n },
    now: 1_790_000_000_000,
    events: [`12:00:00  ${name}`],
    logFile: 'poller.log',
  }
  const shown = render(view)
  const plain = render({ ...view, tables: [], events: [] })
  assert.equal(shown.length, plain.length + 2)
  for (const line of shown) assert.doesNotMatch(line, /[\p{Cc}\p{Cf}]/u)
  assert.ok(shown.some((line) => line.startsWith('state       HALTED: no function for shop.\\u001b[2J')))
})
