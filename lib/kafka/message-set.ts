import { crc32 } from 'node:zlib'
import type { BatchFault } from './batch-fault.ts'
import { codecs, decompress } from './compression.ts'
import type { SliceReading } from './log-slice.ts'

/**
 * The message formats from before Kafka 0.11, in which each message is an entry of its own.
 *
 *   message => offset int64, size int32, CRC-32 uint32 (of all bytes after it), magic int8, attributes int8,
 *              timestamp int64 (magic 1), key length int32 (-1: null), key, value length int32 (-1: null), value
 *   attributes: bits 0-2 codec (up to lz4)
 *
 * With a codec, the value is itself a message set, and the outer offset is that of its last message. In magic 0, inner
 * offsets are absolute, unless the broker kept those of the producer, which count from 0. In magic 1 they are relative:
 * the last one corresponds to the outer offset.
 */
const crcAt = 12
const magicAt = 16
const attributesAt = 17
const timestampAt = 18

interface Message {
  readonly offset: bigint
  readonly magic: number
  readonly attributes: number
  readonly value: Buffer | null
}

/** Reads one whole entry into `reading.records`. Returns the offset to continue from. */
export function readMessage(
  bytes: Buffer,
  _offset: bigint,
  previousEnd: bigint,
  reading: SliceReading,
  fault: BatchFault,
): bigint {
  const message = parseMessage(bytes, reading, fault)
  const codec = codecs[message.attributes & 0x07]
  if (codec === undefined || codec === 'zstd') {
    throw fault(
      'PROTOCOL_UNSUPPORTED',
      `codec ${message.attributes & 0x07} in format (magic) ${message.magic}`,
    )
  }
  if (codec === 'none') {
    reading.records.addValue(message.offset, message.value)
    return message.offset + 1n
  }
  if (message.value === null) throw fault('BATCH_CORRUPT', 'compressed message has no value')
  const left = reading.limits.maxDecompressedBytes - reading.heldBytes
  const inner = decompress(codec, message.value, left, fault)
  reading.heldBytes += inner.length
  return readInner(inner, message, previousEnd, reading, fault)
}

function readInner(
  bytes: Buffer,
  outer: Message,
  previousEnd: bigint,
  reading: SliceReading,
  fault: BatchFault,
): bigint {
  const { records, limits, from } = reading
  // Two passes over the framing: the last relative offset determines all others.
  const shift = innerShift(innerMessages(bytes, outer, reading, fault), outer, fault)
  let least = previousEnd
  for (const message of innerMessages(bytes, outer, reading, fault)) {
    const offset = message.offset + shift
    if (offset < least || offset > outer.offset) {
      throw fault('BATCH_CORRUPT', `inner offset ${offset} is not between ${least} and ${outer.offset}`)
    }
    least = offset + 1n
    if (offset < from) continue
    if (records.length >= limits.maxRecords) {
      reading.isCut = true
      return offset
    }
    records.addValue(offset, message.value)
  }
  return outer.offset + 1n
}

/**
 * The number to add to inner offsets. If the last one is not the outer offset, they are relative or wrong. Unchanged,
 * they would be below the requested offset, and the reader would drop their records as already read.
 */
function innerShift(messages: Iterable<Message>, outer: Message, fault: BatchFault): bigint {
  let last: bigint | null = null
  let count = 0n
  let fromZero = true
  for (const { offset } of messages) {
    fromZero &&= offset === count
    count += 1n
    last = offset
  }
  if (last === null) throw fault('BATCH_CORRUPT', 'its compressed message holds no message')
  const shift = outer.offset - last
  // In magic 1, compaction may have removed any message. In magic 0, the broker assigned the offsets at the append.
  if (shift === 0n || (shift > 0n && (outer.magic === 1 || fromZero))) return shift
  throw fault(
    'BATCH_CORRUPT',
    `its inner offsets end at ${last}, the offset around them is ${outer.offset}, and they do not count from 0`,
  )
}

function* innerMessages(
  bytes: Buffer,
  outer: Message,
  reading: SliceReading,
  fault: BatchFault,
): Generator<Message> {
  for (let position = 0; position < bytes.length; ) {
    const size = bytes.length - position < 26 ? -1 : bytes.readInt32BE(position + 8) + 12
    if (size < 26 || size > bytes.length - position) {
      throw fault('BATCH_CORRUPT', `inner message at decompressed byte ${position} does not fit`)
    }
    const message = parseMessage(bytes.subarray(position, position + size), reading, fault)
    if (message.magic !== outer.magic || (message.attributes & 0x07) !== 0) {
      throw fault('BATCH_CORRUPT', `inner message at decompressed byte ${position} is of another format`)
    }
    position += size
    yield message
  }
}

/** `bytes` is one message from its offset to its last byte, at least 26 of them. */
function parseMessage(bytes: Buffer, reading: SliceReading, fault: BatchFault): Message {
  const stored = bytes.readUInt32BE(crcAt)
  if (crc32(bytes.subarray(magicAt)) !== stored)
    throw fault('BATCH_CORRUPT', 'checksum of a message is wrong')
  const { maxRecordBytes } = reading.limits
  const magic = bytes.readInt8(magicAt)
  const attributes = bytes.readInt8(attributesAt)
  if (bytes.length > maxRecordBytes && (attributes & 0x07) === 0) {
    throw fault(
      'BATCH_TOO_LARGE',
      `a message of ${bytes.length} bytes, the limit (maxRecordBytes) is ${maxRecordBytes}`,
    )
  }
  let position = magic === 1 ? timestampAt + 8 : timestampAt
  const field = (): Buffer | null => {
    const length = bytes.length - position < 4 ? -2 : bytes.readInt32BE(position)
    position += 4
    if (length < -1 || length > bytes.length - position) {
      throw fault('BATCH_CORRUPT', `a field length of a message, ${length}, does not fit`)
    }
    if (length === -1) return null
    position += length
    return bytes.subarray(position - length, position)
  }
  field()
  const value = field()
  if (position !== bytes.length) throw fault('BATCH_CORRUPT', 'bytes are left after the value of a message')
  return { offset: bytes.readBigInt64BE(0), magic, attributes, value }
}
