import assert from 'node:assert/strict'
import { test } from 'node:test'
import { audit, total } from '../../../infra/local/audit.ts'
import type { Handled } from '../../../infra/local/observations.ts'
import type { ShopRecord } from '../../../infra/local/shop.ts'

const produced = (...ids: bigint[]): ShopRecord[] =>
  ids.map((id) => ({ value: Buffer.alloc(0), timestamp: 0, change: { id, table: 'shop.orders' } }))
const delivered = (...ids: number[]): Handled[] =>
  ids.map((id) => ({
    kind: 'handled',
    worker: 1,
    function: 'orders',
    key: '',
    table: 'shop.orders',
    id: String(id),
    offset: '0',
    generation: 1,
    replay: false,
    operation: 'INSERT',
  }))

const cases: [deliveries: number[], expected: Partial<ReturnType<typeof total>>, reason: string][] = [
  [[1, 2, 3], { handled: 3, lost: 0, outOfOrder: 0, duplicates: 0 }, 'every change once and in order'],
  [[1, 3], { handled: 2, lost: 1, outOfOrder: 0, duplicates: 0 }, 'a change that never came is lost'],
  [[1, 3, 2], { handled: 3, lost: 0, outOfOrder: 1, duplicates: 0 }, 'a first delivery after a later one'],
  [
    [1, 2, 1, 2, 3],
    { handled: 3, lost: 0, outOfOrder: 0, duplicates: 2 },
    'a replayed suffix keeps the order',
  ],
  [[], { handled: 0, lost: 3, outOfOrder: 0, duplicates: 0 }, 'no change arrived'],
]

for (const [deliveries, expected, reason] of cases) {
  test(`the audit of ${JSON.stringify(deliveries)}: ${reason}`, () => {
    const sum = total(audit(produced(1n, 2n, 3n), delivered(...deliveries)))
    assert.deepEqual(sum, { produced: 3, ...expected })
  })
}

test('a delivery that was never produced is an error', () => {
  assert.throws(() => audit(produced(1n), delivered(7)), /the change 7, which was not produced/)
})
