import type { DataRange } from '../kafka/data-range.ts'
import type { Stream } from '../kafka/stream.ts'
import { timesAtEnd } from './log-times.ts'

/**
 * How long DTS has written nothing. A silent stream has no lag, so a task that was paused, has expired or was released looks
 * like an idle one. But a healthy task writes a heartbeat about every second.
 */

/** After this many seconds without a record of any kind, the task has stopped or is late itself. */
export const longestSilence = 60

/** A source's clock may be this many seconds ahead of ours. Records with a later time are ignored. */
const clockTolerance = 60

/**
 * Seconds between the newest record at the end of the log and now; null if no record has a usable time. The log shows it,
 * so no state is kept between two runs.
 * @param now milliseconds since 1970
 * @param committed the checkpoint's time, in seconds; null without one. It counts only if the whole log has expired,
 *   because a single record that was dated ahead can have raised it
 */
export async function silentSeconds(
  stream: Stream,
  range: DataRange,
  now: number,
  committed: number | null = null,
): Promise<number | null> {
  const seconds = Math.floor(now / 1000)
  const isUsable = (time: number) => time <= seconds + clockTolerance
  const times = await timesAtEnd(stream, range, isUsable)
  if (times.length === 0 && committed !== null && isUsable(committed)) return Math.max(0, seconds - committed)
  // The highest, not the last one: a long transaction brings old times.
  return times.length === 0 ? null : Math.max(0, seconds - Math.max(...times))
}
