import type { Anchor } from '../checkpoint/types.ts'
import { DtsError } from '../errors.ts'
import type { DataRange } from '../kafka/data-range.ts'
import type { Stream } from '../kafka/stream.ts'
import { type AnchorMatch, type Searched, searchLog } from './find-anchors.ts'
import { offsetNear } from './locate-time.ts'
import { type FirstLevel, firstLevel, type LastLevel, type LogEnds, lastLevel } from './log-times.ts'
import { type Progress, sinceOf } from './progress.ts'
import { changeOfLog } from './same-log.ts'
import { isDamage } from './scan.ts'

/** How the log that is there now compares with the progress of the stream. */
export type Comparison =
  /** The log is the one that the progress belongs to. */
  | { readonly kind: 'same-log' }
  /** Another log that holds no record yet. */
  | { readonly kind: 'empty' }
  /** Another log that holds the last committed change. */
  | { readonly kind: 'anchor'; readonly main: AnchorMatch; readonly lanes: LaneMatches }
  /** Another log without that change, so that only times can be compared. */
  | {
      readonly kind: 'no-anchor'
      readonly since: Searched['since']
      readonly hasTime: boolean
      readonly first: FirstLevel | null
      readonly last: LastLevel | null
      readonly lanes: LaneMatches
    }
  /** Damage hides the records that would decide, or the time was too short to search the log. */
  | { readonly kind: 'unreadable'; readonly fault: DtsError }

/** The changes of lanes that are in this log, by the anchor that the progress has of them. */
export type LaneMatches = ReadonlyMap<Anchor, AnchorMatch>

/** @param mayContinue asked again and again during a search */
export async function compareLog(
  progress: Progress,
  stream: Stream,
  { range, ends }: { readonly range: DataRange; readonly ends: LogEnds },
  mayContinue: () => boolean,
): Promise<Comparison> {
  if (ends.kind === 'damaged') return { kind: 'unreadable', fault: ends.fault }
  try {
    const change = await changeOfLog(progress, stream, range)
    if (change === null) return { kind: 'same-log' }
    if (ends.kind === 'empty') return { kind: 'empty' }
    return await compareOtherLog(progress, stream, range, mayContinue)
  } catch (fault) {
    const isUnfinished = fault instanceof DtsError && fault.code === 'SEARCH_UNFINISHED'
    if (isDamage(fault) || isUnfinished) return { kind: 'unreadable', fault }
    throw fault
  }
}

async function compareOtherLog(
  progress: Progress,
  stream: Stream,
  range: DataRange,
  mayContinue: () => boolean,
): Promise<Comparison> {
  const { anchor } = progress
  const lanes = Object.values(progress.lanes).flatMap((lane) => lane.anchor ?? [])
  const from = await beginningOfSearch(stream, range, [...(anchor === null ? [] : [anchor]), ...lanes])
  const wanted = { main: anchor, lanes, since: sinceOf(progress) }
  const { found, since, hasTime } = await searchLog(stream, range, wanted, from, mayContinue)
  const main = anchor === null ? undefined : found.get(anchor)
  if (main !== undefined) return { kind: 'anchor', main, lanes: found }
  const [first, last] = [await firstLevel(stream, range), await lastLevel(stream, range)]
  return { kind: 'no-anchor', since, hasTime, first, last, lanes: found }
}

/** The search begins this many records before the place of the anchor's time, to find the beginning of its statement. */
const recordsBefore = 100n

/** Whatever the other times are, the first record at or after an anchor's time is not after the anchor. */
async function beginningOfSearch(
  stream: Stream,
  range: DataRange,
  wanted: readonly Anchor[],
): Promise<bigint> {
  let from = range.end
  for (const seconds of new Set(wanted.map(({ timestamp }) => timestamp))) {
    const offset = await offsetNear(stream, range, seconds)
    if (offset < from) from = offset
  }
  return from - recordsBefore < range.earliest ? range.earliest : from - recordsBefore
}
