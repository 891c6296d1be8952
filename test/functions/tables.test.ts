import '../rig/quiet.ts'
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { handler as customers } from '../../functions/tables/customers.ts'
import { handler as orderItems } from '../../functions/tables/order_items.ts'
import { handler as orders } from '../../functions/tables/orders.ts'
import { Shop, type ShopRecord } from '../../infra/local/shop.ts'
import { type Batch, packEvents, toBatch } from '../../lib/dispatch/batch-format.ts'
import { readHeader } from '../../lib/dts/header.ts'
import type { Operation } from '../../lib/dts/types.ts'
import { context } from '../rig/context.ts'
import { eventOf } from '../support/dispatch.ts'

const seconds = 1_795_433_580
const shop = new Shop(7)
const stream: ShopRecord[] = Array.from({ length: 400 }, (_, i) => shop.transaction(seconds + i)).flat()

const origin = { topic: 't', partition: 0, clusterId: 'c', generation: 1, replayUntil: null }
const batchOf = (values: readonly Buffer[]): Batch => ({
  ...toBatch(packEvents(values.map((value, index) => eventOf(BigInt(index), value))), origin),
  batchId: 'batch',
})

for (const handler of [customers, orders, orderItems]) {
  const { table } = handler.definition
  describe(`the example handler of ${table}`, () => {
    const values = stream.filter(({ change }) => change?.table === table).map(({ value }) => value)

    test('handles every insert, update and delete of the shop', async () => {
      const operations = new Set<Operation>(values.map((value) => readHeader(value).operation))
      assert.deepEqual(operations, new Set(['INSERT', 'UPDATE', 'DELETE']))
      const answer = await handler(
        batchOf(values),
        context('test', () => 30_000),
      )
      assert.deepEqual(answer, { batchId: 'batch', acknowledgedThrough: String(values.length - 1) })
    })

    test('handles a statement', async () => {
      const answer = await handler(
        batchOf([shop.ddl(seconds).value]),
        context('test', () => 30_000),
      )
      assert.deepEqual(answer, { batchId: 'batch', acknowledgedThrough: '0' })
    })
  })
}
