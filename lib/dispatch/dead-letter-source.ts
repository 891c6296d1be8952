import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import { DtsError } from '../errors.ts'
import { type DeadLetter, deadLetterSchema } from './dead-letter.ts'

/** A dead letter in hand: nobody else receives it until it is given back, removed, or its time is out. */
export interface Received {
  readonly letter: DeadLetter
  readonly receipt: string
}

/** The dead-letter queue from the other end. Every method may throw DEAD_LETTER_FAILED. */
export interface DeadLetterSource {
  /**
   * Oldest first within each function. While some of a function's are in hand, the queue gives out no more of it, so
   * there may be more than what comes: remove or give back, and ask again.
   * @param table takes only this table's
   */
  receive(max: number, table: string | undefined): Promise<Received[]>
  remove(item: Received): Promise<void>
  giveBack(items: readonly Received[]): Promise<void>
  load(place: { readonly bucket: string; readonly key: string }): Promise<Buffer>
  /** How many wait. */
  count(): Promise<number>
}

/** Longer than recovery may run, in seconds. */
const visibilitySeconds = 360

export function deadLetterSource(queueUrl: string, sqs: SQSClient, s3: S3Client): DeadLetterSource {
  return {
    async receive(max, table) {
      const wanted: Received[] = []
      const others: Received[] = []
      try {
        while (wanted.length < max) {
          const { Messages = [] } = await ask(() =>
            sqs.send(
              new ReceiveMessageCommand({
                QueueUrl: queueUrl,
                MaxNumberOfMessages: Math.min(10, max - wanted.length),
                VisibilityTimeout: visibilitySeconds,
                // A short poll asks only some of the queue's servers, and may come back empty from a full queue.
                WaitTimeSeconds: 1,
              }),
            ),
          )
          if (Messages.length === 0) break
          for (const { Body = '', ReceiptHandle = '' } of Messages) {
            const item = { letter: parse(Body), receipt: ReceiptHandle }
            if (table === undefined || item.letter.table === table) wanted.push(item)
            else others.push(item)
          }
        }
      } finally {
        await this.giveBack(others)
      }
      return wanted.sort((left, right) => comparePosition(left.letter, right.letter))
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

function parse(body: string): DeadLetter {
  try {
    return deadLetterSchema.parse(JSON.parse(body))
  } catch (cause) {
    throw failed(
      'it holds a message that is not a dead letter of this project; remove that one by hand',
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
    throw failed(cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause), true, cause)
  }
}

function failed(reason: string, retryable: boolean, cause?: unknown): DtsError {
  return new DtsError('DEAD_LETTER_FAILED', `The dead-letter queue cannot be worked on: ${reason}.`, {
    retryable,
    cause,
  })
}
