import { anchorOf, type Identify } from './anchor.ts'
import type { Anchor, Position } from './checkpoint/types.ts'
import { digestOf } from './dts/digest.ts'
import { carriesChange, type HeaderFacts } from './dts/header.ts'
import { freeOwn } from './free.ts'
import { LogRecord, type LogRecords } from './kafka/records.ts'
import { type LoggedChange, Ordinals } from './ordinals.ts'
import { SourceClock, timesOf } from './source-times.ts'
import { toSeconds } from './time.ts'

/** What the trail keeps of a part of a slice: its records where they lie, and what their headers say of their times. */
export class ReadRecords {
  readonly records: LogRecords
  /** The first of the records, and how many were read from there on. */
  readonly from: number
  #length = 0
  #bytes = 0
  /** `sourceTimestamp` in seconds; -1 without a header. */
  readonly #timestamps: Float64Array<ArrayBuffer>
  readonly #changes: Uint8Array<ArrayBuffer>
  #youngest = -1

  /** @param to behind the last record that will be pushed */
  constructor(records: LogRecords, from: number, to: number) {
    this.records = records
    this.from = from
    this.#timestamps = new Float64Array(to - from)
    this.#changes = new Uint8Array(to - from)
  }

  get length(): number {
    return this.#length
  }

  /** Of all its records' values. */
  get bytes(): number {
    return this.#bytes
  }

  /** The next record was read. @param header null for filler, and for what could not be decoded */
  push(header: HeaderFacts | null): void {
    const time = header === null ? -1 : toSeconds(header.sourceTimestamp)
    this.#timestamps[this.#length] = time
    if (time > this.#youngest) this.#youngest = time
    this.#changes[this.#length] = Number(header !== null && carriesChange(header.operation))
    this.#bytes += this.records.size(this.from + this.#length)
    this.#length += 1
  }

  /** The highest of their times; -1 where none has one. */
  get youngest(): number {
    return this.#youngest
  }

  /** How many of them lie below an offset. */
  countBelow(offset: bigint): number {
    let [low, high] = [0, this.#length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.records.offset(this.from + middle) < offset) low = middle + 1
      else high = middle
    }
    return low
  }

  timestamp(at: number): number {
    return this.#timestamps[at] ?? -1
  }

  isChange(at: number): boolean {
    return this.#changes[at] === 1
  }

  free(): void {
    freeOwn(this.#timestamps)
    freeOwn(this.#changes)
  }

  record(at: number): LogRecord {
    return new LogRecord(this.records, this.from + at)
  }
}

/** The part of a position that follows from the records below it. */
export type Place = Pick<Position, 'offset' | 'timestamp' | 'times' | 'anchor' | 'tail'>

/**
 * The records between the committed offset and where reading has got to, so that the position of any offset in
 * between can be told.
 */
export class Trail {
  #base: Place
  readonly #slices: Slice[] = []
  /** How many records of the first slice lie below the base. */
  #passed = 0
  #end: bigint
  #bytes = 0
  /** Of all that was read. */
  #youngest: number
  readonly #ordinals = new Ordinals()

  constructor(base: Place) {
    this.#base = base
    this.#end = base.offset
    this.#youngest = timesOf(base).youngest
  }

  /** Of the values of all records that it holds. */
  get bytes(): number {
    return this.#bytes
  }

  /** Where reading goes on. */
  get end(): bigint {
    return this.#end
  }

  /**
   * @param end where reading goes on; what `read` holds from there on is not looked at
   * @param free called once nothing up to the end of `read` will be asked for any more
   */
  add(read: ReadRecords, end: bigint, free: (() => void) | null = null): void {
    this.#slices.push({ read, free })
    this.#bytes += read.bytes
    this.#youngest = Math.max(this.#youngest, read.youngest)
    this.#end = end
  }

  /** The position with everything below `offset` done; from then on the trail begins there. */
  moveTo(offset: bigint): Place {
    let { timestamp } = this.#base
    const clock = new SourceClock(timesOf(this.#base))
    let last: LogRecord | null = null
    let lastChange: Spot | null = null
    let [done, passed] = [0, this.#passed]
    for (const [index, { read }] of this.#slices.entries()) {
      const below = read.countBelow(offset)
      for (let at = passed; at < below; at++) {
        const time = read.timestamp(at)
        timestamp = Math.max(timestamp, time)
        if (time >= 0) clock.see(time)
        if (read.isChange(at)) lastChange = { index, at }
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
      anchor: lastChange === null ? this.#base.anchor : this.#anchorOf(lastChange),
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

  /** The anchor of the change at an offset; null where there is none between the base and the end. */
  anchorAt(offset: bigint, identify: Identify): Anchor | null {
    for (const [index, { read }] of this.#slices.entries()) {
      const at = read.countBelow(offset)
      if (at === read.length) continue
      const isThere = read.record(at).offset === offset && read.isChange(at)
      return isThere && (index > 0 || at >= this.#passed) ? this.#anchorOf({ index, at }, identify) : null
    }
    return null
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
  readonly free: (() => void) | null
}

/** Where a record lies in the trail: in which slice, and its place there. */
interface Spot {
  readonly index: number
  readonly at: number
}
