import type { Anchor, Checkpoint } from '../checkpoint/types.ts'
import { DtsError } from '../errors.ts'
import type { Stream } from '../kafka/stream.ts'
import type { DataRange } from '../kafka/types.ts'
import { type TimeRange, timedRecords, timeRange } from '../locate.ts'
import { proveSameLog, sameLogCodes } from '../prove.ts'
import { formatTime } from '../time.ts'
import { identify } from '../trail.ts'

/** How far back from the checkpoint's time a look-up begins, in seconds: source times can go back a little. */
export const lookBackSeconds = 10
/** How far past the checkpoint's time the scan for the anchor goes, in seconds, for the same reason. */
const scanPastSeconds = 60

/** From where the stream can go on, and what that means for what was and what was not handled. */
export type Safe =
  /** The log is the one that the checkpoint belongs to: right where it stands. */
  | { readonly how: 'stored'; readonly offset: bigint }
  /** Another log that holds the last committed change: right behind it. Nothing is lost, nothing repeats. */
  | { readonly how: 'anchor'; readonly offset: bigint; readonly anchor: Anchor }
  /** Another log without it: at the checkpoint's time. Nothing is lost, up to some seconds repeat. */
  | { readonly how: 'time'; readonly offset: bigint }
  /** The oldest readable record is newer than the checkpoint: what lies between is lost. Times in seconds. */
  | { readonly how: 'gap'; readonly offset: bigint; readonly lostFrom: number; readonly lostTo: number }

export interface Assessment {
  readonly safe: Safe
  readonly range: DataRange
  readonly times: TimeRange | null
}

/**
 * Where the stream of `read` can go on in the log that is there now. Reads only.
 * @throws DtsError CHECKPOINT_OUT_OF_RANGE when the log has not got to the checkpoint's time yet
 */
export async function assess(read: Checkpoint, stream: Stream): Promise<Assessment> {
  const range = await stream.range()
  const times = await timeRange(stream, range)
  return { safe: await findSafe(read, stream, range, times), range, times }
}

async function findSafe(
  read: Checkpoint,
  stream: Stream,
  range: DataRange,
  times: TimeRange | null,
): Promise<Safe> {
  if (await isSameLog(read, stream)) return { how: 'stored', offset: read.offset }
  const { timestamp, anchor, clusterId } = read
  if (times === null || times.last < timestamp - lookBackSeconds) throw notThereYet(stream, times, timestamp)
  const anchored = await locate(stream, range, (anchor?.timestamp ?? timestamp) - lookBackSeconds)
  const found = anchor === null ? null : await findAnchor(stream, anchor, anchored, range.end, timestamp)
  if (found !== null && anchor !== null) {
    return { how: 'anchor', offset: found + 1n, anchor: { ...anchor, offset: found } }
  }
  // On one cluster the offset itself says what is missing; on another only the times can.
  const trimmed = clusterId === stream.clusterId && read.offset < range.earliest
  // Several changes share a second: a log that begins within the checkpoint's may lack some that were not committed.
  const nothingCommitted = read.tail === null && anchor === null
  if (trimmed || (nothingCommitted ? times.first > timestamp : times.first >= timestamp)) {
    return { how: 'gap', offset: range.earliest, lostFrom: timestamp, lostTo: times.first }
  }
  const offset = await locate(stream, range, timestamp - lookBackSeconds)
  for await (const { timestamp: lostTo } of timedRecords(stream, offset, range.end)) {
    // Something was committed at the checkpoint's time, and this log has nothing from around it: it may have a hole.
    if (lostTo > timestamp) return { how: 'gap', offset, lostFrom: timestamp, lostTo }
    break
  }
  return { how: 'time', offset }
}

async function isSameLog(read: Checkpoint, stream: Stream): Promise<boolean> {
  try {
    await proveSameLog(read, stream)
    return true
  } catch (error) {
    if (error instanceof DtsError && sameLogCodes.has(error.code)) return false
    throw error
  }
}

/** The first offset at or after a time that is known not to lie behind the log's end. */
async function locate(stream: Stream, { earliest, end }: DataRange, seconds: number): Promise<bigint> {
  const offset = await stream.offsetForTime(Math.max(0, seconds))
  // Brokers that find nothing for a time before their range would otherwise send us to its end.
  return offset === null || offset < earliest || offset > end ? earliest : offset
}

/** The first record that says the same as the anchor. Of equal records the first: repeating is better than losing. */
async function findAnchor(
  stream: Stream,
  anchor: Anchor,
  from: bigint,
  end: bigint,
  timestamp: number,
): Promise<bigint | null> {
  for await (const record of timedRecords(stream, from, end)) {
    if (record.timestamp > timestamp + scanPastSeconds) return null
    if (
      record.timestamp === anchor.timestamp &&
      record.header.sourcePosition === anchor.sourcePosition &&
      record.header.sourceTxid === anchor.transactionId &&
      identify(record.value, record.header) === anchor.digest
    ) {
      return record.offset
    }
  }
  return null
}

function notThereYet(stream: Stream, times: TimeRange | null, timestamp: number): DtsError {
  return new DtsError(
    'CHECKPOINT_OUT_OF_RANGE',
    `The log of cluster ${stream.clusterId} ${times === null ? 'holds no record' : `ends at ${formatTime(times.last)}`}, ` +
      `before the checkpoint's time ${formatTime(timestamp)}. DTS may still be filling it: wait, and run the same again.`,
    { retryable: true, facts: { timestamp, last: times?.last ?? null } },
  )
}
