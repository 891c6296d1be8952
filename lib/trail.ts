import { anchorOf, type Identify } from './anchor.ts'
import type { Anchor, Position, Tail } from './checkpoint/types.ts'
import { digestOf } from './dts/digest.ts'
import { carriesChange } from './dts/header.ts'
import type { RecordHeader } from './dts/types.ts'
import { type LoggedChange, Ordinals } from './ordinals.ts'
import { toSeconds } from './time.ts'

/** A record with its header; null for filler, and for what could not be decoded. */
export interface ReadRecord {
  readonly offset: bigint
  readonly value: Buffer | null
  readonly header: RecordHeader | null
}

/** What is kept of a record: a header with its strings for each would be most of what the poller has in memory. */
interface Kept {
  readonly offset: bigint
  readonly value: Buffer | null
  /** `sourceTimestamp` in seconds; -1 without a header. */
  readonly timestamp: number
  readonly isChange: boolean
}

/** The part of a position that follows from the records below it. */
export type Place = Pick<Position, 'offset' | 'timestamp' | 'anchor' | 'tail'>

/**
 * The records between the committed offset and where reading has got to, so that the position of any offset in
 * between can be told.
 */
export class Trail {
  #base: Place
  #records: Kept[] = []
  #end: bigint
  readonly #ordinals = new Ordinals()

  constructor(base: Place) {
    this.#base = base
    this.#end = base.offset
  }

  /** Where reading goes on. */
  get end(): bigint {
    return this.#end
  }

  add(records: readonly ReadRecord[], end: bigint): void {
    for (const { offset, value, header } of records) {
      const timestamp = header === null ? -1 : toSeconds(header.sourceTimestamp)
      const isChange = header !== null && carriesChange(header.operation)
      this.#records.push({ offset, value, timestamp, isChange })
    }
    this.#end = end
  }

  /** The position with everything below `offset` done; from then on the trail begins there. */
  moveTo(offset: bigint): Place {
    let { timestamp } = this.#base
    let lastChange = -1
    let count = 0
    for (const record of this.#records) {
      if (record.offset >= offset) break
      timestamp = Math.max(timestamp, record.timestamp)
      if (record.isChange) lastChange = count
      count += 1
    }
    const last = count === 0 ? undefined : this.#records[count - 1]
    const anchor = this.#anchorAt(lastChange) ?? this.#base.anchor
    this.#records = this.#records.slice(count)
    this.#ordinals.forget(offset)
    this.#base = { offset, timestamp, anchor, tail: last === undefined ? this.#base.tail : tailOf(last) }
    return this.#base
  }

  /** The anchor of the change at an offset; null where there is none between the base and the end. */
  anchorAt(offset: bigint, identify: Identify): Anchor | null {
    return this.#anchorAt(this.#indexOf(offset), identify)
  }

  #anchorAt(index: number, identify?: Identify): Anchor | null {
    const change = this.#changeAt(index)
    if (change === null) return null
    const ordinal = this.#ordinals.of(change, this.#changesBelow(index), this.#base.anchor)
    return anchorOf(change, ordinal, identify)
  }

  #changeAt(index: number): LoggedChange | null {
    const record = this.#records[index]
    return record?.isChange && record.value !== null ? { offset: record.offset, value: record.value } : null
  }

  /** The nearest first. */
  *#changesBelow(index: number): Generator<LoggedChange> {
    for (let at = index - 1; at >= 0; at--) {
      const change = this.#changeAt(at)
      if (change !== null) yield change
    }
  }

  #indexOf(offset: bigint): number {
    let [low, high] = [0, this.#records.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#records[middle]?.offset ?? offset) < offset) low = middle + 1
      else high = middle
    }
    return this.#records[low]?.offset === offset ? low : -1
  }
}

function tailOf({ offset, value }: Kept): Tail {
  return { offset, digest: digestOf(value) }
}
