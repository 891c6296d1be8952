import { SourceClock, startOfTimes } from '../../checkpoint/source-times.ts'
import { type Checkpoint, haltOf, type StreamState } from '../../checkpoint/types.ts'
import type { Stream } from '../../kafka/stream.ts'
import { askGroup, commitAhead } from '../../log/group.ts'
import { readableRecords } from '../../log/scan.ts'
import { forgetLead, type Lead, type Reference } from './assess.ts'

/** What a move of the checkpoint knows of how far the stream was handled. */
export interface Known {
  /**
   * `group`: the item is gone, and the commit that we left at the broker stands for it. `restored`: the item is older than
   * that commit, which stands for it. `nothing`: the stream was never read. `unasked`: the item is gone or was never there,
   * and the broker does not say which. `other`: the same, and another deployment has committed to the group.
   */
  readonly by: 'checkpoint' | 'group' | 'restored' | 'nothing' | 'unasked' | 'other'
  readonly reference: Reference | null
  /** When nothing is kept of what was done beyond the reference. */
  readonly forgotten: Lead
  /** What an earlier move made repeat, in seconds; -1: nothing. */
  readonly replayUntil: number
}

const unread: Known = {
  by: 'nothing',
  reference: null,
  forgotten: { lanes: {}, forgottenUntil: -1 },
  replayUntil: -1,
}
/** Runs that died, and functions that were ahead, may have done anything that the log had by now. */
const notKnown = { forgotten: { lanes: {}, forgottenUntil: null }, replayUntil: -1 }

export function knownByCheckpoint(read: Checkpoint): Known {
  const replayUntil = read.replayUntil ?? -1
  return { by: 'checkpoint', reference: read, forgotten: leadOf(read, forgetLead(read)), replayUntil }
}

/**
 * What became of functions that were ahead. The group may have lost the commit that showed a restore; what was done since the
 * backup is not known all the same.
 */
export function leadOf(read: StreamState, lead: Lead): Lead {
  return haltOf(read)?.code === 'CHECKPOINT_RESTORED' ? { ...lead, forgottenUntil: null } : lead
}

/**
 * Where there is no checkpoint, or one that was restored, what our own commit to the consumer group tells.
 * @throws DtsError BROKER_FAILED where there is no checkpoint, and only the group tells one that is gone from none
 */
export async function knownOf(read: Checkpoint | null, stream: Stream): Promise<Known> {
  const answer = await askGroup(stream)
  if (read !== null) {
    const ahead = commitAhead(read, answer)
    if (ahead === null) return knownByCheckpoint(read)
    const reference = await referenceOf(ahead.offset, ahead.timestamp, stream)
    return { by: 'restored', reference, ...notKnown, replayUntil: read.replayUntil ?? -1 }
  }
  if (!answer.isKnown) {
    if (answer.error.code === 'GROUP_REFUSED') return { by: 'unasked', reference: null, ...notKnown }
    throw answer.error
  }
  const { committed } = answer
  if (committed?.mark.whose === 'another deployment') return { by: 'other', reference: null, ...notKnown }
  if (committed?.mark.whose !== 'ours') return unread
  const { timestamp } = committed.mark
  if (timestamp === null) return { by: 'unasked', reference: null, ...notKnown }
  return { by: 'group', reference: await referenceOf(committed.offset, timestamp, stream), ...notKnown }
}

async function referenceOf(offset: bigint, timestamp: number, stream: Stream): Promise<Reference> {
  const clusterId = (await isOfThisLog(offset, timestamp, stream)) ? stream.clusterId : 'not known'
  return { clusterId, offset, timestamp, times: null, anchor: null, tail: null, lanes: {} }
}

/** So many records below a commit tell what time the stream had got to there. */
const recordsBelow = 1_000n

/**
 * DTS carries a commit over to another cluster by its time alone. Where it was made, the records right below its offset
 * have got to just that time.
 */
async function isOfThisLog(offset: bigint, timestamp: number, stream: Stream): Promise<boolean> {
  const range = await stream.range()
  if (offset > range.end) return false
  const from = offset - recordsBelow < range.earliest ? range.earliest : offset - recordsBelow
  let clock: SourceClock | null = null
  for await (const record of readableRecords(stream, from, offset)) {
    clock ??= new SourceClock(startOfTimes(record.timestamp))
    clock.see(record.timestamp)
  }
  return clock?.times(0).settled === timestamp
}
