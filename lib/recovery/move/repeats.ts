import { leastMargin } from '../../checkpoint/source-times.ts'
import { carriesChange } from '../../dts/header.ts'
import type { Stream } from '../../kafka/stream.ts'
import { isDamage, type TimedRecord, timedRecords, timeRange } from '../../log/scan.ts'
import type { Move } from './landing.ts'

/** What a move of the checkpoint may deliver once more. */
export interface Repeats {
  /** Until which source time (seconds) deliveries are to be marked as replays; -1 for none. */
  readonly until: number
  /** By table, as far as the log is filled by now, up to `countedTo`: an upper bound. */
  readonly counts: Readonly<Record<string, number>>
  /** From this offset on more may repeat than was counted; null: there is no more. */
  readonly countedTo: bigint | null
}

/** Counting reads that part of the log; beyond so many records, or where it cannot be read, the answer only says that. */
const mostCounted = 500_000

/** What each part of a move's past may repeat, in source times (seconds). */
async function bounds(move: Move, stream: Stream, now: number) {
  const { landing, known, lead, handledBelow, handledUntil } = move
  const handled = handledBelow !== null && handledBelow <= landing.offset ? -1 : handledUntil
  // What an earlier move made repeat may still be on its way.
  const anywhere = Math.max(known.replayUntil, lead.forgottenUntil ?? (await youngestDone(move, stream, now)))
  return { anywhere, handled, until: Math.max(anywhere, handled) }
}

/** Until which source time (seconds) deliveries are to be marked as replays; -1 for none. */
export async function replayUntilOf(move: Move, stream: Stream, now: number): Promise<number> {
  return (await bounds(move, stream, now)).until
}

/**
 * @param now the clock of recovery, in milliseconds since 1970
 * @param most records to look at
 */
export async function repeatsOf(
  move: Move,
  stream: Stream,
  now: number,
  most = mostCounted,
): Promise<Repeats> {
  const counts: Record<string, number> = Object.create(null)
  const { landing, handledBelow } = move
  const { anywhere, handled, until } = await bounds(move, stream, now)
  if (until < 0) return { until, counts, countedTo: null }
  const mayRepeat = ({ offset, timestamp }: TimedRecord) =>
    timestamp <= anywhere || (timestamp <= handled && (handledBelow === null || offset < handledBelow))
  const { end } = await stream.range()
  let left = most
  let next = landing.offset
  try {
    // To the end of the log: a record of a later time says nothing of those after it.
    for await (const record of timedRecords(stream, next, end)) {
      if (left-- === 0) return { until, counts, countedTo: record.offset }
      next = record.offset + 1n
      if (!carriesChange(record.header.operation) || !mayRepeat(record)) continue
      const table = record.header.objectName ?? ''
      counts[table] = (counts[table] ?? 0) + 1
    }
  } catch (error) {
    if (!isDamage(error)) throw error
    return { until, counts, countedTo: next }
  }
  return { until, counts, countedTo: null }
}

/**
 * The time of the youngest change that may have been done, where nothing is kept of it. No change is done before it
 * happened. Where the source's clock is ahead of ours, the log that is there and the reference show by how much.
 */
async function youngestDone({ known }: Move, stream: Stream, now: number): Promise<number> {
  const last = await lastTime(stream)
  return Math.max(Math.ceil(now / 1000), last, known.reference?.timestamp ?? -1) + leastMargin
}

async function lastTime(stream: Stream): Promise<number> {
  try {
    return (await timeRange(stream, await stream.range()))?.last ?? -1
  } catch (error) {
    if (isDamage(error)) return -1
    throw error
  }
}
