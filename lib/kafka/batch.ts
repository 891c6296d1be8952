import { DtsError } from '../errors.ts'
import { type BatchFault, batchFault } from './batch-fault.ts'
import { isAbortMarker, type Reading, readRecords } from './batch-records.ts'
import { type Codec, codecs, decompress } from './compression.ts'
import { crc32c } from './crc32c.ts'
import { readMessage } from './message-set.ts'
import { LogRecords } from './records.ts'
import { type AbortedTransaction, AbortedTransactions } from './transactions.ts'
import type { BatchLimits, LogSlice } from './types.ts'

const MiB = 2 ** 20

export const defaultBatchLimits: BatchLimits = {
  maxBatchBytes: 32 * MiB,
  maxDecompressedBytes: 64 * MiB,
  maxRecordBytes: 32 * MiB,
  maxRecords: 100_000,
}

/**
 *   entry => base offset int64, length int32 (of what follows), 4 bytes, magic int8, …
 *   magic 2: leader epoch int32, magic int8, CRC-32C uint32 (of all behind it), attributes int16,
 *            last offset delta int32, base timestamp int64, max timestamp int64, producer id int64,
 *            producer epoch int16, base sequence int32, record count int32, records (compressed as a whole)
 *   magic 0 and 1: one message, see message-set.ts
 *   attributes: bits 0-2 codec, 3 append time, 4 transactional, 5 control
 */
const lengthAt = 8
const epochAt = 12
const magicAt = 16
const crcAt = 17
const attributesAt = 21
const producerIdAt = 43
const recordsAt = 61
/** The shortest entry of any format: a message of magic 0 without key and value. */
const minEntryBytes = 26
/** Length, attributes, both deltas, two field lengths, header count. */
const minRecordBytes = 7

/**
 * Reads the record batches of one partition of a fetch response, from the record at offset `from` on.
 *
 * A batch is read only when it is whole and its checksum is right. Control batches and offset gaps move
 * `nextOffset`, as do batches without a record at or above `from` and those of `aborted` transactions: a broker sends
 * these even to who asks for committed records alone, and names them beside the batches for the reader to leave out.
 *
 * Records below `from` are passed over in a batch that began before it and reaches it, and nowhere else: a broker
 * begins its answer with the batch that holds `from`. One that ends below has a wrong offset (such as the one that its
 * producer gave it, which the broker has to replace), and its records may be the very ones that are asked for.
 *
 * Throws BATCH_CORRUPT, BATCH_TOO_LARGE or PROTOCOL_UNSUPPORTED for the first batch that is not as it must be,
 * provided that nothing was read before it: otherwise the slice ends in front of it, and the fetch from
 * `nextOffset` meets it again. So nothing good waits behind a bad batch, and nothing is read past one.
 *
 * The checksum covers neither a batch's base offset nor its length. A caller that knows the end of the log
 * should refuse a `nextOffset` beyond it.
 *
 * @param startsBatch a batch ended at `from`, so that none reaches over it
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

/** Some milliseconds' worth. */
const recordsBetweenRests = 1_000

/** As `readBatches`, with a rest now and then in which others may have the thread. */
export function* readingBatches(
  bytes: Buffer,
  from: bigint,
  limits: BatchLimits,
  aborted: readonly AbortedTransaction[],
  startsBatch: boolean,
): Generator<void, LogSlice> {
  const records = new LogRecords()
  const reading: Reading = {
    from,
    limits,
    records,
    aborted: new AbortedTransactions(aborted),
    heldBytes: 0,
    cut: false,
  }
  let nextOffset = from
  let previousEnd = startsBatch ? from : 0n
  let position = 0
  let rested = 0

  while (position < bytes.length && records.length < limits.maxRecords) {
    const recordsBefore = records.length
    try {
      const entry = frame(bytes, position, limits)
      if (entry.end > bytes.length) {
        const moved = nextOffset > from
        return { records, nextOffset, neededBytes: moved ? null : entry.end, endsBatch: moved }
      }
      const { baseOffset, fault } = entry
      if (baseOffset < previousEnd) {
        throw fault('BATCH_CORRUPT', `starts below ${previousEnd}, where the batch before it ends`)
      }
      const whole = bytes.subarray(position, entry.end)
      const read = entry.magic === 2 ? readBatch : readMessage
      previousEnd = read(whole, baseOffset, previousEnd, reading, fault)
      if (previousEnd <= from) {
        throw fault(
          'BATCH_CORRUPT',
          `ends below offset ${from}, which was asked for: its offset cannot be right`,
        )
      }
      position = entry.end
    } catch (error) {
      if (nextOffset === from || !(error instanceof DtsError)) throw error
      records.truncate(recordsBefore)
      break
    }
    nextOffset = previousEnd
    if (records.length - rested < recordsBetweenRests) continue
    rested = records.length
    yield
  }
  return { records, nextOffset, neededBytes: null, endsBatch: nextOffset > from && !reading.cut }
}

interface Entry {
  /** Where it ends; behind the end of the response when it is cut off. */
  readonly end: number
  readonly baseOffset: bigint
  readonly magic: number
  readonly fault: BatchFault
}

function frame(bytes: Buffer, position: number, limits: BatchLimits): Entry {
  const available = bytes.length - position
  if (available <= magicAt) {
    // The length may be there already, but one that nothing else vouches for is not worth asking for.
    const fault = batchFault(position, -1n)
    return { end: position + recordsAt, baseOffset: -1n, magic: -1, fault }
  }
  const baseOffset = bytes.readBigInt64BE(position)
  const magic = bytes.readInt8(position + magicAt)
  const fault = batchFault(position, baseOffset, offsetBehind(bytes, position, baseOffset, magic))
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

/** Null where the header cannot say it: it is cut off, of no known format, or tells what is not possible. */
function offsetBehind(bytes: Buffer, position: number, baseOffset: bigint, magic: number): bigint | null {
  if (baseOffset < 0n || magic < 0 || magic > 2) return null
  if (magic < 2) return baseOffset + 1n
  const deltaAt = position + attributesAt + 2
  const lastOffsetDelta = deltaAt + 4 > bytes.length ? -1 : bytes.readInt32BE(deltaAt)
  return lastOffsetDelta < 0 ? null : baseOffset + BigInt(lastOffsetDelta) + 1n
}

/** Returns the offset to go on from. */
function readBatch(
  batch: Buffer,
  baseOffset: bigint,
  _previousEnd: bigint,
  reading: Reading,
  fault: BatchFault,
): bigint {
  const stored = batch.readUInt32BE(crcAt)
  const computed = crc32c(batch, attributesAt, batch.length)
  if (stored !== computed) {
    throw fault(
      'BATCH_CORRUPT',
      `checksum is ${hex(computed)} and should be ${hex(stored)} (${batch.length} bytes)`,
    )
  }
  const attributes = batch.readInt16BE(attributesAt)
  const lastOffsetDelta = batch.readInt32BE(attributesAt + 2)
  const count = batch.readInt32BE(recordsAt - 4)
  const end = baseOffset + BigInt(lastOffsetDelta) + 1n
  if (lastOffsetDelta < 0 || BigInt.asIntN(64, end) !== end) {
    throw fault('BATCH_CORRUPT', `last offset delta ${lastOffsetDelta} is not possible`)
  }
  const isTransactional = (attributes & 0x10) !== 0
  const isControl = (attributes & 0x20) !== 0
  const producerId = batch.readBigInt64BE(producerIdAt)
  const isAborted = isTransactional && reading.aborted.has(producerId, end - 1n)
  if (isAborted && isControl && isAbortMarker(batch, recordsAt, fault)) reading.aborted.end(producerId)
  if (isAborted || isControl) return end

  const codec = codecs[attributes & 0x07]
  if (codec === undefined)
    throw fault('PROTOCOL_UNSUPPORTED', `compression codec ${attributes & 0x07} is unknown`)
  const bytes = unpack(codec, batch, reading, fault)
  const start = codec === 'none' ? recordsAt : 0
  if (count < 0 || count * minRecordBytes > bytes.length - start) {
    throw fault('BATCH_CORRUPT', `${count} records do not fit ${bytes.length - start} bytes`)
  }
  return readRecords(bytes, start, { count, baseOffset, lastOffsetDelta }, reading, fault)
}

/** What slices hold on to counts against one limit: many small batches are no way around it. */
function unpack(codec: Codec, batch: Buffer, reading: Reading, fault: BatchFault): Buffer {
  if (codec === 'none') return batch
  const left = reading.limits.maxDecompressedBytes - reading.heldBytes
  const bytes = decompress(codec, batch.subarray(recordsAt), left, fault)
  reading.heldBytes += bytes.length
  return bytes
}

const hex = (value: number): string => `0x${value.toString(16).padStart(8, '0')}`
