import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { changeToJson, defineStream, type Transaction } from 'dts-functions'

const client = new SQSClient({})

/** The largest message of a queue, in bytes. */
const largestMessage = 1_048_576

/**
 * Sends each source transaction, with its changes of all tables, as one message to an SQS FIFO queue. So a consumer never sees half of
 * it. The queue drops what comes again within five minutes. A transaction that does not fit into a message, or into an invocation, halts
 * the stream: a person decides about it.
 */
export const handler = defineStream({
  onFailure: 'halt',

  async onTransaction(transaction) {
    if (transaction.part !== 'whole') throw new Error(`a ${transaction.part} part of ${transaction.id}`)
    const [first] = transaction.changes
    if (first === undefined) return
    await client.send(
      new SendMessageCommand({
        QueueUrl: process.env.QUEUE_URL,
        MessageBody: messageOf(transaction),
        MessageGroupId: 'transactions',
        MessageDeduplicationId: first.idempotencyKey,
      }),
    )
  },
})

function messageOf({ id, changes }: Transaction): string {
  const body = JSON.stringify({ id, changes: changes.map(changeToJson) })
  const size = Buffer.byteLength(body)
  if (size > largestMessage)
    throw new Error(`transaction ${id} has ${size} bytes, a message at most ${largestMessage}`)
  return body
}
