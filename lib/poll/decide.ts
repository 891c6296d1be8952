import { clockSkewMs } from '../checkpoint/lease-limits.ts'
import type { DtsError } from '../errors.ts'
import type { PollEnd } from './summary.ts'

/** Decisions of a run, as pure functions of its state. `Run` observes the state and performs the step. */

/** The longest time between two looks at the state, in milliseconds. */
const longestRestMs = 1_000
/** Between two commits while there is work, in milliseconds. Bounds both the writes and the repeats after a crash. */
const commitEveryMs = 200
/** A failure whose next attempt is further away than this, in milliseconds, is left to the next run. */
const patienceMs = 5_000
/** The longest time without a look at the item for a wish, in milliseconds. A commit is a look. */
const lookEveryMs = 250
/** A wish is repeated after this many milliseconds without an effect, because its write may have been lost. */
const wishAgainMs = 5_000
/** An older wish is ignored, in milliseconds: its run has probably ended. Clocks may differ by `clockSkewMs`. */
const wishLastsMs = wishAgainMs + 2 * clockSkewMs
/** While a run waits for the lease: the time between two reads of the item, in milliseconds. */
const waitEveryMs = 100

/** A run at one moment. All times are milliseconds since 1970. */
export interface RunState {
  readonly now: number
  /** A newer invocation has begun in this process: this one must do nothing more. */
  readonly superseded: boolean
  /** Milliseconds in which another invocation may still be started. */
  readonly timeLeftMs: number
  readonly reading: ReadingState
  readonly delivery: DeliveryState
  readonly commit: CommitState
  /** Null if runs do not hand the lease over. */
  readonly handOver: HandOverState | null
}

export interface ReadingState {
  /** A fetch is under way. */
  readonly fetching: boolean
  /** Neither a bound of the run nor a full buffer forbids another fetch. */
  readonly mayFetch: boolean
  /** Everything that the broker can give has been read. */
  readonly atEnd: boolean
  /** At the end, the run has waited for news for as long as it is configured to. */
  readonly lingered: boolean
  /** The bound of the run that reading has reached; null if none. */
  readonly bound: 'records' | 'bytes' | null
  /** The stream must halt at the end of what was read. */
  readonly halt: DtsError | null
  /** Nothing more can be fetched in this run. */
  readonly fault: DtsError | null
  /** The unexpected error that ended a fetch; null if there was none. */
  readonly unexpectedError: unknown
}

export interface DeliveryState {
  /** Everything that was read is done, or waits for more records of its transaction. */
  readonly idle: boolean
  /** The change where the run began waits for the rest of its transaction. The next run would begin at the same place. */
  readonly holdsStart: boolean
  /** The earliest time at which a failing lane tries again, if all lanes with work wait; null if one does not wait. */
  readonly waitsUntil: number | null
  /** Until when a handler that did not answer may still run; null if every handler answered. */
  readonly mayRunUntil: number | null
  /** The stream must halt at once. */
  readonly halt: DtsError | null
  /** The unexpected error that ended a lane; null if there was none. */
  readonly unexpectedError: unknown
}

export interface CommitState {
  /** Something was done, or failed, since the last commit. */
  readonly pending: boolean
  readonly last: number
  /** After a failed commit: the pause before the next one, in milliseconds. */
  readonly pauseMs: number
  /** The lease lasts for the worst case of an invocation that starts now. */
  readonly leaseCoversInvocation: boolean
}

export interface HandOverState {
  /** The last wish for our lease, by the clock of the run that waits; null: no run waits. */
  readonly wishedAt: number | null
  /** A look at the item is under way. */
  readonly looking: boolean
  readonly lastLook: number
  /** Since the run noticed the wish, it starts nothing more. `done`: and nothing is in flight any more. */
  readonly drain: 'no' | 'underway' | 'done'
}

/** What a run does next. */
export type Step =
  | { readonly do: 'fetch' }
  | { readonly do: 'commit' }
  | { readonly do: 'wait'; readonly milliseconds: number }
  /** See whether another run wishes for the lease. */
  | { readonly do: 'look' }
  /** Start no fetch and no invocation any more, and commit what those in flight bring. */
  | { readonly do: 'drain' }
  | { readonly do: 'end'; readonly why: PollEnd }
  /** Finish what is in flight, then halt the stream. */
  | { readonly do: 'halt'; readonly reason: DtsError }
  /** Finish what is in flight, then end the run with the error. */
  | { readonly do: 'fail'; readonly error: unknown }

export function decide(state: RunState): Step {
  const { reading, delivery } = state
  if (state.superseded) return { do: 'end', why: 'superseded' }
  if (reading.unexpectedError !== null) return { do: 'fail', error: reading.unexpectedError }
  if (delivery.halt !== null) return { do: 'halt', reason: delivery.halt }
  if (delivery.unexpectedError !== null) return { do: 'fail', error: delivery.unexpectedError }
  if (commitIsDue(state)) return { do: 'commit' }
  const handOver = handOverOf(state)
  if (handOver !== null) return handOver
  const end = endOf(state)
  if (end !== null) return end
  if (!reading.fetching && reading.mayFetch) return { do: 'fetch' }
  return { do: 'wait', milliseconds: restMs(state) }
}

/** Whether an invocation may start: now, later (after a commit has renewed the lease), or not in this run. */
export function decideSend(state: {
  readonly stopping: boolean
  readonly timeLeftMs: number
  readonly leaseCoversInvocation: boolean
}): 'now' | 'later' | 'never' {
  if (state.stopping || state.timeLeftMs <= 0) return 'never'
  return state.leaseCoversInvocation ? 'now' : 'later'
}

/** A commit also renews the lease, so it is due too when the lease no longer covers an invocation. */
function commitIsDue({ now, commit }: RunState): boolean {
  if (now < commit.last + commit.pauseMs) return false
  return (commit.pending && now >= commit.last + commitEveryMs) || !commit.leaseCoversInvocation
}

/**
 * The steps towards a hand-over, at the next boundary of a batch. It is never undone: if the run that waits has died, the next
 * one acquires the lease.
 */
function handOverOf(state: RunState): Step | null {
  const { now, commit, delivery, handOver } = state
  if (handOver === null) return null
  const { wishedAt, looking, drain } = handOver
  if (drain === 'done') return endAs('handed-over', state)
  if (drain === 'underway') return { do: 'wait', milliseconds: restMs(state) }
  // The lease of a run that ends now would have to last until such a handler has ended, and every table would wait.
  const mayRelease = (delivery.mayRunUntil === null || delivery.mayRunUntil <= now) && !delivery.holdsStart
  if (wishedAt !== null && mayRelease && isFresh(wishedAt, now, wishLastsMs)) return { do: 'drain' }
  return !looking && now >= nextLook(commit, handOver) ? { do: 'look' } : null
}

function nextLook(commit: CommitState, { lastLook }: HandOverState): number {
  return Math.max(commit.last, lastLook) + lookEveryMs
}

/** The clock that wrote the time may be ahead of ours. */
function isFresh(at: number, now: number, lastsMs: number): boolean {
  return Math.abs(now - at) < lastsMs
}

/** The end of the run. A run that could not fetch ends with that fault. */
function endAs(why: PollEnd, { reading: { fault } }: RunState): Step {
  return fault === null ? { do: 'end', why } : { do: 'fail', error: fault }
}

/** The end of the run, if a bound is reached. */
function endOf(state: RunState): Step | null {
  const { now, timeLeftMs, reading, delivery, handOver } = state
  const end = (why: PollEnd) => endAs(why, state)
  if (timeLeftMs <= 0) return end('time')
  // With a hand-over no run waits to take the lease at once, and the tables of other lanes would wait for the next start.
  const onlyWaits =
    handOver === null && delivery.waitsUntil !== null && delivery.waitsUntil > now + patienceMs
  if (onlyWaits && !reading.fetching && (reading.atEnd || !reading.mayFetch)) return end('handler-failed')
  // A fetch that is under way may still bring work, which would be thrown away.
  if (!delivery.idle || reading.fetching) return null
  if (reading.halt !== null) return { do: 'halt', reason: reading.halt }
  if (reading.fault !== null) return { do: 'fail', error: reading.fault }
  if (reading.bound !== null) return end(reading.bound)
  return reading.atEnd && reading.lingered ? end('end-of-stream') : null
}

function restMs({ now, commit, handOver }: RunState): number {
  const untilCommit = commit.last + Math.max(commitEveryMs, commit.pauseMs) - now
  const looks = handOver !== null && handOver.drain === 'no' && !handOver.looking
  const untilLook = looks ? nextLook(commit, handOver) - now : longestRestMs
  return Math.max(1, Math.min(longestRestMs, untilLook, commit.pending ? untilCommit : longestRestMs))
}

/** A run that waits for the lease, right after it read the item. */
export interface WaitState {
  readonly now: number
  readonly superseded: boolean
  /** As in `RunState`. */
  readonly timeLeftMs: number
  /** The epoch of the holder for which it began to wait. */
  readonly firstEpoch: number
  readonly epoch: number
  /** Null if no run holds the lease. */
  readonly leaseUntil: number | null
  /** The last wish of any run for this lease; null: none. */
  readonly wishedAt: number | null
  /** When this run last asked; null: not yet. */
  readonly askedAt: number | null
}

export type WaitStep =
  /** Acquire the lease, under the conditions of every run. */
  | { readonly do: 'acquire' }
  /** Ask the holder, then wait. */
  | { readonly do: 'wish'; readonly milliseconds: number }
  | { readonly do: 'wait'; readonly milliseconds: number }
  /** End without having held the lease. */
  | { readonly do: 'leave' }

export function decideWait(state: WaitState): WaitStep {
  const { now, superseded, timeLeftMs, firstEpoch, epoch, leaseUntil, wishedAt, askedAt } = state
  // Another run was faster, or a person's recovery, which may have moved the stream to a log that this run is not connected to.
  if (superseded || timeLeftMs <= 0 || epoch !== firstEpoch) return { do: 'leave' }
  if (leaseUntil === null || leaseUntil < now - clockSkewMs) return { do: 'acquire' }
  // Two runs whose clocks differ much do not see each other's wishes as fresh. They must not replace them in turn.
  const isAsked = [wishedAt, askedAt].some((at) => at !== null && isFresh(at, now, wishAgainMs))
  return { do: isAsked ? 'wait' : 'wish', milliseconds: waitEveryMs }
}
