import type { SeenColumns } from '../checkpoint/column-history.ts'
import { carriesChange, readHeader } from '../dts/header.ts'
import { type ColumnListing, readChangedColumns } from '../dts/read-columns.ts'
import type { RecordHeader } from '../dts/types.ts'
import { toSeconds } from '../time.ts'
import type { Routing } from './routes.ts'
import type { Delivery } from './settings.ts'

/** A list of columns that is not the one that was judged last for its table. */
export interface Sighting extends SeenColumns {
  /** The index of the record in its slice. */
  readonly index: number
  readonly raw: Buffer
  readonly onDrift: Delivery['onDrift']
}

/** A longer list is not looked at: a history of such tables would not fit into its item. */
const maxListBytes = 32 * 1024
/** What all lists may take in memory. */
const maxBytes = 8 * 1024 * 1024

/** The list of each table that was judged last. The process keeps it from run to run. */
export class JudgedLists {
  readonly #lists = new Map<string, Buffer>()
  #bytes = 0

  get(table: string): Buffer | undefined {
    return this.#lists.get(table)
  }

  set(table: string, raw: Buffer): void {
    this.delete(table)
    const bytes = raw.length + table.length
    // Each list is then judged once more.
    if (this.#bytes + bytes > maxBytes) this.clear()
    this.#lists.set(table, raw)
    this.#bytes += bytes
  }

  delete(table: string): void {
    const before = this.#lists.get(table)
    if (before === undefined) return
    this.#bytes -= before.length + table.length
    this.#lists.delete(table)
  }

  clear(): void {
    this.#lists.clear()
    this.#bytes = 0
  }
}

/** A round ends after so many parts of slices: if the stream has no statements, 10,000 records. */
const partsOfRound = 10

/**
 * Looks for changed columns while records are routed. A look costs several times as much as a header, so a table gets one in each round,
 * and a statement ends the round. With `onDrift` halt, every record of the table gets one.
 */
export class ColumnLooks {
  readonly #judged: JudgedLists
  readonly #generation: number
  #round = 0
  #parts = 0
  /** Lists of this part that are not judged yet. */
  readonly #fresh = new Map<string, Buffer>()
  #sightings: Sighting[] = []

  constructor(judged: JudgedLists, generation: number) {
    this.#judged = judged
    this.#generation = generation
  }

  /** Begins a part of a slice. @returns the number of the round: a routing that `look` saw in it needs no further look */
  begin(): number {
    this.#fresh.clear()
    this.#sightings = []
    if (this.#parts++ % partsOfRound === 0) this.#round += 1
    return this.#round
  }

  /** What the part shows, in the order of its records. */
  get sightings(): readonly Sighting[] {
    return this.#sightings
  }

  /** @returns the number of the round, which a statement ends */
  look(bytes: Buffer, offset: bigint, index: number, routing: Routing): number {
    const header = readHeader(bytes)
    if (header.operation === 'DDL') return ++this.#round
    // A table's rows have one route, or none.
    const onDrift = routing.routes[0]?.onDrift ?? 'ignore'
    if (onDrift !== 'halt') routing.lookedIn = this.#round
    if (onDrift === 'ignore' || header.objectName === null || !carriesChange(header.operation))
      return this.#round
    const table = header.objectName
    const listing = tryListing(bytes, header, this.#judged.get(table))
    if (listing === null || listing.raw.length > maxListBytes) return this.#round
    if (this.#fresh.get(table)?.equals(listing.raw)) return this.#round
    this.#fresh.set(table, listing.raw)
    const since = { generation: this.#generation, offset, time: toSeconds(header.sourceTimestamp) }
    const columns = new Map(listing.columns.map(({ name, dataTypeNumber }) => [name, dataTypeNumber]))
    this.#sightings.push({ table, columns, since, index, raw: listing.raw, onDrift })
    return this.#round
  }
}

/** Null for a record that cannot be decoded: its function will meet the same fault, and has a policy for it. */
function tryListing(bytes: Buffer, header: RecordHeader, known: Buffer | undefined): ColumnListing | null {
  try {
    return readChangedColumns(bytes, header, known)
  } catch {
    return null
  }
}
