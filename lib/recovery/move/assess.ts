import {
  certainlyBefore,
  furthestJump,
  leastMargin,
  levelToReach,
  timesOf,
} from '../../checkpoint/source-times.ts'
import type { Anchor } from '../../checkpoint/types.ts'
import { DtsError, type NextStep } from '../../errors.ts'
import type { Comparison } from '../../log/compare.ts'
import type { FirstLevel, LastLevel } from '../../log/log-times.ts'
import { type Progress, sinceOf } from '../../log/progress.ts'
import type { Survey } from '../../log/survey.ts'
import { formatTime } from '../../time.ts'
import { type Refusal, refuse } from './refusal.ts'

/** A place where the stream can continue, and the consequences for its changes. Computed without I/O. */
export type SafePlace =
  /** The log is the one that the checkpoint belongs to: at the stored offset. */
  | { readonly kind: 'place'; readonly how: 'stored'; readonly offset: bigint }
  /** Another log that holds the last committed change: right after it. Nothing is lost, nothing committed repeats. */
  | {
      readonly kind: 'place'
      readonly how: 'anchor'
      readonly offset: bigint
      readonly anchor: Anchor
      readonly exact: boolean
    }
  /** Another log without it: at a time that is not younger than the last committed change. Nothing is lost. */
  | { readonly kind: 'place'; readonly how: 'time'; readonly offset: bigint; readonly timestamp: number }
  /** The log may begin after the checkpoint: the changes in between are lost. */
  | {
      readonly kind: 'place'
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

/** The log that a progress is compared with. */
export type LogFacts = Pick<Survey, 'clusterId' | 'range' | 'ends'>

/** @param now milliseconds since 1970; only a message depends on it */
export function assess(
  read: Progress,
  comparison: Comparison,
  log: LogFacts,
  now: number,
): SafePlace | Refusal {
  switch (comparison.kind) {
    case 'same-log':
      return { kind: 'place', how: 'stored', offset: read.offset }
    case 'empty':
      return notThereYet(log, null, read, now)
    case 'anchor': {
      const { anchor, exact, unfinished } = comparison.main
      const last = log.ends.kind === 'covers' ? log.ends.last : null
      if (unfinished) return notThereYet(log, last, read, now)
      return { kind: 'place', how: 'anchor', offset: anchor.offset + 1n, anchor, exact }
    }
    case 'no-anchor':
      return withoutAnchor(read, comparison, log, now)
    case 'unreadable':
      return refuse('unreadable', comparison.fault)
  }
}

function withoutAnchor(
  read: Progress,
  { since, hasTime, first, last }: Extract<Comparison, { kind: 'no-anchor' }>,
  log: LogFacts,
  now: number,
): SafePlace | Refusal {
  const { anchor, clusterId } = read
  const times = timesOf(read)
  const { earliest } = log.range
  // DTS may still be filling the log, and then the anchor may still come.
  if (first === null || last === null || since === null || !hasGotThere(last, read, hasTime))
    return notThereYet(log, last?.middle ?? null, read, now)
  // On the same cluster the offset says what is missing. On another one only the times can.
  const trimmed = clusterId === log.clusterId && read.offset < earliest
  // The log begins with records older than any change after the checkpoint can be, so it holds all of those changes.
  const begunBefore = first.middle <= certainlyBefore(times)
  if (trimmed || !begunBefore) return gap(earliest, read, first)
  // There was a change of this time. A log without one lacks that change, and perhaps others.
  // Without an anchor, no known commit identifies a record of that time.
  const isHere = anchor === null ? read.times === null : hasTime
  if (!isHere) return gap(since.offset, read, { middle: since.timestamp, highest: since.timestamp })
  return { kind: 'place', how: 'time', offset: since.offset, timestamp: sinceOf(read) }
}

/** Two of the last three records may be this many seconds older than the time that the log has reached. */
const nearlyThere = 60

function hasGotThere({ middle, highest }: LastLevel, read: Progress, hasTime: boolean): boolean {
  const level = levelToReach(read)
  // The position was among changes with a wrong date. The log has them, and continues as the source does.
  if (hasTime && level - middle > furthestJump) return true
  return highest >= level && middle >= level - nearlyThere
}

/** @param first of the log from the offset on. The lost changes of a shard whose clock is ahead can have its highest time. */
function gap(offset: bigint, read: Progress, first: FirstLevel): SafePlace {
  const lost = lostBetween(read, first.highest)
  return { kind: 'place', how: 'gap', offset, timestamp: first.middle, lost }
}

/**
 * The changes that were not committed at the checkpoint, and lie before a record of a time. The margin is for single
 * changes with another date. The record itself can be dated back. Of changes that were read already, the youngest time is known.
 */
export function lostBetween(read: Progress, first: number): Lost {
  const { settled, fall, back, ahead, youngest } = timesOf(read)
  const readUntil = youngest - settled <= furthestJump ? youngest : read.timestamp
  return {
    from: Math.max(0, settled - leastMargin - Math.max(fall, back.once)),
    to:
      Math.max(read.timestamp, readUntil, first + Math.min(back.once, furthestJump)) +
      Math.max(leastMargin, ahead.often),
  }
}

const fromTheBeginning: NextStep = {
  action: 'reset',
  to: 'earliest',
  acceptLoss: true,
  purpose: 'continue with everything that the log holds, or at a time in it that you choose instead',
}

function notThereYet(log: LogFacts, last: number | null, read: Progress, now: number): Refusal {
  const timestamp = levelToReach(read)
  const end = last === null ? 'holds no record' : `ends at ${formatTime(last)}`
  const isPast = timestamp * 1000 <= now
  const remedy = isPast
    ? 'DTS may still be filling it: wait, and run the same again. If it does not get there although the source has new changes, the ' +
      "source's clock was set back: choose the place to continue from."
    : 'A record of the source has that time, which is in the future, so waiting would last until then. Choose the time ' +
      'to continue from, and accept the loss.'
  return refuse(
    'not-there-yet',
    new DtsError(
      'CHECKPOINT_OUT_OF_RANGE',
      `The log of cluster ${log.clusterId} ${end}, before the checkpoint's time ${formatTime(timestamp)}. ${remedy}`,
      { retryable: true, facts: { timestamp, last }, next: isPast ? [] : [fromTheBeginning] },
    ),
  )
}
