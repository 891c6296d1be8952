import type { ColumnStore } from '../checkpoint/column-store.ts'
import type { CheckpointStore } from '../checkpoint/store.ts'
import type { Checkpoint } from '../checkpoint/types.ts'
import type { PollConfig } from '../config.ts'
import type { JudgedLists } from '../dispatch/column-looks.ts'
import type { PutAside } from '../dispatch/dead-letter.ts'
import type { Invoke } from '../dispatch/invoke.ts'
import type { Stream } from '../kafka/stream.ts'

/** Everything that a run uses from outside: clients, clock, randomness. */
export interface PollDependencies {
  readonly config: PollConfig
  readonly store: CheckpointStore
  readonly openStream: () => Promise<Stream>
  readonly invoke: Invoke
  /** Null if no dead-letter queue is configured: then a change that no handler can take halts the stream. */
  readonly putAside: PutAside | null
  /** Reads the key of masks. Resolves to null if no key is configured. @throws DtsError SECRET_UNAVAILABLE */
  readonly maskKey?: () => Promise<string | null>
  /** Left out: no change of columns is noticed. */
  readonly columns?: ColumnWatch
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** From 0 to 1. */
  readonly random: () => number
  /** Waits that many milliseconds. Resolves early when the signal aborts. */
  readonly sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>
  /** Milliseconds until Lambda ends this invocation. */
  readonly remainingMs: () => number
  /** Unique to this invocation. */
  readonly owner: string
  /** Aborted when a newer invocation has begun in this process, so that a thawed run does nothing more. */
  readonly signal: AbortSignal
  /** For handlers that do not run in Lambda. Default: `lambdaMargins`. */
  readonly margins?: LeaseMargins
}

/** What a process keeps about the columns of the stream's tables, and where they are stored. */
export interface ColumnWatch {
  readonly judged: JudgedLists
  readonly store: Pick<ColumnStore, 'read' | 'write'>
}

/** The lease's length beyond a handler's timeout, in milliseconds. */
export interface LeaseMargins {
  /** A table function's cold start. */
  readonly coldStartMs: number
  /** The commit after a function's answer. */
  readonly commitMs: number
  /** Beyond one invocation's worst case: the time until the lease must be renewed. */
  readonly slackMs: number
}

/** The identity of the stream's position. */
export type Origin = Pick<Checkpoint, 'clusterId' | 'generation' | 'replayUntil'>
