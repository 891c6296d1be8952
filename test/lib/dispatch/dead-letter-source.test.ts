import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { S3Client } from '@aws-sdk/client-s3'
import { SQSClient } from '@aws-sdk/client-sqs'
import { deadLetterSource } from '../../../lib/dispatch/dead-letter-source.ts'

const letter = {
  version: 1,
  functionName: 'shop-orders',
  table: 'shop.orders',
  topic: 't',
  partition: 0,
  clusterId: 'c',
  generation: 3,
  offset: '12',
  attempts: 5,
  at: '2026-01-31T08:00:00.000Z',
  error: { code: 'HANDLER_FAILED', message: 'no' },
  raw: 'AAEC',
  event: null,
}

/** Receives from a queue that returns one message, and notes what else it is asked. */
async function receive(body: unknown) {
  const asked: string[] = []
  const client = new SQSClient({ region: 'eu-central-1' })
  client.middlewareStack.add(
    () => async (_command) => {
      asked.push('request')
      const message = { Body: JSON.stringify(body), MessageId: 'm-1', ReceiptHandle: 'r-1' }
      const Messages = asked.length === 1 ? [message] : []
      return { output: { $metadata: {}, Messages }, response: {} }
    },
    { step: 'initialize' },
  )
  const s3 = (): Promise<S3Client> => Promise.reject(new Error('No letter is in the bucket.'))
  const source = deadLetterSource({ queueUrl: 'http://127.0.0.1:9/q', sqs: async () => client, s3 })
  return { asked, received: source.receive(10, () => true) }
}

test('a letter with members that a later release added is received', async () => {
  const { received } = await receive({ ...letter, shard: 4, error: { ...letter.error, stack: 'at line 7' } })
  const [item] = (await received).items
  assert.deepEqual([item?.letter.functionName, item?.letter.offset], ['shop-orders', '12'])
})

test('a letter of a later version stays in the queue, and no person is told to delete it', async () => {
  const { asked, received } = await receive({ ...letter, version: 2 })
  await assert.rejects(received, (error: Error) => {
    assert.match(
      error.message,
      /is a dead letter of version 2, and this code reads version 1\. .* the letter stays in the queue/,
    )
    assert.match(error.message, /Deploy a release that reads it/)
    assert.doesNotMatch(error.message, /delete/)
    return true
  })
  // It was given back, so that the next receiver need not wait.
  assert.equal(asked.length, 2)
})

test('a message of somebody else is named, and nothing is sent', async () => {
  const { received } = await receive({ hello: 'world' })
  await assert.rejects(received, {
    code: 'DEAD_LETTER_FAILED',
    message: /message m-1 is not a dead letter of this project/,
  })
})
