import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { defineTable, fencedDelete, fencedUpdate } from 'dts-functions'
import * as z from 'zod'

export const client = new DynamoDBClient({})
const table = process.env.ORDERS_TABLE ?? 'orders'

/** Keeps a DynamoDB table equal to the source's orders. The fence makes repeated and late changes harmless. */
export const handler = defineTable({
  table: 'shop.orders',
  row: z.object({ id: z.bigint(), status: z.string(), total: z.string() }),

  async onInsert(change) {
    await fencedUpdate(client, { table, key: { id: change.after.id }, set: change.after, change })
  },
  async onUpdate(change) {
    const { before, after } = change
    if (change.changed('id')) await fencedDelete(client, { table, key: { id: before.id }, change })
    await fencedUpdate(client, { table, key: { id: after.id }, set: after, change })
  },
  async onDelete(change) {
    await fencedDelete(client, { table, key: { id: change.before.id }, change })
  },
})
