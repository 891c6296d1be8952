import { reachedTime } from '../checkpoint/source-times.ts'
import type { Position } from '../checkpoint/types.ts'
import type { Dispatcher } from '../dispatch/dispatcher.ts'
import type { Stream } from '../kafka/stream.ts'
import { oldestTime } from '../log/log-times.ts'
import { silentSeconds } from '../log/silence.ts'
import type { PollDependencies } from './dependencies.ts'
import type { PollSummary } from './summary.ts'

/** Values that a run reports about the stream. */

/**
 * Reports where the stream is after a run, and which lanes fail.
 * @param end the end of the log; null if the run does not know it. Then the run must not look as if it had reached it.
 */
export function reportEnd(
  position: Position,
  end: bigint | null,
  failures: Dispatcher['failures'],
  now: number,
  summary: PollSummary,
): void {
  const { offset } = position
  summary.to = String(offset)
  if (end !== null) {
    summary.lagRecords = String(end > offset ? end - offset : 0n)
    const seconds = Math.floor(now / 1000) - reachedTime(position, now / 1000)
    summary.lagSeconds = offset >= end ? 0 : Math.max(0, seconds)
  }
  for (const { name, error } of failures) {
    summary.failures.push({ lane: name, code: error.code, message: error.message })
  }
}

/** Measures the log for the alarms. If it fails, the run's result does not change. */
export async function measureLog(
  { config, now }: PollDependencies,
  stream: Stream,
  position: Position,
  summary: PollSummary,
): Promise<void> {
  try {
    const range = await stream.range()
    const oldest = await oldestTime(stream, range)
    // If source times go back, the oldest record may be younger than the position. That is no loss.
    if (oldest !== null) summary.secondsUntilLoss = Math.max(0, reachedTime(position, now() / 1000) - oldest)
    // A plain topic may be silent for days.
    if (config.mode === 'dts')
      summary.silentSeconds = await silentSeconds(stream, range, now(), position.timestamp)
  } catch {
    // A value that was not measured is not reported.
  }
}
