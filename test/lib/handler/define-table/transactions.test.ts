import '../../../rig/quiet.ts'
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import type { TransactionPart } from '../../../../lib/dispatch/batch-format.ts'
import { defineTable, type Transaction } from '../../../../lib/handler/define-table.ts'
import { changesOf, deliver, inTransaction } from '../../../../lib/handler/testing/index.ts'
import { previousRelease } from '../../../support/previous-release.ts'
import { t0 } from '../../../support/records.ts'
import { batchOf, functionContext, insertsOf, row, send, write } from './support.ts'

type Seen = readonly [part: string, ids: readonly unknown[]]

/** A handler that records what it gets. It fails for a transaction that has this id. */
function recording(failing: bigint | null = null, settings: object = {}) {
  const seen: Seen[] = []
  const handler = defineTable({
    table: ['shop.orders', 'shop.items'],
    row,
    ...settings,
    onTransaction({ part, changes }: Transaction<z.output<typeof row>>) {
      const ids = changes.map((change) => (change.operation === 'DELETE' ? change.before : change.after).id)
      seen.push([part, ids])
      if (failing !== null && ids.includes(failing)) throw new RangeError('as the test wants it')
    },
    onDdl: ({ statement }) => void seen.push(['statement', [statement]]),
  })
  return { handler, seen }
}

const transactions = (...parts: (readonly [count: number, part: TransactionPart['part']])[]) => ({
  version: 4,
  transactions: parts.map(([count, part]) => ({ count, part })),
})

describe('onTransaction', () => {
  test('gets the changes of each transaction of a batch in one call, and which part they are', async () => {
    const { handler, seen } = recording()
    const parts = transactions([2, 'last'], [1, 'whole'], [2, 'first'])
    assert.deepEqual(await send(handler, batchOf(insertsOf(1, 2, 3, 4, 5), parts)), {
      batchId: 'batch-1',
      acknowledgedThrough: '104',
    })
    assert.deepEqual(seen, [
      ['last', [1n, 2n]],
      ['whole', [3n]],
      ['first', [4n, 5n]],
    ])
  })

  test('that throws leaves its whole transaction undone, and the ones before it done', async () => {
    const { handler, seen } = recording(4n)
    const parts = transactions([2, 'whole'], [2, 'whole'], [1, 'whole'])
    const answer = await send(handler, batchOf(insertsOf(1, 2, 3, 4, 5), parts))
    assert.deepEqual([answer.acknowledgedThrough, answer.failure?.offset], ['101', '102'])
    assert.equal(seen.length, 2)
  })

  test('does not get a transaction with a change that cannot be decoded', async () => {
    const { handler, seen } = recording(null, { row: z.object({ id: z.bigint(), status: z.literal('new') }) })
    const values = [...insertsOf(1, 2), write.update('shop.orders', 3, t0).value]
    const answer = await send(handler, batchOf(values, transactions([1, 'whole'], [2, 'whole'])))
    assert.deepEqual(
      [answer.acknowledgedThrough, answer.failure?.offset, answer.failure?.code],
      ['100', '101', 'ROW_INVALID'],
    )
    assert.deepEqual(seen, [['whole', [1n]]])
  })

  test('gets the changes before and after a statement as parts', async () => {
    const { handler, seen } = recording()
    const [one, two, three] = insertsOf(1, 2, 3)
    const ddl = write.ddl('shop.orders', 'ALTER TABLE orders ADD note TEXT', t0).value
    const values = [one ?? null, ddl, two ?? null, three ?? null]
    await send(handler, batchOf(values, transactions([4, 'whole'])))
    assert.deepEqual(seen, [
      ['first', [1n]],
      ['statement', ['ALTER TABLE orders ADD note TEXT']],
      ['last', [2n, 3n]],
    ])
  })

  test('that returns a failure fails', async () => {
    const handler = defineTable({
      table: 'shop.orders',
      row,
      onTransaction: () => ({ batchItemFailures: [] }) as unknown as undefined,
    })
    const answer = await send(handler, batchOf(insertsOf(1), transactions([1, 'whole'])))
    assert.equal(answer.failure?.code, 'HANDLER_FAILED')
  })

  test('stops between two transactions if the time runs short', async () => {
    const { handler, seen } = recording()
    const parts = transactions([1, 'whole'], [1, 'whole'])
    const answer = await send(handler, batchOf(insertsOf(1, 2), parts), () => 100)
    assert.deepEqual([answer.acknowledgedThrough, answer.failure, seen.length], ['100', undefined, 1])
  })

  test('gets nothing from an older poller, which does not name transactions: the changes wait', async () => {
    const { handler, seen } = recording()
    await assert.rejects(handler(batchOf(insertsOf(1)), functionContext()), {
      code: 'CONFIG_INVALID',
      message:
        /an older poller sent it\. Its changes wait until poller and table functions are of one deployment/,
    })
    assert.deepEqual(seen, [])
  })

  test('a function of the release before refuses a batch with transactions, and its changes wait', async () => {
    const { defineTable: older } = await previousRelease()
    const handler = older({ table: 'shop.orders', row, onChange: () => assert.fail('it got a change') })
    const parts = transactions([1, 'whole'])
    await assert.rejects(handler(batchOf(insertsOf(1), parts), functionContext()), { code: 'CONFIG_INVALID' })
  })

  test('a handler of single changes takes a batch with transactions, which a newer poller may send', async () => {
    const seen: unknown[] = []
    const handler = defineTable({
      table: 'shop.orders',
      row,
      onChange: ({ offset }) => void seen.push(offset),
    })
    await send(handler, batchOf(insertsOf(1, 2), transactions([2, 'whole'])))
    assert.deepEqual(seen, [100n, 101n])
  })

  test('is tested with transactions across tables, cut as the poller cuts them', async () => {
    const { handler, seen } = recording(9n, { batchSize: 2 })
    const orders = changesOf(handler, { table: 'shop.orders' })
    const items = changesOf(handler, { table: 'shop.items' })
    const insert = (of: typeof orders, id: bigint) => of.insert({ id, status: 'new' })
    const sent = [
      ...inTransaction([insert(orders, 1n), insert(items, 2n)]),
      insert(orders, 3n),
      ...inTransaction([insert(orders, 4n), insert(items, 5n), insert(items, 6n)], 'large'),
      ...inTransaction([insert(orders, 8n), insert(items, 9n)], 'failing'),
    ]
    const { handled, error } = await deliver(handler, sent)
    assert.deepEqual([handled, (error as Error).message], [6, 'as the test wants it'])
    assert.deepEqual(seen, [
      ['whole', [1n, 2n]],
      ['whole', [3n]],
      ['first', [4n, 5n]],
      ['last', [6n]],
      ['whole', [8n, 9n]],
    ])
  })

  test('gets only the changes that its filter lets pass, and they are still the whole', async () => {
    const { handler, seen } = recording(null, { filter: { where: "status = 'paid'" } })
    const orders = changesOf(handler, { table: 'shop.orders' })
    const rows = ['paid', 'new', 'paid'].map((status, at) => orders.insert({ id: BigInt(at), status }))
    assert.deepEqual(await deliver(handler, inTransaction(rows)), { handled: 2, filtered: 1, error: null })
    assert.deepEqual(seen, [['whole', [0n, 2n]]])
  })
})
