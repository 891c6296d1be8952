import { carriesChange, isFiller, readHeader } from '../dts/header.ts'
import type { RecordHeader } from '../dts/types.ts'
import { DtsError, type ErrorCode } from '../errors.ts'
import type { LogRecord } from '../kafka/records.ts'
import type { FetchBounds, Fetched, Stream } from '../kafka/stream.ts'
import { toSeconds } from '../time.ts'

/** Iterates over the records of a part of the log. */

/** A record that has a source time. */
export interface TimedRecord {
  readonly offset: bigint
  readonly value: Buffer
  readonly header: RecordHeader
  /** `sourceTimestamp` in seconds. */
  readonly timestamp: number
}

/** Bounds of a fetch for a record or two. */
export const glance = { maxBytes: 64 * 1024, maxWaitMs: 100 }

const scanBounds = { maxBytes: 1024 * 1024, maxWaitMs: 100 }

/** All records from `from` to `end`. @throws DtsError as `fetchBelow` */
export async function* allRecords(stream: Stream, from: bigint, end: bigint): AsyncGenerator<LogRecord> {
  for (let offset = from; offset < end; ) {
    const { records, nextOffset } = await fetchBelow(stream, offset, end, scanBounds)
    for (const record of records) if (record.offset < end) yield record
    offset = nextOffset
  }
}

/** So often is a fetch tried, if its answer does not get further. */
const mostTries = 4

/**
 * Fetches from an offset below the end of the log. A broken or empty answer is asked for again, because a search that
 * takes one for the state of the log would decide by it.
 * @throws DtsError BATCH_CORRUPT, BATCH_TOO_LARGE if the batch stays unreadable; BROKER_FAILED if it stays missing
 */
export async function fetchBelow(
  stream: Stream,
  offset: bigint,
  end: bigint,
  bounds: FetchBounds,
): Promise<Fetched> {
  for (let tries = 1; ; tries++) {
    try {
      const fetched = await stream.fetch(offset, bounds)
      if (fetched.nextOffset > offset) return fetched
    } catch (error) {
      if (!isDamage(error) || !error.retryable || tries === mostTries) throw error
      continue
    }
    if (tries === mostTries) throw nothingBelowEnd(offset, end)
  }
}

/** The broker holds back records of its log, as a throttled one may. */
export function nothingBelowEnd(offset: bigint, end: bigint): DtsError {
  return new DtsError(
    'BROKER_FAILED',
    `The broker names ${end} as the end of its log, but sends nothing from offset ${offset} on. Without these records ` +
      'it is not possible to continue. Run the same again.',
    { retryable: true, facts: { offset: String(offset), end: String(end) } },
  )
}

/** The timed records from `from` to `end`, without filler and undecodable records. */
export async function* timedRecords(stream: Stream, from: bigint, end: bigint): AsyncGenerator<TimedRecord> {
  for await (const record of allRecords(stream, from, end)) {
    const timed = readTimed(record)
    if (timed !== null) yield timed
  }
}

const damageCodes: ReadonlySet<ErrorCode> = new Set(['BATCH_CORRUPT', 'BATCH_TOO_LARGE'])

/** Whether a fetch failed because of the batch itself, so that another fetch fails too. */
export function isDamage(error: unknown): error is DtsError {
  return error instanceof DtsError && damageCodes.has(error.code)
}

/** As `timedRecords`, but the scan ends before a damaged batch instead of throwing. */
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

/** Whether a part of the log holds a change. A record or batch that cannot be read may be one, so it counts. */
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

/** Null for filler and for a record that cannot be decoded. */
export function readTimed({ offset, value }: LogRecord): TimedRecord | null {
  if (value === null || isFiller(value.length)) return null
  try {
    const header = readHeader(value)
    return { offset, value, header, timestamp: toSeconds(header.sourceTimestamp) }
  } catch {
    return null
  }
}
