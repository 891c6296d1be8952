import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import type { S3Client } from '@aws-sdk/client-s3'
import type { SQSClient } from '@aws-sdk/client-sqs'
import { decodeChange } from '../dts/decode-change.ts'
import { readHeader } from '../dts/header.ts'
import { changeToJson } from '../dts/json.ts'
import { DtsError } from '../errors.ts'
import * as z from '../schema.ts'
import { type Service, serviceAdvice } from '../text/service-fault.ts'
import { reasonOf } from '../text/thrown.ts'
import { cutMessage } from './message.ts'

export const deadLetterVersion = 1

/**
 * A change in the dead-letter queue: an SQS FIFO queue with one message group per function, so that a redrive sends the
 * changes of a table in their order. A letter can be older or newer than the code that reads it: a new member must be optional, and
 * readers leave out members that they do not know. Anything else needs a new version.
 */
export const deadLetterSchema = z.object({
  version: z.literal(deadLetterVersion),
  /** Null for a record that could not be read. The stored letter then has an empty name. */
  functionName: z.pipe(
    z.string(),
    z.transform((name) => (name === '' ? null : name)),
  ),
  table: z.string(),
  topic: z.string(),
  partition: z.number(),
  clusterId: z.string(),
  generation: z.number(),
  offset: z.string(),
  attempts: z.number(),
  /** ISO 8601. */
  at: z.string(),
  error: z.object({ code: z.string(), message: z.string() }),
  /** The record as DTS wrote it, in base64. If it is too large for a message: its place in the bucket. */
  raw: z.union([z.base64(), z.strictObject({ bucket: z.string(), key: z.string() })]),
  /** The change in its JSON form, for people. Null if it cannot be decoded or is too large. */
  event: z.unknown(),
})
export type DeadLetter = z.infer<typeof deadLetterSchema>

export interface DeadLetterInput extends Omit<DeadLetter, 'version' | 'raw' | 'event' | 'offset'> {
  readonly offset: bigint
  readonly value: Buffer
}

/** Stores a dead letter. @throws DtsError DEAD_LETTER_FAILED */
export type PutAside = (letter: DeadLetterInput) => Promise<void>

/** Every region and emulator accepts 256 KiB. The rest is room for the envelope. */
const maxBodyBytes = 250_000

/** The clients are loaded with the first dead letter. Most runs have none and start sooner without them. */
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
      version: deadLetterVersion,
      ...facts,
      functionName: storedName(input),
      error: { ...error, message: cutMessage(error.message) },
      offset: String(offset),
      event: null,
    }
    let body = bodyWithin(letter, input)
    if (body === null) {
      if (bucket === undefined) {
        throw failed(input, `it is larger than a message and DEAD_LETTER_BUCKET is not set`, false)
      }
      // The digest keeps two records with the same generation and offset apart.
      const digest = createHash('sha256').update(value).digest('hex').slice(0, 16)
      const key = `${input.topic}/${input.partition}/${input.generation}/${offset}-${digest}.gz`
      await store('S3', input, async () => {
        const { PutObjectCommand } = await import('@aws-sdk/client-s3')
        const client = await targets.s3()
        return client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: gzipSync(value) }))
      })
      body = toBody({ ...letter, raw: { bucket, key } })
    }
    await store('SQS', input, async () => {
      const { SendMessageCommand } = await import('@aws-sdk/client-sqs')
      const client = await targets.sqs()
      return client.send(
        new SendMessageCommand({
          QueueUrl: queueUrl,
          MessageBody: body,
          MessageGroupId: input.functionName ?? 'unreadable',
          MessageDeduplicationId: deduplicationId(input),
        }),
      )
    })
  }
}

/** Version 1 of the letter writes an empty name if there is none. */
function storedName({ functionName }: DeadLetterInput): string {
  return functionName ?? ''
}

/** A body with the record, and with the event if both fit. Null if the record alone is too large. */
function bodyWithin(letter: object, input: DeadLetterInput): string | null {
  // The texts of a record of many megabytes would take many times its size.
  if (input.value.length > maxBodyBytes) return null
  const raw = input.value.toString('base64')
  const whole = toBody({ ...letter, raw, event: eventOf(input) })
  if (fits(whole)) return whole
  const bare = toBody({ ...letter, raw })
  return fits(bare) ? bare : null
}

const fits = (body: string) => Buffer.byteLength(body) <= maxBodyBytes

/** SQS refuses U+FFFE and U+FFFF. A row may contain them, and JSON does not escape them. */
function toBody(letter: object): string {
  return JSON.stringify(letter).replaceAll('\uFFFE', '\\ufffe').replaceAll('\uFFFF', '\\uffff')
}

/**
 * If the same change is sent twice within five minutes (a crash before the commit), it is one message. A change of another
 * topic or cluster is another message.
 */
function deduplicationId(letter: DeadLetterInput): string {
  const { topic, partition, clusterId, generation, offset } = letter
  const name = storedName(letter)
  const identity = JSON.stringify([topic, partition, clusterId, generation, String(offset), name])
  return createHash('sha256').update(identity).digest('hex')
}

function eventOf({ value, offset, generation }: DeadLetterInput): unknown {
  try {
    return changeToJson(decodeChange(value, readHeader(value), { offset, generation, replay: false }))
  } catch {
    return null
  }
}

async function store(service: Service, input: DeadLetterInput, send: () => Promise<unknown>): Promise<void> {
  try {
    await send()
  } catch (cause) {
    throw failed(input, reasonOf(cause), true, cause, serviceAdvice(service, cause, ''))
  }
}

function nameOfRecord({ offset, table, functionName }: DeadLetterInput): string {
  if (functionName === null) return `the record at offset ${offset}, which could not be read`
  return `the change at offset ${offset} of ${table}, which ${functionName} could not handle`
}

function failed(
  input: DeadLetterInput,
  reason: string,
  retryable: boolean,
  cause?: unknown,
  advice = '',
): DtsError {
  return new DtsError(
    'DEAD_LETTER_FAILED',
    `The dead-letter queue did not take ${nameOfRecord(input)}: ${reason}. Nothing is committed past it. ${advice}`.trim(),
    { retryable, facts: { offset: String(input.offset), function: input.functionName }, cause },
  )
}
