import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { S3Client } from '@aws-sdk/client-s3'
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
    retryable: false,
    message: /message m-1 is not a dead letter of this project/,
  })
})

describe('the reading side of the dead-letter queue', () => {
  type Answer = (input: Record<string, unknown>) => object
  const queueUrl = 'http://127.0.0.1:9/q'

  /** A queue and a bucket that answer each command as given, and note the input of each. */
  function sourceOf(answers: Readonly<Record<string, Answer>>) {
    const asked: [command: string, input: Record<string, unknown>][] = []
    const answer = (command: string, input: object) => {
      const given = { ...input }
      asked.push([command, given])
      return { output: { $metadata: {}, ...answers[command]?.(given) }, response: {} }
    }
    const first = { step: 'initialize' } as const
    const sqs = new SQSClient({ region: 'eu-central-1' })
    sqs.middlewareStack.add(
      (_, { commandName = '' }) =>
        async ({ input }) =>
          answer(commandName, input),
      first,
    )
    const s3 = new S3Client({ region: 'eu-central-1' })
    s3.middlewareStack.add(
      (_, { commandName = '' }) =>
        async ({ input }) =>
          answer(commandName, input),
      first,
    )
    const source = deadLetterSource({ queueUrl, sqs: async () => sqs, s3: async () => s3 })
    const inputs = (name: string) => asked.filter(([command]) => command === name).map(([, input]) => input)
    return { source, inputs }
  }

  /** Hands out these messages with the first request, and none after it. */
  function handingOut(letters: readonly object[]): Answer {
    let isFirst = true
    return () => {
      const Messages = letters.map((body, index) => ({
        Body: JSON.stringify({ ...letter, ...body }),
        MessageId: `m${index}`,
        ReceiptHandle: `r${index}`,
      }))
      const given = isFirst ? { Messages } : {}
      isFirst = false
      return given
    }
  }

  test('hands letters out by function, generation and offset, whatever order SQS gives', async () => {
    const given = [
      { functionName: 'b', generation: 1, offset: '1' },
      { functionName: 'a', generation: 2, offset: '3' },
      { functionName: 'a', generation: 1, offset: '10' },
      { functionName: '', generation: 9, offset: '7' },
      { functionName: 'a', generation: 1, offset: '9' },
    ]
    for (const order of [given, given.toReversed()]) {
      const { source } = sourceOf({ ReceiveMessageCommand: handingOut(order) })
      const { items } = await source.receive(10, () => true)
      assert.deepEqual(
        items.map(({ letter: { functionName, generation, offset } }) => [functionName, generation, offset]),
        [
          [null, 9, '7'],
          ['a', 1, '9'],
          ['a', 1, '10'],
          ['a', 2, '3'],
          ['b', 1, '1'],
        ],
      )
    }
  })

  test('takes no more letters than asked for, gives the others back, and then asks for no more', async () => {
    const { source, inputs } = sourceOf({
      ReceiveMessageCommand: handingOut([1, 2, 3, 4].map((offset) => ({ offset: String(offset) }))),
    })
    const { items, others } = await source.receive(2, ({ offset }) => offset !== '2')
    assert.deepEqual(
      [items.map(({ receipt }) => receipt), others.map(({ offset }) => offset)],
      [['r0', 'r2'], ['2']],
    )
    assert.deepEqual(
      inputs('ChangeMessageVisibilityCommand').map(({ ReceiptHandle, VisibilityTimeout }) => [
        ReceiptHandle,
        VisibilityTimeout,
      ]),
      [
        ['r1', 0],
        ['r3', 0],
      ],
    )
    assert.equal(inputs('ReceiveMessageCommand').length, 1)
  })

  test('gives back what it has received if SQS fails in between', async () => {
    const first = handingOut([{ offset: '1' }, { offset: '2' }])
    let receives = 0
    const { source, inputs } = sourceOf({
      ReceiveMessageCommand: (input) => {
        receives += 1
        if (receives > 1) throw Object.assign(new Error('slow down'), { name: 'RequestThrottled' })
        return first(input)
      },
    })
    await assert.rejects(
      source.receive(10, () => true),
      {
        code: 'DEAD_LETTER_FAILED',
        retryable: true,
        message: 'The dead-letter queue cannot be used: RequestThrottled: slow down.',
      },
    )
    assert.deepEqual(
      inputs('ChangeMessageVisibilityCommand').map(({ ReceiptHandle }) => ReceiptHandle),
      ['r0', 'r1'],
    )
  })

  test('counts as SQS counts', async () => {
    const { source, inputs } = sourceOf({
      GetQueueAttributesCommand: () => ({ Attributes: { ApproximateNumberOfMessages: '12' } }),
    })
    assert.equal(await source.count(), 12)
    assert.deepEqual(inputs('GetQueueAttributesCommand'), [
      { QueueUrl: queueUrl, AttributeNames: ['ApproximateNumberOfMessages'] },
    ])
    assert.equal(await sourceOf({}).source.count(), 0)
  })

  test('loads a record from its place in the bucket, and an object without a body is an error', async () => {
    const place = { bucket: 'letters', key: 't/0/3/12.gz' }
    const Body = { transformToByteArray: async () => new Uint8Array([1, 2]) }
    const { source, inputs } = sourceOf({ GetObjectCommand: () => ({ Body }) })
    assert.deepEqual(await source.load(place), Buffer.from([1, 2]))
    assert.deepEqual(inputs('GetObjectCommand'), [{ Bucket: 'letters', Key: 't/0/3/12.gz' }])
    await assert.rejects(sourceOf({}).source.load(place), {
      code: 'DEAD_LETTER_FAILED',
      retryable: false,
      message: /: the object t\/0\/3\/12\.gz of bucket letters is empty\.$/,
    })
  })
})
