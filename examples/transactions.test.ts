import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { beforeEach, test } from 'node:test'
import { changesOf, deliver, inTransaction } from 'dts-functions/testing'
import { startRecorder } from './recorder.ts'

const recorder = await startRecorder()
process.env.QUEUE_URL = `${recorder.address}/123456789012/transactions.fifo`
const { handler } = await import('./transactions.ts')

const orders = changesOf(handler, { table: 'shop.orders', keys: ['id'] })
const items = changesOf(handler, { table: 'shop.order_items', keys: ['id'] })
const placed = inTransaction(
  [orders.insert({ id: 7n }), items.insert({ id: 1n }), items.insert({ id: 2n })],
  'placed',
)

/** The client compares the digest that the queue answers. */
const stored = {
  status: 200,
  body: (received: string) => {
    const { MessageBody } = JSON.parse(received) as { MessageBody: string }
    return JSON.stringify({ MD5OfMessageBody: createHash('md5').update(MessageBody).digest('hex') })
  },
}
beforeEach(() => {
  recorder.requests.splice(0)
  recorder.answers.splice(0, Number.POSITIVE_INFINITY, stored, stored)
})

function sent() {
  return recorder.requests.map(({ body }) => {
    const message = JSON.parse(body) as { MessageBody: string; MessageDeduplicationId: string }
    const { id, changes } = JSON.parse(message.MessageBody) as { id: string; changes: { table: string }[] }
    return { id, tables: changes.map(({ table }) => table), deduplication: message.MessageDeduplicationId }
  })
}

test('an order and its items, which the source wrote in one transaction, are one message', async () => {
  const next = orders.insert({ id: 8n })
  assert.deepEqual(await deliver(handler, [...placed, next]), { handled: 4, filtered: 0, error: null })
  assert.deepEqual(
    sent().map(({ id, tables }) => [id, tables]),
    [
      ['placed', ['shop.orders', 'shop.order_items', 'shop.order_items']],
      [next.transactionId, ['shop.orders']],
    ],
  )
})

test('a transaction that comes again has the same id for the queue, so that the queue drops it', async () => {
  assert.equal((await deliver(handler, placed)).handled, 3)
  assert.equal((await deliver(handler, placed, { replay: true })).handled, 3)
  const [first, again] = sent()
  assert.ok(first !== undefined && first.deduplication === again?.deduplication)
})

test('nothing of a transaction that is larger than a message is sent', async () => {
  const large = Array.from({ length: 12 }, (_, id) =>
    items.insert({ id: BigInt(id), note: 'x'.repeat(100_000) }),
  )
  const { handled, error } = await deliver(handler, inTransaction(large))
  assert.deepEqual([handled, recorder.requests.length], [0, 0])
  assert.match(String(error), /a message at most 1048576/)
})

test('nothing of a transaction that is larger than an invocation is sent', async () => {
  const many = Array.from({ length: 1_001 }, (_, id) => items.insert({ id: BigInt(id) }))
  const { handled, error } = await deliver(handler, inTransaction(many, 'import'))
  assert.deepEqual([handled, recorder.requests.length], [0, 0])
  assert.match(String(error), /a first part of import/)
})
