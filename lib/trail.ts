import type { Anchor, Position } from './checkpoint/types.ts'
import { digestOf, identityOf } from './dts/digest.ts'
import { carriesChange, readHeader } from './dts/header.ts'
import type { RecordHeader } from './dts/types.ts'
import type { LogRecord } from './kafka/types.ts'
import { toSeconds } from './time.ts'

/**
 * What is kept of the records of one slice, in columns: an object with its header for each record would be most of
 * what the poller has in memory.
 */
export class ReadRecords {
  readonly #records: LogRecord[] = []
  /** `sourceTimestamp` in seconds; -1 without a header. */
  readonly #timestamps: Float64Array
  readonly #changes: Uint8Array

  /** @param most how many records will be pushed at the most */
  constructor(most: number) {
    this.#timestamps = new Float64Array(most)
    this.#changes = new Uint8Array(most)
  }

  get length(): number {
    return this.#records.length
  }

  /** @param header null for filler, and for what could not be decoded */
  push(record: LogRecord, header: RecordHeader | null): void {
    const at = this.#records.push(record) - 1
    this.#timestamps[at] = header === null ? -1 : toSeconds(header.sourceTimestamp)
    this.#changes[at] = Number(header !== null && carriesChange(header.operation))
  }

  record(at: number): LogRecord | undefined {
    return this.#records[at]
  }

  timestamp(at: number): number {
    return this.#timestamps[at] ?? -1
  }

  isChange(at: number): boolean {
    return this.#changes[at] === 1
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
    const done: ((() => void) | null)[] = []
    for (let slice = this.#slices[0]; slice !== undefined; slice = this.#slices[0]) {
      const { read } = slice
      for (; this.#passed < read.length; this.#passed++) {
        const record = read.record(this.#passed)
        if (record === undefined || record.offset >= offset) break
        timestamp = Math.max(timestamp, read.timestamp(this.#passed))
        if (read.isChange(this.#passed)) lastChange = record
        last = record
      }
      if (this.#passed < read.length) break
      done.push(slice.free)
      this.#slices.shift()
      this.#passed = 0
    }
    this.#base = {
      offset,
      timestamp,
      anchor: lastChange === null ? this.#base.anchor : anchorOf(lastChange),
      tail: last === null ? this.#base.tail : { offset: last.offset, digest: digestOf(last.value) },
    }
    for (const free of done) free?.()
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
