import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { DtsError } from '../../../../lib/errors.ts'
import type { Stream } from '../../../../lib/kafka/stream.ts'
import { replay, replaySchema } from '../../../../lib/recovery/resend/replay.ts'
import { all, route } from '../../../support/dispatch.ts'
import { open } from '../../../support/open-stream.ts'
import { Writer } from '../../../support/records.ts'
import { like, only } from '../../../support/streams.ts'

/** Ten changes of one table, in two batches. */
async function twoBatches(t: TestContext): Promise<Stream> {
  const write = new Writer()
  const { store, stream } = await open(t, write.inserts('shop.orders', 0, 4))
  await store.append(write.inserts('shop.orders', 5, 9))
  return stream
}

/** Replays the table from the first record. The handler acknowledges everything. */
async function replayAll(stream: Stream, event: object = {}) {
  const sent: bigint[] = []
  const answer = await replay(
    replaySchema.parse({ action: 'replay', table: 'shop.orders', from: { offset: '0' }, ...event }),
    {
      store: { read: async () => null },
      routes: { 'shop.orders': route('orders') },
      ghostTables: 'skip',
      handlerTimeoutMs: 1_000,
      remainingMs: () => 600_000,
      invoke: async (_name, _batch, events) => {
        sent.push(...events.map(({ offset }) => offset))
        return all(events)
      },
    },
    stream,
  )
  return { answer, sent: sent.map(Number) }
}

/** The same stream. Each fetch from offset 5 on takes the next fault of the list; without one, it works. */
function faultyFrom5(stream: Stream, faults: ('damaged' | 'empty')[]): Stream {
  return like(stream, {
    async fetch(from, bounds) {
      const fetched = await stream.fetch(from, bounds)
      if (from < 5n)
        return { ...fetched, records: only(fetched.records, (offset) => offset < 5n), nextOffset: 5n }
      const fault = faults.shift()
      if (fault === 'damaged')
        throw new DtsError('BATCH_CORRUPT', 'the batch is damaged', { retryable: true })
      return fault === 'empty'
        ? { ...fetched, records: only(fetched.records, () => false), nextOffset: from }
        : fetched
    },
  })
}

test('a replay reads again after a broken or empty answer, and sends every change once', async (t) => {
  const { answer, sent } = await replayAll(faultyFrom5(await twoBatches(t), ['empty', 'damaged', 'empty']))
  assert.deepEqual(sent, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  assert.deepEqual([answer.replayed, answer.complete, answer.error], [10, true, null])
})

const lasting: [what: string, fault: 'damaged' | 'empty', error: RegExp][] = [
  [
    'a broker sends nothing below the end of its log',
    'empty',
    /as the end of its log, but sends nothing from offset 5/,
  ],
  ['a batch stays damaged', 'damaged', /^the batch is damaged$/],
]
for (const [what, fault, error] of lasting) {
  test(`if ${what}, a replay ends there, gives the reason, and says how far it got`, async (t) => {
    const stream = await twoBatches(t)
    const faults = () => new Array<typeof fault>(100).fill(fault)
    for (const dryRun of [false, true]) {
      const { answer, sent } = await replayAll(faultyFrom5(stream, faults()), { dryRun })
      assert.deepEqual(sent, dryRun ? [] : [0, 1, 2, 3, 4])
      assert.deepEqual([answer.replayed, answer.next, answer.complete], [5, '5', false])
      assert.match(answer.error ?? '', error)
    }
  })
}

test('a replay that ends before a fault is complete', async (t) => {
  const stream = faultyFrom5(await twoBatches(t), ['empty', 'empty', 'empty', 'empty'])
  const { answer, sent } = await replayAll(stream, { to: { offset: '5' } })
  assert.deepEqual([sent, answer.complete, answer.error], [[0, 1, 2, 3, 4], true, null])
})
