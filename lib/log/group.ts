import { timesOf } from '../checkpoint/source-times.ts'
import type { Checkpoint, Position } from '../checkpoint/types.ts'
import { DtsError, type ErrorCode } from '../errors.ts'
import {
  type Deployment,
  deploymentName,
  type GroupPosition,
  type MarkedPlace,
} from '../kafka/commit-mark.ts'
import type { Stream } from '../kafka/stream.ts'

/**
 * What the commit of the consumer group tells of the checkpoint. The commit is a courtesy: it may be late, absent, deleted
 * by DTS, or moved to another cluster. So only what it proves counts, and a group that cannot be asked proves nothing.
 */
export type GroupAnswer =
  | { readonly isKnown: true; readonly committed: GroupPosition | null }
  | { readonly isKnown: false; readonly error: DtsError }

/** Never throws a DtsError: nothing that delivers may depend on the group. */
export async function askGroup(stream: Stream): Promise<GroupAnswer> {
  try {
    return { isKnown: true, committed: await stream.committed() }
  } catch (error) {
    if (error instanceof DtsError) return { isKnown: false, error }
    throw error
  }
}

/**
 * The commit of ours that is ahead of the checkpoint, if there is one. The item is written before the group, so that the
 * item was then set back past every condition: it was restored from a backup.
 */
export function commitAhead(
  { generation, offset }: Pick<Checkpoint, 'generation' | 'offset'>,
  answer: GroupAnswer | null,
): { readonly offset: bigint; readonly timestamp: number; readonly place: MarkedPlace } | null {
  const committed = answer?.isKnown ? answer.committed : null
  if (committed?.mark.whose !== 'ours') return null
  const { place, timestamp } = committed.mark
  if (place === null || timestamp === null) return null
  const isAhead = place.generation > generation || (place.generation === generation && place.offset > offset)
  return isAhead ? { offset: committed.offset, timestamp, place } : null
}

/**
 * Tells the group how far the item has the stream; a commit that fails is only reported. The position must be what the item
 * has: a group that is ahead of it says that the item was restored.
 */
export async function commitToGroup(
  stream: Stream,
  position: Position,
  generation: number,
): Promise<'done' | ErrorCode> {
  try {
    // DTS carries the commit over by this time. A time ahead of the stream would pass over changes.
    await stream.commit(position.offset, timesOf(position).settled, generation)
    return 'done'
  } catch (error) {
    return error instanceof DtsError ? error.code : 'BROKER_FAILED'
  }
}

/** The generation of our own commit; 0 where there is none. A new generation has to be above it, too. */
export function generationOf(answer: GroupAnswer | null): number {
  const mark = answer?.isKnown ? answer.committed?.mark : undefined
  return mark?.whose === 'ours' ? (mark.place?.generation ?? 0) : 0
}

/** The other deployment that committed to this group last, if one did. */
export function otherDeployment(answer: GroupAnswer | null): Deployment | null {
  const mark = answer?.isKnown ? answer.committed?.mark : undefined
  return mark?.whose === 'another deployment' ? mark.deployment : null
}

/** Why a checkpoint that was restored from a backup is not used as it is; null where nothing proves that it was. */
export function restoredFault(read: Checkpoint, answer: GroupAnswer | null): DtsError | null {
  const ahead = commitAhead(read, answer)
  if (ahead === null) return null
  const { place } = ahead
  return new DtsError(
    'CHECKPOINT_RESTORED',
    `The checkpoint is at offset ${read.offset} of generation ${read.generation}, but this deployment has committed offset ` +
      `${place.offset} of generation ${place.generation} to its consumer group: an older item was restored, or another ` +
      'account has a deployment with the same names. Nothing is delivered, because handlers with the fence would take ' +
      `changes of generation ${read.generation} for older than what they have and skip them.`,
    {
      retryable: false,
      next: [
        {
          action: 'reset',
          to: 'committed',
          purpose: 'continue where the group is, in a new generation',
        },
        {
          action: 'reset',
          to: { timestamp: read.timestamp },
          purpose: 'deliver everything since the time of the restored item again instead',
        },
      ],
      facts: {
        offset: String(read.offset),
        generation: read.generation,
        committedOffset: String(place.offset),
        committedGeneration: place.generation,
      },
    },
  )
}

/** In one sentence, for people. */
export function sharedGroup(other: Deployment): string {
  return (
    `The last commit of this consumer group is of another deployment (${deploymentName(other)}). Two deployments on one ` +
    'sid disturb each other: remove one, or give it a consumer group of its own in the DTS console.'
  )
}
