import type { BrokerAddress } from './address.ts'
import type { Deployment } from './commit-mark.ts'
import type { LogRecords } from './records.ts'

/** What reading the record batches of one fetch response yields. */
export interface LogSlice {
  /** Records at or above the offset asked for, in rising offset order, without control records and aborted ones. */
  readonly records: LogRecords
  /**
   * The offset to fetch next: behind the last whole batch that was read, so that offset gaps, control batches
   * and aborted transactions move it too. Equal to the offset asked for when no whole batch was there. Behind
   * the last record instead, when `BatchLimits` ended the slice inside a batch.
   */
  readonly nextOffset: bigint
  /**
   * null whenever fetching from `nextOffset` is the right next step. Otherwise the response ends inside a
   * batch before anything moved, and this is how many bytes it must at least hold to get further: fetch
   * again with that as the maximum. A response that was allowed that many and still ends early is damaged.
   */
  readonly neededBytes: number | null
  /** Whether a batch that was read ends at `nextOffset`, so that the next one cannot begin below it. */
  readonly endsBatch: boolean
}

/** What the reader of record batches allocates and returns at most. All but `maxRecords` in bytes. */
export interface BatchLimits {
  /** One batch as it lies in the log. A larger one is BATCH_TOO_LARGE. */
  readonly maxBatchBytes: number
  /** All decompressed data that one slice holds on to. A single batch above it is BATCH_TOO_LARGE. */
  readonly maxDecompressedBytes: number
  /** One record, with key and headers. A larger one is BATCH_TOO_LARGE. */
  readonly maxRecordBytes: number
  /** Records of one slice. Never an error: the slice ends there, and the next fetch goes on behind it. */
  readonly maxRecords: number
}

/** The most that one fetch may ask for, in bytes. */
export const maxFetchBytes = 64 * 1024 * 1024

/** Offsets of the records that can be read now: `earliest` is the first one, `end` the one behind the last. */
export interface DataRange {
  readonly earliest: bigint
  readonly end: bigint
}

/** For people: both bounds are offsets of the range. */
export function formatOffsets({ earliest, end }: DataRange): string {
  if (end <= earliest) return `no records now; the next one gets offset ${end}`
  return `offsets ${earliest} to ${end - 1n}; the next record gets ${end}`
}

/** How to reach a stream. */
export interface BrokerConfig {
  /** The bootstrap address. */
  readonly broker: BrokerAddress
  readonly topic: string
  /** Undefined: the topic must have exactly one partition, and that one is read. */
  readonly partition: number | undefined
  /** `dts`: a DStore, times in seconds. `kafka`: DTS records in a plain Kafka topic, times in milliseconds. */
  readonly mode: 'dts' | 'kafka'
  readonly group: string
  readonly tls: boolean
  /** Hosts that may get the credentials, in addition to those that always may; see `isAllowedNode`. */
  readonly allowedNodes: readonly string[]
  /** The name of this deployment in the consumer group. */
  readonly deployment: Deployment
}
