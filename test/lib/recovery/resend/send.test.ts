import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeRecord } from '../../../../infra/local/encode.ts'
import { type Batch, recordOverhead } from '../../../../lib/dispatch/batch-format.ts'
import { maxBatchBytes } from '../../../../lib/dispatch/settings.ts'
import { firstBatch, sendOnce } from '../../../../lib/recovery/resend/send.ts'
import { all, eventOf, eventsAt, route } from '../../../support/dispatch.ts'

test('one invocation gets as many changes as it can process, at most 500', () => {
  const events = eventsAt(...Array.from({ length: 600 }, (_, at) => at))
  assert.deepEqual(firstBatch(events), events.slice(0, 500))
  assert.deepEqual(firstBatch(events.slice(0, 500)), events.slice(0, 500))
  assert.deepEqual(firstBatch(events.slice(0, 3)), events.slice(0, 3))
  assert.deepEqual(firstBatch([]), [])
})

test('one invocation gets as many bytes as a batch may have, or one larger change alone', () => {
  const half = Buffer.alloc(maxBatchBytes / 2 - recordOverhead)
  const exact = [eventOf(0n, half), eventOf(1n, half)]
  assert.equal(firstBatch([...exact, eventOf(2n, Buffer.alloc(1))]).length, 2)
  assert.equal(firstBatch([eventOf(0n, half), eventOf(1n, Buffer.alloc(half.length + 1))]).length, 1)
  const large = eventOf(0n, Buffer.alloc(maxBatchBytes + 1))
  assert.deepEqual(firstBatch([large, eventOf(1n, Buffer.alloc(1))]), [large])
})

test('a function with onTransaction learns that recovery sends changes out of their transaction', async () => {
  const ids = ['a', 'a', 'b', '', '']
  const events = ids.map((sourceTxid, at) =>
    eventOf(BigInt(at), encodeRecord({ operation: 'DDL', sourceTxid, after: '' })),
  )
  const sent: Batch['transactions'][] = []
  for (const settings of [{}, { transactions: true as const }]) {
    const { done } = await sendOnce(
      'orders',
      events,
      { topic: 't', partition: 0, clusterId: 'c', generation: 1, replayUntil: null },
      {
        routes: { 'shop.orders': { ...route('orders'), ...settings } },
        ghostTables: 'skip',
        handlerTimeoutMs: 1_000,
        remainingMs: () => 60_000,
        invoke: async (_name, { transactions }) => {
          sent.push(transactions)
          return all(events)
        },
      },
    )
    assert.equal(done, 5)
  }
  const part = 'resent'
  assert.deepEqual(sent, [undefined, [2, 1, 1, 1].map((count) => ({ count, part }))])
})
