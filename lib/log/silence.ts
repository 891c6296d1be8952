import type { Stream } from '../kafka/stream.ts'
import type { DataRange } from '../kafka/types.ts'
import { timesAtEnd } from './log-times.ts'

/**
 * How long DTS has written nothing. A stream that nothing comes through has no lag, so that a task that was paused, has
 * expired or was released looks like one that is idle. But a healthy task writes a heartbeat about every second.
 */

/** Longer than this without a record of any kind, in seconds, and the task has stopped, or is that late itself. */
export const longestSilence = 60

/** So much later than our clock, in seconds, a source's clock may be; a time beyond that says nothing of now. */
const clockTolerance = 60

/**
 * Seconds between the newest record at the end of the log and now; null where nothing says, or all are dated ahead. The
 * log itself tells, so that nothing has to be kept between two runs.
 * @param now milliseconds since 1970
 * @param committed the checkpoint's time, in seconds; null without one. Told of by it alone once the log of a task that
 *   stopped long ago has expired; otherwise one record that was dated ahead would pass for news later
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
  // Not the last of them: a long transaction brings times of long ago.
  return times.length === 0 ? null : Math.max(0, seconds - Math.max(...times))
}
