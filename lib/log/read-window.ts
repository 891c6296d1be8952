import { SourceClock, timesOf } from '../checkpoint/source-times.ts'
import type { Anchor, Position } from '../checkpoint/types.ts'
import type { ReadRecords } from '../dispatch/read-records.ts'
import { digestOf } from '../dts/digest.ts'
import type { LogRecord } from '../kafka/records.ts'
import { anchorOf, type Identify } from './anchor.ts'
import { type LoggedChange, StatementOrdinals } from './statement-ordinals.ts'

/** The part of a position that follows from the records below it. */
export type WindowPosition = Pick<Position, 'offset' | 'timestamp' | 'times' | 'anchor' | 'tail'>

/**
 * The records between the committed offset and the end of reading. It can compute the position of any offset in between.
 */
export class ReadWindow {
  #base: WindowPosition
  readonly #slices: Slice[] = []
  /** How many records of the first slice lie below the base. */
  #passed = 0
  #end: bigint
  #bytes = 0
  /** The highest time of all records that were read. */
  #youngest: number
  readonly #ordinals = new StatementOrdinals()

  constructor(base: WindowPosition) {
    this.#base = base
    this.#end = base.offset
    this.#youngest = timesOf(base).youngest
  }

  /** Bytes of the values of all records that it holds. */
  get bytes(): number {
    return this.#bytes
  }

  /** The offset of the last advance. */
  get start(): bigint {
    return this.#base.offset
  }

  /** The offset that is read next. */
  get end(): bigint {
    return this.#end
  }

  /**
   * @param end the offset that is read next; records of `read` from there on are ignored
   * @param free called when no record of `read` is needed any more
   */
  add(read: ReadRecords, end: bigint, free: (() => void) | null = null): void {
    this.#slices.push({ read, end, free })
    this.#bytes += read.bytes
    this.#youngest = Math.max(this.#youngest, read.youngest ?? this.#youngest)
    this.#end = end
  }

  /** Whether `advanceTo(offset)` would free the memory of a fetched slice. */
  freesAt(offset: bigint): boolean {
    for (const { read, free } of this.#slices) {
      if (read.length > 0 && read.record(read.length - 1).offset >= offset) return false
      if (free !== null) return true
    }
    return false
  }

  /** The position with everything below `offset` done. From then on the read window begins there. */
  advanceTo(offset: bigint): WindowPosition {
    let { timestamp } = this.#base
    const clock = new SourceClock(timesOf(this.#base))
    let last: LogRecord | null = null
    // Two numbers, not a spot: this is set for each change, and most are not the last one.
    let sliceOfLast = 0
    let lastChange = -1
    let [done, passed] = [0, this.#passed]
    for (const [index, { read }] of this.#slices.entries()) {
      const below = read.countBelow(offset)
      for (let at = passed; at < below; at++) {
        const time = read.timestamp(at)
        if (time !== null) {
          timestamp = Math.max(timestamp, time)
          if (time >= 0) clock.see(time)
        }
        if (read.isChange(at)) {
          sliceOfLast = index
          lastChange = at
        }
      }
      if (below > passed) last = read.record(below - 1)
      passed = below
      if (below < read.length) break
      done += 1
      passed = 0
    }
    this.#base = {
      offset,
      timestamp,
      times: clock.times(this.#youngest),
      anchor: lastChange < 0 ? this.#base.anchor : this.#anchorOf({ index: sliceOfLast, at: lastChange }),
      tail: last === null ? this.#base.tail : { offset: last.offset, digest: digestOf(last.value) },
    }
    this.#passed = passed
    this.#ordinals.forget(offset)
    for (const { read, free } of this.#slices.splice(0, done)) {
      this.#bytes -= read.bytes
      read.free()
      free?.()
    }
    return this.#base
  }

  /** The anchor of the change at an offset; null where there is none between the base and the end of reading. */
  anchorAt(offset: bigint, identify: Identify): Anchor | null {
    const index = this.#slices.findIndex(({ end }) => offset < end)
    const read = this.#slices[index]?.read
    const at = read?.countBelow(offset) ?? 0
    if (read === undefined || at === read.length) return null
    const isThere = read.record(at).offset === offset && read.isChange(at)
    return isThere && (index > 0 || at >= this.#passed) ? this.#anchorOf({ index, at }, identify) : null
  }

  #anchorOf(spot: Spot, identify?: Identify): Anchor {
    const change = this.#changeAt(spot)
    const ordinal = this.#ordinals.of(change, this.#changesBelow(spot), this.#base.anchor)
    return anchorOf(change, ordinal, identify)
  }

  #changeAt({ index, at }: Spot): LoggedChange {
    const record = this.#slices[index]?.read.record(at)
    const value = record?.value ?? null
    if (record === undefined || value === null) throw new TypeError('A record without a value is no change.')
    return { offset: record.offset, value }
  }

  /** The nearest first. */
  *#changesBelow(spot: Spot): Generator<LoggedChange> {
    for (let index = spot.index; index >= 0; index--) {
      const { read } = this.#slices[index] as Slice
      const from = index === spot.index ? spot.at : read.length
      for (let at = from - 1; at >= (index === 0 ? this.#passed : 0); at--) {
        if (read.isChange(at)) yield this.#changeAt({ index, at })
      }
    }
  }
}

interface Slice {
  readonly read: ReadRecords
  /** As `add` says. */
  readonly end: bigint
  readonly free: (() => void) | null
}

/** The slice of a record, and its index there. */
interface Spot {
  readonly index: number
  readonly at: number
}
