import { carriesChange } from '../dts/header.ts'
import type { TimedRecord } from './scan.ts'

/** Which changes from a place on may have been delivered before, by their source times (seconds) and offsets. */
export interface RepeatBounds {
  /** Below this offset every change may repeat, whatever its time; null: no such offset is known. */
  readonly everyBelow: bigint | null
  /** Up to this time changes may repeat wherever they are in the log; -1: none. */
  readonly anywhere: number
  /** Up to this time changes below `handledBelow` may repeat; -1: none. */
  readonly handled: number
  /** An offset of this log; null: `handled` holds wherever a change is. */
  readonly handledBelow: bigint | null
}

/** An upper bound of the changes that repeat, as far as the log is filled by now. */
export interface Repeats {
  /** By table, up to `countedTo`. */
  readonly counts: Readonly<Record<string, number>>
  /** From this offset on more may repeat than was counted; null: the count is complete. */
  readonly countedTo: bigint | null
}

const noRepeats: RepeatBounds = { everyBelow: null, anywhere: -1, handled: -1, handledBelow: null }

/** The most records that a count reads. */
export const mostCounted = 500_000

/** Counts the repeats among records that are given to it one by one, in the order of the log. */
export class RepeatCounter {
  readonly #bounds: RepeatBounds
  readonly #counts: Record<string, number> = Object.create(null)
  #youngest = -1
  #left: number
  #next: bigint
  #countedTo: bigint | null = null
  /** No record is needed any more. */
  isOver: boolean

  /** @param from the first offset that is read */
  constructor(bounds: RepeatBounds | null, from: bigint, most = mostCounted) {
    this.#bounds = bounds ?? noRepeats
    this.#left = most
    this.#next = from
    const { everyBelow, anywhere, handled } = this.#bounds
    this.isOver = (everyBelow === null || everyBelow <= from) && Math.max(anywhere, handled) < 0
  }

  see(record: TimedRecord): void {
    if (this.isOver) return
    if (this.#left-- === 0) {
      this.#end(record.offset)
      return
    }
    this.#next = record.offset + 1n
    // A later time does not end the count: the records after it may be older.
    if (!carriesChange(record.header.operation) || !this.#mayRepeat(record)) return
    const table = record.header.objectName ?? ''
    this.#counts[table] = (this.#counts[table] ?? 0) + 1
    this.#youngest = Math.max(this.#youngest, record.timestamp)
  }

  /** The log cannot be read from here on. */
  interrupt(): void {
    if (!this.isOver) this.#end(this.#next)
  }

  /** The time of the youngest change that was counted, in seconds; -1: none was. */
  get youngest(): number {
    return this.#youngest
  }

  get repeats(): Repeats {
    return { counts: this.#counts, countedTo: this.#countedTo }
  }

  #end(countedTo: bigint): void {
    this.#countedTo = countedTo
    this.isOver = true
  }

  #mayRepeat({ offset, timestamp }: TimedRecord): boolean {
    const { everyBelow, anywhere, handled, handledBelow } = this.#bounds
    if (everyBelow !== null && offset < everyBelow) return true
    return timestamp <= anywhere || (timestamp <= handled && (handledBelow === null || offset < handledBelow))
  }
}
