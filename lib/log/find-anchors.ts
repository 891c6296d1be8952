import type { Anchor } from '../checkpoint/types.ts'
import { decodeChange } from '../dts/decode-change.ts'
import { carriesChange } from '../dts/header.ts'
import type { RecordHeader } from '../dts/types.ts'
import { DtsError } from '../errors.ts'
import type { Stream } from '../kafka/stream.ts'
import type { DataRange } from '../kafka/types.ts'
import { type Identify, identify, identifyRouted } from './anchor.ts'
import { isDamage, type TimedRecord, timedRecords } from './scan.ts'

/** Where a change stands in this log. */
export interface Found {
  readonly anchor: Anchor
  /** False where it may as well be an equal change further on: then what lies between is repeated. */
  readonly exact: boolean
  /** The log ends within equal changes before it got to the one that is wanted. */
  readonly unfinished: boolean
}

/** How many records are looked through for lanes alone; a lane that is further ahead is taken for not found. */
const mostAhead = 500_000
/** How far the second half of a search runs into the first, in records: a statement may lie across the border. */
const overlap = 1_000

/** What is looked for in a log. */
export interface Wanted {
  /** The change that the checkpoint ends with. */
  readonly main: Anchor | null
  /** Changes that lanes are through. */
  readonly lanes: readonly Anchor[]
  /** In seconds; the first record that is not older is where a stream without an anchor may go on. */
  readonly since: number
}

export interface Searched {
  readonly found: ReadonlyMap<Anchor, Found>
  /** The first record that is not older than `since`, where the main change was not found; null: there is none. */
  readonly since: { readonly offset: bigint; readonly timestamp: number } | null
  /** Whether a change of the very time of the main one is there: another cluster may write the same change differently. */
  readonly hasTime: boolean
}

/**
 * Looks for changes by what they say, whatever the times of the records around them are: first from a place on where
 * they probably are, then before it. So a change that is not found is in no part of the log.
 * @param from where to begin, at best a little before all that is wanted
 * @param mayGoOn asked between records; @throws DtsError SEARCH_UNFINISHED when it says no
 */
export async function searchLog(
  stream: Stream,
  { earliest, end }: DataRange,
  wanted: Wanted,
  from: bigint,
  mayGoOn: () => boolean,
): Promise<Searched> {
  const scan = new Scan(stream, wanted, mayGoOn)
  // Without a main change, all that is left to look for is a time, and that of the first record that has it.
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
  readonly #mayGoOn: () => boolean
  readonly #found = new Map<Anchor, Found>()
  since: Searched['since'] = null
  hasTime = false

  constructor(stream: Stream, wanted: Wanted, mayGoOn: () => boolean) {
    this.#stream = stream
    this.#wanted = wanted
    this.#mayGoOn = mayGoOn
  }

  get found(): ReadonlyMap<Anchor, Found> {
    return this.#found
  }

  get hasMain(): boolean {
    const { main } = this.#wanted
    return main !== null && this.#found.has(main)
  }

  /** @param logEnd what is cut off there may still come */
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
        if (!this.#mayGoOn()) throw unfinished(record.offset, from, to)
        this.#look(record)
        const place = counter.count(record.header)
        for (const search of searches) search.look(record, place)
        if (isMainOver() && (++ahead > mostAhead || searches.every(({ settled }) => settled))) break
      }
    } catch (error) {
      // Lanes alone are worth no more than a repeat; what the main change is not found before may hold it.
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
    `The last committed change was looked for from offset ${from} on and not found up to offset ${offset}; the log goes on ` +
      `to offset ${to - 1n}, and the time of this invocation is over. Whether the change is in the log is not known, and ` +
      'nothing was done. A reset to a time of your choice needs no search.',
    {
      retryable: true,
      facts: { from: String(from), offset: String(offset), to: String(to) },
      next: [
        { action: 'reset', purpose: 'search with recovery, which has more time than a poller' },
        {
          action: 'deploy',
          change: 'Raise the timeout of the function "recovery" in serverless.yml (up to 900 s)',
          purpose: 'search longer, if recovery ran out of time',
        },
      ],
    },
  )
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
    if (place === null) this.settled = this.#equal.length > 0 && bracketsTransaction(header)
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
