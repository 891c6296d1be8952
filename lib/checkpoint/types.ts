import type { ErrorCode, Facts, NextStep } from '../errors.ts'
import type { SourceTimes } from './source-times.ts'

/** The identity of a record. It finds the record also on a cluster where it has another offset. */
export interface Anchor {
  readonly offset: bigint
  /** In seconds, as the record says. */
  readonly timestamp: number
  readonly sourcePosition: string
  readonly transactionId: string
  /**
   * The number of the change among those with its source position and transaction, from 0 on: rows of one statement may be
   * equal. Null if the beginning of the statement was not read.
   */
  readonly ordinal: number | null
  /** Digest of the change itself; see `identityOf` in lib/dts/digest.ts. */
  readonly digest: string
}

/** The record right below the committed offset. The next connect compares it, to prove that the log is the same one. */
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
  /** The course of the times below `offset`. Null if an older version wrote the position. */
  readonly times: SourceTimes | null
  /** The last change below `offset`. Null if there was none since the start or the last reset. */
  readonly anchor: Anchor | null
  /** Null right after the start or a reset. */
  readonly tail: Tail | null
  /** By lane, each difference from "everything below `offset` is done and nothing failed". */
  readonly lanes: Readonly<Record<string, StoredLane>>
  /** Recent dead letters. Many in a short time halt the stream. */
  readonly deadLetters: DeadLetterCount
}

/** The failing changes of a lane. */
export interface Trouble {
  /** The first change of the batch that failed. */
  readonly offset: bigint
  /** Attempts that may have failed because of the change itself. */
  readonly attempts: number
  /** The time of the first failure, in milliseconds since 1970. */
  readonly since: number
  /** The time of the next attempt, in milliseconds since 1970. */
  readonly nextAt: number
  /** The most changes of the next batch, during the search for the failing change. Null: no limit. */
  readonly limit: number | null
  /** Attempts that failed for another reason, such as a missing function. */
  readonly outages?: number | undefined
}

/** How a lane differs from the committed offset. */
export interface LaneState {
  /** The last acknowledged offset. Null if the lane is not ahead of the committed offset. */
  readonly through: bigint | null
  readonly trouble: Trouble | null
  /**
   * The offset of the lane's next change, if that is the first one that its function gets of a transaction of the source, and
   * nothing of that transaction is done. Absent: not known, so no later run claims it.
   */
  readonly begin?: bigint | undefined
}

/** A lane in the checkpoint. */
export interface StoredLane extends LaneState {
  /**
   * The change at `through`, to find it in another log. Null if the lane is not ahead, and in older items. Its digest also
   * covers the facts that assign the change to the lane; see `identifyRouted` in lib/log/anchor.ts.
   */
  readonly anchor: Anchor | null
}

export interface DeadLetterCount {
  /** The start of the count, in milliseconds since 1970. */
  readonly since: number
  readonly count: number
}

/** No dead letter was counted. */
export const noDeadLetters: DeadLetterCount = { since: 0, count: 0 }

/** Why the stream halted. */
export interface Halt {
  readonly code: ErrorCode
  readonly message: string
  /** The facts of the error: for a cluster change `from`, `to` and `offset`. */
  readonly facts: Facts
  /** What the error recommended then; empty in older items. */
  readonly next: readonly NextStep[]
  /** Milliseconds since 1970. */
  readonly at: number
}

/** Who paused the stream, and why. */
export interface Pause {
  /** Null if an older version paused the stream. `reason` is its whole message then. */
  readonly by: string | null
  /** Null if the person gave no reason. */
  readonly reason: string | null
  /** Milliseconds since 1970. */
  readonly at: number
}

export interface Running {
  readonly state: 'RUNNING'
}

/** The stream waits for a person to run recovery. */
export interface Halted {
  readonly state: 'HALTED'
  /** Null if the item does not say why: a person set its state by hand. */
  readonly halt: Halt | null
}

/** A person stopped the stream. */
export interface Paused {
  readonly state: 'PAUSED'
  readonly pause: Pause
}

export type StreamState = Running | Halted | Paused

/** The position of one stream in one generation, for the ledger. */
export interface LedgerPlace {
  readonly clusterId: string
  readonly offset: string
  readonly generation: number
}

/** A write to the checkpoint other than a commit: a start, a move, a resume, a broken lease. */
export interface LedgerEntry {
  readonly at: number
  readonly by: string
  readonly how: string
  /** Null for the first start. */
  readonly from: LedgerPlace | null
  readonly to: LedgerPlace
}

/** A ledger entry before the store adds both places. */
export type LedgerNote = Pick<LedgerEntry, 'at' | 'by' | 'how'>

interface StoredFacts extends Position {
  readonly key: string
  /** Rises by one each time the lease changes hands. Never falls. */
  readonly epoch: number
  /** The last holder of the lease. */
  readonly owner: string | null
  /** The end of the lease, in milliseconds since 1970. Null if no run holds it. */
  readonly leaseUntil: number | null
  /**
   * Rises with each move and is never used twice; see `generationAfter`. Offsets of different generations cannot be compared.
   */
  readonly generation: number
  readonly clusterId: string
  /** Events up to this time (seconds) may have been delivered before the last reset. Null if the reset repeats none. */
  readonly replayUntil: number | null
  readonly ledger: readonly LedgerEntry[]
  /** The last wish that a run wrote. Null if there was none, or if it cannot be read: nothing depends on it. */
  readonly wish: Wish | null
}

/** The item of one topic and partition. */
export type Checkpoint = StoredFacts & StreamState

/**
 * A run asks the holder of the lease to hand it over. The holder releases it in its own time, as at any other end. Then the lease
 * is for the first run that acquires it.
 */
export interface Wish {
  /** The run that waits. */
  readonly owner: string
  /** The epoch of the lease that it waits for. A later holder was not asked. */
  readonly epoch: number
  /** The clock of the run that waits, in milliseconds since 1970. */
  readonly at: number
}

/** A held lease. The conditions of each later write name it. */
export interface Lease {
  readonly owner: string
  readonly epoch: number
  readonly generation: number
}

/** The position of a new stream, or the target of a move. */
export interface Start {
  readonly clusterId: string
  readonly position: Position
  /** As in the checkpoint. */
  readonly replayUntil: number | null
  readonly entry: LedgerNote
  /** The highest generation that the consumer group knows. Null or absent: it knows none. */
  readonly usedGeneration?: number | null
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
  return { offset, timestamp, times, anchor, tail, lanes, deadLetters: noDeadLetters }
}

/** The lanes that are ahead, or at a known begin, without their failures. */
export function withoutTrouble(lanes: Position['lanes']): Position['lanes'] {
  const ahead = Object.entries(lanes).filter(
    ([, { through, begin }]) => through !== null || begin !== undefined,
  )
  return Object.fromEntries(ahead.map(([name, state]) => [name, { ...state, trouble: null }]))
}

/** Why the stream does not run, for a person. A pause has the code PAUSED. Null if it runs, or if the item does not say why. */
export function haltOf(checkpoint: StreamState): Halt | null {
  switch (checkpoint.state) {
    case 'RUNNING':
      return null
    case 'HALTED':
      return checkpoint.halt
    case 'PAUSED': {
      const { by, reason, at } = checkpoint.pause
      return {
        code: 'PAUSED',
        message: pauseMessage(checkpoint.pause),
        facts: { by, reason },
        next: [resumeLater],
        at,
      }
    }
  }
}

export const resumeLater: NextStep = {
  action: 'resume',
  purpose: 'let the stream continue when you are ready',
}

function pauseMessage({ by, reason }: Pause): string {
  if (by === null) return reason ?? 'The stream was paused.'
  return `Paused by ${by}${reason === null ? '' : `: ${reason}`}.`
}
