import { furthestJump, type SourceTimes, startOfTimes, timesOf } from '../../checkpoint/source-times.ts'
import { type Anchor, type Checkpoint, freshPosition, type Position } from '../../checkpoint/types.ts'
import { DtsError, type ResetTarget } from '../../errors.ts'
import type { KnownProgress } from '../../log/progress.ts'
import type { PlaceDetails, PlaceTime } from '../../log/survey-place.ts'
import { formatTime } from '../../time.ts'
import { type Lost, lostBetween, type SafePlace } from './assess.ts'
import { choosePlace, type Facts, type NamedChoice, type SafeChoice } from './choose-place.ts'
import { type Refusal, refuse } from './refusal.ts'
import { emptyLog, type NamedBy } from './target.ts'

/** How the place of a move was found. */
export type How = SafePlace['how'] | NamedBy

/** A move of the checkpoint, before anything is written. */
export interface Move {
  readonly kind: 'move'
  readonly how: How
  readonly source: Exclude<KnownProgress['source'], 'unanswered'>
  readonly position: Position
  /** Until which source time (seconds) deliveries are marked as replays; null: none. */
  readonly replayUntil: number | null
  readonly repeats: PlaceDetails['repeats']
  readonly lost: Lost | null
}

/**
 * Whether the checkpoint moves, and where to. Pure: the same facts give the same decision.
 * @param mayLose whether a move that loses changes is acceptable
 */
export function decide(facts: Facts, details: PlaceDetails, mayLose: boolean): Move | Refusal {
  const chosen = choosePlace(facts)
  if (chosen.kind === 'refusal') return chosen
  const place = chosen.kind === 'named' ? namedPlace(facts, chosen, details) : safePlace(chosen, details)
  if (place.kind === 'refusal') return place
  const { how, timestamp, times, anchor, lost } = place
  if (lost !== null && !mayLose) return lossNotAccepted(lost, how, sameReset(facts))
  const { offset, lanes, repeats, source } = chosen
  const until = Math.max(repeats.anywhere, repeats.handled, details.youngestRepeat)
  return {
    kind: 'move',
    how,
    source,
    position: freshPosition(offset, timestamp, anchor, details.tail, lanes.lanes, times),
    replayUntil: until < 0 ? null : until,
    repeats: details.repeats,
    lost,
  }
}

/** The part of a position that the chosen offset alone does not give. */
interface DecidedPlace {
  readonly kind: 'decided'
  readonly how: How
  /** The checkpoint's time at that place, in seconds. */
  readonly timestamp: number
  readonly times: SourceTimes
  readonly anchor: Anchor | null
  readonly lost: Lost | null
}

function safePlace({ safe, read }: SafeChoice, { lowestNext }: PlaceDetails): DecidedPlace {
  switch (safe.how) {
    case 'stored':
    case 'anchor': {
      const anchor = safe.how === 'anchor' ? safe.anchor : read.anchor
      return {
        kind: 'decided',
        how: safe.how,
        timestamp: read.timestamp,
        times: timesOf(read),
        anchor,
        lost: null,
      }
    }
    case 'time': {
      const { how, timestamp } = safe
      return {
        kind: 'decided',
        how,
        timestamp,
        times: timesAt(read, timestamp, timestamp),
        anchor: null,
        lost: null,
      }
    }
    case 'gap': {
      const { how, timestamp, lost } = safe
      const settled = Math.min(timestamp, lowestNext ?? timestamp)
      return { kind: 'decided', how, timestamp, times: timesAt(read, settled, timestamp), anchor: null, lost }
    }
  }
}

function namedPlace(
  { read, survey }: Facts,
  chosen: NamedChoice,
  details: PlaceDetails,
): DecidedPlace | Refusal {
  const time: PlaceTime = details.time ?? { kind: 'empty' }
  if (time.kind === 'empty') return emptyLog(survey.clusterId, survey.range)
  if (time.kind === 'unreadable') return refuse('unreadable', time.fault)
  const timestamp = time.seconds
  const times = timesAt(read, settledAt(timestamp, details), timestamp)
  const lost = lostBefore(chosen, timestamp, details.leavesOutWork)
  return { kind: 'decided', how: chosen.target.how, timestamp, times, anchor: null, lost }
}

/**
 * A time that the source had reached at a named place: none of the next records is older. If these are dated far ahead of
 * the records below the place, the records below count. Otherwise no other log would seem to have reached the place for
 * hours.
 */
function settledAt(time: number, { lowestNext, levelBelow }: PlaceDetails): number {
  const settled = Math.min(time, lowestNext ?? time)
  return levelBelow !== null && settled - levelBelow.middle > furthestJump ? levelBelow.middle : settled
}

/** The measured distances of the source's times hold at every place of every log. */
function timesAt(read: Checkpoint | null, settled: number, timestamp: number): SourceTimes {
  if (read === null) return startOfTimes(settled, timestamp)
  return { ...timesOf(read), settled, jump: null, fall: 0 }
}

/** The changes between the place where nothing would be lost and the place that was named. */
function lostBefore(
  { progress, safe, offset }: NamedChoice,
  timestamp: number,
  leavesOutWork: boolean,
): Lost | null {
  if (progress === null) return null
  const lost = lostBetween(progress, timestamp)
  // Unknown changes may still come into the log, so a move to its end may skip some of them.
  if (safe === null) return lost
  if (safe.how === 'gap') return { from: safe.lost.from, to: Math.max(safe.lost.to, lost.to) }
  return offset > safe.offset && leavesOutWork ? lost : null
}

function sameReset({ target }: Facts): RepeatedReset {
  return target.kind === 'safe' ? {} : { to: target.to }
}

/** How the same reset is requested again. */
interface RepeatedReset {
  readonly to?: ResetTarget
  readonly token?: string
}

export function lossNotAccepted(lost: Lost, how: How, sameReset: RepeatedReset): Refusal {
  return refuse(
    'loss-not-accepted',
    new DtsError(
      'DATA_GAP',
      `A reset by ${how} loses the changes from ${formatTime(lost.from)} to ${formatTime(lost.to)}. Nothing was done. ` +
        'If you accept that, copy the affected rows from the source.',
      {
        retryable: false,
        facts: { from: lost.from, to: lost.to },
        next: [{ action: 'reset', ...sameReset, acceptLoss: true, purpose: 'accept the loss' }],
      },
    ),
  )
}
