import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge'
import { changeToJson, defineTable } from 'dts-functions'
import * as z from 'zod'

const client = new EventBridgeClient({})

/**
 * Publishes the changes of orders to an event bus as CloudEvents. EventBridge keeps no order: consumers that need it compare
 * `time` and `sequence`. An event that comes twice has the same `id`.
 */
export const handler = defineTable({
  table: 'shop.orders',
  row: z.looseObject({ id: z.bigint() }),
  // EventBridge takes at most 10 events in one request.
  batchSize: 10,

  async onBatch(changes) {
    const events = changes.map((change) => ({
      specversion: '1.0',
      id: change.idempotencyKey,
      source: `/${change.table.replace('.', '/')}`,
      type: `shop.orders.${change.operation.toLowerCase()}`,
      time: new Date(change.timestamp * 1000).toISOString(),
      sequence: `${change.generation}.${change.offset}`,
      datacontenttype: 'application/json',
      data: changeToJson(change),
    }))
    const { Entries = [] } = await client.send(
      new PutEventsCommand({
        Entries: events.map((event) => ({
          EventBusName: process.env.EVENT_BUS ?? 'default',
          Source: 'dts.shop',
          DetailType: event.type,
          Time: new Date(event.time),
          Detail: JSON.stringify(event),
        })),
      }),
    )
    const failedAt = Entries.findIndex(({ ErrorCode }) => ErrorCode !== undefined)
    return failedAt >= 0 ? { failedAt, error: new Error(Entries[failedAt]?.ErrorMessage) } : undefined
  },
})
