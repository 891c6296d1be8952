/**
 * One record of a Kafka log. Its value lies within the bytes that carried it, and a view on it is made only when
 * asked for: a poller looks into most records where they lie.
 */
export class LogRecord {
  readonly offset: bigint
  /** The record's Kafka timestamp in milliseconds as the log stores it; -1 when the log stores none. */
  readonly timestamp: number
  readonly bytes: Buffer
  /** Where the value begins in `bytes`; -1 for a record without a value. */
  readonly start: number
  /** Where it ends. */
  readonly end: number

  constructor(offset: bigint, timestamp: number, bytes: Buffer, start: number, end: number) {
    this.offset = offset
    this.timestamp = timestamp
    this.bytes = bytes
    this.start = start
    this.end = end
  }

  /** A record out of a value of its own. */
  static of(offset: bigint, value: Buffer | null, timestamp = -1): LogRecord {
    return value === null
      ? new LogRecord(offset, timestamp, noBytes, -1, -1)
      : new LogRecord(offset, timestamp, value, 0, value.length)
  }

  /** Length of the value in bytes; 0 for none. */
  get size(): number {
    return this.end - this.start
  }

  /** null for a record without a value. A view, not a copy. @throws RangeError once its bytes were freed */
  get value(): Buffer | null {
    if (this.start < 0) return null
    this.#assertHeld()
    return this.bytes.subarray(this.start, this.end)
  }

  /** Copies the value to `target` and returns where it ends there. @throws RangeError as `value` */
  copyTo(target: Buffer, at: number): number {
    this.#assertHeld()
    this.bytes.copy(target, at, this.start, this.end)
    return at + this.size
  }

  #assertHeld(): void {
    if (this.bytes.length < this.end)
      throw new RangeError(`The bytes of the record ${this.offset} were freed.`)
  }
}

const noBytes = Buffer.alloc(0)

/** What reading the record batches of one fetch response yields. */
export interface LogSlice {
  /** Records at or above the offset asked for, in rising offset order, control records left out. */
  readonly records: readonly LogRecord[]
  /**
   * The offset to fetch next: behind the last whole batch that was read, so that offset gaps and control
   * batches move it too. Equal to the offset asked for when no whole batch was there. Behind the last record
   * instead, when `BatchLimits` ended the slice inside a batch.
   */
  readonly nextOffset: bigint
  /**
   * null whenever fetching from `nextOffset` is the right next step. Otherwise the response ends inside a
   * batch before anything moved, and this is how many bytes it must at least hold to get further: fetch
   * again with that as the maximum. A response that was allowed that many and still ends early is damaged.
   */
  readonly neededBytes: number | null
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

/** Offsets of the records that can be read now: `earliest` is the first one, `end` the one behind the last. */
export interface DataRange {
  readonly earliest: bigint
  readonly end: bigint
}
