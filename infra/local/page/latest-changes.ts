import type { DataRange } from '../../../lib/kafka/data-range.ts'
import type { DStoreRecord } from '../dstore/dstore.ts'
import { describeRecord, type LoggedChange } from './describe-record.ts'

/** The log of the emulator, as far as the page reads it. */
export interface PageLog {
  readonly clusterId: string
  readonly range: DataRange
  recordsFrom(offset: bigint): DStoreRecord[]
}

const mostChanges = 60
/** A feed can append much at once. Older records of one look are left out of the list; the search finds them. */
const mostRecordsPerLook = 2_000n

/** Follows the log beside the poller, and keeps its last changes. */
export class LatestChanges {
  readonly #log: PageLog
  #clusterId: string | null = null
  #next = 0n
  #changes: LoggedChange[] = []

  constructor(log: PageLog) {
    this.#log = log
  }

  /** The last changes, newest first. */
  look(): readonly LoggedChange[] {
    const { clusterId, range } = this.#log
    // In another log the same changes have other offsets.
    if (clusterId !== this.#clusterId) {
      this.#clusterId = clusterId
      this.#next = range.earliest
      this.#changes = []
    }
    const youngest = range.end - mostRecordsPerLook
    const from = youngest > this.#next ? youngest : this.#next
    const added = this.#log.recordsFrom(from).flatMap((record) => describeRecord(record) ?? [])
    this.#next = range.end
    this.#changes = [...added.reverse(), ...this.#changes].slice(0, mostChanges)
    return this.#changes
  }
}
