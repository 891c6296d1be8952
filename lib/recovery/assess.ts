import { type Anchor, type Checkpoint, type Position, withoutTrouble } from '../checkpoint/types.ts'
import { DtsError } from '../errors.ts'
import type { Stream } from '../kafka/stream.ts'
import type { DataRange } from '../kafka/types.ts'
import { type TimeRange, timedRecords, timeRange } from '../locate.ts'
import { proveSameLog, sameLogCodes } from '../prove.ts'
import { formatTime } from '../time.ts'
import { type Found, findAnchors } from './anchors.ts'

/** How far back from the checkpoint's time a look-up begins, in seconds: source times can go back a little. */
export const lookBackSeconds = 10

/** The search for the anchor begins this much before, to see where its statement begins after a quiet time, too. */
const recordsBefore = 100n

/** How far the stream was handled, and in which log. */
export type Reference = Pick<Checkpoint, 'clusterId' | 'offset' | 'timestamp' | 'anchor' | 'tail' | 'lanes'>

/** From where the stream can go on, and what that means for what was and what was not handled. */
export type Safe =
  /** The log is the one that the checkpoint belongs to: right where it stands. */
  | { readonly how: 'stored'; readonly offset: bigint }
  /** Another log that holds the last committed change: right behind it. Nothing is lost, nothing committed repeats. */
  | { readonly how: 'anchor'; readonly offset: bigint; readonly anchor: Anchor; readonly exact: boolean }
  /** Another log without it: at the checkpoint's time. Nothing is lost, up to some seconds repeat. */
  | { readonly how: 'time'; readonly offset: bigint }
  /** The log may begin behind the checkpoint: what lies between is lost. */
  | {
      readonly how: 'gap'
      readonly offset: bigint
      /** Of the first record that can be read, in seconds. */
      readonly timestamp: number
      readonly lost: Lost
    }

/** Between which source times (seconds) changes are lost. */
export interface Lost {
  readonly from: number
  readonly to: number
}

/** What becomes of the lanes that are ahead of the checkpoint. */
export interface Lead {
  /** Those that stay ahead, with offsets of this log. */
  readonly lanes: Position['lanes']
  /** Changes up to this time (seconds) may have been handled by the others; -1: there are none, null: not known. */
  readonly forgottenUntil: number | null
}

export interface Assessment {
  readonly safe: Safe
  readonly lead: Lead
  readonly range: DataRange
  readonly times: TimeRange | null
}

/**
 * Where the stream of `read` can go on in the log that is there now. Reads only.
 * @param now milliseconds since 1970; only a message depends on it
 * @throws DtsError CHECKPOINT_OUT_OF_RANGE when the log has not got to the checkpoint yet
 */
export async function assess(read: Reference, stream: Stream, now = Date.now()): Promise<Assessment> {
  const range = await stream.range()
  const times = await timeRange(stream, range)
  if (await isSameLog(read, stream)) {
    const lead = { lanes: withoutTrouble(read.lanes), forgottenUntil: -1 }
    return { safe: { how: 'stored', offset: read.offset }, lead, range, times }
  }
  const { timestamp, anchor } = read
  if (times === null) throw notThereYet(stream, times, timestamp, now)
  const located = await locate(stream, range, (anchor?.timestamp ?? timestamp) - lookBackSeconds)
  const from = located - recordsBefore < range.earliest ? range.earliest : located - recordsBefore
  const ahead = Object.values(read.lanes).flatMap((lane) => lane.anchor ?? [])
  const found = await findAnchors(stream, anchor, ahead, from, range.end)
  const main = anchor === null ? undefined : found.get(anchor)
  if (main?.unfinished) throw notThereYet(stream, times, timestamp, now)
  const safe =
    main === undefined
      ? await withoutAnchor(read, stream, range, times, now)
      : { how: 'anchor' as const, offset: main.anchor.offset + 1n, ...main }
  return { safe, lead: leadBehind(safe.offset, read.lanes, found), range, times }
}

async function withoutAnchor(
  read: Reference,
  stream: Stream,
  range: DataRange,
  times: TimeRange,
  now: number,
): Promise<Safe> {
  const { timestamp, anchor, clusterId } = read
  // A log that is still being filled may bring the anchor.
  if (times.last < timestamp) throw notThereYet(stream, times, timestamp, now)
  // On one cluster the offset itself says what is missing; on another only the times can.
  const trimmed = clusterId === stream.clusterId && read.offset < range.earliest
  // A record that is older than any change behind the checkpoint can be: then the log holds all of those.
  const begunBefore = times.first <= timestamp - lookBackSeconds
  if (trimmed || !begunBefore) return gap(range.earliest, timestamp, times.first)
  const offset = await locate(stream, range, timestamp - lookBackSeconds)
  const hole = anchor === null ? null : await timeBehindHole(stream, anchor.timestamp, range)
  return hole === null ? { how: 'time', offset } : gap(offset, timestamp, hole)
}

function gap(offset: bigint, checkpoint: number, first: number): Safe {
  return { how: 'gap', offset, timestamp: first, lost: lostBetween(checkpoint, first) }
}

/** What was not committed when the checkpoint had this time, and stands before a record of that time. */
export function lostBetween(checkpoint: number, first: number): Lost {
  return {
    from: Math.max(0, checkpoint - lookBackSeconds),
    to: Math.max(checkpoint, first) + lookBackSeconds,
  }
}

/**
 * There was a change of this time. Where a log has nothing from before or around it, it lacks that change and perhaps
 * others: the answer is the time of the record behind the hole.
 */
async function timeBehindHole(stream: Stream, seconds: number, range: DataRange): Promise<number | null> {
  const from = await locate(stream, range, seconds - lookBackSeconds)
  let first: number | null = null
  for await (const { timestamp } of timedRecords(stream, from, range.end)) {
    if (timestamp <= seconds) return null
    first ??= timestamp
    if (timestamp > seconds + lookBackSeconds) break
  }
  return first
}

/** A lane stays ahead where the change that it is through stands in this log, too, behind where the stream goes on. */
function leadBehind(offset: bigint, lanes: Position['lanes'], found: ReadonlyMap<Anchor, Found>): Lead {
  const kept: Record<string, Position['lanes'][string]> = {}
  let forgottenUntil: number | null = -1
  for (const [name, { through, anchor }] of Object.entries(lanes)) {
    if (through === null) continue
    const here = anchor === null ? undefined : found.get(anchor)
    if (here !== undefined && here.anchor.offset >= offset)
      kept[name] = { through: here.anchor.offset, anchor: here.anchor, trouble: null }
    if (here?.exact !== true) forgottenUntil = later(forgottenUntil, anchor)
  }
  return { lanes: kept, forgottenUntil }
}

/** When nothing is kept of the lanes' lead. */
export function forgetLead(lanes: Position['lanes']): Lead {
  return leadBehind(0n, lanes, new Map())
}

function later(until: number | null, anchor: Anchor | null): number | null {
  // A lane's changes may be a little younger than the last one that it did.
  return until === null || anchor === null ? null : Math.max(until, anchor.timestamp + lookBackSeconds)
}

async function isSameLog(read: Reference, stream: Stream): Promise<boolean> {
  try {
    await proveSameLog(read, stream)
    return true
  } catch (error) {
    if (error instanceof DtsError && sameLogCodes.has(error.code)) return false
    throw error
  }
}

/** The first offset at or after a time that is known not to lie behind the log's end. */
export async function locate(stream: Stream, { earliest, end }: DataRange, seconds: number): Promise<bigint> {
  const offset = await stream.offsetForTime(Math.max(0, seconds))
  // Brokers that find nothing for a time before their range would otherwise send us to its end.
  return offset === null || offset < earliest || offset > end ? earliest : offset
}

function notThereYet(stream: Stream, times: TimeRange | null, timestamp: number, now: number): DtsError {
  const end = times === null ? 'holds no record' : `ends at ${formatTime(times.last)}`
  const remedy =
    timestamp * 1000 <= now
      ? 'DTS may still be filling it: wait, and run the same again.'
      : 'That time lies in the future, as a record of the source had it, and waiting would last until then. Choose the ' +
        'time to go on from: `reset --to <time> --accept-loss` (in an event {"timestamp":…} and "acceptLoss": true).'
  return new DtsError(
    'CHECKPOINT_OUT_OF_RANGE',
    `The log of cluster ${stream.clusterId} ${end}, before the checkpoint's time ${formatTime(timestamp)}. ${remedy}`,
    { retryable: true, facts: { timestamp, last: times?.last ?? null } },
  )
}
