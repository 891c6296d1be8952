import {
  certainlyBefore,
  furthestJump,
  leastMargin,
  levelToReach,
  timesOf,
} from '../../checkpoint/source-times.ts'
import { type Anchor, type Checkpoint, type Position, withoutTrouble } from '../../checkpoint/types.ts'
import { DtsError } from '../../errors.ts'
import type { Stream } from '../../kafka/stream.ts'
import type { DataRange } from '../../kafka/types.ts'
import { type Found, type Searched, searchLog } from '../../log/find-anchors.ts'
import { proveSameLog, sameLogCodes } from '../../log/same-log.ts'
import {
  firstLevel,
  type LastLevel,
  lastLevel,
  lowestNext,
  type TimeRange,
  timeRange,
} from '../../log/scan.ts'
import { formatTime } from '../../time.ts'
import type { RecoveryDependencies } from '../dependencies.ts'

/** The search for the anchor begins this much before its time, to see where its statement begins. */
const recordsBefore = 100n

/** How far the stream was handled, and in which log. */
export type Reference = Pick<
  Checkpoint,
  'clusterId' | 'offset' | 'timestamp' | 'times' | 'anchor' | 'tail' | 'lanes'
>

/** From where the stream can go on, and what that means for what was and what was not handled. */
export type Safe =
  /** The log is the one that the checkpoint belongs to: right where it stands. */
  | { readonly how: 'stored'; readonly offset: bigint }
  /** Another log that holds the last committed change: right behind it. Nothing is lost, nothing committed repeats. */
  | { readonly how: 'anchor'; readonly offset: bigint; readonly anchor: Anchor; readonly exact: boolean }
  /** Another log without it: at a time that is not younger than the last committed change. Nothing is lost. */
  | { readonly how: 'time'; readonly offset: bigint; readonly timestamp: number }
  /** The log may begin behind the checkpoint: what lies between is lost. */
  | {
      readonly how: 'gap'
      readonly offset: bigint
      /** Of the first record that can be read, in seconds. */
      readonly timestamp: number
      /** A time that none of the next records is older than. */
      readonly settled: number
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

/** What is left of an invocation for everything after a search, in milliseconds. */
const afterSearchMs = 30_000

/** For an invocation of recovery. */
export function lookOf({ now, remainingMs }: Pick<RecoveryDependencies, 'now' | 'remainingMs'>): Look {
  return { now: now(), mayGoOn: () => remainingMs() > afterSearchMs }
}

/** What bounds a look at the log; `mayGoOn` is asked as long as a search takes. */
export interface Look {
  /** Milliseconds since 1970; only a message depends on it. */
  readonly now: number
  readonly mayGoOn: () => boolean
}

/**
 * Where the stream of `read` can go on in the log that is there now. Reads only.
 * @throws DtsError CHECKPOINT_OUT_OF_RANGE when the log has not got to the checkpoint yet; SEARCH_UNFINISHED
 */
export async function assess(read: Reference, stream: Stream, look: Look): Promise<Assessment> {
  const range = await stream.range()
  const times = await timeRange(stream, range)
  if (await isSameLog(read, stream)) {
    const lead = { lanes: withoutTrouble(read.lanes), forgottenUntil: -1 }
    return { safe: { how: 'stored', offset: read.offset }, lead, range, times }
  }
  const { anchor } = read
  if (times === null) throw notThereYet(stream, null, read, look)
  const lanes = Object.values(read.lanes).flatMap((lane) => lane.anchor ?? [])
  const since = sinceOf(read)
  const from = await beginningOfSearch(stream, range, [...(anchor === null ? [] : [anchor]), ...lanes])
  const searched = await searchLog(stream, range, { main: anchor, lanes, since }, from, look.mayGoOn)
  const main = anchor === null ? undefined : searched.found.get(anchor)
  if (main?.unfinished) throw notThereYet(stream, times.last, read, look)
  const safe =
    main === undefined
      ? await withoutAnchor(read, stream, range, searched, look)
      : { how: 'anchor' as const, offset: main.anchor.offset + 1n, ...main }
  return { safe, lead: leadBehind(safe.offset, read, searched.found), range, times }
}

/** The first record at or after an anchor's time lies at the anchor or before it, whatever other times are. */
async function beginningOfSearch(
  stream: Stream,
  range: DataRange,
  wanted: readonly Anchor[],
): Promise<bigint> {
  let from = range.end
  for (const seconds of new Set(wanted.map(({ timestamp }) => timestamp))) {
    const offset = await locate(stream, range, seconds)
    if (offset < from) from = offset
  }
  return from - recordsBefore < range.earliest ? range.earliest : from - recordsBefore
}

/**
 * The time from which on a stream goes on that has lost its anchor. Where the log holds the last committed change in
 * another form, this lands at it or before it, because it is not younger than that.
 */
function sinceOf(read: Reference): number {
  const level = certainlyBefore(timesOf(read))
  return Math.max(0, Math.min(level, read.anchor?.timestamp ?? level))
}

async function withoutAnchor(
  read: Reference,
  stream: Stream,
  range: DataRange,
  searched: Searched,
  look: Look,
): Promise<Safe> {
  const { anchor, clusterId } = read
  const times = timesOf(read)
  const [first, last] = [await firstLevel(stream, range), await lastLevel(stream, range)]
  // A log that is still being filled may bring the anchor.
  if (first === null || last === null || searched.since === null || !hasGotThere(last, read, searched))
    throw notThereYet(stream, last?.middle ?? null, read, look)
  // On one cluster the offset itself says what is missing; on another only the times can.
  const trimmed = clusterId === stream.clusterId && read.offset < range.earliest
  // Records that are older than those behind the checkpoint can be: then the log holds all of those.
  const begunBefore = first <= certainlyBefore(times)
  if (trimmed || !begunBefore) return await gap(range.earliest, read, first, stream, range)
  // There was a change of this time. A log without one lacks that change, and perhaps others.
  // Without one, nothing is known to have been committed there that tells this log's records of that time from others.
  const isHere = anchor === null ? read.times === null : searched.hasTime
  if (!isHere) return await gap(searched.since.offset, read, searched.since.timestamp, stream, range)
  return { how: 'time', offset: searched.since.offset, timestamp: sinceOf(read) }
}

/** So far a log may be behind, in seconds, when a single record says that it has got to a time. */
const nearlyThere = 60

function hasGotThere({ middle, highest }: LastLevel, read: Reference, { hasTime }: Searched): boolean {
  const level = levelToReach(read)
  // The position was among changes of a wrong date; the log has them, and goes on as the source does.
  if (hasTime && level - highest > furthestJump) return true
  return highest >= level && middle >= level - nearlyThere
}

async function gap(
  offset: bigint,
  read: Reference,
  first: number,
  stream: Stream,
  range: DataRange,
): Promise<Safe> {
  const settled = Math.min(first, (await lowestNext(stream, offset, range)) ?? first)
  return { how: 'gap', offset, timestamp: first, settled, lost: lostBetween(read, first) }
}

/**
 * What was not committed at the checkpoint, and stands before a record of a time. Single changes may be dated
 * otherwise.
 */
export function lostBetween(read: Reference, first: number): Lost {
  const { settled, fall, back, ahead } = timesOf(read)
  return {
    from: Math.max(0, settled - leastMargin - Math.max(fall, back.once)),
    to: Math.max(read.timestamp, first) + Math.max(leastMargin, ahead.often),
  }
}

/** A lane stays ahead where the change that it is through stands in this log, too, behind where the stream goes on. */
function leadBehind(offset: bigint, read: Reference, found: ReadonlyMap<Anchor, Found>): Lead {
  const { youngest } = timesOf(read)
  const kept: Record<string, Position['lanes'][string]> = {}
  let forgottenUntil: number | null = -1
  for (const [name, { through, anchor }] of Object.entries(read.lanes)) {
    if (through === null) continue
    const here = anchor === null ? undefined : found.get(anchor)
    if (here !== undefined && here.anchor.offset >= offset)
      kept[name] = { through: here.anchor.offset, anchor: here.anchor, trouble: null }
    if (here?.exact !== true) forgottenUntil = later(forgottenUntil, anchor, youngest)
  }
  return { lanes: kept, forgottenUntil }
}

/** When nothing is kept of the lanes' lead. */
export function forgetLead(read: Reference): Lead {
  return leadBehind(0n, read, new Map())
}

function later(until: number | null, anchor: Anchor | null, youngest: number): number | null {
  // A lane's changes may be younger than the last one that it did, but not than all that was read.
  return until === null || anchor === null ? null : Math.max(until, anchor.timestamp + leastMargin, youngest)
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

function notThereYet(stream: Stream, last: number | null, read: Reference, { now }: Look): DtsError {
  const timestamp = levelToReach(read)
  const end = last === null ? 'holds no record' : `ends at ${formatTime(last)}`
  const isPast = timestamp * 1000 <= now
  const remedy = isPast
    ? 'DTS may still be filling it: wait, and run the same again.'
    : 'That time lies in the future, as a record of the source had it, and waiting would last until then. Choose the ' +
      'time to continue from, and accept the loss.'
  return new DtsError(
    'CHECKPOINT_OUT_OF_RANGE',
    `The log of cluster ${stream.clusterId} ${end}, before the checkpoint's time ${formatTime(timestamp)}. ${remedy}`,
    {
      retryable: true,
      facts: { timestamp, last },
      next: isPast
        ? []
        : [
            {
              action: 'reset',
              to: 'earliest',
              acceptLoss: true,
              purpose:
                'continue with everything that the log holds, or at a time in it that you choose instead',
            },
          ],
    },
  )
}
