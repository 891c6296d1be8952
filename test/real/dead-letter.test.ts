import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { z } from 'zod'
import { binaryObject, encodeRecord, integer, text } from '../../infra/local/encode.ts'
import { type DeadLetterInput, deadLetterQueue, deadLetterSchema } from '../../lib/dispatch/dead-letter.ts'
import { deadLetterSource } from '../../lib/dispatch/dead-letter-source.ts'
import { startMoto } from '../rig/moto.ts'

const region = 'eu-west-1'
const credentials = { accessKeyId: 'testing', secretAccessKey: 'testing' }
const bucket = 'too-large'

let aws: Awaited<ReturnType<typeof startMoto>>
let sqs: SQSClient
let s3: S3Client
let queues = 0

before(async () => {
  aws = await startMoto()
  // Some tests expect errors. Without retries they come at once.
  const options = { endpoint: aws.endpoint, region, credentials, maxAttempts: 1 }
  sqs = new SQSClient(options)
  s3 = new S3Client({ ...options, forcePathStyle: true })
  const place = { LocationConstraint: region } as const
  await s3.send(new CreateBucketCommand({ Bucket: bucket, CreateBucketConfiguration: place }))
})
after(async () => {
  sqs.destroy()
  s3.destroy()
  await aws.stop()
})

/** A queue with the attributes of infra/dead-letters.yml. */
async function newQueue(): Promise<string> {
  queues += 1
  const { QueueUrl = '' } = await sqs.send(
    new CreateQueueCommand({ QueueName: `letters-${queues}.fifo`, Attributes: { FifoQueue: 'true' } }),
  )
  return QueueUrl
}

function target(queueUrl: string, bucketName: string | undefined = bucket) {
  return deadLetterQueue({ queueUrl, bucket: bucketName, sqs: async () => sqs, s3: async () => s3 })
}

function source(queueUrl: string) {
  return deadLetterSource({ queueUrl, sqs: async () => sqs, s3: async () => s3 })
}

function insert(id: number, status: string, image?: Buffer): Buffer {
  return encodeRecord({
    operation: 'INSERT',
    objectName: 'shop.orders',
    fields: [
      ['id', 8],
      ['status', 253],
      ['image', 252],
    ],
    after: [integer(id), text(status), image === undefined ? null : binaryObject(image)],
    sourceTimestamp: 1_790_000_000,
  })
}

function letter(offset: bigint, value: Buffer, functionName = 'shop-dev-orders'): DeadLetterInput {
  return {
    functionName,
    table: 'shop.orders',
    topic: 'cn_shop',
    partition: 0,
    clusterId: 'ABC=/+ "quoted"',
    generation: 2,
    offset,
    attempts: 5,
    at: '2026-10-01T00:00:00.000Z',
    error: { code: 'HANDLER_FAILED', message: 'no' },
    value,
  }
}

async function bodies(queueUrl: string) {
  const { Messages = [] } = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl: queueUrl,
      MaxNumberOfMessages: 10,
      MessageSystemAttributeNames: ['MessageGroupId'],
    }),
  )
  return Messages.map(({ Body = '', Attributes }) => ({
    text: Body,
    group: Attributes?.MessageGroupId,
    letter: deadLetterSchema.parse(JSON.parse(Body)),
  }))
}

describe('a change that is sent to the dead-letter queue', () => {
  test('is in the queue with its bytes, its JSON form and its error, in the group of its function', async () => {
    const queue = await newQueue()
    const value = insert(9_007_199_254, 'paid')
    await target(queue)(letter(9_223_372_036_854_775_807n, value))
    const [one, ...others] = await bodies(queue)
    assert.equal(others.length, 0)
    assert.equal(one?.group, 'shop-dev-orders')
    const { raw, event, offset, clusterId, error } = one?.letter ?? {}
    assert.equal(raw, value.toString('base64'))
    assert.equal(offset, '9223372036854775807')
    assert.equal(clusterId, 'ABC=/+ "quoted"')
    assert.deepEqual(error, { code: 'HANDLER_FAILED', message: 'no' })
    assert.match(JSON.stringify(event), /"operation":"INSERT".*"status":"paid"/)
    const said = z.object({ offset: z.string(), generation: z.number(), replay: z.boolean() }).parse(event)
    assert.deepEqual(said, { offset: '9223372036854775807', generation: 2, replay: false })
  })

  test('may contain characters that SQS refuses', async () => {
    const queue = await newQueue()
    // SQS refuses U+FFFE and U+FFFF.
    const status = '\u0000\u0001\u001F\u007F\u0085\u2028\uFFFD\uFFFE\uFFFF\u{1F600}\u{10FFFF}"\\'
    await target(queue)(letter(1n, insert(1, status)))
    const [one] = await bodies(queue)
    const forbidden = [...(one?.text ?? '')].filter((character) => {
      const code = character.codePointAt(0) ?? 0
      return (code < 32 && ![9, 10, 13].includes(code)) || code === 0xfffe || code === 0xffff
    })
    assert.deepEqual(forbidden, [])
    assert.ok(JSON.stringify(one?.letter.event).includes(JSON.stringify(status)))
  })

  test('omits its JSON form if both forms exceed a message, and then moves its bytes to the bucket', async () => {
    const queue = await newQueue()
    const places = [
      [100_000, 'both'],
      [150_000, 'raw'],
      [188_000, 'bucket'],
      [3_000_000, 'bucket'],
    ] as const
    for (const [index, [bytes, expected]] of places.entries()) {
      // Base64 adds a third, so both forms exceed the limit at about 95,000 bytes.
      const value = insert(1, 'x', randomBytes(expected === 'both' ? 80_000 : bytes))
      await target(queue)(letter(BigInt(index), value, `f${index}`))
    }
    const letters = (await bodies(queue)).map((one) => one.letter)
    const kinds = letters.map(({ raw, event }) =>
      typeof raw === 'string' ? (event === null ? 'raw' : 'both') : 'bucket',
    )
    assert.deepEqual(kinds.toSorted(), places.map(([, kind]) => kind).toSorted())
  })

  test('larger than a message is read back byte for byte', async () => {
    const queue = await newQueue()
    const value = insert(1, 'x', randomBytes(2_000_000))
    await target(queue)(letter(7n, value))
    const { items } = await source(queue).receive(1, () => true)
    const raw = items[0]?.letter.raw
    assert.ok(typeof raw === 'object')
    assert.deepEqual(gunzipSync(await source(queue).load(raw)), value)
    // Another record at the same offset, as after a lost checkpoint, overwrites nothing.
    const other = insert(2, 'y', randomBytes(2_000_000))
    await target(queue)({ ...letter(7n, other), clusterId: 'another' })
    assert.deepEqual(gunzipSync(await source(queue).load(raw)), value)
  })

  test('that cannot be decoded is in the queue with its bytes only, in a group of its own', async () => {
    const queue = await newQueue()
    const value = Buffer.from([255, 254, 0, 1, 2])
    await target(queue)({ ...letter(3n, value), functionName: null, table: '' })
    const [one] = await bodies(queue)
    assert.deepEqual([one?.group, one?.letter.functionName, one?.letter.event], ['unreadable', null, null])
    assert.equal(one?.letter.raw, value.toString('base64'))
  })

  test('sent twice is one message; the same change of another topic, cluster, generation or function is another', async () => {
    const queue = await newQueue()
    const one = letter(5n, insert(1, 'x'))
    const others: DeadLetterInput[] = [
      { ...one, topic: 'cn_other' },
      { ...one, partition: 1 },
      { ...one, clusterId: 'other' },
      { ...one, generation: 3 },
      { ...one, functionName: 'shop-dev-audit' },
      { ...one, offset: 6n },
    ]
    for (const given of [one, one, ...others, one]) await target(queue)(given)
    assert.equal(await source(queue).count(), 1 + others.length)
  })

  test('with the longest function name and topic is accepted', async () => {
    const queue = await newQueue()
    const long = { ...letter(5n, insert(1, 'x')), functionName: 'f'.repeat(64), topic: 't'.repeat(249) }
    await target(queue)(long)
    await target(queue)({ ...long, offset: 6n, value: insert(1, 'x', randomBytes(300_000)) })
    assert.equal(await source(queue).count(), 2)
  })

  test('with an error message of megabytes is accepted, with the first 2,000 characters', async () => {
    const queue = await newQueue()
    const error = { code: 'HANDLER_FAILED', message: 'm'.repeat(3_000_000) }
    await target(queue)({ ...letter(5n, insert(1, 'x')), error })
    const [one] = await bodies(queue)
    assert.match(one?.letter.error.message ?? '', /^m{2000}$/)
  })
})

describe('a change that cannot be sent to the dead-letter queue', () => {
  const large = () => insert(1, 'x', randomBytes(300_000))

  test('is a retryable error if the queue is missing', async () => {
    await assert.rejects(target(`${aws.endpoint}/123456789012/none.fifo`)(letter(4n, insert(1, 'x'))), {
      code: 'DEAD_LETTER_FAILED',
      retryable: true,
      facts: { offset: '4', function: 'shop-dev-orders' },
      message:
        /offset 4 of shop\.orders, which shop-dev-orders could not handle.*QueueDoesNotExist.*Nothing is committed/s,
    })
    const unreadable = { ...letter(4n, Buffer.from([255])), functionName: null, table: '' }
    await assert.rejects(target(`${aws.endpoint}/123456789012/none.fifo`)(unreadable), {
      code: 'DEAD_LETTER_FAILED',
      facts: { offset: '4', function: null },
      message: /^The dead-letter queue did not take the record at offset 4, which could not be read: /,
    })
  })

  test('leaves no letter without its bytes if the bucket is missing', async () => {
    const queue = await newQueue()
    await assert.rejects(target(queue, 'missing')(letter(4n, large())), {
      code: 'DEAD_LETTER_FAILED',
      retryable: true,
      message: /NoSuchBucket/,
    })
    assert.equal(await source(queue).count(), 0)
  })

  test('is a permanent error if no bucket is configured', async () => {
    const queue = await newQueue()
    const put = deadLetterQueue({
      queueUrl: queue,
      bucket: undefined,
      sqs: async () => sqs,
      s3: async () => s3,
    })
    await assert.rejects(put(letter(4n, large())), {
      code: 'DEAD_LETTER_FAILED',
      retryable: false,
      message: /DEAD_LETTER_BUCKET is not set/,
    })
    assert.equal(await source(queue).count(), 0)
  })

  test('is a retryable error if SQS does not answer', async () => {
    const dead = new SQSClient({ endpoint: 'http://127.0.0.1:9', region, credentials, maxAttempts: 1 })
    const put = deadLetterQueue({
      queueUrl: 'http://127.0.0.1:9/1/q.fifo',
      bucket,
      sqs: async () => dead,
      s3: async () => s3,
    })
    await assert.rejects(put(letter(4n, insert(1, 'x'))), { code: 'DEAD_LETTER_FAILED', retryable: true })
    dead.destroy()
  })
})

test('dead letters are received in order, and released ones are available again', async () => {
  const queue = await newQueue()
  for (let index = 0; index < 25; index++) {
    const functionName = index % 5 === 4 ? 'b' : 'a'
    await target(queue)({ ...letter(BigInt(index), insert(index, 'x')), functionName })
  }
  const offsets = (items: readonly { letter: { functionName: string | null; offset: string } }[]) =>
    items.map(({ letter: { functionName, offset } }) => `${functionName}${offset}`)
  const { items: all } = await source(queue).receive(100, () => true)
  // SQS gives no more of a group while a message is in flight, so these are the first of each function.
  const ofA = offsets(all).filter((name) => name.startsWith('a'))
  const ofB = offsets(all).filter((name) => name.startsWith('b'))
  assert.deepEqual(ofA, ['a0', 'a1', 'a2', 'a3', 'a5', 'a6', 'a7', 'a8', 'a10'].slice(0, ofA.length))
  assert.deepEqual(ofB, ['b4', 'b9'].slice(0, ofB.length))
  assert.ok(ofA.length > 0 && ofA.length + ofB.length === all.length)
  await source(queue).giveBack(all)
  const { items: again } = await source(queue).receive(100, () => true)
  assert.deepEqual(offsets(again), offsets(all))
})
