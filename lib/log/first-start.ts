import { DtsError } from '../errors.ts'
import type { Stream } from '../kafka/stream.ts'
import { sharedGroup } from './group.ts'
import { locateTime } from './scan.ts'

/**
 * The offset at which a stream that was never read begins.
 * @param startTime DTS_CHECKPOINT, in seconds
 * @throws DtsError CHECKPOINT_MISSING when nothing says where, or the stream was read after all;
 *   GROUP_SHARED when another deployment has read it; CHECKPOINT_OUT_OF_RANGE
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
      { retryable: false, facts: { topic: stream.topic } },
    )
  }
  const committed = await committedOrNull(stream)
  if (committed?.mark.whose === 'another deployment') {
    // It may be the deployment whose place this one takes: then DTS_CHECKPOINT need not be where that one stopped.
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
            purpose: 'start it all the same, at DTS_CHECKPOINT or another time that you choose',
          },
        ],
      },
    )
  }
  if (committed?.mark.whose === 'ours') {
    // Our own commit at the broker outlived the item: starting at DTS_CHECKPOINT again would repeat all since then.
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
  return { offset: await locateTime(stream, startTime), timestamp: startTime }
}

/**
 * Null where there is none, or the group may not be asked for. When the answer is only late, as after a broker's restart,
 * a first start has to wait for it: nothing else tells a stream that was never read from one whose checkpoint is gone.
 */
async function committedOrNull(stream: Stream): ReturnType<Stream['committed']> {
  try {
    return await stream.committed()
  } catch (error) {
    if (error instanceof DtsError && error.code === 'GROUP_REFUSED') return null
    throw error
  }
}
