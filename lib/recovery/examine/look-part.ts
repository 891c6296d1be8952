import { type DtsError, isDtsError } from '../../errors.ts'
import type { LogRecords } from '../../kafka/records.ts'
import type { Stream } from '../../kafka/stream.ts'
import { fetchBelow } from '../../log/scan.ts'
import type { ChangeReader, SeenChange } from './change-reader.ts'

/** How much one look reads and answers. */
export interface LookLimits {
  readonly records: number
  /** Of record values. */
  readonly bytes: number
  /** Of the listed changes, in JSON. */
  readonly answerBytes: number
  /** Asked between two fetches. */
  readonly mayContinue: () => boolean
}

/** The changes of one table. */
export interface CountedTable {
  readonly changes: number
  readonly lastOffset: bigint
  readonly lastOperation: string
}

/** What a look found in the part of the log that it read. */
export interface LookedPart {
  /** The first offset that was read, and the offset after the last one. */
  readonly from: bigint
  readonly to: bigint
  readonly records: number
  /** In the order of the log. */
  readonly changes: readonly SeenChange[]
  /** Wanted changes of the part that are not listed. */
  readonly more: number
  /** Changes whose rows could not be searched, because their values must not be seen. */
  readonly unsearched: number
  readonly tables: ReadonlyMap<string, CountedTable>
  /** Why the reading ended early; null if it did not. */
  readonly fault: DtsError | null
}

const fetchBounds = { maxBytes: 4 * 1024 * 1024, maxWaitMs: 100 }
/** The first step back is short: most looks need only the newest changes, and a step that does not end in time shows nothing. */
const [firstStep, longestStep] = [100n, 50_000n]
/** A change with more is listed without its columns. */
const mostChangeBytes = 100_000

/** Collects the newest or the first changes of consecutive records. */
class Collected {
  readonly #reader: ChangeReader
  readonly #max: number
  readonly #maxBytes: number
  readonly #sizes: number[] = []
  readonly changes: SeenChange[] = []
  readonly tables = new Map<string, CountedTable>()
  records = 0
  more = 0
  unsearched = 0
  #bytes = 0

  constructor(reader: ChangeReader, max: number, maxBytes: number) {
    this.#reader = reader
    this.#max = max
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  get isFull(): boolean {
    return this.changes.length >= this.#max || this.#bytes >= this.#maxBytes
  }

  add(records: LogRecords, index: number): void {
    this.records += 1
    const seen = this.#reader.read(records, index, this.#max > 0)
    if (seen === null) return
    const { table, operation, row } = seen
    if (operation !== 'DDL' && table !== '') this.#count(table, records.offset(index), operation)
    if (row === 'other') return
    if (row === 'hidden') this.unsearched += 1
    else if (row === 'counted') this.more += 1
    else {
      const { whole, size } = sized(row)
      this.changes.push(whole)
      this.#sizes.push(size)
      this.#bytes += size
    }
  }

  /** Leaves out the oldest ones that are too many. */
  keepNewest(): void {
    while (this.changes.length > this.#max || (this.#bytes > this.#maxBytes && this.changes.length > 1)) {
      this.changes.shift()
      this.#bytes -= this.#sizes.shift() ?? 0
      this.more += 1
    }
  }

  #count(table: string, lastOffset: bigint, lastOperation: string): void {
    const changes = (this.tables.get(table)?.changes ?? 0) + 1
    this.tables.set(table, { changes, lastOffset, lastOperation })
  }
}

/** Reads up from an offset until `max` changes are listed. */
export async function lookUp(
  stream: Stream,
  reader: ChangeReader,
  { from, end, max }: { readonly from: bigint; readonly end: bigint; readonly max: number },
  limits: LookLimits,
): Promise<LookedPart> {
  const found = new Collected(reader, max, limits.answerBytes)
  let next = from
  let bytes = 0
  const answer = (fault: DtsError | null): LookedPart => ({
    ...partOf(found),
    from,
    to: next,
    fault,
  })
  while (next < end && !found.isFull && isWithin(limits, found.records, bytes)) {
    try {
      const fetched = await fetchBelow(stream, next, end, fetchBounds)
      const { records, nextOffset, free } = fetched
      next = nextOffset < end ? nextOffset : end
      for (let index = 0; index < records.length; index++) {
        const offset = records.offset(index)
        if (offset >= end) break
        if (found.isFull) {
          next = offset
          break
        }
        bytes += records.size(index)
        found.add(records, index)
      }
      free()
    } catch (fault) {
      if (!isDtsError(fault) || found.records === 0) throw fault
      return answer(fault)
    }
  }
  return answer(null)
}

/**
 * Reads back from an offset in steps, each of them in the order of the log, down to `from`.
 * @param untilFull whether the reading ends as soon as `max` changes are listed
 */
export async function lookBack(
  stream: Stream,
  reader: ChangeReader,
  part: { readonly from: bigint; readonly end: bigint; readonly max: number; readonly untilFull: boolean },
  limits: LookLimits,
): Promise<LookedPart> {
  const { from, end, max, untilFull } = part
  let whole: LookedPart = { ...emptyPart, from: end, to: end }
  let listedBytes = 0
  let readBytes = 0
  let step = firstStep
  while (whole.from > from && isWithin(limits, whole.records, readBytes)) {
    const left = max - whole.changes.length
    const isFull = left <= 0 || listedBytes >= limits.answerBytes
    if (isFull && untilFull) break
    const recordsLeft = BigInt(limits.records - whole.records)
    const length = step < recordsLeft ? step : recordsLeft
    const start = whole.from - length < from ? from : whole.from - length
    const found = new Collected(reader, isFull ? 0 : left, limits.answerBytes - listedBytes)
    const read = await readStep(stream, found, start, whole.from, limits.mayContinue)
    if (read.fault !== null && whole.records === 0) throw read.fault
    if (!read.isWhole) return { ...whole, fault: read.fault }
    readBytes += read.bytes
    listedBytes += found.bytes
    whole = joined({ ...partOf(found), from: start, to: whole.from, fault: null }, whole)
    step = step * 4n > longestStep ? longestStep : step * 4n
  }
  return whole
}

async function readStep(
  stream: Stream,
  found: Collected,
  from: bigint,
  end: bigint,
  mayContinue: () => boolean,
): Promise<{ readonly isWhole: boolean; readonly fault: DtsError | null; readonly bytes: number }> {
  let bytes = 0
  for (let next = from; next < end; ) {
    if (next > from && !mayContinue()) return { isWhole: false, fault: null, bytes }
    try {
      const { records, nextOffset, free } = await fetchBelow(stream, next, end, fetchBounds)
      for (let index = 0; index < records.length && records.offset(index) < end; index++) {
        bytes += records.size(index)
        found.add(records, index)
        found.keepNewest()
      }
      free()
      next = nextOffset
    } catch (fault) {
      if (!isDtsError(fault)) throw fault
      return { isWhole: false, fault, bytes }
    }
  }
  return { isWhole: true, fault: null, bytes }
}

function isWithin(limits: LookLimits, records: number, bytes: number): boolean {
  return records < limits.records && bytes < limits.bytes && limits.mayContinue()
}

type Contents = Omit<LookedPart, 'from' | 'to' | 'fault'>

const emptyPart: Contents & { readonly fault: null } = {
  records: 0,
  changes: [],
  more: 0,
  unsearched: 0,
  tables: new Map(),
  fault: null,
}

function partOf({ records, changes, more, unsearched, tables }: Collected): Contents {
  return { records, changes, more, unsearched, tables }
}

function joined(older: LookedPart, newer: LookedPart): LookedPart {
  const tables = new Map(newer.tables)
  for (const [table, counted] of older.tables) {
    const known = tables.get(table)
    tables.set(table, known === undefined ? counted : { ...known, changes: known.changes + counted.changes })
  }
  return {
    from: older.from,
    to: newer.to,
    records: older.records + newer.records,
    changes: [...older.changes, ...newer.changes],
    more: older.more + newer.more,
    unsearched: older.unsearched + newer.unsearched,
    tables,
    fault: null,
  }
}

/** The change, and its size in an answer in bytes. One that is too large loses its columns. */
function sized(change: SeenChange): { readonly whole: SeenChange; readonly size: number } {
  const sizeOf = (one: SeenChange) =>
    Buffer.byteLength(JSON.stringify({ ...one, offset: String(one.offset) }))
  const size = sizeOf(change)
  if (size <= mostChangeBytes) return { whole: change, size }
  const whole = { ...change, columns: [], withheld: 'Its columns are too large for the answer.' }
  return { whole, size: sizeOf(whole) }
}
