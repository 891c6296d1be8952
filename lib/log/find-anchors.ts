import type { Anchor } from '../checkpoint/types.ts'
import { decodeChange } from '../dts/decode-change.ts'
import { carriesChange } from '../dts/header.ts'
import type { RecordHeader } from '../dts/types.ts'
import { DtsError } from '../errors.ts'
import type { DataRange } from '../kafka/data-range.ts'
import type { Stream } from '../kafka/stream.ts'
import { type Identify, identify, identifyRouted } from './anchor.ts'
import { isDamage, type TimedRecord, timedRecords } from './scan.ts'

/** The place of a change in this log. */
export interface AnchorMatch {
  readonly anchor: Anchor
  /** False if an equal change further on may be the right one. Then the changes in between repeat. */
  readonly exact: boolean
  /** The log ends within equal changes, before the wanted one. */
  readonly unfinished: boolean
}

/** How many records are searched for lanes alone. A lane that is further ahead counts as not found. */
const mostAhead = 500_000
/** The second half of a search overlaps the first by this many records: a statement may lie across the border. */
const overlap = 1_000

/** The changes to search for. */
export interface Wanted {
  /** The change that the checkpoint ends with. */
  readonly main: Anchor | null
  /** The last change that each lane delivered. */
  readonly lanes: readonly Anchor[]
  /** In seconds. If the main change is lost, the stream can continue at the first record that is not older. */
  readonly since: number
}

export interface Searched {
  readonly found: ReadonlyMap<Anchor, AnchorMatch>
  /** The first record that is not older than `since`; null if there is none. Valid if the main change was not found. */
  readonly since: { readonly offset: bigint; readonly timestamp: number } | null
  /** Whether the log has a change with the main one's time: another cluster may write the same change differently. */
  readonly hasTime: boolean
}

/**
 * Searches for changes by their content, whatever times the records around them have. It begins where they probably are,
 * and then searches the part before. So a change that is not found is in no part of the log.
 * @param from where to begin: best a little before all wanted changes
 * @param mayContinue asked between records
 * @throws DtsError SEARCH_UNFINISHED if `mayContinue` says no
 */
export async function searchLog(
  stream: Stream,
  { earliest, end }: DataRange,
  wanted: Wanted,
  from: bigint,
  mayContinue: () => boolean,
): Promise<Searched> {
  const scan = new Scan(stream, wanted, mayContinue)
  // Without a main change, the search is for the first record of a time.
  await scan.run(wanted.main === null ? earliest : from, end, end)
  if (wanted.main !== null && !scan.hasMain) {
    const border = from + BigInt(overlap)
    await scan.run(earliest, border < end ? border : end, end)
  }
  return scan
}

/** One search, in one or two passes over parts of the log. */
class Scan implements Searched {
  readonly #stream: Stream
  readonly #wanted: Wanted
  readonly #mayContinue: () => boolean
  readonly #found = new Map<Anchor, AnchorMatch>()
  since: Searched['since'] = null
  hasTime = false

  constructor(stream: Stream, wanted: Wanted, mayContinue: () => boolean) {
    this.#stream = stream
    this.#wanted = wanted
    this.#mayContinue = mayContinue
  }

  get found(): ReadonlyMap<Anchor, AnchorMatch> {
    return this.#found
  }

  get hasMain(): boolean {
    const { main } = this.#wanted
    return main !== null && this.#found.has(main)
  }

  /** @param logEnd a statement that is cut off there may still be completed */
  async run(from: bigint, to: bigint, logEnd: bigint): Promise<void> {
    const { main, lanes } = this.#wanted
    const first = main === null ? null : new Search(main, identify)
    const missing = lanes.filter((anchor) => !this.#found.has(anchor))
    const searches = missing.map((anchor) => new Search(anchor, identifyRouted))
    if (first !== null) searches.unshift(first)
    const counter = new StatementCounter()
    const isMainOver = () => (first === null ? this.since !== null : first.settled)
    let ahead = 0
    try {
      for await (const record of timedRecords(this.#stream, from, to)) {
        if (!this.#mayContinue()) throw unfinished(record.offset, from, to)
        this.#look(record)
        const place = counter.count(record.header)
        for (const search of searches) search.look(record, place)
        if (isMainOver() && (++ahead > mostAhead || searches.every(({ settled }) => settled))) break
      }
    } catch (error) {
      // A lane that is not found costs only repeats. But the damage may hide the main change.
      if (!isDamage(error) || !isMainOver()) throw error
    }
    for (const search of searches) {
      const { found } = search
      if (found !== null)
        this.#found.set(search.wanted, { ...found, unfinished: found.unfinished && to === logEnd })
    }
  }

  #look({ offset, timestamp, header }: TimedRecord): void {
    const { main, since } = this.#wanted
    if (timestamp >= since && (this.since === null || offset < this.since.offset))
      this.since = { offset, timestamp }
    if (timestamp === main?.timestamp && carriesChange(header.operation)) this.hasTime = true
  }
}

function unfinished(offset: bigint, from: bigint, to: bigint): DtsError {
  return new DtsError(
    'SEARCH_UNFINISHED',
    `The search for the last committed change read offsets ${from} to ${offset} and did not find it. The log continues to ` +
      `offset ${to - 1n}, and this invocation has no more time. So it is not known whether the log holds the change, and ` +
      'nothing was done. A reset to a time of your choice needs no search.',
    {
      retryable: true,
      facts: { from: String(from), offset: String(offset), to: String(to) },
      next: [
        { action: 'reset', purpose: 'search with recovery, which has more time than a poller' },
        {
          action: 'deploy',
          change: 'Raise custom.stream.recovery.timeout in serverless.yml (up to 900 s)',
          purpose: 'search longer, if recovery ran out of time',
        },
      ],
    },
  )
}

function bracketsTransaction({ operation }: Pick<RecordHeader, 'operation'>): boolean {
  return operation === 'BEGIN' || operation === 'COMMIT'
}

/** The number of a change in its statement. */
interface StatementPlace {
  /** From 0 on; null if the statement may have begun before the scan. */
  readonly ordinal: number | null
}

/** Counts changes within their statements, in the same way as the ordinals of anchors. */
class StatementCounter {
  #position = ''
  #transaction = ''
  #ordinal: number | null = null
  #knowsBeginning = false

  /** @returns null for a record that carries no change */
  count({ operation, sourcePosition, sourceTxid }: RecordHeader): StatementPlace | null {
    if (!carriesChange(operation)) {
      // A statement lies between BEGIN and COMMIT, so none continues after one of them.
      if (bracketsTransaction({ operation })) this.#knowsBeginning = true
      return null
    }
    const isSame = sourcePosition === this.#position && sourceTxid === this.#transaction
    if (!isSame) this.#ordinal = this.#knowsBeginning ? 0 : null
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
  /** Changes of the statement that are equal to the wanted one, and may be it. */
  readonly #equal: Anchor[] = []
  #exact: Anchor | null = null

  constructor(wanted: Anchor, digest: Identify) {
    this.wanted = wanted
    this.#digest = digest
  }

  /** Of equal changes the first: a repeat is better than a loss. */
  get found(): AnchorMatch | null {
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
    if (place === null) this.settled = this.#equal.length > 0 && bracketsTransaction(header)
    else if (header.sourcePosition !== wanted.sourcePosition || header.sourceTxid !== wanted.transactionId)
      // Equal changes belong to one statement, and that statement is over.
      this.settled = this.#equal.length > 0
    else if (timestamp === wanted.timestamp && this.#digest(value, header) === wanted.digest)
      this.#take({ ...wanted, offset, ordinal: place.ordinal }, isOnlyOne(record))
  }

  #take(anchor: Anchor, isOnlyOne: boolean): void {
    const { ordinal } = anchor
    if (isOnlyOne || (ordinal !== null && ordinal === this.wanted.ordinal)) {
      this.#exact = anchor
      this.settled = true
    } else if (this.#isNotAfter(ordinal)) {
      this.#equal.push(anchor)
    }
  }

  /** Whether an equal change with this number cannot be after the wanted one. */
  #isNotAfter(ordinal: number | null): boolean {
    // If the log begins within the statement, the wanted change may be before the log's beginning.
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
