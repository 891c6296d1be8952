import type { Checkpoint } from '../checkpoint/types.ts'
import { DtsError } from '../errors.ts'
import { commitMark, type Stream } from '../kafka/stream.ts'
import { readableRecords } from '../locate.ts'
import { SourceClock, startOfTimes } from '../source-times.ts'
import { parseTime } from '../time.ts'
import { forgetLead, type Lead, type Reference } from './assess.ts'

/** What a move of the checkpoint knows of how far the stream was handled. */
export interface Known {
  /**
   * `group`: the item is gone, and the commit that we left at the broker stands for it. `nothing`: the stream was never
   * read. `unasked`: the item is gone or was never there, and the broker does not say which.
   */
  readonly by: 'checkpoint' | 'group' | 'nothing' | 'unasked'
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
  const { replayUntil } = read
  return { by: 'checkpoint', reference: read, forgotten: forgetLead(read), replayUntil }
}

/** Where there is no checkpoint, what our own commit to the consumer group tells. @throws DtsError BROKER_FAILED */
export async function knownOf(read: Checkpoint | null, stream: Stream): Promise<Known> {
  if (read !== null) return knownByCheckpoint(read)
  try {
    const committed = await stream.committed()
    if (!committed?.metadata?.endsWith(commitMark)) return unread
    const timestamp = parseTime(committed.metadata.split('|')[0] ?? '')
    if (timestamp === null) return { by: 'unasked', reference: null, ...notKnown }
    return { by: 'group', reference: await referenceOf(committed.offset, timestamp, stream), ...notKnown }
  } catch (error) {
    if (error instanceof DtsError && error.code === 'GROUP_REFUSED')
      return { by: 'unasked', reference: null, ...notKnown }
    throw error
  }
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
