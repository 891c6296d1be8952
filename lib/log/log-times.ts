import { furthestJump } from '../checkpoint/source-times.ts'
import { carriesChange } from '../dts/header.ts'
import type { DtsError } from '../errors.ts'
import type { DataRange } from '../kafka/data-range.ts'
import type { Stream } from '../kafka/stream.ts'
import { glance, isDamage, readableRecords, readTimed, type TimedRecord, timedRecords } from './scan.ts'

/** Reads which source times (seconds) a log covers. */

/** Times of the first and the last record that can be read; null if there is none. */
export interface TimeRange {
  readonly first: number
  readonly last: number
}

/** The times at both ends of a log. */
export type LogEnds =
  | ({ readonly kind: 'covers' } & TimeRange)
  | { readonly kind: 'empty' }
  | { readonly kind: 'damaged'; readonly fault: DtsError }

export async function logEnds(stream: Stream, range: DataRange): Promise<LogEnds> {
  try {
    const times = await timeRange(stream, range)
    return times === null ? { kind: 'empty' } : { kind: 'covers', ...times }
  } catch (fault) {
    if (isDamage(fault)) return { kind: 'damaged', fault }
    throw fault
  }
}

/** The time of the oldest readable record, from one fetch; null if that fetch brings none. */
export async function oldestTime(stream: Stream, { earliest }: DataRange): Promise<number | null> {
  const { records } = await stream.fetch(earliest, glance)
  const seen = new Witnesses()
  for (const record of records) {
    const timed = readTimed(record)
    if (timed !== null) seen.add(timed)
    if (seen.size >= witnesses) break
  }
  return seen.first?.middle ?? null
}

/** The widest look at the end of the log, in records. */
const widestLook = 16_384n

/** The usable times among the last 64 records. If none is usable, among more records. Empty if none was found. */
export async function timesAtEnd(
  stream: Stream,
  range: DataRange,
  isUsable: (time: number) => boolean,
): Promise<number[]> {
  for (let step = 64n; ; step *= 16n) {
    const from = range.end - step < range.earliest ? range.earliest : range.end - step
    const times: number[] = []
    for await (const { timestamp } of readableRecords(stream, from, range.end))
      if (isUsable(timestamp)) times.push(timestamp)
    if (times.length > 0 || from === range.earliest || step >= widestLook) return times
  }
}

/**
 * The times that the data range covers. It looks for the last record from the end, in growing steps.
 * @throws DtsError BATCH_CORRUPT, BATCH_TOO_LARGE if damage hides all records at one end
 */
export async function timeRange(stream: Stream, range: DataRange): Promise<TimeRange | null> {
  let first: number | undefined
  for await (const { timestamp } of timedRecords(stream, range.earliest, range.end)) {
    first = timestamp
    break
  }
  if (first === undefined) return null
  for (let step = 1n; ; step *= 16n) {
    const from = range.end - step < range.earliest ? range.earliest : range.end - step
    let last: number | undefined
    // Damage at the end does not hide the records before it. Once the whole range was read, it is reported.
    const records = (from === range.earliest ? timedRecords : readableRecords)(stream, from, range.end)
    for await (const { timestamp } of records) last = timestamp
    if (last !== undefined) return { first, last }
    if (from === range.earliest) return null
  }
}

/** How many independent records it takes to say which time a part of the log has. */
const witnesses = 3
/** After this many records the search for independent ones ends, and those that were found decide. */
const mostRead = 100_000

/** The time at which a log begins, by its first three transactions and heartbeats: one of three with a wrong date cannot move it. */
export interface FirstLevel {
  /** Two of three are not younger. */
  readonly middle: number
  /** Without one of three that is dated far ahead of the others. */
  readonly highest: number
}

/** Null if there is no record. */
export async function firstLevel(stream: Stream, { earliest, end }: DataRange): Promise<FirstLevel | null> {
  const seen = new Witnesses()
  for await (const record of timedRecords(stream, earliest, end)) {
    seen.add(record)
    if (seen.size >= witnesses || seen.read > mostRead) break
  }
  return seen.first
}

/** The time at which a log ends, by its last three transactions and heartbeats. */
export interface LastLevel {
  /** Two of them are not older. */
  readonly middle: number
  readonly highest: number
}

/** Null if there is no record. */
export async function lastLevel(stream: Stream, { earliest, end }: DataRange): Promise<LastLevel | null> {
  for (let step = 16n; ; step *= 16n) {
    const from = end - step < earliest ? earliest : end - step
    const seen = new Witnesses()
    for await (const record of readableRecords(stream, from, end)) seen.add(record)
    if (seen.size < witnesses && from > earliest && seen.read <= mostRead) continue
    return seen.last
  }
}

/** The times of transactions, each once, and of records outside of transactions. */
class Witnesses {
  readonly #byOrigin = new Map<string, number>()
  /** Records looked at. */
  read = 0

  get size(): number {
    return this.#byOrigin.size
  }

  /** Of two, the middle one is the later: a log may begin later than one record says. */
  get first(): FirstLevel | null {
    const times = this.#sorted((all) => all.slice(0, witnesses))
    const middle = times[times.length >> 1]
    if (middle === undefined) return null
    const highest = times.findLast((time) => time <= middle + furthestJump) ?? middle
    return { middle, highest }
  }

  /** Of two, the middle one is the earlier. */
  get last(): LastLevel | null {
    const times = this.#sorted((all) => all.slice(-witnesses))
    const [middle, highest] = [times[(times.length - 1) >> 1], times.at(-1)]
    return middle === undefined || highest === undefined ? null : { middle, highest }
  }

  #sorted(part: (times: number[]) => number[]): number[] {
    return part([...this.#byOrigin.values()]).sort((left, right) => left - right)
  }

  add({ header, timestamp, offset }: TimedRecord): void {
    this.read += 1
    const { operation, sourceTxid, sourcePosition } = header
    const isChange = carriesChange(operation)
    const isOfTransaction = sourceTxid !== '' && (isChange || operation === 'BEGIN' || operation === 'COMMIT')
    const own = isChange ? `at ${sourcePosition}` : String(offset)
    const origin = isOfTransaction ? `of ${sourceTxid}` : own
    // Ordered by the end of the transactions.
    this.#byOrigin.delete(origin)
    this.#byOrigin.set(origin, timestamp)
  }
}
