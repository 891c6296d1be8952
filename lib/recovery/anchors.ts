import { type Identify, identify, identifyRouted } from '../anchor.ts'
import type { Anchor } from '../checkpoint/types.ts'
import { decodeChange } from '../dts/change.ts'
import { carriesChange } from '../dts/header.ts'
import type { RecordHeader } from '../dts/types.ts'
import type { Stream } from '../kafka/stream.ts'
import { type TimedRecord, timedRecords } from '../locate.ts'

/** Where a change stands in this log. */
export interface Found {
  readonly anchor: Anchor
  /** False where it may as well be an equal change further on: then what lies between is repeated. */
  readonly exact: boolean
  /** The log ends within equal changes before it got to the one that is wanted. */
  readonly unfinished: boolean
}

/** How far past its time a change is looked for, in seconds: source times can go back a little. */
const scanPastSeconds = 60
/** How many records are looked through for lanes alone; a lane that is further ahead is taken for not found. */
const mostAhead = 500_000

/** Looks for the change that the checkpoint ends with, and for those that lanes are through, in one scan. */
export async function findAnchors(
  stream: Stream,
  main: Anchor | null,
  lanes: readonly Anchor[],
  from: bigint,
  end: bigint,
): Promise<ReadonlyMap<Anchor, Found>> {
  const first = main === null ? null : new Search(main, identify)
  const searches = lanes.map((anchor) => new Search(anchor, identifyRouted))
  if (first !== null) searches.unshift(first)
  const counter = new StatementCounter()
  let ahead = 0
  for await (const record of timedRecords(stream, from, end)) {
    const place = counter.count(record.header)
    for (const search of searches) search.look(record, place)
    if (first?.settled !== false && ++ahead > mostAhead) break
    if (searches.every(({ settled }) => settled)) break
  }
  return new Map(searches.flatMap(({ wanted, found }) => (found === null ? [] : [[wanted, found]])))
}

function bracketsTransaction({ operation }: Pick<RecordHeader, 'operation'>): boolean {
  return operation === 'BEGIN' || operation === 'COMMIT'
}

/** Where a change stands in its statement. */
interface StatementPlace {
  /** From 0 on; null where the statement may have begun before the scan. */
  readonly ordinal: number | null
}

/** Counts changes within their statements, as the anchors' ordinals were counted. */
class StatementCounter {
  #position = ''
  #transaction = ''
  #ordinal: number | null = null
  #knowsBeginning = false

  /** @returns null for a record that carries no change */
  count({ operation, sourcePosition, sourceTxid }: RecordHeader): StatementPlace | null {
    if (!carriesChange(operation)) {
      // A transaction's statements lie between these two, so that none goes on behind them.
      if (bracketsTransaction({ operation })) this.#knowsBeginning = true
      return null
    }
    const goesOn = sourcePosition === this.#position && sourceTxid === this.#transaction
    if (!goesOn) this.#ordinal = this.#knowsBeginning ? 0 : null
    else if (this.#ordinal !== null) this.#ordinal += 1
    this.#position = sourcePosition
    this.#transaction = sourceTxid
    this.#knowsBeginning = true
    return { ordinal: this.#ordinal }
  }
}

/** The search for one anchor. */
class Search {
  readonly wanted: Anchor
  readonly #digest: Identify
  settled = false
  /** Changes of the statement that are equal to the one that is wanted, and may be it. */
  readonly #equal: Anchor[] = []
  #exact: Anchor | null = null

  constructor(wanted: Anchor, digest: Identify) {
    this.wanted = wanted
    this.#digest = digest
  }

  /** Of equal changes the first: repeating is better than losing. */
  get found(): Found | null {
    if (this.#exact !== null) return { anchor: this.#exact, exact: true, unfinished: false }
    const [anchor, other] = this.#equal
    if (anchor === undefined) return null
    const exact = this.settled && other === undefined
    return { anchor, exact, unfinished: !this.settled && this.wanted.ordinal !== null }
  }

  look(record: TimedRecord, place: StatementPlace | null): void {
    if (this.settled) return
    const { wanted } = this
    const { header, timestamp, value, offset } = record
    if (timestamp > wanted.timestamp + scanPastSeconds) this.settled = true
    else if (place === null) this.settled = this.#equal.length > 0 && bracketsTransaction(header)
    else if (header.sourcePosition !== wanted.sourcePosition || header.sourceTxid !== wanted.transactionId)
      // Equal changes stand in one statement, and that one is over.
      this.settled = this.#equal.length > 0
    else if (timestamp === wanted.timestamp && this.#digest(value, header) === wanted.digest)
      this.#take({ ...wanted, offset, ordinal: place.ordinal }, isOnlyOne(record))
  }

  #take(anchor: Anchor, isOnlyOne: boolean): void {
    const { ordinal } = anchor
    if (isOnlyOne || (ordinal !== null && ordinal === this.wanted.ordinal)) {
      this.#exact = anchor
      this.settled = true
    } else if (this.#isNotBehind(ordinal)) {
      this.#equal.push(anchor)
    }
  }

  /** Whether an equal change that stands there cannot be one behind the change that is wanted. */
  #isNotBehind(ordinal: number | null): boolean {
    // Where the log begins within the statement, the change that is wanted may stand before that.
    if (ordinal === null) return false
    return this.wanted.ordinal === null || this.#equal.length > 0 || ordinal < this.wanted.ordinal
  }
}

/** A statement touches a row with a primary key once; rows without one may be equal. */
function isOnlyOne({ value, header }: TimedRecord): boolean {
  if (header.operation === 'DDL') return true
  try {
    return decodeChange(value, header, { offset: 0n, generation: 0, replay: false }, []).keys.length > 0
  } catch {
    return false
  }
}
