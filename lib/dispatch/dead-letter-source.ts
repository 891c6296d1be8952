import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import { DtsError } from '../errors.ts'
import { reasonOf } from '../thrown.ts'
import { type DeadLetter, deadLetterSchema } from './dead-letter.ts'

/** A dead letter in hand: nobody else receives it until it is given back, removed, or its time is out. */
export interface Received {
  readonly letter: DeadLetter
  readonly messageId: string
  readonly receipt: string
}

/** What the queue gave out at once. */
export interface Receipt {
  /** Oldest first within each function. */
  readonly items: readonly Received[]
  /** Not wanted, and given back. The queue shows nothing of what stands behind about ten of one function. */
  readonly others: readonly DeadLetter[]
}

/** The dead-letter queue from the other end. Every method may throw DEAD_LETTER_FAILED. */
export interface DeadLetterSource {
  /**
   * Takes what is wanted; what stands before it of the same function and is not is given back. While some of a
   * function's are in hand, the queue gives out no more of it, so there may be more than what comes: remove or give
   * back, and ask again.
   */
  receive(max: number, isWanted: (letter: DeadLetter) => boolean): Promise<Receipt>
  remove(item: Received): Promise<void>
  giveBack(items: readonly Pick<Received, 'receipt'>[]): Promise<void>
  load(place: { readonly bucket: string; readonly key: string }): Promise<Buffer>
  /** How many wait. */
  count(): Promise<number>
}

/** Longer than recovery may run, in seconds. */
const visibilitySeconds = 360

export function deadLetterSource(queueUrl: string, sqs: SQSClient, s3: S3Client): DeadLetterSource {
  /** As many as the queue gives at once: what is wanted can stand behind what is not. */
  async function next() {
    const { Messages = [] } = await ask(() =>
      sqs.send(
        new ReceiveMessageCommand({
          QueueUrl: queueUrl,
          MaxNumberOfMessages: 10,
          VisibilityTimeout: visibilitySeconds,
          // A short poll asks only some of the queue's servers, and may come back empty from a full queue.
          WaitTimeSeconds: 1,
        }),
      ),
    )
    return Messages.map(({ Body: body = '', MessageId: messageId = '', ReceiptHandle: receipt = '' }) => ({
      body,
      messageId,
      receipt,
    }))
  }
  return {
    async receive(max, isWanted) {
      const items: Received[] = []
      const others: Received[] = []
      /** In hand, and not for the caller. */
      let unwanted: { readonly receipt: string }[] = []
      try {
        while (items.length < max) {
          const messages = await next()
          if (messages.length === 0) break
          unwanted.push(...messages)
          for (const { messageId, receipt, body } of messages) {
            const item = { letter: parse(body, messageId), messageId, receipt }
            if (!isWanted(item.letter)) others.push(item)
            else if (items.length < max) items.push(item)
          }
          const taken = new Set(items.map(({ receipt }) => receipt))
          unwanted = unwanted.filter(({ receipt }) => !taken.has(receipt))
        }
      } catch (error) {
        // Their time-out gives back what this cannot; why it came to this is worth more than why that failed, too.
        await this.giveBack([...unwanted, ...items]).catch(() => {})
        throw error
      }
      await this.giveBack(unwanted)
      items.sort((left, right) => comparePosition(left.letter, right.letter))
      return { items, others: others.map(({ letter }) => letter) }
    },
    async remove({ receipt }) {
      await ask(() => sqs.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle: receipt })))
    },
    async giveBack(items) {
      for (const { receipt } of items) {
        await ask(() =>
          sqs.send(
            new ChangeMessageVisibilityCommand({
              QueueUrl: queueUrl,
              ReceiptHandle: receipt,
              VisibilityTimeout: 0,
            }),
          ),
        )
      }
    },
    async load({ bucket, key }) {
      const { Body } = await ask(() => s3.send(new GetObjectCommand({ Bucket: bucket, Key: key })))
      if (Body === undefined) throw failed(`the object ${key} of bucket ${bucket} is empty`, false)
      return Buffer.from(await Body.transformToByteArray())
    },
    async count() {
      const { Attributes } = await ask(() =>
        sqs.send(
          new GetQueueAttributesCommand({
            QueueUrl: queueUrl,
            AttributeNames: ['ApproximateNumberOfMessages'],
          }),
        ),
      )
      return Number(Attributes?.ApproximateNumberOfMessages ?? 0)
    },
  }
}

function comparePosition(left: DeadLetter, right: DeadLetter): number {
  if (left.functionName !== right.functionName) return left.functionName < right.functionName ? -1 : 1
  if (left.generation !== right.generation) return left.generation - right.generation
  const [a, b] = [BigInt(left.offset), BigInt(right.offset)]
  return a < b ? -1 : a > b ? 1 : 0
}

function parse(body: string, messageId: string): DeadLetter {
  try {
    return deadLetterSchema.parse(JSON.parse(body))
  } catch (cause) {
    throw failed(
      `its message ${messageId} is not a dead letter of this project. Nothing was sent; receive that message by hand ` +
        '(SQS console, "Send and receive messages"), see whose it is, delete it, and run the same again',
      false,
      cause,
    )
  }
}

async function ask<Result>(send: () => Promise<Result>): Promise<Result> {
  try {
    return await send()
  } catch (cause) {
    if (cause instanceof DtsError) throw cause
    throw failed(reasonOf(cause), true, cause)
  }
}

function failed(reason: string, retryable: boolean, cause?: unknown): DtsError {
  return new DtsError('DEAD_LETTER_FAILED', `The dead-letter queue cannot be worked on: ${reason}.`, {
    retryable,
    cause,
  })
}
