import { timesOf } from '../checkpoint/source-times.ts'
import type { Checkpoint, Position } from '../checkpoint/types.ts'
import { DtsError, type ErrorCode, type NextStep } from '../errors.ts'
import {
  type Deployment,
  deploymentName,
  type GroupPosition,
  type Mark,
  type MarkedPlace,
} from '../kafka/commit-mark.ts'
import type { DataRange } from '../kafka/data-range.ts'
import type { Stream } from '../kafka/stream.ts'

/**
 * The answer of the consumer group. Its commit may be late, absent, deleted by DTS, or moved to another cluster. So a
 * missing commit proves nothing, and neither does a group that refuses the question.
 */
export type GroupAnswer =
  | { readonly isKnown: true; readonly committed: GroupPosition | null }
  | { readonly isKnown: false; readonly error: DtsError }

/** Never throws a DtsError: deliveries must not depend on the group. */
export async function askGroup(stream: Stream): Promise<GroupAnswer> {
  try {
    return { isKnown: true, committed: await stream.committed() }
  } catch (error) {
    if (error instanceof DtsError) return { isKnown: false, error }
    throw error
  }
}

/**
 * Our own commit if it is ahead of the checkpoint. The poller writes the item before the group. So an item that is older
 * than the group was restored from a backup.
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
 * Commits the item's position to the group. A failure is only returned. The position must already be in the item: a group
 * that is ahead of the item shows that the item was restored.
 */
export async function commitToGroup(
  stream: Stream,
  position: Position,
  generation: number,
): Promise<'done' | ErrorCode> {
  try {
    // DTS carries the commit over by this time. A time ahead of the stream would skip changes.
    await stream.commit(position.offset, timesOf(position).settled, generation)
    return 'done'
  } catch (error) {
    return error instanceof DtsError ? error.code : 'BROKER_FAILED'
  }
}

/** The generation of our own commit; null if there is none. */
export function generationOf(answer: GroupAnswer | null): number | null {
  const mark = markOf(answer)
  return mark?.whose === 'ours' ? (mark.place?.generation ?? null) : null
}

/**
 * The generation of the group's commit, of any deployment; null if none is known. A move goes above it. Another deployment
 * counts, because its handlers may have written the same rows: that of a lost region, or one with its tables renamed.
 */
export function usedGeneration(answer: GroupAnswer | null): number | null {
  const mark = markOf(answer)
  return mark === null || mark.whose === 'unknown' ? null : (mark.place?.generation ?? null)
}

/** The other deployment that committed to this group last, if one did. */
export function otherDeployment(answer: GroupAnswer | null): Deployment | null {
  const mark = markOf(answer)
  return mark?.whose === 'another deployment' ? mark.deployment : null
}

function markOf(answer: GroupAnswer | null): Mark | null {
  return answer?.isKnown ? (answer.committed?.mark ?? null) : null
}

/**
 * The reason to refuse a checkpoint that was restored from a backup; null if the group does not show a restore.
 * @param range of the log; null: not known, so that the next steps may name a place which the log does not have
 */
export function restoredFault(
  read: Pick<Checkpoint, 'generation' | 'offset' | 'timestamp'>,
  answer: GroupAnswer | null,
  range: DataRange | null = null,
): DtsError | null {
  const ahead = commitAhead(read, answer)
  if (ahead === null) return null
  const { offset, place } = ahead
  return new DtsError(
    'CHECKPOINT_RESTORED',
    `The checkpoint is at offset ${read.offset} of generation ${read.generation}, but this deployment has committed offset ` +
      `${place.offset} of generation ${place.generation} to its consumer group: an older item was restored, or another ` +
      'account has a deployment with the same names. Nothing is delivered, because handlers with the fence would take ' +
      `changes of generation ${read.generation} for older than their rows and skip them.`,
    {
      retryable: false,
      next: stepsOfRestored(read.timestamp, offset, range),
      facts: {
        offset: String(read.offset),
        generation: read.generation,
        committedOffset: String(place.offset),
        committedGeneration: place.generation,
      },
    },
  )
}

/** @param offset where the group is */
function stepsOfRestored(timestamp: number, offset: bigint, range: DataRange | null): NextStep[] {
  const toCommitted: NextStep = {
    action: 'reset',
    to: 'committed',
    purpose: 'continue where the group is, in a new generation',
  }
  const toTime: NextStep = {
    action: 'reset',
    to: { timestamp },
    purpose: 'deliver everything since the time of the restored item again instead',
  }
  const toEarliest: NextStep = {
    action: 'reset',
    to: 'earliest',
    acceptLoss: true,
    purpose: 'continue with everything that the log holds: it does not have the place where the group is',
  }
  if (range === null) return [toCommitted, toTime]
  // The restored item is older than the commit, so its time is not in the log either.
  if (offset < range.earliest) return [toEarliest]
  return offset > range.end ? [toEarliest, toTime] : [toCommitted, toTime]
}

/** For people. */
export function sharedGroup(other: Deployment): string {
  return (
    `The last commit of this consumer group is of another deployment (${deploymentName(other)}). Two deployments on one ` +
    'sid disturb each other: remove one, or give it a consumer group of its own in the DTS console.'
  )
}
