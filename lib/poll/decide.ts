import type { DtsError } from '../errors.ts'
import type { PollEnd } from './summary.ts'

/** Decisions of a run, as pure functions of its state. `Run` observes the state and performs the step. */

/** The longest time between two looks at the state, in milliseconds. */
const longestRestMs = 1_000
/** Between two commits while there is work, in milliseconds. Bounds both the writes and the repeats after a crash. */
const commitEveryMs = 200
/** A failure whose next attempt is further away than this, in milliseconds, is left to the next run. */
const patienceMs = 5_000

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
  /** Everything that was read is done. */
  readonly idle: boolean
  /** The earliest time at which a failing lane tries again, if all lanes with work wait; null if one does not wait. */
  readonly waitsUntil: number | null
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

/** What a run does next. */
export type Step =
  | { readonly do: 'fetch' }
  | { readonly do: 'commit' }
  | { readonly do: 'wait'; readonly milliseconds: number }
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

/** The end of the run, if a bound is reached. A run that could not fetch ends with that fault. */
function endOf({ now, timeLeftMs, reading, delivery }: RunState): Step | null {
  const end = (why: PollEnd): Step =>
    reading.fault === null ? { do: 'end', why } : { do: 'fail', error: reading.fault }
  if (timeLeftMs <= 0) return end('time')
  const onlyWaits = delivery.waitsUntil !== null && delivery.waitsUntil > now + patienceMs
  if (onlyWaits && !reading.fetching && (reading.atEnd || !reading.mayFetch)) return end('handler-failed')
  // A fetch that is under way may still bring work, which would be thrown away.
  if (!delivery.idle || reading.fetching) return null
  if (reading.halt !== null) return { do: 'halt', reason: reading.halt }
  if (reading.fault !== null) return { do: 'fail', error: reading.fault }
  if (reading.bound !== null) return end(reading.bound)
  return reading.atEnd && reading.lingered ? end('end-of-stream') : null
}

function restMs({ now, commit }: RunState): number {
  const untilCommit = commit.last + Math.max(commitEveryMs, commit.pauseMs) - now
  return Math.max(1, Math.min(longestRestMs, commit.pending ? untilCommit : longestRestMs))
}
