import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { changesOf, deliver } from 'dts-functions/testing'
import { handler } from '../functions/tables/orders.ts'

const changes = changesOf(handler, { keys: ['id'] })
const order = { id: 7n, status: 'new', total: '19.90' }

test('an order that changes its status is logged, with the old and the new one', async () => {
  const log = mock.method(console, 'log', () => {})
  const paid = changes.update(order, { ...order, status: 'paid' })
  assert.deepEqual(await deliver(handler, [paid]), { handled: 1, filtered: 0, error: null })
  assert.deepEqual(
    log.mock.calls.map(({ arguments: [line] }) => line),
    ['Order 7: new → paid'],
  )
})

test('a new order is not logged', async () => {
  const log = mock.method(console, 'log', () => {})
  assert.deepEqual(await deliver(handler, [changes.insert(order)]), { handled: 1, filtered: 0, error: null })
  assert.equal(log.mock.callCount(), 0)
})
