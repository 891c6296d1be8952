import type { GroupPosition } from './commit-mark.ts'
import type { DataRange } from './data-range.ts'
import type { LogRecords } from './records.ts'

export interface FetchBounds {
  /** The largest answer in bytes. A single larger batch is fetched alone with a larger bound. */
  readonly maxBytes: number
  /** How long the broker may wait for new records, in milliseconds. */
  readonly maxWaitMs: number
}

export interface Fetched {
  readonly records: LogRecords
  /** The offset to fetch next. Control batches, aborted transactions and gaps move it, although they yield no record. */
  readonly nextOffset: bigint
  /** The offset after the last readable record, from the same answer. */
  readonly end: bigint
  /** Frees the memory of the records at once, before the garbage collector does. Their values become unreadable. */
  readonly free: () => void
}

/** One partition of the tracked stream on one cluster. Every method may throw BROKER_FAILED (retryable). */
export interface Stream {
  readonly topic: string
  readonly partition: number
  /** The cluster id that the node with the records reports. */
  readonly clusterId: string
  range(): Promise<DataRange>
  /** The first offset whose record is at or after `seconds`, or null if the broker finds none. */
  offsetForTime(seconds: number): Promise<bigint | null>
  /** @throws DtsError DATA_GAP when `from` is outside the data range; BATCH_CORRUPT, BATCH_TOO_LARGE */
  fetch(from: bigint, bounds: FetchBounds): Promise<Fetched>
  committed(): Promise<GroupPosition | null>
  /**
   * Commits to the consumer group. Write the position to the checkpoint item first: a commit ahead of the item means
   * that the item was restored from a backup.
   * @throws DtsError GROUP_REFUSED when the group is not the sid
   */
  commit(offset: bigint, timestamp: number, generation: number): Promise<void>
  /** Closes the connections without waiting for the broker. Requests that are under way fail with BROKER_FAILED. */
  close(): Promise<void>
}
