import { randomUUID } from 'node:crypto'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { freeBytes } from '../kafka/free-memory.ts'
import * as z from '../schema.ts'
import type { RoutedEvent } from './event.ts'
import { cutMessage } from './message.ts'
import { maxBatchBytes } from './settings.ts'

/**
 * The protocol between the poller and a table function: a batch of raw records, answered by an acknowledgement. The records
 * stay as DTS wrote them, and the function decodes the columns that its handler declares. All records travel as one
 * compressed blob. DTS repeats names and types in every record, so compression costs both sides less time than moving,
 * hashing and parsing the bytes that it saves. docs/performance.md has the figures.
 */

/**
 * Rises with every change of batch or answer: the answer belongs to the version of its batch. During a deployment, a poller and a
 * function of two releases meet. A function refuses a batch whose version it does not know, and the poller holds the changes. So
 * functions of one release must also read the version before, or all changes wait until the last function is deployed.
 */
const batchVersion = 3
/** The version of a batch with transactions. Only a handler of transactions gets it, so all others need no new release to read theirs. */
const transactionBatchVersion = 4
const offset = z.string().check(z.regex(/^(0|[1-9]\d{0,18})$/))

/**
 * Changes of one transaction of the source: all that the function gets of it, or only a part. `resent` by recovery, out of
 * their transaction.
 */
const transactionSchema = z.strictObject({
  /** How many of the batch's changes. */
  count: z.int().check(z.minimum(1)),
  part: z.enum(['whole', 'first', 'middle', 'last', 'resent']),
})
export type TransactionPart = z.infer<typeof transactionSchema>

const batchFields = z.strictObject({
  source: z.literal('dts-functions'),
  version: z.literal(batchVersion),
  /** Absent: the function does not get whole transactions. */
  transactions: z.optional(z.undefined()),
  batchId: z.string().check(z.minLength(1)),
  topic: z.string(),
  partition: z.int(),
  clusterId: z.string(),
  generation: z.int(),
  /** Events up to this time (seconds) may have been delivered before the last reset of the checkpoint. -1: none. */
  replayUntil: z.int(),
  /**
   * A function that starts later refuses the batch: its sender was frozen, and another poller may hold the lease.
   * Milliseconds since 1970. Null from a sender without a lease.
   */
  startBefore: z.nullable(z.int()),
  /**
   * The records in a row, each as offset INT64, length INT32 (both big-endian) and its bytes. Compressed with zstd and its
   * checksum, in base64.
   */
  data: z.string().check(z.minLength(1)),
})
export const batchSchema = z.discriminatedUnion('version', [
  batchFields,
  z.extend(batchFields, {
    version: z.literal(transactionBatchVersion),
    /** Of all changes, in order. */
    transactions: z.array(transactionSchema).check(z.minLength(1)),
  }),
])
export type Batch = z.infer<typeof batchSchema>

const said = z.pipe(z.string(), z.transform(cutMessage))

export const acknowledgementSchema = z.strictObject({
  batchId: z.string(),
  /** The offset of the last event that is done; null if no event is done. */
  acknowledgedThrough: z.nullable(offset),
  /** The failure of the next event. Absent if all are done, or if only the function's time ran out. */
  failure: z.optional(z.strictObject({ offset, code: said, message: said })),
  /** The batch came too late, and nothing of it was done. */
  refused: z.optional(z.literal('late')),
})
export type Acknowledgement = z.infer<typeof acknowledgementSchema>

/** The origin of a batch. */
export interface BatchOrigin extends Pick<Batch, 'topic' | 'partition' | 'clusterId' | 'generation'> {
  /** As `Batch` says; null if no event of the batch repeats. */
  readonly replayUntil: number | null
}

const compression = {
  // The lowest ordinary level. Higher levels gain little on such records.
  params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 },
  // The size of an ordinary batch, so that the result is not joined from pieces.
  chunkSize: 128 * 1024,
}

/** The overhead of a record, in bytes. */
export const recordOverhead = 12

/** An event's share of a batch, in bytes before they are compressed. */
export function sizeInBatch({ size }: RoutedEvent): number {
  return size + recordOverhead
}

/** Scratch memory for the records of a batch. Kept, because half a megabyte for each batch is much garbage. */
let gathered = Buffer.alloc(0)
let gatheredView = new DataView(gathered.buffer)

/** Packs the records of a batch. This is the slow part, and it does not depend on the time of sending. */
export function packEvents(events: readonly RoutedEvent[]): string {
  const bytes = events.reduce((sum, event) => sum + sizeInBatch(event), 0)
  if (gathered.length < bytes) {
    gathered = Buffer.allocUnsafeSlow(bytes)
    gatheredView = new DataView(gathered.buffer)
  }
  let end = 0
  for (let index = 0; index < events.length; index++) {
    const event = events[index] as RoutedEvent
    event.writeOffset(gatheredView, end)
    gatheredView.setInt32(end + 8, event.size)
    end = event.copyTo(gathered, end + recordOverhead)
  }
  const compressed = zstdCompressSync(gathered.subarray(0, end), compression)
  const data = compressed.toString('base64')
  freeBytes(compressed)
  return data
}

/**
 * @param data from `packEvents`
 * @param startBefore as `Batch` says
 * @param transactions of all events; null if the function does not get whole ones
 */
export function toBatch(
  data: string,
  origin: BatchOrigin,
  startBefore: number | null = null,
  transactions: readonly TransactionPart[] | null = null,
): Batch {
  const { topic, partition, clusterId, generation, replayUntil } = origin
  const fields = {
    source: 'dts-functions' as const,
    batchId: randomUUID(),
    topic,
    partition,
    clusterId,
    generation,
    replayUntil: replayUntil ?? -1,
    startBefore,
    data,
  }
  if (transactions === null) return { ...fields, version: batchVersion }
  return { ...fields, version: transactionBatchVersion, transactions: [...transactions] }
}

/** The answer to a batch that comes too late; null if it comes in time. @param now milliseconds since 1970 */
export function refusal(
  { batchId, startBefore }: Pick<Batch, 'batchId' | 'startBefore'>,
  now: number,
): Acknowledgement | null {
  if (startBefore === null || now < startBefore) return null
  return { batchId, acknowledgedThrough: null, refused: 'late' }
}

/** A record of a batch, as DTS wrote it. */
export interface BatchRecord {
  readonly offset: bigint
  readonly value: Buffer
}

/** @throws Error if the data is damaged */
export function recordsOf({ data }: Pick<Batch, 'data'>): BatchRecord[] {
  // In small pieces, which are joined: one large piece is quicker alone, but V8 then collects the whole heap four times as often.
  const bytes = zstdDecompressSync(Buffer.from(data, 'base64'), { maxOutputLength: maxBatchBytes })
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const records: BatchRecord[] = []
  for (let at = 0; at < bytes.length; ) {
    const start = at + recordOverhead
    const length = start <= bytes.length ? view.getInt32(start - 4) : -1
    if (length < 0 || length > bytes.length - start) {
      throw new RangeError(`the record at byte ${at} of a batch of ${bytes.length} does not fit`)
    }
    records.push({ offset: view.getBigInt64(at), value: bytes.subarray(start, start + length) })
    at = start + length
  }
  if (records.length === 0) throw new RangeError('the batch contains no record')
  return records
}
