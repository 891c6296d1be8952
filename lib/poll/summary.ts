import type { ErrorCode } from '../errors.ts'

/** The name under which a summary counts records that could not be read. */
export const unreadable = ''

/** Why a run ended. If a person is needed, the run throws an error instead. */
export type PollEnd =
  | 'end-of-stream'
  | 'records'
  | 'bytes'
  | 'time'
  | 'handler-failed'
  /** The next run asked for the lease, and this one released it before its own end. */
  | 'handed-over'
  | 'lease-held'
  | 'lease-lost'
  | 'superseded'
  /** The log was another one, and the checkpoint moved there without loss; the next run continues. */
  | 'recovered'

/** What a run did with one table function. */
export interface FunctionSummary {
  /** Acknowledged changes. */
  handled: number
  /** Invocations that did not acknowledge all of their changes. */
  retried: number
  deadLettered: number
  /** The time of its invocations. */
  milliseconds: number
}

/** A table whose columns changed, and how. Each list is a short text, empty if it has no column. */
export interface DriftSummary {
  readonly table: string
  /** The offset of the first change that a run noticed. */
  readonly offset: string
  readonly added: string
  readonly lost: string
  /** With the numbers of the source's data types. */
  readonly retyped: string
}

/** The result of one run of the poller. Counts are by table. Offsets are decimal digits, or null if the run held no lease. */
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
  /** Changes of tables that no handler takes: none names the table, or one excepts it. */
  skipped: Record<string, number>
  /** Changes that the `operations` or the `filter` of their handler left out. */
  filtered: Record<string, number>
  /** Changes of ghost tables of online schema changes, which `GHOST_TABLES=skip` left out. */
  ghosts: Record<string, number>
  /** Changes that were sent to the dead-letter queue; unreadable records under `unreadable`. */
  deadLettered: Record<string, number>
  /** Invocations that did not acknowledge all of their changes. */
  retried: number
  /** By function name; unreadable records under `unreadable`. */
  functions: Record<string, FunctionSummary>
  /** The lanes that wait for another attempt: a function, or with `concurrency` one part of it. */
  failures: { lane: string; code: ErrorCode; message: string }[]
  /** Tables whose columns changed. A change that halts the stream is only the error of the run. */
  drifts: DriftSummary[]
  /** The lag of the committed position, in seconds: 0 at the end of the stream, null if unknown. */
  lagSeconds: number | null
  /** Offsets between the committed position and the end of the log; null if unknown. */
  lagRecords: string | null
  /**
   * How long the stream may stop before its oldest unread record is lost: the seconds of source time between the oldest readable
   * record and the committed position. Null if it was not measured.
   */
  secondsUntilLoss: number | null
  /**
   * Seconds since DTS wrote its newest record of any kind, by that record's source time. Null if it was not measured, and for a
   * plain Kafka topic, which may be silent.
   */
  silentSeconds: number | null
  /** Why the stream is halted, by this run or before it; null if it is not. */
  halted: ErrorCode | null
  /** Milliseconds of fetching, of waiting for news at the end of the stream, of handlers (the sum over all) and of commits. */
  milliseconds: { fetch: number; wait: number; handlers: number; commit: number }
  commits: number
  /** The result of the commit to the consumer group. The checkpoint does not depend on it. */
  groupCommit: 'none' | 'done' | ErrorCode
  /** Another deployment of this project that was the last to commit to the same consumer group, in words; null if none did. */
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
    filtered: Object.create(null),
    ghosts: Object.create(null),
    deadLettered: Object.create(null),
    retried: 0,
    functions: Object.create(null),
    failures: [],
    drifts: [],
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
