import type { Anchor, Position, Tail } from './checkpoint/types.ts'
import { digestOf, identityOf } from './dts/digest.ts'
import { carriesChange, readHeader } from './dts/header.ts'
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
    let lastChange: { offset: bigint; value: Buffer } | undefined
    let count = 0
    for (const record of this.#records) {
      if (record.offset >= offset) break
      count += 1
      timestamp = Math.max(timestamp, record.timestamp)
      if (record.isChange && record.value !== null) {
        lastChange = { offset: record.offset, value: record.value }
      }
    }
    const last = count === 0 ? undefined : this.#records[count - 1]
    this.#records = this.#records.slice(count)
    this.#base = {
      offset,
      timestamp,
      anchor: lastChange === undefined ? this.#base.anchor : anchorOf(lastChange),
      tail: last === undefined ? this.#base.tail : tailOf(last),
    }
    return this.#base
  }
}

function anchorOf({ offset, value }: { offset: bigint; value: Buffer }): Anchor {
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

function tailOf({ offset, value }: Kept): Tail {
  return { offset, digest: digestOf(value) }
}
