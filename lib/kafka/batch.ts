import { DtsError } from '../errors.ts'
import { type BatchFault, batchFault } from './batch-fault.ts'
import type { BatchLimits, LogSlice, SliceReading } from './log-slice.ts'
import { readMessage } from './message-set.ts'
import { claimedNextOffset, readBatch, recordsAt } from './record-batch.ts'
import { LogRecords } from './records.ts'
import { type AbortedTransaction, AbortedTransactions } from './transactions.ts'

const MiB = 2 ** 20

export const defaultBatchLimits: BatchLimits = {
  maxBatchBytes: 32 * MiB,
  maxDecompressedBytes: 64 * MiB,
  maxRecordBytes: 32 * MiB,
  maxRecords: 100_000,
}

/**
 * The fields that all formats share.
 *
 *   entry => base offset int64, length int32 (of all bytes after it), 4 bytes, magic int8, …
 *   magic 2: a batch, see record-batch.ts; magic 0 and 1: a message, see message-set.ts
 */
const lengthAt = 8
const epochAt = 12
const magicAt = 16
/** The shortest entry of any format: a message of magic 0 without key and value. */
const minEntryBytes = 26

/**
 * Reads the record batches of one partition of a fetch response, from the record at offset `from`.
 *
 * It reads a batch only if the batch is whole and its checksum is right. Control batches and offset gaps move
 * `nextOffset`. So do batches without a record at or above `from`, and batches of `aborted` transactions: a broker sends
 * these even to a reader of committed records, and lists them beside the batches for the reader to drop.
 *
 * It drops records below `from` only in a batch that begins below `from` and reaches it: a broker begins its answer with
 * the batch that holds `from`. A batch that ends below `from` has a wrong offset, for example the one that its producer
 * gave it and that the broker has to replace. Its records may be the requested ones.
 *
 * It throws BATCH_CORRUPT, BATCH_TOO_LARGE or PROTOCOL_UNSUPPORTED for a bad batch only if it has read nothing before it.
 * Otherwise the slice ends before the bad batch, and the fetch from `nextOffset` meets it again. So a bad batch never
 * delays good records before it, and nothing is read past it.
 *
 * The checksum covers neither a batch's base offset nor its length. A caller that knows the end of the log
 * should refuse a `nextOffset` beyond it.
 *
 * @param startsBatch a batch ended at `from`, so that no batch reaches across it
 */
export function readBatches(
  bytes: Buffer,
  from: bigint,
  limits: BatchLimits = defaultBatchLimits,
  aborted: readonly AbortedTransaction[] = [],
  startsBatch = false,
): LogSlice {
  const reading = readingBatches(bytes, from, limits, aborted, startsBatch)
  for (;;) {
    const step = reading.next()
    if (step.done) return step.value
  }
}

/** Some milliseconds of work. */
const recordsBetweenPauses = 1_000

/** As `readBatches`, but yields every some milliseconds, so that the caller can let other work run. */
export function* readingBatches(
  bytes: Buffer,
  from: bigint,
  limits: BatchLimits,
  aborted: readonly AbortedTransaction[],
  startsBatch: boolean,
): Generator<void, LogSlice> {
  const records = new LogRecords()
  const transactions = new AbortedTransactions(aborted)
  const reading = { from, limits, records, aborted: transactions, heldBytes: 0, isCut: false }
  let nextOffset = from
  let previousEnd = startsBatch ? from : 0n
  let position = 0
  let recordsAtPause = 0

  while (position < bytes.length && records.length < limits.maxRecords) {
    const recordsBefore = records.length
    try {
      const entry = readHeader(bytes, position, limits)
      if (entry.end > bytes.length) {
        const hasMoved = nextOffset > from
        return { records, nextOffset, neededBytes: hasMoved ? null : entry.end, endsBatch: hasMoved }
      }
      previousEnd = readEntry(bytes.subarray(position, entry.end), entry, previousEnd, reading)
      position = entry.end
    } catch (error) {
      if (nextOffset === from || !(error instanceof DtsError)) throw error
      records.truncate(recordsBefore)
      break
    }
    nextOffset = previousEnd
    if (records.length - recordsAtPause < recordsBetweenPauses) continue
    recordsAtPause = records.length
    yield
  }
  return { records, nextOffset, neededBytes: null, endsBatch: nextOffset > from && !reading.isCut }
}

interface Entry {
  /** Its end, which is after the end of the response if the entry is cut off. */
  readonly end: number
  readonly baseOffset: bigint
  readonly magic: number
  readonly fault: BatchFault
}

/** Returns the offset after the entry. */
function readEntry(
  bytes: Buffer,
  { baseOffset, magic, fault }: Entry,
  previousEnd: bigint,
  reading: SliceReading,
): bigint {
  if (baseOffset < previousEnd) {
    throw fault('BATCH_CORRUPT', `starts below ${previousEnd}, where the batch before it ends`)
  }
  const read = magic === 2 ? readBatch : readMessage
  const end = read(bytes, baseOffset, previousEnd, reading, fault)
  if (end <= reading.from) {
    throw fault(
      'BATCH_CORRUPT',
      `ends below the requested offset ${reading.from}: its own offset cannot be right`,
    )
  }
  return end
}

function readHeader(bytes: Buffer, position: number, limits: BatchLimits): Entry {
  const available = bytes.length - position
  if (available <= magicAt) {
    // The length may be there, but nothing else confirms it. So we do not request that many bytes.
    const fault = batchFault(position, -1n)
    return { end: position + recordsAt, baseOffset: -1n, magic: -1, fault }
  }
  const baseOffset = bytes.readBigInt64BE(position)
  const magic = bytes.readInt8(position + magicAt)
  const fault = batchFault(position, baseOffset, nextOffsetOf(bytes, position, baseOffset, magic))
  if (magic < 0 || magic > 2) {
    throw fault(
      'BATCH_CORRUPT',
      `format (magic) ${magic} is none of 0, 1 and 2: damaged, or newer than this reader`,
    )
  }
  const size = bytes.readInt32BE(position + lengthAt) + epochAt
  if (size < (magic === 2 ? recordsAt : minEntryBytes) || baseOffset < 0n) {
    throw fault('BATCH_CORRUPT', `${size} bytes of format (magic) ${magic} cannot be a batch`)
  }
  if (size > limits.maxBatchBytes) {
    throw fault('BATCH_TOO_LARGE', `${size} bytes, the limit (maxBatchBytes) is ${limits.maxBatchBytes}`)
  }
  return { end: position + size, baseOffset, magic, fault }
}

/** Null if the header cannot give it: it is cut off, of an unknown format, or impossible. */
function nextOffsetOf(bytes: Buffer, position: number, baseOffset: bigint, magic: number): bigint | null {
  if (baseOffset < 0n || magic < 0 || magic > 2) return null
  return magic < 2 ? baseOffset + 1n : claimedNextOffset(bytes, position, baseOffset)
}
