import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import type { Context } from 'aws-lambda'
import { handler } from '../functions/tables/orders.ts'

const context = { functionName: 'orders', getRemainingTimeInMillis: () => 30_000 } as Context

test('an order that changes its status is logged, with the old and the new one', async () => {
  const log = mock.method(console, 'log', () => {})
  const before = { id: { $bigint: '7' }, status: 'new', total: '19.90' }
  const change = { operation: 'UPDATE', table: 'shop.orders', before, after: { ...before, status: 'paid' } }
  assert.deepEqual(await handler(change, context), { handled: 1 })
  assert.deepEqual(
    log.mock.calls.map(({ arguments: [line] }) => line),
    ['Order 7: new → paid'],
  )
})

test('a row without a column that the handler needs is refused', async () => {
  const change = { operation: 'INSERT', table: 'shop.orders', after: { id: { $bigint: '7' } } }
  await assert.rejects(handler(change, context), { code: 'ROW_INVALID' })
})
