import { DynamoDBClient, type TransactWriteItem } from '@aws-sdk/client-dynamodb'
import { defineTable, once } from 'dts-functions'
import * as z from 'zod'

export const client = new DynamoDBClient({})
const counters = process.env.REVENUE_TABLE ?? 'revenue'
const marks = { table: process.env.REVENUE_MARKS_TABLE ?? 'revenue-marks' }

/** Adds the payments of each customer up. `once` makes each change count exactly once, however often it is delivered. */
export const handler = defineTable({
  table: 'shop.payments',
  row: z.object({ id: z.bigint(), customer_id: z.bigint(), cents: z.bigint() }),

  async onInsert(change) {
    await once(client, change, [add(change.after.customer_id, change.after.cents)], marks)
  },
  async onUpdate(change) {
    const { before, after } = change
    // A transaction writes an item only once.
    const writes =
      before.customer_id === after.customer_id
        ? [add(after.customer_id, after.cents - before.cents)]
        : [add(before.customer_id, -before.cents), add(after.customer_id, after.cents)]
    await once(client, change, writes, marks)
  },
  async onDelete(change) {
    await once(client, change, [add(change.before.customer_id, -change.before.cents)], marks)
  },
})

function add(customer: bigint, cents: bigint): TransactWriteItem {
  return {
    Update: {
      TableName: counters,
      Key: { id: { S: String(customer) } },
      UpdateExpression: 'ADD cents :cents',
      ExpressionAttributeValues: { ':cents': { N: String(cents) } },
    },
  }
}
