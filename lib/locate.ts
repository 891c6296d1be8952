import { carriesChange, isFiller, readHeader } from './dts/header.ts'
import type { RecordHeader } from './dts/types.ts'
import { DtsError, type ErrorCode } from './errors.ts'
import type { LogRecord } from './kafka/records.ts'
import type { Stream } from './kafka/stream.ts'
import type { DataRange } from './kafka/types.ts'
import { formatTime, toSeconds } from './time.ts'

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
  for (const record of records) {
    const timed = readTimed(record)
    if (timed !== null) return timed.timestamp
  }
  return null
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

/**
 * The offset of the first record at or after a time.
 * @throws DtsError CHECKPOINT_OUT_OF_RANGE, which names the range, when the time is not within it
 */
export async function locateTime(stream: Stream, seconds: number): Promise<bigint> {
  const range = await stream.range()
  const times = await timeRange(stream, range)
  if (times === null) {
    throw outOfRange(seconds, `holds no records (offsets ${range.earliest} to ${range.end})`, {})
  }
  const offset = await stream.offsetForTime(seconds)
  // Brokers differ in what they answer for a time before the range (its start, or nothing), so the records decide.
  if (seconds < times.first || seconds > times.last || offset === null) {
    throw outOfRange(
      seconds,
      `covers ${formatTime(times.first)} to ${formatTime(times.last)}, offsets ${range.earliest} to ${range.end}`,
      { first: times.first, last: times.last },
    )
  }
  return offset < range.earliest ? range.earliest : offset
}

function outOfRange(seconds: number, range: string, facts: { first?: number; last?: number }): DtsError {
  return new DtsError(
    'CHECKPOINT_OUT_OF_RANGE',
    `The time ${formatTime(seconds)} is not in the data range: the stream ${range}. ` +
      'Choose a time inside it (DTS_CHECKPOINT for a first start, "to" for recovery), or "earliest" or "latest".',
    { retryable: false, facts: { seconds, ...facts } },
  )
}
