import { createHash } from 'node:crypto'
import { SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs'
import { defineTable, stringifyChange } from 'dts-functions'
import * as z from 'zod'

const client = new SQSClient({})

/**
 * Sends the changes of orders to an SQS FIFO queue. The messages of one order stay in order. The queue drops what comes
 * again within five minutes; a consumer finds later repeats by `idempotencyKey`.
 */
export const handler = defineTable({
  table: 'shop.orders',
  row: z.looseObject({ id: z.bigint() }),

  async onBatch(changes) {
    const messages = changes.map((change, index) => ({
      Id: String(index),
      MessageBody: stringifyChange(change),
      MessageGroupId: String((change.operation === 'DELETE' ? change.before : change.after).id),
      MessageDeduplicationId: createHash('sha256').update(change.idempotencyKey).digest('hex'),
    }))
    for (let from = 0; from < messages.length; ) {
      const Entries = request(messages, from)
      const { Failed = [] } = await client.send(
        new SendMessageBatchCommand({ QueueUrl: process.env.QUEUE_URL, Entries }),
      )
      const failedAt = Math.min(...Failed.map(({ Id }) => Number(Id)))
      if (Failed.length > 0) return { failedAt, error: new Error(Failed[0]?.Message) }
      from += Entries.length
    }
    return undefined
  },
})

/**
 * The next messages that fit into a request, at most 10. No two are of one order: if the first of them failed alone, the
 * second would overtake it.
 */
function request<Message extends { readonly MessageGroupId: string }>(
  messages: readonly Message[],
  from: number,
): Message[] {
  const groups = new Set<string>()
  const next: Message[] = []
  for (const message of messages.slice(from, from + 10)) {
    if (groups.has(message.MessageGroupId)) break
    groups.add(message.MessageGroupId)
    next.push(message)
  }
  return next
}
