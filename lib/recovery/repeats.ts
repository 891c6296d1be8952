import { carriesChange } from '../dts/header.ts'
import type { Stream } from '../kafka/stream.ts'
import { readableRecords, type TimedRecord } from '../locate.ts'
import { lookBackSeconds } from './assess.ts'
import type { Move } from './landing.ts'

/** What a move of the checkpoint may deliver once more. */
export interface Repeats {
  /** Until which source time (seconds) deliveries are to be marked as replays; -1 for none. */
  readonly until: number
  /** By table, as far as the log is filled by now: an upper bound. */
  readonly counts: Readonly<Record<string, number>>
}

/** Counting reads that part of the log; beyond so many records the answer stops counting. */
const mostCounted = 500_000

/** @param now the clock of recovery, in milliseconds since 1970 */
export async function repeatsOf(move: Move, stream: Stream, now: number): Promise<Repeats> {
  const counts: Record<string, number> = Object.create(null)
  const { landing, known, lead, handledBelow } = move
  const handledUntil = handledBelow !== null && handledBelow <= landing.offset ? -1 : move.handledUntil
  // What an earlier move made repeat may still be on its way.
  const anywhere = Math.max(known.replayUntil, lead.forgottenUntil ?? youngestDone(now))
  const until = Math.max(anywhere, handledUntil)
  if (until < 0) return { until, counts }
  const mayRepeat = ({ offset, timestamp }: TimedRecord) =>
    timestamp <= anywhere || (timestamp <= handledUntil && (handledBelow === null || offset < handledBelow))
  const { end } = await stream.range()
  let counted = 0
  for await (const record of readableRecords(stream, landing.offset, end)) {
    if (record.timestamp > until + lookBackSeconds || counted++ > mostCounted) break
    if (!carriesChange(record.header.operation) || !mayRepeat(record)) continue
    const table = record.header.objectName ?? ''
    counts[table] = (counts[table] ?? 0) + 1
  }
  return { until, counts }
}

/**
 * How far lanes were of which only an offset of a log is known that is not there any more, nobody can tell; but nothing
 * was done before it happened, also where the log has not got to it yet.
 */
function youngestDone(now: number): number {
  return Math.ceil(now / 1000) + lookBackSeconds
}
