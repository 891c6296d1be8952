import type { ErrorCode } from '../errors.ts'

/** The name under which a summary counts records that could not be read. */
export const unreadable = ''

/** Why a run ended. Everything that needs a person is thrown instead. */
export type PollEnd =
  | 'end-of-stream'
  | 'records'
  | 'bytes'
  | 'time'
  | 'handler-failed'
  | 'lease-held'
  | 'lease-lost'
  | 'superseded'
  /** The log was another one, and the checkpoint moved there without loss; the next run continues. */
  | 'recovered'

/** What a run did with one table function. */
export interface FunctionSummary {
  /** Acknowledged changes. */
  handled: number
  /** Invocations that did not acknowledge all they were sent. */
  retried: number
  deadLettered: number
  /** Time in its invocations. */
  milliseconds: number
}

/** What one run of the poller did. Counts by table; offsets as decimal digits, null when no lease was held. */
export interface PollSummary {
  ended: PollEnd
  from: string | null
  to: string | null
  clusterId: string | null
  generation: number | null
  fetched: number
  bytes: number
  /** Acknowledged changes. */
  handled: Record<string, number>
  /** Changes that a written rule left out: no handler, an exclusion, or an operation that it does not want. */
  skipped: Record<string, number>
  /** Changes of ghost tables of online schema changes, which `GHOST_TABLES=skip` left out. */
  ghosts: Record<string, number>
  /** Changes that were sent to the dead-letter queue; unreadable records under `unreadable`. */
  deadLettered: Record<string, number>
  /** Invocations that did not acknowledge all they were sent. */
  retried: number
  /** By function name; unreadable records under `unreadable`. */
  functions: Record<string, FunctionSummary>
  /** What still waits to be tried again, by lane: a function, or with `concurrency` one part of it. */
  failures: { lane: string; code: ErrorCode; message: string }[]
  /** How far behind the source the committed position is, in seconds; 0 at the end of the stream, null: not known. */
  lagSeconds: number | null
  /** Offsets between the committed position and the end of the log; null: not known. */
  lagRecords: string | null
  /**
   * How long the stream may stand still before its oldest unread record is lost: seconds of the source's time between
   * the oldest readable record and the committed position. Null when it could not be asked for.
   */
  secondsUntilLoss: number | null
  /**
   * Seconds since DTS wrote its newest record of any kind, by that record's source time. Null when that could not be
   * asked for, and of a plain Kafka topic, which may rest.
   */
  silentSeconds: number | null
  /** Why the stream is halted, whether this run halted it or found it so; null while it is not. */
  halted: ErrorCode | null
  /**
   * Milliseconds that passed in fetching, in waiting for news at the end of the stream, in handlers (added up over all
   * of them) and in commits.
   */
  milliseconds: { fetch: number; wait: number; handlers: number; commit: number }
  commits: number
  /** The result of the commit to the consumer group. The checkpoint does not depend on it. */
  groupCommit: 'none' | 'done' | ErrorCode
  /** The deployment of this project that committed to the same consumer group last, in words; null: none did. */
  otherDeployment: string | null
}

export function emptySummary(): PollSummary {
  return {
    ended: 'end-of-stream',
    from: null,
    to: null,
    clusterId: null,
    generation: null,
    fetched: 0,
    bytes: 0,
    handled: Object.create(null),
    skipped: Object.create(null),
    ghosts: Object.create(null),
    deadLettered: Object.create(null),
    retried: 0,
    functions: Object.create(null),
    failures: [],
    lagSeconds: null,
    lagRecords: null,
    secondsUntilLoss: null,
    silentSeconds: null,
    halted: null,
    milliseconds: { fetch: 0, wait: 0, handlers: 0, commit: 0 },
    commits: 0,
    groupCommit: 'none',
    otherDeployment: null,
  }
}

export function add(counts: Record<string, number>, name: string, by: number): void {
  counts[name] = (counts[name] ?? 0) + by
}

/** @param functionName null for records that could not be read */
export function functionSummary({ functions }: PollSummary, functionName: string | null): FunctionSummary {
  const name = functionName ?? unreadable
  functions[name] ??= { handled: 0, retried: 0, deadLettered: 0, milliseconds: 0 }
  return functions[name]
}
