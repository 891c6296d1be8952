import { createRequire } from 'node:module'

/**
 * The wire primitives of kafkajs, with types. They are not part of its public interface, so package.json pins the
 * exact version. `require`, because kafkajs ships no types for these files.
 */

/** Writes Kafka's primitive types, big endian, to a growing buffer. `buffer` is a view of what was written. */
interface KafkajsEncoder {
  readonly buffer: Buffer
  writeInt8(value: number): this
  writeInt16(value: number): this
  writeInt32(value: number): this
  writeInt64(value: bigint | number): this
  writeBoolean(value: boolean): this
  /** Length as int16 and UTF-8; null is length -1. */
  writeString(value: string | null): this
  /** Length as int32 and the bytes; null is length -1. */
  writeBytes(value: Buffer | null): this
  writeBuffer(value: Buffer): this
}

interface KafkajsDecoder {
  readonly buffer: Buffer
  offset: number
  readInt8(): number
  readInt16(): number
  readInt32(): number
  readInt64(): bigint
  readBoolean(): boolean
  readString(): string | null
  readBytes(): Buffer | null
}

interface EncodableRecord {
  readonly offsetDelta: number
  /** Milliseconds after the first record of the batch; may be negative. */
  readonly timestampDelta: number
  readonly key: Buffer | null
  readonly value: Buffer | null
}

interface EncodableBatch {
  readonly compression: number
  readonly firstOffset: bigint
  /** Milliseconds. */
  readonly firstTimestamp: number
  readonly maxTimestamp: number
  readonly lastOffsetDelta: number
  readonly records: readonly KafkajsEncoder[]
}

interface DecodedBatch {
  readonly lastOffsetDelta: number
  readonly isControlBatch: boolean
  readonly inTransaction: boolean
  readonly records: readonly {
    /** Milliseconds, decimal. */
    readonly timestamp: string
    readonly key: Buffer | null
    readonly value: Buffer | null
    readonly headers: { readonly [key: string]: unknown }
  }[]
}

const require = createRequire(import.meta.url)

export const Encoder: new (
  initialSize?: number,
) => KafkajsEncoder = require('kafkajs/src/protocol/encoder.js')
export const Decoder: new (buffer: Buffer) => KafkajsDecoder = require('kafkajs/src/protocol/decoder.js')

export const encodeRecord: (
  record: EncodableRecord,
) => KafkajsEncoder = require('kafkajs/src/protocol/recordBatch/record/v0/index.js')

const recordBatch: {
  RecordBatch(batch: EncodableBatch): Promise<KafkajsEncoder>
} = require('kafkajs/src/protocol/recordBatch/v0/index.js')
export const encodeRecordBatch = recordBatch.RecordBatch

/** Checks neither the checksum nor the magic byte. Throws for a codec other than gzip. */
export const decodeRecordBatch: (
  decoder: KafkajsDecoder,
) => Promise<DecodedBatch> = require('kafkajs/src/protocol/recordBatch/v0/decoder.js')

export const crc32C: (bytes: Buffer) => number = require('kafkajs/src/protocol/recordBatch/crc32C/index.js')
