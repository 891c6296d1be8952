import { crc32C, Decoder, decodeRecordBatch, encodeRecord, encodeRecordBatch } from './kafkajs.ts'
import { type ProtocolError, protocolErrors } from './protocol-errors.ts'

/**
 * RecordBatch => baseOffset:int64 batchLength:int32 partitionLeaderEpoch:int32 magic:int8 crc:uint32
 *                attributes:int16 lastOffsetDelta:int32 firstTimestamp:int64 maxTimestamp:int64
 *                producerId:int64 producerEpoch:int16 baseSequence:int32 records:[Record]
 *
 * `crc` covers everything after itself, so a batch can get another base offset without a new encoding.
 */
const lengthAt = 8
const magicAt = 16
const crcAt = 17
const attributesAt = 21
const headerBytes = 61
const lengthCoversFrom = 12

export type Compression = 'none' | 'gzip'
const codecs: Record<Compression, number> = { none: 0, gzip: 1 }
const codecMask = 0b111

/** A record of the log, without its offset: the offset changes with the cluster. */
export interface Entry {
  /** Milliseconds, the unit of Kafka's record batches. */
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
}

/** An encoded batch, and the entries that it holds. */
export interface EncodedBatch {
  readonly bytes: Buffer
  readonly entries: readonly Entry[]
  readonly compression: Compression
}

/** Encodes a batch with base offset 0. `entries` must not be empty. */
export async function encodeBatch(
  entries: readonly Entry[],
  compression: Compression,
): Promise<EncodedBatch> {
  const firstTimestamp = entries[0]?.timestampMs ?? 0
  const encoded = await encodeRecordBatch({
    compression: codecs[compression],
    firstOffset: 0n,
    firstTimestamp,
    maxTimestamp: entries.reduce((max, entry) => Math.max(max, entry.timestampMs), firstTimestamp),
    lastOffsetDelta: entries.length - 1,
    records: entries.map(({ timestampMs, key, value }, offsetDelta) =>
      encodeRecord({ offsetDelta, timestampDelta: timestampMs - firstTimestamp, key, value }),
    ),
  })
  // The encoder's buffer can be twice as long as its content. The log keeps the content only.
  return { bytes: Buffer.from(encoded.buffer), entries, compression }
}

/** Gives a batch, which may be cut off, another base offset. */
export function setBaseOffset(bytes: Buffer, baseOffset: bigint): void {
  const field = Buffer.alloc(lengthAt)
  field.writeBigInt64BE(baseOffset)
  field.copy(bytes)
}

/** Splits the bytes of a producer into batches. Refuses what a broker refuses. */
export async function decodeBatches(recordSet: Buffer): Promise<EncodedBatch[] | ProtocolError> {
  const batches: EncodedBatch[] = []
  for (let at = 0; at < recordSet.length; ) {
    const rest = recordSet.subarray(at)
    if (rest.length < headerBytes) return protocolErrors.CORRUPT_MESSAGE
    const size = lengthCoversFrom + rest.readInt32BE(lengthAt)
    if (size < headerBytes || size > rest.length) return protocolErrors.CORRUPT_MESSAGE
    const batch = await decodeBatch(rest.subarray(0, size))
    if (typeof batch === 'number') return batch
    batches.push(batch)
    at += size
  }
  return batches
}

async function decodeBatch(bytes: Buffer): Promise<EncodedBatch | ProtocolError> {
  if (bytes.readInt8(magicAt) !== 2) return protocolErrors.INVALID_RECORD
  if (bytes.readUInt32BE(crcAt) !== crc32C(bytes.subarray(attributesAt)))
    return protocolErrors.CORRUPT_MESSAGE
  const codec = bytes.readInt16BE(attributesAt) & codecMask
  if (codec !== codecs.none && codec !== codecs.gzip) return protocolErrors.UNSUPPORTED_COMPRESSION_TYPE

  let decoded: Awaited<ReturnType<typeof decodeRecordBatch>>
  try {
    decoded = await decodeRecordBatch(new Decoder(bytes))
  } catch {
    return protocolErrors.CORRUPT_MESSAGE
  }
  const { records, lastOffsetDelta, isControlBatch, inTransaction } = decoded
  // A cluster switch would lose headers, so they are refused. DTS records have none.
  const hasHeaders = records.some((record) => Object.keys(record.headers).length > 0)
  if (records.length !== lastOffsetDelta + 1 || isControlBatch || inTransaction || hasHeaders) {
    return protocolErrors.INVALID_RECORD
  }
  return {
    bytes,
    compression: codec === codecs.gzip ? 'gzip' : 'none',
    entries: records.map(({ timestamp, key, value }) => ({ timestampMs: Number(timestamp), key, value })),
  }
}
