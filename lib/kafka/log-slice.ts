import type { LogRecords } from './records.ts'
import type { AbortedTransactions } from './transactions.ts'

/** The record batches of one fetch response, read. */
export interface LogSlice {
  /** Records at or above the requested offset, in rising offset order, without control records and aborted ones. */
  readonly records: LogRecords
  /**
   * The offset to fetch next: the one after the last whole batch. Offset gaps, control batches and aborted transactions
   * move it too. It equals the requested offset if the response holds no whole batch. If `BatchLimits` ended the slice
   * inside a batch, it is the offset after the last record.
   */
  readonly nextOffset: bigint
  /**
   * null if the next step is to fetch from `nextOffset`. Otherwise the response ends inside its first batch, and this is
   * the number of bytes up to the end of that batch. Fetch again with that maximum. If a response that was allowed that
   * many bytes still ends inside the batch, it is damaged.
   */
  readonly neededBytes: number | null
  /** Whether a batch ends at `nextOffset`. If so, the next batch cannot begin below it. */
  readonly endsBatch: boolean
}

/** The most that the batch reader allocates and returns. Every limit except `maxRecords` is in bytes. */
export interface BatchLimits {
  /** One batch as it is stored in the log. A larger one is BATCH_TOO_LARGE. */
  readonly maxBatchBytes: number
  /** All decompressed data of one slice. A single batch above it is BATCH_TOO_LARGE. */
  readonly maxDecompressedBytes: number
  /** One record, with key and headers. A larger one is BATCH_TOO_LARGE. */
  readonly maxRecordBytes: number
  /** Records of one slice. Never an error: the slice ends there, and the next fetch continues after it. */
  readonly maxRecords: number
}

/** A slice while it is being read. */
export interface SliceReading {
  /** The requested offset. Records below it are dropped. */
  readonly from: bigint
  readonly limits: BatchLimits
  readonly records: LogRecords
  readonly aborted: AbortedTransactions
  /** Decompressed bytes that `records` refer to. */
  heldBytes: number
  /** Whether `maxRecords` ended the reading inside a batch. */
  isCut: boolean
}
