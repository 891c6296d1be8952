import type { Stream } from './kafka/stream.ts'
import type { DataRange } from './kafka/types.ts'
import { timesAtEnd } from './locate.ts'

/**
 * How long DTS has written nothing. A stream that nothing comes through has no lag, so that a task that was paused, has
 * expired or was released looks like one that is idle. But a healthy task writes a heartbeat about every second.
 */

/** Longer than this without a record of any kind, in seconds, and the task has stopped, or is that late itself. */
export const longestSilence = 60

/** So much later than our clock, in seconds, a source's clock may be; a time beyond that says nothing of now. */
const clockTolerance = 60

/**
 * Seconds between the newest record at the end of the log and now; null where no record there says, or all are dated
 * ahead. The log itself tells, so that nothing has to be kept between two runs.
 * @param now milliseconds since 1970
 */
export async function silentSeconds(stream: Stream, range: DataRange, now: number): Promise<number | null> {
  const seconds = Math.floor(now / 1000)
  const isUsable = (time: number) => time <= seconds + clockTolerance
  const times = await timesAtEnd(stream, range, isUsable)
  // Not the last of them: a long transaction brings times of long ago.
  return times.length === 0 ? null : Math.max(0, seconds - Math.max(...times))
}
