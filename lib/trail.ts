import { anchorOf, type Identify, identifyRouted } from './anchor.ts'
import type { Anchor, LaneState, Position, StoredLane, Tail } from './checkpoint/types.ts'
import { digestOf } from './dts/digest.ts'
import { carriesChange, readHeader } from './dts/header.ts'
import { isSameStatement } from './dts/statement.ts'
import type { RecordHeader } from './dts/types.ts'
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

/** Lanes beyond so many are stored without their change: an item holds 400 KB, and a change takes some 200 bytes. */
const mostIdentified = 200

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
  /** Of changes that were counted already, by offset: no statement is walked through twice. */
  readonly #ordinals = new Map<bigint, number | null>()

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
    for (const known of this.#ordinals.keys()) if (known < offset) this.#ordinals.delete(known)
    this.#base = { offset, timestamp, anchor, tail: last === undefined ? this.#base.tail : tailOf(last) }
    return this.#base
  }

  /**
   * The states of lanes with the identity of the change that each one ahead is through, by which it is found in the
   * log of another cluster.
   * @param stored what the checkpoint has of them already; nothing is computed for a lane that did not move since
   */
  identified(states: Readonly<Record<string, LaneState>>, stored: Position['lanes']): Position['lanes'] {
    let count = 0
    return Object.fromEntries(
      Object.entries(states).map(([name, state]) => {
        const isAhead = state.through !== null && ++count <= mostIdentified
        return [name, { ...state, anchor: isAhead ? this.#laneAnchor(state, stored[name]) : null }]
      }),
    )
  }

  #laneAnchor({ through }: LaneState, stored: StoredLane | undefined): Anchor | null {
    const known = stored?.through === through ? stored.anchor : null
    return known ?? (through === null ? null : this.#anchorAt(this.#indexOf(through), identifyRouted))
  }

  /** Null where there is no change. */
  #anchorAt(index: number, digest?: Identify): Anchor | null {
    const record = this.#records[index]
    if (!record?.isChange || record.value === null) return null
    const { offset, value } = record
    const header = readHeader(value)
    const ordinal = this.#ordinalOf(index, value, header)
    this.#ordinals.set(offset, ordinal)
    return anchorOf({ offset, value }, header, ordinal, digest)
  }

  /** Counted backwards, and only as far as the statement goes: mostly that is one change. */
  #ordinalOf(index: number, own: Buffer, { sourcePosition, sourceTxid }: RecordHeader): number | null {
    let before = 0
    for (let at = index - 1; at >= 0; at--) {
      const record = this.#records[at]
      if (!record?.isChange || record.value === null) continue
      if (!isSameStatement(record.value, own)) return before
      before += 1
      const known = this.#ordinals.get(record.offset)
      if (known !== undefined) return known === null ? null : known + before
    }
    const { anchor } = this.#base
    // Nothing is known of what came before: the statement may have begun there.
    if (anchor === null) return null
    if (anchor.sourcePosition !== sourcePosition || anchor.transactionId !== sourceTxid) return before
    return anchor.ordinal === null ? null : anchor.ordinal + 1 + before
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
