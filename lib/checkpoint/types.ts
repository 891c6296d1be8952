import type { ErrorCode, Facts, NextStep } from '../errors.ts'
import type { SourceTimes } from './source-times.ts'

/** What a record is recognised by, also on a cluster where it has another offset. */
export interface Anchor {
  readonly offset: bigint
  /** In seconds, as the record says. */
  readonly timestamp: number
  readonly sourcePosition: string
  readonly transactionId: string
  /**
   * Which of the changes of its source position and transaction it is, from 0 on: rows of one statement may be
   * equal. Null where the beginning of the statement was not seen.
   */
  readonly ordinal: number | null
  /** Digest of what the record says happened; see `identityOf` in lib/dts/digest.ts. */
  readonly digest: string
}

/** The record right below the committed offset; it proves on the next connect that the log is the same one. */
export interface Tail {
  readonly offset: bigint
  /** Digest of the record's raw value. */
  readonly digest: string
}

/** How far the stream has been handled. */
export interface Position {
  /** The next offset to read. */
  readonly offset: bigint
  /** The highest `sourceTimestamp` below `offset`, in seconds. */
  readonly timestamp: number
  /** How the times below `offset` ran; null where that was not measured yet. */
  readonly times: SourceTimes | null
  /** The last change below `offset`; null while there was none since the start or the last reset. */
  readonly anchor: Anchor | null
  /** Null right after the start or a reset. */
  readonly tail: Tail | null
  /** By lane, what differs from "everything below `offset` is done and nothing failed". */
  readonly lanes: Readonly<Record<string, StoredLane>>
  /** Dead letters written of late; many in a short time halt the stream. */
  readonly deadLetters: DeadLetterCount
}

/** Changes of a lane that fail. */
export interface Trouble {
  /** The first change of the batch that failed. */
  readonly offset: bigint
  /** Tries so far that may have failed because of the change itself. */
  readonly attempts: number
  /** When it first failed, in milliseconds since 1970. */
  readonly since: number
  /** Not to be tried before, in milliseconds since 1970. */
  readonly nextAt: number
  /** The most changes of the next batch, while one that cannot be handled is being searched for; null: all. */
  readonly limit: number | null
  /** Tries so far that failed for another reason, such as a missing function. */
  readonly outages?: number | undefined
}

/** How a lane (a function, or one part of it by primary key) stands apart from the committed offset. */
export interface LaneState {
  /** The last offset that is acknowledged, where the lane is ahead; null where it is not. */
  readonly through: bigint | null
  readonly trouble: Trouble | null
}

/** A lane as the checkpoint has it. */
export interface StoredLane extends LaneState {
  /**
   * The change at `through`, to find it in another log; null where the lane is not ahead, and in older items. Its
   * digest covers also what sends it to the lane; see `identifyRouted` in lib/log/anchor.ts.
   */
  readonly anchor: Anchor | null
}

export interface DeadLetterCount {
  /** Since when they are counted, in milliseconds since 1970. */
  readonly since: number
  readonly count: number
}

export interface Halt {
  readonly code: ErrorCode
  readonly message: string
  /** What the error knew, as values: for a cluster change `from`, `to` and `offset`. */
  readonly facts: Facts
  /** What the error recommended then; empty in older items. */
  readonly next: readonly NextStep[]
  /** Milliseconds since 1970. */
  readonly at: number
}

/** One move of the checkpoint that was not a commit. */
export interface LedgerEntry {
  readonly at: number
  readonly by: string
  readonly how: string
  readonly from: { readonly clusterId: string; readonly offset: string; readonly generation: number } | null
  readonly to: { readonly clusterId: string; readonly offset: string; readonly generation: number }
}

/** The item of one topic and partition. */
export interface Checkpoint extends Position {
  readonly key: string
  /** Rises by one with each change of the lease's holder, never falls. */
  readonly epoch: number
  readonly owner: string | null
  /** Milliseconds since 1970; 0 when nobody holds the lease. */
  readonly leaseUntil: number
  /**
   * Rises with each move and is never used twice, see `generationAfter` in store.ts; offsets of different generations cannot be
   * compared.
   */
  readonly generation: number
  readonly clusterId: string
  /** Events up to this time (seconds) may have been delivered before the last reset; -1 when there are none. */
  readonly replayUntil: number
  readonly state: 'RUNNING' | 'HALTED'
  readonly halt: Halt | null
  readonly ledger: readonly LedgerEntry[]
}

/** What identifies a held lease in the conditions of every later write. */
export interface Lease {
  readonly owner: string
  readonly epoch: number
  readonly generation: number
}

/** A position right after a start or a reset: nothing failed yet. */
export function freshPosition(
  offset: bigint,
  timestamp: number,
  anchor: Anchor | null = null,
  tail: Tail | null = null,
  lanes: Position['lanes'] = {},
  times: SourceTimes | null = null,
): Position {
  return { offset, timestamp, times, anchor, tail, lanes, deadLetters: { since: 0, count: 0 } }
}

/** The lanes that are ahead, as they are, with their failures forgotten. */
export function withoutTrouble(lanes: Position['lanes']): Position['lanes'] {
  const ahead = Object.entries(lanes).filter(([, { through }]) => through !== null)
  return Object.fromEntries(ahead.map(([name, state]) => [name, { ...state, trouble: null }]))
}
