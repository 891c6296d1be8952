import { certainlyBefore, SourceClock, startOfTimes, timesOf } from '../checkpoint/source-times.ts'
import type { Checkpoint } from '../checkpoint/types.ts'
import type { DtsError } from '../errors.ts'
import type { MarkedPlace } from '../kafka/commit-mark.ts'
import type { DataRange } from '../kafka/data-range.ts'
import type { Stream } from '../kafka/stream.ts'
import { commitAhead, type GroupAnswer } from './group.ts'
import { readableRecords } from './scan.ts'

/** How far the stream was handled, and in which log. */
export type Progress = Pick<
  Checkpoint,
  'clusterId' | 'offset' | 'timestamp' | 'times' | 'anchor' | 'tail' | 'lanes'
>

/** The progress, and its source. */
export type KnownProgress =
  /**
   * `group`: the item is gone, and our own commit to the consumer group takes its place.
   * `restored`: the item is older than that commit, so the commit takes its place.
   */
  | {
      readonly source: 'checkpoint' | 'group' | 'restored'
      readonly progress: Progress
      /** Until which source time an earlier move makes changes repeat, in seconds; -1: none. */
      readonly replayUntil: number | null
    }
  /**
   * `nothing`: the stream was never read, as far as the group shows. `unasked`: there is no item, and the group does not
   * say whether there was one. `other`: the same, and another deployment has committed to the group.
   */
  | {
      readonly source: 'nothing' | 'unasked' | 'other'
      readonly progress: null
      readonly replayUntil: null
    }
  /** There is no item, and the group's answer is only late: it alone shows whether the stream was read before. */
  | { readonly source: 'unanswered'; readonly fault: DtsError }

/** Without a checkpoint, or with one that was restored, our own commit to the consumer group says how far we got. */
export async function readProgress(
  read: Checkpoint | null,
  answer: GroupAnswer,
  stream: Stream,
  range: DataRange,
): Promise<KnownProgress> {
  if (read !== null) {
    const { replayUntil } = read
    const ahead = commitAhead(read, answer)
    if (ahead === null) return { source: 'checkpoint', progress: read, replayUntil }
    const progress = await progressOfCommit(ahead, stream, range)
    return { source: 'restored', progress, replayUntil }
  }
  const unread = { progress: null, replayUntil: null } as const
  if (!answer.isKnown) {
    const { error } = answer
    if (error.code === 'GROUP_REFUSED') return { source: 'unasked', ...unread }
    return { source: 'unanswered', fault: error }
  }
  const { committed } = answer
  if (committed?.mark.whose === 'another deployment') return { source: 'other', ...unread }
  if (committed?.mark.whose !== 'ours') return { source: 'nothing', ...unread }
  const { timestamp, place } = committed.mark
  if (timestamp === null) return { source: 'unasked', ...unread }
  const progress = await progressOfCommit({ offset: committed.offset, timestamp, place }, stream, range)
  return { source: 'group', progress, replayUntil: null }
}

/** A commit of ours in the group, and what its mark says. */
interface OwnCommit {
  readonly offset: bigint
  readonly timestamp: number
  readonly place: MarkedPlace | null
}

async function progressOfCommit(
  { offset, timestamp, place }: OwnCommit,
  stream: Stream,
  range: DataRange,
): Promise<Progress> {
  const wasElsewhere = place?.clusterId !== undefined && place.clusterId !== stream.clusterId
  // The time alone proves little: where DTS finds a commit by its time, the records have reached that time as well.
  const isOfThisLog = !wasElsewhere && (await settledBelow(offset, stream, range)) === timestamp
  const clusterId = isOfThisLog ? stream.clusterId : 'not known'
  return { clusterId, offset, timestamp, times: null, anchor: null, tail: null, lanes: {} }
}

/** This many records below a commit show which time the stream had reached there. */
const recordsBelow = 1_000n

/**
 * DTS carries a commit over to another cluster by its time alone, and changes its offset. In the log where it was made,
 * the records right below its offset have reached exactly its time.
 */
async function settledBelow(offset: bigint, stream: Stream, range: DataRange): Promise<number | null> {
  if (offset > range.end) return null
  const from = offset - recordsBelow < range.earliest ? range.earliest : offset - recordsBelow
  let clock: SourceClock | null = null
  for await (const record of readableRecords(stream, from, offset)) {
    clock ??= new SourceClock(startOfTimes(record.timestamp))
    clock.see(record.timestamp)
  }
  return clock?.times(0).settled ?? null
}

/**
 * The time from which a stream continues if its anchor is lost. It is not younger than the last committed change, so a
 * log that holds that change in another form is read from there, or from before it.
 */
export function sinceOf(read: Progress): number {
  const level = certainlyBefore(timesOf(read))
  return Math.max(0, Math.min(level, read.anchor?.timestamp ?? level))
}
