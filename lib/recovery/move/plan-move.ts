import type { Checkpoint } from '../../checkpoint/types.ts'
import type { Stream } from '../../kafka/stream.ts'
import type { GroupAnswer } from '../../log/group.ts'
import { compareWith, surveyLog } from '../../log/survey.ts'
import { surveyPlace } from '../../log/survey-place.ts'
import type { RecoveryDependencies } from '../dependencies.ts'
import { choosePlace, questionAt } from './choose-place.ts'
import { decide, type Move } from './decide.ts'
import type { Refusal } from './refusal.ts'
import { resolveTarget, secondsOf, type Target } from './target.ts'

/** Bounds of a search in the log. */
export interface SearchLimits {
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Asked again and again during a search. */
  readonly mayContinue: () => boolean
}

/** An invocation needs so much time after a search, in milliseconds. */
const afterSearchMs = 30_000

/** For an invocation of recovery. */
export function searchLimits({
  now,
  remainingMs,
}: Pick<RecoveryDependencies, 'now' | 'remainingMs'>): SearchLimits {
  return { now, mayContinue: () => remainingMs() > afterSearchMs }
}

export interface MoveRequest {
  readonly to: Target | undefined
  /** Whether a move that loses changes is acceptable. */
  readonly mayLose: boolean
  /** A count may read 500,000 records. */
  readonly countsRepeats: boolean
  /** Whether the digest of the record at the place is needed, for a token. */
  readonly wantsNext: boolean
}

export interface PlannedMove {
  readonly decision: Move | Refusal
  readonly group: GroupAnswer
  readonly next: string | null
}

/**
 * Surveys the log and decides. The survey has three parts. A pure step after each part says whether the next part is
 * needed, and what it reads.
 */
export async function planMove(
  { to, mayLose, countsRepeats, wantsNext }: MoveRequest,
  read: Checkpoint | null,
  stream: Stream,
  { now, mayContinue }: SearchLimits,
): Promise<PlannedMove> {
  const survey = await surveyLog(stream, read, secondsOf(to))
  const { group } = survey
  const target = resolveTarget(to, read, survey)
  if (target.kind === 'refusal') return { decision: target, group, next: null }

  const comparison = await compareWith(survey, stream, mayContinue)
  // Read after the search: changes may have been delivered until now.
  const facts = { target, read, survey, comparison, now: now() }
  const chosen = choosePlace(facts)
  if (chosen.kind === 'refusal') return { decision: chosen, group, next: null }

  const details = await surveyPlace(questionAt(chosen, { countsRepeats, wantsNext }), stream, survey)
  return { decision: decide(facts, details, mayLose), group, next: details.next }
}
