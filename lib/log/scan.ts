import { carriesChange, isFiller, readHeader } from '../dts/header.ts'
import type { RecordHeader } from '../dts/types.ts'
import { DtsError, type ErrorCode } from '../errors.ts'
import type { LogRecord } from '../kafka/records.ts'
import type { Stream } from '../kafka/stream.ts'
import { type DataRange, formatOffsets } from '../kafka/types.ts'
import { formatTime, toSeconds } from '../time.ts'

/** Finding places in the log by what its records say. Reads only. */

/** A record of the log that says when it happened. */
export interface TimedRecord {
  readonly offset: bigint
  readonly value: Buffer
  readonly header: RecordHeader
  /** `sourceTimestamp` in seconds. */
  readonly timestamp: number
}

/** Source times (seconds) of the first and the last record that can be read; null when there is none. */
export interface TimeRange {
  readonly first: number
  readonly last: number
}

/** Bounds of a fetch for a record or two. */
export const glance = { maxBytes: 64 * 1024, maxWaitMs: 100 }

const scanBounds = { maxBytes: 1024 * 1024, maxWaitMs: 100 }

/** All records from `from` to `end`. */
async function* allRecords(stream: Stream, from: bigint, end: bigint): AsyncGenerator<LogRecord> {
  for (let offset = from; offset < end; ) {
    const { records, nextOffset } = await stream.fetch(offset, scanBounds)
    if (nextOffset === offset) return
    for (const record of records) if (record.offset < end) yield record
    offset = nextOffset
  }
}

/** The timed records from `from` to `end`; filler and what cannot be decoded is passed over. */
export async function* timedRecords(stream: Stream, from: bigint, end: bigint): AsyncGenerator<TimedRecord> {
  for await (const record of allRecords(stream, from, end)) {
    const timed = readTimed(record)
    if (timed !== null) yield timed
  }
}

const damage: ReadonlySet<ErrorCode> = new Set(['BATCH_CORRUPT', 'BATCH_TOO_LARGE'])

/** Whether a fetch failed for what lies there, so that another one fails as well. */
export function isDamage(error: unknown): boolean {
  return error instanceof DtsError && damage.has(error.code)
}

/** The same as far as they can be read: the scan ends before a damaged batch. */
export async function* readableRecords(
  stream: Stream,
  from: bigint,
  end: bigint,
): AsyncGenerator<TimedRecord> {
  try {
    yield* timedRecords(stream, from, end)
  } catch (error) {
    if (!isDamage(error)) throw error
  }
}

/** Whether something stands there that has to be handled or, where it cannot be read, may have to be. */
export async function holdsWork(stream: Stream, from: bigint, end: bigint): Promise<boolean> {
  try {
    for await (const record of allRecords(stream, from, end)) {
      if (isFiller(record.size)) continue
      const timed = readTimed(record)
      if (timed === null || carriesChange(timed.header.operation)) return true
    }
    return false
  } catch (error) {
    if (isDamage(error)) return true
    throw error
  }
}

function readTimed({ offset, value }: LogRecord): TimedRecord | null {
  if (value === null || isFiller(value.length)) return null
  try {
    const header = readHeader(value)
    return { offset, value, header, timestamp: toSeconds(header.sourceTimestamp) }
  } catch {
    return null
  }
}

/** Source time (seconds) of the oldest readable record, looked for in one fetch; null when that holds none. */
export async function oldestTime(stream: Stream, { earliest }: DataRange): Promise<number | null> {
  const { records } = await stream.fetch(earliest, glance)
  const seen = new Witnesses()
  for (const record of records) {
    const timed = readTimed(record)
    if (timed !== null) seen.add(timed)
    if (seen.size >= witnesses) break
  }
  return seen.first
}

/** The widest look at the end of the log, in records. */
const widestLook = 16_384n

/**
 * Source times (seconds) of the last records, of those that are usable: of 64 records, or, where none of these is, of a
 * wider look. Empty where none was found.
 */
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

/** What times the data range covers. The last record is looked for from the end in growing steps. */
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
    // Damage at the end does not hide what stands before it; where nothing is left to look at, it is told.
    const records = (from === range.earliest ? timedRecords : readableRecords)(stream, from, range.end)
    for await (const { timestamp } of records) last = timestamp
    if (last !== undefined) return { first, last }
    if (from === range.earliest) return null
  }
}

/** How many records that do not depend on one another tell what time a part of the log is of. */
const witnesses = 3
/** Records further than this are not looked at for them: then what was found has to do. */
const mostRead = 100_000

/**
 * What time the log begins at, in seconds: two of its first three transactions and heartbeats are not younger. So it
 * takes more than one transaction with a strange date to move it. Null when there is no record.
 */
export async function firstLevel(stream: Stream, { earliest, end }: DataRange): Promise<number | null> {
  const seen = new Witnesses()
  for await (const record of timedRecords(stream, earliest, end)) {
    seen.add(record)
    if (seen.size >= witnesses || seen.read > mostRead) break
  }
  return seen.first
}

/** What time a log ends at, in seconds: of the last three transactions and heartbeats. */
export interface LastLevel {
  /** Two of them are not older. */
  readonly middle: number
  readonly highest: number
}

/** Null when there is no record. */
export async function lastLevel(stream: Stream, { earliest, end }: DataRange): Promise<LastLevel | null> {
  for (let step = 16n; ; step *= 16n) {
    const from = end - step < earliest ? earliest : end - step
    const seen = new Witnesses()
    for await (const record of readableRecords(stream, from, end)) seen.add(record)
    if (seen.size < witnesses && from > earliest && seen.read <= mostRead) continue
    return seen.last
  }
}

/** So many records after a place tell what time it is of. */
const nextRecords = 100

/** A time (seconds) that none of the next records is older than; null when there are none. */
export async function lowestNext(stream: Stream, offset: bigint, { end }: DataRange): Promise<number | null> {
  let [lowest, left]: [number | null, number] = [null, nextRecords]
  for await (const { timestamp } of readableRecords(stream, offset, end)) {
    lowest = Math.min(lowest ?? timestamp, timestamp)
    if (--left === 0) break
  }
  return lowest
}

/** The times of transactions, each once, and of records outside of them. */
class Witnesses {
  readonly #byOrigin = new Map<string, number>()
  /** Records looked at. */
  read = 0

  get size(): number {
    return this.#byOrigin.size
  }

  /** The middle one of the first; of two the later: a log may begin later than it seems to. */
  get first(): number | null {
    const times = this.#sorted((all) => all.slice(0, witnesses))
    return times[times.length >> 1] ?? null
  }

  /** The middle one is of two the earlier. */
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
    // In the order in which they end.
    this.#byOrigin.delete(origin)
    this.#byOrigin.set(origin, timestamp)
  }
}

/**
 * The offset of the first record at or after a time.
 * @throws DtsError CHECKPOINT_OUT_OF_RANGE, which names the range, when the time is not within it
 */
export async function locateTime(stream: Stream, seconds: number): Promise<bigint> {
  const range = await stream.range()
  const times = await timeRange(stream, range)
  if (times === null) {
    throw outOfRange(seconds, `holds no record of a time (${formatOffsets(range)})`, {})
  }
  const offset = await stream.offsetForTime(seconds)
  if (offset !== null && offset > range.end) throw beyondEnd(seconds, offset, range)
  // Brokers differ in what they answer for a time before the range (its start, or nothing), so the records decide: not
  // one alone, which may be dated otherwise than those around it.
  const first = Math.min(times.first, (await firstLevel(stream, range)) ?? times.first)
  const last = Math.max(times.last, (await lastLevel(stream, range))?.highest ?? times.last)
  if (seconds < first || seconds > last || offset === null) {
    throw outOfRange(seconds, `covers ${formatTime(first)} to ${formatTime(last)}, ${formatOffsets(range)}`, {
      first,
      last,
    })
  }
  return await firstNear(stream, seconds, offset < range.earliest ? range.earliest : offset, range)
}

/** So many records below what a broker found for a time are looked at, too. */
const mostBelow = 20_000n

/** A broker that searches times as if they were in order can be misled by one: records below tell. */
async function firstNear(
  stream: Stream,
  seconds: number,
  offset: bigint,
  { earliest }: DataRange,
): Promise<bigint> {
  const from = offset - mostBelow < earliest ? earliest : offset - mostBelow
  for await (const record of readableRecords(stream, from, offset)) {
    if (record.timestamp >= seconds) return record.offset
  }
  return offset
}

function beyondEnd(seconds: number, offset: bigint, range: DataRange): DtsError {
  return new DtsError(
    'BROKER_FAILED',
    `The broker named offset ${offset} for the time ${formatTime(seconds)}, which is above the end of its log ` +
      `(${formatOffsets(range)}). To begin there would pass over changes, so nothing was done; run the same again.`,
    { retryable: true, facts: { seconds, offset: String(offset), end: String(range.end) } },
  )
}

function outOfRange(seconds: number, range: string, facts: { first?: number; last?: number }): DtsError {
  return new DtsError(
    'CHECKPOINT_OUT_OF_RANGE',
    `The time ${formatTime(seconds)} is not in the data range: the stream ${range}. ` +
      'Choose a time inside it (DTS_CHECKPOINT for a first start), or the earliest or latest record.',
    { retryable: false, facts: { seconds, ...facts } },
  )
}
