import { DtsError, type NextStep } from '../errors.ts'
import type { Stream } from '../kafka/stream.ts'
import { sharedGroup } from './group.ts'
import { locateTime } from './locate-time.ts'
import { firstLevel, lastLevel, logEnds } from './log-times.ts'

const anotherStart: NextStep = { action: 'deploy', change: 'Set DTS_CHECKPOINT to a time in the data range' }

/** How a stream that was never read begins. */
export interface FirstStart {
  /** DTS_CHECKPOINT, in seconds. */
  readonly startTime: number | undefined
  /** Whether the topic has several partitions. Then some may be empty, or idle since before the start. */
  readonly isOneOfSeveral: boolean
}

/**
 * The offset at which a stream that was never read begins.
 * @throws DtsError CHECKPOINT_MISSING if there is no start time, or the group shows that the stream was read before;
 *   GROUP_SHARED if another deployment has read it; CHECKPOINT_OUT_OF_RANGE
 */
export async function firstOffset(
  { startTime, isOneOfSeveral }: FirstStart,
  stream: Stream,
): Promise<{ readonly offset: bigint; readonly timestamp: number }> {
  if (startTime === undefined) {
    throw new DtsError(
      'CHECKPOINT_MISSING',
      `There is no checkpoint of ${stream.topic}, and DTS_CHECKPOINT does not say where to start. ` +
        'Set it to a time in the data range (UNIX seconds) and deploy again.',
      { retryable: false, facts: { topic: stream.topic }, next: [anotherStart] },
    )
  }
  const committed = await committedOrNull(stream)
  if (committed?.mark.whose === 'another deployment') {
    // This deployment may replace the other one, and DTS_CHECKPOINT need not be where the other one stopped.
    throw new DtsError(
      'GROUP_SHARED',
      `${sharedGroup(committed.mark.deployment)} This deployment has no checkpoint of ${stream.topic} and does not start.`,
      {
        retryable: false,
        facts: { topic: stream.topic, offset: String(committed.offset) },
        next: [
          {
            action: 'reset',
            to: { offset: String(committed.offset) },
            purpose: 'replace the other deployment, and continue at its last commit',
          },
          {
            action: 'reset',
            to: { timestamp: startTime },
            purpose: 'start it anyway, at DTS_CHECKPOINT or another time that you choose',
          },
        ],
      },
    )
  }
  if (committed?.mark.whose === 'ours') {
    // The item is lost, but our commit at the broker is not. A start at DTS_CHECKPOINT would repeat everything since then.
    throw new DtsError(
      'CHECKPOINT_MISSING',
      `There is no checkpoint of ${stream.topic}, although this consumer group has read it up to offset ` +
        `${committed.offset}: the item was deleted, or another table is used. Restore the table, or continue at that commit.`,
      {
        retryable: false,
        facts: { topic: stream.topic, committed: String(committed.offset) },
        next: [{ action: 'reset', to: 'committed', purpose: 'continue after the last commit' }],
      },
    )
  }
  const quiet = isOneOfSeveral ? await startOfQuiet(startTime, stream) : null
  return { offset: quiet ?? (await locateTime(stream, startTime, [anotherStart])), timestamp: startTime }
}

/**
 * The start in a partition that does not span the start time, if nothing at or after that time can be lost: its log is complete
 * from the beginning, or all of it is older. Null if the time is to be looked up.
 */
async function startOfQuiet(startTime: number, stream: Stream): Promise<bigint | null> {
  const range = await stream.range()
  if (range.end === 0n) return 0n
  const ends = await logEnds(stream, range)
  if (ends.kind !== 'covers') return null
  const first = Math.min(ends.first, (await firstLevel(stream, range))?.middle ?? ends.first)
  if (range.earliest === 0n && startTime < first) return 0n
  const last = Math.max(ends.last, (await lastLevel(stream, range))?.highest ?? ends.last)
  return startTime > last ? range.end : null
}

/**
 * Null if there is none, or the broker refuses the group. If the answer is only late, as after a broker's restart, a first
 * start must wait for it: only the group distinguishes a new stream from a lost checkpoint.
 */
async function committedOrNull(stream: Stream): ReturnType<Stream['committed']> {
  try {
    return await stream.committed()
  } catch (error) {
    if (error instanceof DtsError && error.code === 'GROUP_REFUSED') return null
    throw error
  }
}
