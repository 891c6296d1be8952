import { createRequire } from 'node:module'

/** kafkajs' own encoder. It is independent of the reader under test. */
const require = createRequire(import.meta.url)

export interface Encoder {
  readonly buffer: Buffer
  writeInt16(value: number): Encoder
  writeInt32(value: number): Encoder
  writeInt64(value: unknown): Encoder
  writeString(value: string): Encoder
  writeBytes(value: Buffer): Encoder
  writeBuffer(value: Buffer): Encoder
}

interface KafkaRecord {
  readonly offsetDelta: number
  readonly timestampDelta: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Record<string, string>
}

const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0') as {
  RecordBatch(options: object): Promise<Encoder>
}
const encodeRecord = require('kafkajs/src/protocol/recordBatch/record/v0') as (record: KafkaRecord) => Encoder
const Long = require('kafkajs/src/utils/long') as { fromValue(value: string | number): unknown }

export const KafkajsEncoder = require('kafkajs/src/protocol/encoder') as new () => Encoder
export const kafkajsCrc32c = require('kafkajs/src/protocol/recordBatch/crc32C') as (bytes: Buffer) => number
export const long = (value: bigint | number) => Long.fromValue(String(value))

export const gzip = 1
const baseTimestamp = 1_700_000_000_000

export interface BatchOptions {
  readonly baseOffset: bigint
  /** A value, or its offset delta and the value. Without deltas they are 0, 1, 2, … */
  readonly values: readonly (Buffer | null | [delta: number, value: Buffer])[]
  readonly lastOffsetDelta?: number
  readonly compression?: number
}

/** One batch of magic 2. A record's timestamp is `baseTimestamp` plus ten times its delta. */
export async function encodeBatch(options: BatchOptions): Promise<Buffer> {
  const pairs = options.values.map((value, index) =>
    Array.isArray(value) ? value : ([index, value] as const),
  )
  const { buffer } = await RecordBatch({
    compression: options.compression ?? 0,
    firstOffset: long(options.baseOffset),
    firstTimestamp: baseTimestamp,
    maxTimestamp: baseTimestamp,
    lastOffsetDelta: options.lastOffsetDelta ?? pairs.at(-1)?.[0] ?? 0,
    records: pairs.map(([offsetDelta, value]) =>
      encodeRecord({
        offsetDelta,
        timestampDelta: offsetDelta * 10,
        key: offsetDelta % 2 ? Buffer.from('key') : null,
        value,
        headers: offsetDelta % 2 ? { header: 'value' } : {},
      }),
    ),
  })
  return buffer
}
