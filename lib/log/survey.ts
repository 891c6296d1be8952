import type { Checkpoint } from '../checkpoint/types.ts'
import { DtsError } from '../errors.ts'
import type { DataRange } from '../kafka/data-range.ts'
import type { Stream } from '../kafka/stream.ts'
import { type Comparison, compareLog } from './compare.ts'
import { askGroup, type GroupAnswer } from './group.ts'
import { locateTimeIn } from './locate-time.ts'
import { type LogEnds, logEnds } from './log-times.ts'
import { type KnownProgress, readProgress } from './progress.ts'
import { isDamage } from './scan.ts'

/**
 * The survey reads everything that a decision about the checkpoint needs. No other code reads the log for a decision. It has
 * three parts, each a plain value: `surveyLog`, `compareWith` (a search that may take minutes), and `surveyPlace` in
 * survey-place.ts. A pure choice comes between two parts, and says what the next part reads.
 */
export interface Survey {
  /** Of the log that is there now. */
  readonly clusterId: string
  readonly range: DataRange
  readonly ends: LogEnds
  readonly group: GroupAnswer
  readonly known: KnownProgress
  /** The offset of the requested time; null if no time was requested. */
  readonly located: Located | null
}

export type Located =
  | { readonly kind: 'at'; readonly offset: bigint }
  /** The log does not cover that time, or damage hides what it covers. */
  | { readonly kind: 'nowhere'; readonly fault: DtsError }

/** @param seconds a time to locate; null: none */
export async function surveyLog(
  stream: Stream,
  read: Checkpoint | null,
  seconds: number | null = null,
): Promise<Survey> {
  const range = await stream.range()
  const group = await askGroup(stream)
  const ends = await logEnds(stream, range)
  return {
    clusterId: stream.clusterId,
    range,
    ends,
    group,
    known: await readProgress(read, group, stream, range),
    located: seconds === null ? null : await locate(stream, range, ends, seconds),
  }
}

/**
 * Compares the log with the known progress; null if no progress is known.
 * @param mayContinue asked again and again during a search; the comparison is `unreadable` if it says no
 */
export async function compareWith(
  survey: Survey,
  stream: Stream,
  mayContinue: () => boolean,
): Promise<Comparison | null> {
  const { known } = survey
  if (known.source === 'unanswered' || known.progress === null) return null
  return await compareLog(known.progress, stream, survey, mayContinue)
}

async function locate(stream: Stream, range: DataRange, ends: LogEnds, seconds: number): Promise<Located> {
  try {
    return { kind: 'at', offset: await locateTimeIn(stream, range, ends, seconds) }
  } catch (fault) {
    const isOutside = fault instanceof DtsError && fault.code === 'CHECKPOINT_OUT_OF_RANGE'
    if (isOutside || isDamage(fault)) return { kind: 'nowhere', fault }
    throw fault
  }
}
