import type { BatchFault } from './batch-fault.ts'
import { isAbortMarker, readRecords } from './batch-records.ts'
import { type Codec, codecs, decompress } from './compression.ts'
import { crc32c } from './crc32c.ts'
import type { SliceReading } from './log-slice.ts'

/**
 * The record batch of Kafka 0.11 and later.
 *
 *   batch => base offset int64, length int32 (of all bytes after it), leader epoch int32, magic int8 (2),
 *            CRC-32C uint32 (of all bytes after it), attributes int16,
 *            last offset delta int32, base timestamp int64, max timestamp int64, producer id int64,
 *            producer epoch int16, base sequence int32, record count int32, records (compressed as a whole)
 *   attributes: bits 0-2 codec, 3 append time, 4 transactional, 5 control
 */
const crcAt = 17
const attributesAt = 21
const lastOffsetDeltaAt = 23
const producerIdAt = 43
const recordCountAt = 57
/** The records begin here. A batch without records is as long. */
export const recordsAt = 61
/** Length, attributes, both deltas, two field lengths, header count. */
const minRecordBytes = 7

/** The offset after a batch, by a header that nothing has verified. Null if the header is cut off or impossible. */
export function claimedNextOffset(bytes: Buffer, position: number, baseOffset: bigint): bigint | null {
  const deltaAt = position + lastOffsetDeltaAt
  const lastOffsetDelta = deltaAt + 4 > bytes.length ? -1 : bytes.readInt32BE(deltaAt)
  return lastOffsetDelta < 0 ? null : baseOffset + BigInt(lastOffsetDelta) + 1n
}

/** Reads one whole batch into `reading.records`. Returns the offset to continue from. */
export function readBatch(
  batch: Buffer,
  baseOffset: bigint,
  _previousEnd: bigint,
  reading: SliceReading,
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
  const lastOffsetDelta = batch.readInt32BE(lastOffsetDeltaAt)
  const count = batch.readInt32BE(recordCountAt)
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

/** The limit is on all batches of a slice, so that many small batches cannot exceed it. */
function unpack(codec: Codec, batch: Buffer, reading: SliceReading, fault: BatchFault): Buffer {
  if (codec === 'none') return batch
  const left = reading.limits.maxDecompressedBytes - reading.heldBytes
  const bytes = decompress(codec, batch.subarray(recordsAt), left, fault)
  reading.heldBytes += bytes.length
  return bytes
}

const hex = (value: number): string => `0x${value.toString(16).padStart(8, '0')}`
