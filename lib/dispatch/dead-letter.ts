import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import type { S3Client } from '@aws-sdk/client-s3'
import type { SQSClient } from '@aws-sdk/client-sqs'
import { z } from 'zod'
import { decodeChange } from '../dts/change.ts'
import { readHeader } from '../dts/header.ts'
import { changeToJson } from '../dts/json.ts'
import { DtsError } from '../errors.ts'
import { reasonOf } from '../thrown.ts'
import { cutMessage } from './message.ts'

/**
 * A change that was given up, as it stands in the dead-letter queue: an SQS FIFO queue with one message group per
 * function, so that what was given up of one table can be sent again in its order.
 */
export const deadLetterSchema = z.strictObject({
  version: z.literal(1),
  /** Empty for a record of which not even the table could be read. */
  functionName: z.string(),
  table: z.string(),
  topic: z.string(),
  partition: z.number(),
  clusterId: z.string(),
  generation: z.number(),
  offset: z.string(),
  attempts: z.number(),
  /** ISO 8601. */
  at: z.string(),
  error: z.strictObject({ code: z.string(), message: z.string() }),
  /** The record as DTS wrote it, in base64; or where it is, when it is too large for a message. */
  raw: z.union([z.base64(), z.strictObject({ bucket: z.string(), key: z.string() })]),
  /** The change in its JSON form, for people; null when it cannot be decoded or is too large. */
  event: z.unknown(),
})
export type DeadLetter = z.infer<typeof deadLetterSchema>

export interface DeadLetterInput extends Omit<DeadLetter, 'version' | 'raw' | 'event' | 'offset'> {
  readonly offset: bigint
  readonly value: Buffer
}

/** Stores a change that was given up. @throws DtsError DEAD_LETTER_FAILED */
export type PutAside = (letter: DeadLetterInput) => Promise<void>

/** SQS takes at most 256 KiB in every region and emulator; some room is left for the envelope. */
const maxBodyBytes = 250_000

/** The clients are loaded with the first change that is given up: most runs give none up, and start sooner without. */
export interface DeadLetterTargets {
  readonly queueUrl: string
  readonly bucket: string | undefined
  readonly sqs: () => Promise<SQSClient>
  readonly s3: () => Promise<S3Client>
}

export function deadLetterQueue(targets: DeadLetterTargets): PutAside {
  return async (input) => {
    const { value, offset, error, ...facts } = input
    const { queueUrl, bucket } = targets
    const letter = {
      version: 1,
      ...facts,
      error: { ...error, message: cutMessage(error.message) },
      offset: String(offset),
      event: null,
    }
    let body = bodyWithin(letter, input)
    if (body === null) {
      if (bucket === undefined) {
        throw failed(input, `it is larger than a message and DEAD_LETTER_BUCKET is not set`, false)
      }
      // By content: a stream that was started anew counts its generations anew, and must not overwrite older bytes.
      const digest = createHash('sha256').update(value).digest('hex').slice(0, 16)
      const key = `${input.topic}/${input.partition}/${input.generation}/${offset}-${digest}.gz`
      await store(input, async () => {
        const { PutObjectCommand } = await import('@aws-sdk/client-s3')
        const client = await targets.s3()
        return client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: gzipSync(value) }))
      })
      body = toBody({ ...letter, raw: { bucket, key } })
    }
    await store(input, async () => {
      const { SendMessageCommand } = await import('@aws-sdk/client-sqs')
      const client = await targets.sqs()
      return client.send(
        new SendMessageCommand({
          QueueUrl: queueUrl,
          MessageBody: body,
          MessageGroupId: input.functionName === '' ? 'unreadable' : input.functionName,
          MessageDeduplicationId: deduplicationId(input),
        }),
      )
    })
  }
}

/** With the record in it, and the event too if that fits; null when not even the record does. */
function bodyWithin(letter: object, input: DeadLetterInput): string | null {
  // Not even begun with a record of many megabytes, whose texts would take many times its size.
  if (input.value.length > maxBodyBytes) return null
  const raw = input.value.toString('base64')
  const whole = toBody({ ...letter, raw, event: eventOf(input) })
  if (fits(whole)) return whole
  const bare = toBody({ ...letter, raw })
  return fits(bare) ? bare : null
}

const fits = (body: string) => Buffer.byteLength(body) <= maxBodyBytes

/** SQS refuses the two characters U+FFFE and U+FFFF, which a row may hold and JSON leaves as they are. */
function toBody(letter: object): string {
  return JSON.stringify(letter).replaceAll('\uFFFE', '\\ufffe').replaceAll('\uFFFF', '\\uffff')
}

/**
 * The same change given up twice within five minutes (a crash before the commit) is one message; that of another
 * topic or cluster is not the same one.
 */
function deduplicationId(letter: DeadLetterInput): string {
  const { topic, partition, clusterId, generation, offset, functionName } = letter
  const identity = JSON.stringify([topic, partition, clusterId, generation, String(offset), functionName])
  return createHash('sha256').update(identity).digest('hex')
}

function eventOf({ value, offset, generation }: DeadLetterInput): unknown {
  try {
    return changeToJson(decodeChange(value, readHeader(value), { offset, generation, replay: false }))
  } catch {
    return null
  }
}

async function store(input: DeadLetterInput, send: () => Promise<unknown>): Promise<void> {
  try {
    await send()
  } catch (cause) {
    throw failed(input, reasonOf(cause), true, cause)
  }
}

function failed(input: DeadLetterInput, reason: string, retryable: boolean, cause?: unknown): DtsError {
  return new DtsError(
    'DEAD_LETTER_FAILED',
    `The change at offset ${input.offset} of ${input.table || 'an unknown table'}, which ${input.functionName || 'nothing'} ` +
      `could not handle, could not be put into the dead-letter queue: ${reason}. Nothing is committed past it.`,
    { retryable, facts: { offset: String(input.offset), function: input.functionName }, cause },
  )
}
