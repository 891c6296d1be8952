import type { Change } from '../../../lib/dts/change.ts'
import { asDtsError, DtsError } from '../../../lib/errors.ts'
import { type DataRange, formatOffsets } from '../../../lib/kafka/data-range.ts'
import type { LogRecord } from '../../../lib/kafka/records.ts'
import type { Fetched, Stream } from '../../../lib/kafka/stream.ts'
import { locateTime } from '../../../lib/log/locate-time.ts'
import { fetchBelow } from '../../../lib/log/scan.ts'
import type { Place } from './arguments.ts'
import type { Selector } from './select.ts'

const fetchBounds = { maxBytes: 4 * 1024 * 1024, maxWaitMs: 500 }

/** A part of the log to read: from an offset to the one before `end`; null: without an end. */
export interface Part {
  readonly from: bigint
  readonly end: bigint | null
}

/** @throws DtsError CHECKPOINT_OUT_OF_RANGE, DATA_GAP if a place is outside the data range */
export async function partOf(stream: Stream, from: Place, to: Place | null, follow: boolean): Promise<Part> {
  const range = await stream.range()
  const offsetOf = async (place: Place): Promise<bigint> => {
    switch (place.kind) {
      case 'earliest':
        return range.earliest
      case 'latest':
        return range.end
      case 'offset':
        return place.offset
      case 'time':
        return await locateTime(stream, place.seconds)
    }
  }
  const start = await offsetOf(from)
  if (start < range.earliest || start > range.end) throw outside(start, range)
  if (follow) return { from: start, end: null }
  if (to === null) return { from: start, end: range.end }
  const end = await offsetOf(to)
  if (end < start) throw endsBefore(start, end)
  return { from: start, end: end > range.end ? range.end : end }
}

function outside(offset: bigint, range: DataRange): DtsError {
  return new DtsError(
    'CHECKPOINT_OUT_OF_RANGE',
    `Offset ${offset} is not in the data range: ${formatOffsets(range)}. Choose --from inside it, or earliest or latest.`,
    { retryable: false, facts: { offset: String(offset) } },
  )
}

function endsBefore(from: bigint, end: bigint): DtsError {
  return new DtsError(
    'CHECKPOINT_OUT_OF_RANGE',
    `--from is at offset ${from}, and --to at offset ${end} is before it. Exchange them.`,
    { retryable: false, facts: { from: String(from), to: String(end) } },
  )
}

/** What one fetch brought, after the selection. */
export interface Step {
  readonly changes: readonly Change[]
  /** Records that cannot be read as DTS records. */
  readonly faults: readonly { readonly offset: bigint; readonly error: DtsError }[]
  readonly records: number
  readonly nextOffset: bigint
  /** The end of the log at that time. */
  readonly logEnd: bigint
  /** Source time of the last change in the step, in seconds or milliseconds as the record has it; null if there is none. */
  readonly lastTimestamp: number | null
  /** Frees the records' bytes. The changes become unreadable. */
  free(): void
}

/** Reads a part of the log. The next fetch is under way while the caller uses a step. */
export async function* readSteps(
  stream: Stream,
  { from, end }: Part,
  selector: Selector,
): AsyncGenerator<Step> {
  const fetchAt = (offset: bigint) =>
    end === null ? stream.fetch(offset, fetchBounds) : fetchBelow(stream, offset, end, fetchBounds)
  const hasMore = (offset: bigint) => end === null || offset < end
  let fetching: Promise<Fetched> | null = hasMore(from) ? fetchAt(from) : null
  while (fetching !== null) {
    const fetched: Fetched = await fetching
    fetching = hasMore(fetched.nextOffset) ? fetchAt(fetched.nextOffset) : null
    // Its failure is reported when its turn comes.
    fetching?.catch(() => {})
    yield stepOf(fetched, end, selector)
  }
}

function stepOf(fetched: Fetched, end: bigint | null, selector: Selector): Step {
  const changes: Change[] = []
  const faults: { offset: bigint; error: DtsError }[] = []
  let records = 0
  for (const record of fetched.records) {
    if (end !== null && record.offset >= end) break
    records += 1
    const change = selected(record, selector, faults)
    if (change !== null) changes.push(change)
  }
  return {
    changes,
    faults,
    records,
    nextOffset: fetched.nextOffset,
    logEnd: fetched.end,
    lastTimestamp: changes.at(-1)?.timestamp ?? null,
    free: fetched.free,
  }
}

function selected(
  record: LogRecord,
  selector: Selector,
  faults: { offset: bigint; error: DtsError }[],
): Change | null {
  try {
    return selector.select(record)
  } catch (thrown) {
    const error = asDtsError(thrown, 'RECORD_INVALID', false)
    // Any other error is a mistake in the flags, which the next record would repeat.
    if (error.code !== 'RECORD_INVALID') throw error
    faults.push({ offset: record.offset, error })
    return null
  }
}
