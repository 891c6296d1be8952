import '../rig/quiet.ts'
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import * as z from 'zod'
import type { AwsEndpoint } from '../../infra/local/dynalite.ts'
import { encodeRecord, integer } from '../../infra/local/encode.ts'
import { type DeadLetterInput, deadLetterQueue } from '../../lib/dispatch/dead-letter.ts'
import { pseudonym } from '../../lib/dispatch/mask.ts'
import { defineTable, type RowChange } from '../../lib/handler/define-table.ts'
import type { LettersResult } from '../../lib/recovery/resend/letters.ts'
import type { RedriveResult } from '../../lib/recovery/resend/redrive.ts'
import { context } from '../rig/context.ts'
import { type InvokeServer, startInvokeServer } from '../rig/invoke-server.ts'
import { packageRoutes } from '../support/test-config.ts'

const region = 'eu-west-1'
const credentials = { accessKeyId: 'testing', secretAccessKey: 'testing' }
const key = 'the key of masks in this test'

let aws: AwsEndpoint
let lambda: InvokeServer
let sqs: SQSClient
let queues = 0
let createQueue: CreateQueue

/** Makes an empty FIFO queue. @returns its URL */
type CreateQueue = (sqs: SQSClient, name: string) => Promise<string>

/** A service that has SQS. */
export interface QueueService {
  start(): Promise<AwsEndpoint & { readonly createQueue: CreateQueue }>
}

/** A queue, the real recovery, and functions that note each change as `function@id`. */
async function newQueue(...functions: readonly string[]) {
  queues += 1
  const QueueUrl = await createQueue(sqs, `redrive-${queues}.fifo`)
  const put = deadLetterQueue({
    queueUrl: QueueUrl,
    bucket: undefined,
    sqs: async () => sqs,
    s3: async () => assert.fail('no letter in this test is large'),
  })
  const handled: string[] = []
  const broken = new Set<string>()
  for (const name of functions) {
    const row = z.object({ id: z.bigint() })
    const onChange = (change: RowChange<z.output<typeof row>>) => {
      if (broken.has(name)) throw new Error('broken')
      handled.push(`${name}@${'after' in change ? change.after.id : change.before.id}`)
    }
    lambda.host(name, defineTable({ table: '*', row, onChange }))
  }
  const recover = async (event: object, remainingMs = 600_000) => {
    const url = `../../functions/recovery.ts?cold=${randomUUID()}`
    const { handler } = (await import(url)) as typeof import('../../functions/recovery.ts')
    process.env.DEAD_LETTER_QUEUE_URL = QueueUrl
    return handler(
      event,
      context('test-recovery', () => remainingMs),
    )
  }
  return {
    url: QueueUrl,
    handled,
    broken,
    /** Letters of one table, at rising offsets. */
    async put(functionName: string | null, table: string, count: number, from = 0): Promise<void> {
      for (let index = 0; index < count; index++) await put(letter(functionName, table, from + index))
    },
    recover,
    async redrive(event: object = {}, remainingMs = 600_000): Promise<RedriveResult> {
      const answer = await recover({ action: 'redrive', ...event }, remainingMs)
      assert.ok('action' in answer && answer.action === 'redrive')
      return answer
    },
    async letters(event: object = {}): Promise<LettersResult> {
      const answer = await recover({ action: 'letters', ...event })
      assert.ok('action' in answer && answer.action === 'letters')
      return answer
    },
  }
}

/** `from@fn` and so on, up to but without `end`. */
function sequence(name: string, from: number, end: number): string[] {
  return Array.from({ length: end - from }, (_, index) => `${name}@${from + index}`)
}

function letter(functionName: string | null, table: string, offset: number): DeadLetterInput {
  return {
    functionName,
    table,
    topic: 'cn_shop',
    partition: 0,
    clusterId: 'c',
    generation: 1,
    offset: BigInt(offset),
    attempts: 5,
    at: '2026-10-01T00:00:00.000Z',
    error: { code: 'HANDLER_FAILED', message: 'no' },
    value: encodeRecord({
      operation: 'INSERT',
      objectName: table,
      fields: [['id', 8]],
      after: [integer(offset)],
      sourceTimestamp: 1_790_000_000,
    }),
  }
}

const plainRoutes = JSON.stringify({ '*': 'fn' })

/** @param service with a queue that behaves like SQS */
export function redriveTests(service: QueueService): void {
  before(async () => {
    const started = await service.start()
    aws = started
    createQueue = started.createQueue
    lambda = await startInvokeServer()
    sqs = new SQSClient({ endpoint: aws.endpoint, region, credentials, maxAttempts: 1 })
    Object.assign(process.env, {
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_ENDPOINT_URL: aws.endpoint,
      AWS_ENDPOINT_URL_LAMBDA: lambda.endpoint,
      DTS_BROKER_URL: '127.0.0.1:9',
      DTS_TOPIC: 'cn_shop',
      DTS_GROUP: 'group',
      CHECKPOINT_TABLE: 'checkpoints',
      HANDLER_TIMEOUT_SECONDS: '1',
      MASK_KEY: key,
    })
    packageRoutes(plainRoutes)
  })
  after(async () => {
    sqs.destroy()
    await Promise.all([lambda.stop(), aws.stop()])
  })

  describe('redrive of one table', () => {
    test('fails and changes nothing if SQS gives out only letters of other tables', async () => {
      const queue = await newQueue('fn')
      await queue.put('fn', 'shop.a', 12)
      await queue.put('fn', 'shop.b', 5, 12)
      const first = await queue.redrive({ table: 'shop.b' })
      assert.deepEqual([first.redriven, queue.handled], [0, []])
      assert.match(
        first.notes.join(),
        /^10 letters of other tables of fn come first in the queue\. .* of shop\.b /,
      )
      assert.deepEqual(
        first.next.map(({ action }) => action),
        ['redrive'],
      )
      // They were released and can be redriven. Then SQS gives out the table's letters.
      assert.equal((await queue.redrive({ table: 'shop.a' })).redriven, 12)
      const second = await queue.redrive({ table: 'shop.b' })
      assert.deepEqual([second.redriven, second.notes], [5, []])
      assert.deepEqual(queue.handled, sequence('fn', 0, 17))
    })

    test('skips a few letters of other tables and keeps the order of the table', async () => {
      const queue = await newQueue('fn')
      await queue.put('fn', 'shop.a', 3)
      await queue.put('fn', 'shop.b', 2, 3)
      await queue.put('fn', 'shop.a', 1, 5)
      await queue.put('fn', 'shop.b', 1, 6)
      const { redriven } = await queue.redrive({ table: 'shop.b', max: 2 })
      assert.deepEqual([redriven, queue.handled], [2, ['fn@3', 'fn@4']])
      assert.equal((await queue.redrive({ table: 'shop.b' })).redriven, 1)
      assert.equal((await queue.redrive()).redriven, 4)
    })
  })

  describe('redrive of several functions', () => {
    test('continues with the working functions if one fails, and reports the letters left in the queue', async () => {
      const queue = await newQueue('fnA', 'fnB')
      await queue.put('fnA', 'shop.a', 3)
      await queue.put('fnB', 'shop.b', 30, 3)
      queue.broken.add('fnA')
      const answer = await queue.redrive()
      assert.deepEqual([answer.redriven, answer.left], [30, 3])
      assert.match(answer.error ?? '', /fnA/)
      assert.deepEqual(queue.handled, sequence('fnB', 3, 33))
      const ofA = answer.letters.filter((letter) => letter.function === 'fnA')
      assert.deepEqual(
        ofA.map(({ offset, outcome }) => [offset, outcome]),
        [
          ['0', 'failed'],
          ['1', 'left'],
          ['2', 'left'],
        ],
      )
      assert.equal(lambda.invocations('fnA'), 1)
      queue.broken.clear()
      const again = await queue.redrive()
      assert.deepEqual([again.redriven, again.left, again.error], [3, 0, null])
      assert.deepEqual(queue.handled.slice(30), sequence('fnA', 0, 3))
    })

    test('does not count the letters of a broken function against the bound', async () => {
      const queue = await newQueue('fnA', 'fnB')
      await queue.put('fnA', 'shop.a', 6)
      await queue.put('fnB', 'shop.b', 6, 6)
      queue.broken.add('fnA')
      const answer = await queue.redrive({ max: 5 })
      assert.deepEqual([answer.redriven, answer.left], [4, 8])
      assert.deepEqual(queue.handled, sequence('fnB', 6, 10))
    })

    test('reports each function that fails', async () => {
      const queue = await newQueue('fnA', 'fnB')
      await queue.put('fnA', 'shop.a', 1)
      await queue.put('fnB', 'shop.b', 1, 1)
      queue.broken.add('fnA').add('fnB')
      const { error, left } = await queue.redrive()
      assert.match(error ?? '', /fnA.*fnB/)
      assert.equal(left, 2)
    })

    test('a dry run lists the first letters, sends nothing, and counts the waiting letters', async () => {
      const queue = await newQueue('fn')
      await queue.put('fn', 'shop.a', 30)
      const dry = await queue.redrive({ dryRun: true })
      assert.deepEqual([dry.redriven, dry.left, queue.handled], [0, 30, []])
      assert.ok(dry.letters.every(({ outcome }) => outcome === 'listed') && dry.letters.length > 0)
    })

    test('sends nothing and releases all letters if the time does not suffice for another invocation', async () => {
      const queue = await newQueue('fn')
      await queue.put('fn', 'shop.a', 3)
      const answer = await queue.redrive({}, 10_000)
      assert.deepEqual([answer.redriven, answer.left, answer.error], [0, 3, null])
      assert.equal((await queue.redrive()).redriven, 3)
    })
  })

  test('a record that cannot be read stays in the queue, and the answer says how to delete it', async () => {
    const queue = await newQueue('fn')
    await queue.put(null, '', 2)
    await queue.put('fn', 'shop.a', 12, 2)
    const { redriven, left, notes, error, letters } = await queue.redrive()
    assert.deepEqual([redriven, left, error], [12, 2, null])
    assert.deepEqual(queue.handled, sequence('fn', 2, 14))
    assert.equal(letters.filter(({ outcome }) => outcome === 'left').length, 2)
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl: queue.url, MaxNumberOfMessages: 10 }),
    )
    assert.equal(Messages.length, 2)
    for (const [index, { MessageId }] of Messages.entries()) {
      assert.match(
        notes[index] ?? '',
        new RegExp(
          `^The record at offset ${index} of cn_shop/0 .* message ${MessageId}\\b.* discard the letter`,
        ),
      )
    }
  })

  test('a message that is no dead letter is named, and all messages are available again at once', async () => {
    const queue = await newQueue('fn')
    await queue.put('fn', 'shop.a', 3)
    const place = { QueueUrl: queue.url, MessageGroupId: 'fn' }
    const foreign = { ...place, MessageBody: '{"hello":"world"}', MessageDeduplicationId: 'x' }
    const { MessageId = '' } = await sqs.send(new SendMessageCommand(foreign))
    await queue.put('fn', 'shop.a', 2, 3)
    await assert.rejects(queue.redrive(), {
      code: 'DEAD_LETTER_FAILED',
      retryable: false,
      message: new RegExp(
        `its message ${MessageId} is not a dead letter .*receive that message by hand .*delete it`,
      ),
    })
    assert.deepEqual(queue.handled, [])
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl: queue.url, MaxNumberOfMessages: 10, VisibilityTimeout: 60 }),
    )
    assert.equal(Messages.length, 6)
    for (const { MessageId: id, ReceiptHandle } of Messages) {
      const one = { QueueUrl: queue.url, ReceiptHandle }
      if (id === MessageId) await sqs.send(new DeleteMessageCommand(one))
      else await sqs.send(new ChangeMessageVisibilityCommand({ ...one, VisibilityTimeout: 0 }))
    }
    assert.equal((await queue.redrive()).redriven, 5)
    assert.deepEqual(queue.handled, sequence('fn', 0, 5))
  })

  describe('the dead letters that a person looks at', () => {
    test('have their error and their change, masked as for the handler, and stay in the queue', async (t) => {
      const queue = await newQueue('fn')
      packageRoutes(JSON.stringify({ '*': { function: 'fn', mask: { id: 'hash' } } }))
      t.after(() => packageRoutes(plainRoutes))
      await queue.put('fn', 'shop.a', 2, 7)
      await queue.put(null, '', 1, 9)
      const { letters, waiting } = await queue.letters()
      assert.deepEqual(
        letters.map(({ table, function: name, offset, attempts, error }) => [
          table,
          name,
          offset,
          attempts,
          error,
        ]),
        [
          ['', null, '9', 5, 'HANDLER_FAILED: no'],
          ['shop.a', 'fn', '7', 5, 'HANDLER_FAILED: no'],
          ['shop.a', 'fn', '8', 5, 'HANDLER_FAILED: no'],
        ],
      )
      const rows = letters.map(({ change }) => change?.after)
      assert.deepEqual(rows, [undefined, { id: pseudonym('7', key) }, { id: pseudonym('8', key) }])
      assert.deepEqual([waiting, queue.handled], [3, []])
      assert.equal((await queue.letters({ max: 1 })).letters.length, 1)
    })

    test('are not in the log of recovery with their values', async (t) => {
      const queue = await newQueue('fn')
      await queue.put('fn', 'shop.a', 1, 123_454_321)
      const lines: string[] = []
      t.mock.method(console, 'info', (line: string) => lines.push(line))
      const { POWERTOOLS_LOG_LEVEL } = process.env
      // With POWERTOOLS_DEV, the logger writes to the global console.
      Object.assign(process.env, { POWERTOOLS_LOG_LEVEL: 'INFO', POWERTOOLS_DEV: 'true' })
      t.after(() => Object.assign(process.env, { POWERTOOLS_LOG_LEVEL, POWERTOOLS_DEV: 'false' }))
      const { letters } = await queue.letters()
      assert.match(JSON.stringify(letters), /"id":\{"\$bigint":"123454321"\}/)
      assert.match(lines.join(), /Recovery ended/)
      assert.doesNotMatch(lines.join(), /\$bigint/)
    })

    test('can be discarded one by one: the others keep their order, and a second discard deletes nothing', async () => {
      const queue = await newQueue('fn')
      await queue.put('fn', 'shop.a', 3)
      const [, second] = (await queue.letters()).letters
      const event = { action: 'discard', message: second?.message, by: 'Ada', reason: 'a test row' }
      const answer = await queue.recover(event)
      assert.ok('action' in answer && answer.action === 'discard')
      assert.deepEqual([answer.letter.offset, answer.by, answer.reason], ['1', 'Ada', 'a test row'])
      assert.match(answer.note, /^The change of shop\.a at offset 1 is discarded/)
      await assert.rejects(queue.recover(event), {
        code: 'DEAD_LETTER_FAILED',
        message: new RegExp(`hands out no letter ${second?.message}\\. .*Nothing was deleted\\.`),
      })
      assert.equal((await queue.redrive()).redriven, 2)
      assert.deepEqual(queue.handled, ['fn@0', 'fn@2'])
    })

    test('of a record that cannot be read can be discarded, too', async () => {
      const queue = await newQueue('fn')
      await queue.put(null, '', 1)
      const [letter] = (await queue.letters()).letters
      await queue.recover({ action: 'discard', message: letter?.message })
      assert.equal((await queue.letters()).waiting, 0)
    })
  })
}
