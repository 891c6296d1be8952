import { DtsError, type NextStep } from '../errors.ts'
import type { Stream } from '../kafka/stream.ts'
import { sharedGroup } from './group.ts'
import { locateTime } from './locate-time.ts'

const anotherStart: NextStep = { action: 'deploy', change: 'Set DTS_CHECKPOINT to a time in the data range' }

/**
 * The offset at which a stream that was never read begins.
 * @param startTime DTS_CHECKPOINT, in seconds
 * @throws DtsError CHECKPOINT_MISSING if there is no start time, or the group shows that the stream was read before;
 *   GROUP_SHARED if another deployment has read it; CHECKPOINT_OUT_OF_RANGE
 */
export async function firstOffset(
  startTime: number | undefined,
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
  return { offset: await locateTime(stream, startTime, [anotherStart]), timestamp: startTime }
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
