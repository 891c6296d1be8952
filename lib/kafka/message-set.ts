import { crc32 } from 'node:zlib'
import type { BatchFault } from './batch-fault.ts'
import type { Reading } from './batch-records.ts'
import { codecs, decompress } from './compression.ts'

/**
 * The message formats from before Kafka 0.11, in which each message is an entry of its own.
 *
 *   message => offset int64, size int32, CRC-32 uint32 (of all behind it), magic int8, attributes int8,
 *              timestamp int64 (magic 1), key length int32 (-1: null), key, value length int32 (-1: null), value
 *   attributes: bits 0-2 codec (up to lz4)
 *
 * With a codec, the value is a message set itself and the outer offset is that of its last message. Inner
 * offsets are absolute in magic 0, unless the broker left those of the producer, who counts from 0; in magic 1 they are
 * relative, the last one standing for the outer offset.
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

/** Reads one whole entry into `reading.records`; returns the offset to go on from. */
export function readMessage(
  bytes: Buffer,
  _offset: bigint,
  previousEnd: bigint,
  reading: Reading,
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
  reading: Reading,
  fault: BatchFault,
): bigint {
  const { records, limits, from } = reading
  // Two passes over the framing: relative offsets can be placed only when the last one is known.
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
      reading.cut = true
      return offset
    }
    records.addValue(offset, message.value)
  }
  return outer.offset + 1n
}

/**
 * What has to be added to inner offsets. Where the last one is not the outer offset, they are relative or wrong: taken
 * as they are, they would lie below the offset asked for, and their records would be passed over as read before.
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
  // Compaction may leave any of the relative offsets of magic 1. A set of magic 0 got its offsets when it was appended.
  if (shift === 0n || (shift > 0n && (outer.magic === 1 || fromZero))) return shift
  throw fault(
    'BATCH_CORRUPT',
    `its inner offsets end at ${last}, the offset around them is ${outer.offset}, and they do not count from 0`,
  )
}

function* innerMessages(
  bytes: Buffer,
  outer: Message,
  reading: Reading,
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
function parseMessage(bytes: Buffer, reading: Reading, fault: BatchFault): Message {
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
  if (position !== bytes.length) throw fault('BATCH_CORRUPT', 'bytes are left behind the value of a message')
  return { offset: bytes.readBigInt64BE(0), magic, attributes, value }
}
