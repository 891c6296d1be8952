import { leastMargin, timesOf } from '../../checkpoint/source-times.ts'
import type { Checkpoint } from '../../checkpoint/types.ts'
import type { Comparison } from '../../log/compare.ts'
import type { KnownProgress, Progress } from '../../log/progress.ts'
import type { RepeatBounds } from '../../log/repeats.ts'
import type { Survey } from '../../log/survey.ts'
import type { PlaceQuestion } from '../../log/survey-place.ts'
import { assess, type SafePlace } from './assess.ts'
import { forgottenLanes, keptLanes, type LaneProgress } from './lanes.ts'
import type { Refusal } from './refusal.ts'
import type { NamedTarget, ResolvedTarget } from './target.ts'

/** The offset that a move goes to, and what follows for changes that were delivered before. Pure. */
export type ChosenPlace = SafeChoice | NamedChoice

interface Choice {
  readonly offset: bigint
  readonly source: Exclude<KnownProgress['source'], 'unanswered'>
  readonly lanes: LaneProgress
  readonly repeats: RepeatBounds
}

/** The place where nothing is lost, or as little as possible. */
export interface SafeChoice extends Choice {
  readonly kind: 'safe'
  readonly read: Checkpoint
  readonly safe: SafePlace
}

export interface NamedChoice extends Choice {
  readonly kind: 'named'
  readonly target: NamedTarget
  readonly progress: Progress | null
  /** The place that loses nothing; null if no progress is known, or the log does not show that place. */
  readonly safe: SafePlace | null
}

/** The facts of a decision before the details of the place are read. */
export interface Facts {
  readonly target: ResolvedTarget
  readonly read: Checkpoint | null
  readonly survey: Survey
  /** Null if no progress is known. */
  readonly comparison: Comparison | null
  /** Milliseconds since 1970. */
  readonly now: number
}

export function choosePlace(facts: Facts): ChosenPlace | Refusal {
  const { target } = facts
  return target.kind === 'safe' ? chooseSafe(facts, target.read) : chooseNamed(facts, target)
}

function chooseSafe({ survey, comparison, now }: Facts, read: Checkpoint): SafeChoice | Refusal {
  if (comparison === null) throw new TypeError('A checkpoint was not compared with the log.')
  const safe = assess(read, comparison, survey, now)
  if (safe.kind === 'refusal') return safe
  const { offset } = safe
  const lanes = keptLanes(read, comparison, offset)
  const isExact = safe.how === 'stored' || (safe.how === 'anchor' && safe.exact)
  const handled = isExact ? -1 : youngestCommitted(read)
  const anywhere = repeatsAnywhere(read.replayUntil, lanes, [read], survey, now)
  const repeats = { everyBelow: everyBelow(lanes, survey), anywhere, handled, handledBelow: null }
  return { kind: 'safe', read, safe, offset, lanes, repeats, source: 'checkpoint' }
}

function chooseNamed({ read, survey, comparison, now }: Facts, target: NamedTarget): NamedChoice {
  const { known } = survey
  if (known.source === 'unanswered')
    throw new TypeError('A place was resolved without an answer of the group.')
  const { source, progress, replayUntil } = known
  const { offset } = target
  const assessed = progress === null || comparison === null ? null : assess(progress, comparison, survey, now)
  const safe = assessed?.kind === 'place' ? assessed : null
  const lanes = forgottenLanes(read, source)
  // Everything from a named place on is delivered to all functions, also to those that were ahead.
  const handledBelow = progress !== null && safe?.how === 'stored' ? progress.offset : null
  const isBelow = handledBelow === null || handledBelow > offset
  const handled = progress !== null && isBelow ? youngestCommitted(progress) : -1
  // A restored item is older than the progress, but shows how far ahead the source's clock has been.
  const anywhere = repeatsAnywhere(replayUntil, lanes, [progress, read], survey, now)
  const repeats = { everyBelow: everyBelow(lanes, survey), anywhere, handled, handledBelow }
  return { kind: 'named', target, safe, progress, offset, lanes, repeats, source }
}

/** A reset may have lowered the position's time. Changes that were delivered before that may still repeat. */
function youngestCommitted(progress: Progress): number {
  return Math.max(progress.timestamp, timesOf(progress).youngest)
}

/** Until which time changes may repeat wherever they are. The repeats of an earlier move may not be delivered yet. */
function repeatsAnywhere(
  replayUntil: number | null,
  { forgottenUntil }: LaneProgress,
  known: readonly (Progress | null)[],
  { ends }: Survey,
  now: number,
): number {
  return Math.max(replayUntil ?? -1, forgottenUntil ?? youngestDelivered(known, ends, now))
}

/**
 * If it is unknown what was delivered, everything that the log has by now may have been. A single change can be dated hours ahead,
 * so no time alone tells.
 */
function everyBelow({ forgottenUntil }: LaneProgress, { range }: Survey): bigint | null {
  return forgottenUntil === null ? range.end : null
}

/**
 * The time of the youngest change that may have been delivered, if nothing else limits it. No change is delivered before
 * it happened. If the source's clock is ahead of ours, the log and what was committed show by how much.
 */
function youngestDelivered(known: readonly (Progress | null)[], ends: Survey['ends'], now: number): number {
  const last = ends.kind === 'covers' ? ends.last : -1
  const committed = known.map((progress) => (progress === null ? -1 : youngestCommitted(progress)))
  return Math.max(Math.ceil(now / 1000), last, ...committed) + leastMargin
}

/** The details that the survey must read at the chosen place. */
export function questionAt(
  chosen: ChosenPlace,
  { countsRepeats, wantsNext }: { readonly countsRepeats: boolean; readonly wantsNext: boolean },
): PlaceQuestion {
  const { kind, offset, safe } = chosen
  const isNamed = kind === 'named'
  const isAhead = isNamed && safe !== null && safe.how !== 'gap' && safe.offset < offset
  return {
    offset,
    time: isNamed ? { asked: chosen.target.asked } : null,
    wantsLowestNext: isNamed || safe?.how === 'gap',
    leavesOut: isAhead ? { from: safe.offset, to: offset } : null,
    // Without such an offset the times alone decide which deliveries are marked as replays.
    repeats: countsRepeats || chosen.repeats.everyBelow !== null ? chosen.repeats : null,
    wantsNext,
  }
}
