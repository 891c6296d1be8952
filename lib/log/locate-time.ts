import { DtsError, type NextStep } from '../errors.ts'
import { type DataRange, formatOffsets } from '../kafka/data-range.ts'
import type { Stream } from '../kafka/stream.ts'
import { formatTime } from '../time.ts'
import { firstLevel, type LogEnds, lastLevel, logEnds } from './log-times.ts'
import { readableRecords } from './scan.ts'

/**
 * The offset of the first record at or after a time.
 * @param elsewhere what a person can do if the time is not within the range
 * @throws DtsError CHECKPOINT_OUT_OF_RANGE, which names the range, if the time is not within it
 */
export async function locateTime(
  stream: Stream,
  seconds: number,
  elsewhere: readonly NextStep[] = [],
): Promise<bigint> {
  const range = await stream.range()
  return await locateTimeIn(stream, range, await logEnds(stream, range), seconds, elsewhere)
}

/** As `locateTime`, in a log whose range and ends were read already. */
export async function locateTimeIn(
  stream: Stream,
  range: DataRange,
  ends: LogEnds,
  seconds: number,
  elsewhere: readonly NextStep[] = [],
): Promise<bigint> {
  if (ends.kind === 'damaged') throw ends.fault
  if (ends.kind === 'empty') {
    throw outOfRange(seconds, `holds no record of a time (${formatOffsets(range)})`, {}, [])
  }
  const offset = await stream.offsetForTime(seconds)
  if (offset !== null && offset > range.end) throw beyondEnd(seconds, offset, range)
  // For a time before the range some brokers answer its start, others nothing. So the records decide. A single record
  // can have a wrong date, so three of them do.
  const first = Math.min(ends.first, (await firstLevel(stream, range))?.middle ?? ends.first)
  const last = Math.max(ends.last, (await lastLevel(stream, range))?.highest ?? ends.last)
  if (seconds < first || seconds > last || offset === null) {
    const covered = `covers ${formatTime(first)} to ${formatTime(last)}, ${formatOffsets(range)}`
    throw outOfRange(seconds, covered, { first, last }, elsewhere)
  }
  return await firstNear(stream, seconds, offset < range.earliest ? range.earliest : offset, range)
}

/** The broker's offset for a time, if it is within the range; otherwise the earliest offset. */
export async function offsetNear(
  stream: Stream,
  { earliest, end }: DataRange,
  seconds: number,
): Promise<bigint> {
  const offset = await stream.offsetForTime(Math.max(0, seconds))
  // Some brokers find nothing for a time before their range. Their answer would otherwise send us to the end.
  return offset === null || offset < earliest || offset > end ? earliest : offset
}

/** This many records below the broker's offset are checked too. */
const mostBelow = 20_000n

/** A broker that searches times by halves expects them in order, and one wrong date misleads it. */
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
      `(${formatOffsets(range)}). To begin there would skip changes, so nothing was done. Run the same again.`,
    { retryable: true, facts: { seconds, offset: String(offset), end: String(range.end) } },
  )
}

function outOfRange(
  seconds: number,
  range: string,
  facts: { first?: number; last?: number },
  next: readonly NextStep[],
): DtsError {
  return new DtsError(
    'CHECKPOINT_OUT_OF_RANGE',
    `The time ${formatTime(seconds)} is not in the data range: the stream ${range}. ` +
      'Choose a time inside it (DTS_CHECKPOINT for a first start), or the earliest or latest record.',
    { retryable: false, facts: { seconds, ...facts }, next },
  )
}
