import type { Anchor, Position } from './checkpoint/types.ts'
import { digestOf, identityOf } from './dts/digest.ts'
import { carriesChange, type HeaderFacts, readHeader } from './dts/header.ts'
import type { RecordHeader } from './dts/types.ts'
import { freeOwn } from './free.ts'
import { LogRecord, type LogRecords } from './kafka/records.ts'
import { toSeconds } from './time.ts'

/** What the trail keeps of a part of a slice: its records where they lie, and what their headers say of their times. */
export class ReadRecords {
  readonly records: LogRecords
  /** The first of the records, and how many were read from there on. */
  readonly from: number
  #length = 0
  /** `sourceTimestamp` in seconds; -1 without a header. */
  readonly #timestamps: Float64Array<ArrayBuffer>
  readonly #changes: Uint8Array<ArrayBuffer>

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

  /** The next record was read. @param header null for filler, and for what could not be decoded */
  push(header: HeaderFacts | null): void {
    this.#timestamps[this.#length] = header === null ? -1 : toSeconds(header.sourceTimestamp)
    this.#changes[this.#length] = Number(header !== null && carriesChange(header.operation))
    this.#length += 1
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
export type Place = Pick<Position, 'offset' | 'timestamp' | 'anchor' | 'tail'>

/**
 * The records between the committed offset and where reading has got to, so that the position of any offset in
 * between can be told.
 */
export class Trail {
  #base: Place
  readonly #slices: { readonly read: ReadRecords; readonly free: (() => void) | null }[] = []
  /** How many records of the first slice lie below the base. */
  #passed = 0
  #end: bigint

  constructor(base: Place) {
    this.#base = base
    this.#end = base.offset
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
    this.#end = end
  }

  /** The position with everything below `offset` done; from then on the trail begins there. */
  moveTo(offset: bigint): Place {
    let { timestamp } = this.#base
    let last: LogRecord | null = null
    let lastChange: LogRecord | null = null
    const done: { readonly read: ReadRecords; readonly free: (() => void) | null }[] = []
    for (let slice = this.#slices[0]; slice !== undefined; slice = this.#slices[0]) {
      const { read } = slice
      const below = read.countBelow(offset)
      let lastChangeAt = -1
      for (let at = this.#passed; at < below; at++) {
        timestamp = Math.max(timestamp, read.timestamp(at))
        if (read.isChange(at)) lastChangeAt = at
      }
      if (below > this.#passed) last = read.record(below - 1)
      if (lastChangeAt >= 0) lastChange = read.record(lastChangeAt)
      this.#passed = below
      if (this.#passed < read.length) break
      done.push(slice)
      this.#slices.shift()
      this.#passed = 0
    }
    this.#base = {
      offset,
      timestamp,
      anchor: lastChange === null ? this.#base.anchor : anchorOf(lastChange),
      tail: last === null ? this.#base.tail : { offset: last.offset, digest: digestOf(last.value) },
    }
    for (const { read, free } of done) {
      read.free()
      free?.()
    }
    return this.#base
  }
}

function anchorOf({ offset, value }: LogRecord): Anchor {
  if (value === null) throw new TypeError(`The record ${offset} without a value is no change.`)
  const header = readHeader(value)
  return {
    offset,
    timestamp: toSeconds(header.sourceTimestamp),
    sourcePosition: header.sourcePosition,
    transactionId: header.sourceTxid,
    digest: identify(value, header),
  }
}

/** A change may be undecodable behind its header, when no handler has asked for it: then its bytes identify it. */
export function identify(value: Buffer, header: RecordHeader): string {
  try {
    return identityOf(value, header)
  } catch {
    return digestOf(value)
  }
}
