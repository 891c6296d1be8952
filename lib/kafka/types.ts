/** One record of a Kafka log, as a view on the fetch response that carried it. */
export interface LogRecord {
  readonly offset: bigint
  /** The record's Kafka timestamp in milliseconds as the log stores it; -1 when the log stores none. */
  readonly timestamp: number
  /** null for a record without a value. A view, not a copy: valid as long as the caller keeps it. */
  readonly value: Buffer | null
}

/** What reading the record batches of one fetch response yields. */
export interface LogSlice {
  /** Records at or above the offset asked for, in rising offset order, control records left out. */
  readonly records: readonly LogRecord[]
  /**
   * The offset to fetch next: behind the last whole batch that was read, so that offset gaps and control
   * batches move it too. Equal to the offset asked for when no whole batch was there.
   */
  readonly nextOffset: bigint
}

/** Offsets of the records that can be read now: `earliest` is the first one, `end` the one behind the last. */
export interface DataRange {
  readonly earliest: bigint
  readonly end: bigint
}
