import type { S3Client } from '@aws-sdk/client-s3'
import type { SQSClient } from '@aws-sdk/client-sqs'
import { DtsError } from '../errors.ts'
import * as z from '../schema.ts'
import { reasonOf } from '../text/thrown.ts'
import { type DeadLetter, deadLetterSchema, deadLetterVersion } from './dead-letter.ts'

/** A received dead letter. Other receivers do not see it until it is given back, or until its time-out passes. */
export interface Received {
  readonly letter: DeadLetter
  readonly messageId: string
  readonly receipt: string
}

/** The letters of one receive. */
export interface Receipt {
  /** Oldest first within each function. */
  readonly items: readonly Received[]
  /** Unwanted letters, which were given back. The queue hides all letters after about ten of a function. */
  readonly others: readonly DeadLetter[]
}

/** The reading side of the dead-letter queue. Every method may throw DEAD_LETTER_FAILED. */
export interface DeadLetterSource {
  /**
   * Receives the wanted letters and gives the others back. While a receiver has letters of a function, the queue returns no more
   * of that function. So there may be more letters than it returns: remove them or give them back, then call it again.
   */
  receive(max: number, isWanted: (letter: DeadLetter, messageId: string) => boolean): Promise<Receipt>
  remove(item: Received): Promise<void>
  giveBack(items: readonly Pick<Received, 'receipt'>[]): Promise<void>
  load(place: { readonly bucket: string; readonly key: string }): Promise<Buffer>
  /** The approximate number of waiting letters. */
  count(): Promise<number>
}

/** Longer than recovery can run, in seconds. */
const visibilitySeconds = 360

export interface DeadLetterOrigin {
  readonly queueUrl: string
  readonly sqs: () => Promise<SQSClient>
  readonly s3: () => Promise<S3Client>
}

type QueueCommands = typeof import('@aws-sdk/client-sqs')

export function deadLetterSource({ queueUrl, sqs, s3 }: DeadLetterOrigin): DeadLetterSource {
  /** Client and commands are loaded with the first request: most actions of recovery need no queue. */
  function askQueue<Answer>(
    request: (client: SQSClient, commands: QueueCommands) => Promise<Answer>,
  ): Promise<Answer> {
    return ask(async () => await request(await sqs(), await import('@aws-sdk/client-sqs')))
  }

  /** Receives as many messages as the queue returns at once, because a wanted letter can come after unwanted ones. */
  async function next() {
    const { Messages = [] } = await askQueue((client, { ReceiveMessageCommand }) =>
      client.send(
        new ReceiveMessageCommand({
          QueueUrl: queueUrl,
          MaxNumberOfMessages: 10,
          VisibilityTimeout: visibilitySeconds,
          // A short poll asks only some of the queue's servers and can return nothing from a full queue.
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
      /** Received messages that the caller does not get. */
      let unwanted: { readonly receipt: string }[] = []
      try {
        while (items.length < max) {
          const messages = await next()
          if (messages.length === 0) break
          unwanted.push(...messages)
          for (const { messageId, receipt, body } of messages) {
            const item = { letter: parse(body, messageId), messageId, receipt }
            if (!isWanted(item.letter, messageId)) others.push(item)
            else if (items.length < max) items.push(item)
          }
          const taken = new Set(items.map(({ receipt }) => receipt))
          unwanted = unwanted.filter(({ receipt }) => !taken.has(receipt))
        }
      } catch (error) {
        // If this fails too, the time-out gives the letters back. The first error is the one to report.
        await this.giveBack([...unwanted, ...items]).catch(() => {})
        throw error
      }
      await this.giveBack(unwanted)
      items.sort((left, right) => comparePosition(left.letter, right.letter))
      return { items, others: others.map(({ letter }) => letter) }
    },
    async remove({ receipt }) {
      await askQueue((client, { DeleteMessageCommand }) =>
        client.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle: receipt })),
      )
    },
    async giveBack(items) {
      for (const { receipt } of items) {
        await askQueue((client, { ChangeMessageVisibilityCommand }) =>
          client.send(
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
      const { Body } = await ask(async () => {
        const { GetObjectCommand } = await import('@aws-sdk/client-s3')
        return await (await s3()).send(new GetObjectCommand({ Bucket: bucket, Key: key }))
      })
      if (Body === undefined) throw failed(`the object ${key} of bucket ${bucket} is empty`, false)
      return Buffer.from(await Body.transformToByteArray())
    },
    async count() {
      const { Attributes } = await askQueue((client, { GetQueueAttributesCommand }) =>
        client.send(
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
  const [name, other] = [left.functionName ?? '', right.functionName ?? '']
  if (name !== other) return name < other ? -1 : 1
  if (left.generation !== right.generation) return left.generation - right.generation
  const [a, b] = [BigInt(left.offset), BigInt(right.offset)]
  return a < b ? -1 : a > b ? 1 : 0
}

const versioned = z.looseObject({ version: z.number() })

function parse(body: string, messageId: string): DeadLetter {
  try {
    const letter: unknown = JSON.parse(body)
    const { data } = versioned.safeParse(letter)
    if (data !== undefined && data.version !== deadLetterVersion)
      throw unknownVersion(messageId, data.version)
    return deadLetterSchema.parse(letter)
  } catch (cause) {
    if (cause instanceof DtsError) throw cause
    throw failed(
      `its message ${messageId} is not a dead letter of this project. Nothing was sent; receive that message by hand ` +
        '(SQS console, "Send and receive messages"), find out who sent it, delete it, and run the same again',
      false,
      cause,
    )
  }
}

function unknownVersion(messageId: string, version: number): DtsError {
  return failed(
    `its message ${messageId} is a dead letter of version ${version}, and this code reads version ${deadLetterVersion}. Nothing was ` +
      'sent, and the letter stays in the queue. Deploy a release that reads it, and run the same again',
    false,
  )
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
  return new DtsError('DEAD_LETTER_FAILED', `The dead-letter queue cannot be used: ${reason}.`, {
    retryable,
    cause,
  })
}
