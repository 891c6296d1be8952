/**
 * What the page and its server tell each other. Offsets are texts, because JSON has no 64-bit integers. Times are in
 * milliseconds since 1970.
 */

export interface TableLine {
  readonly table: string
  /** Null: unknown. The same applies to `waiting` and `replays`. */
  readonly handled: number | null
  /** Changes that the log has after the position of the table's function. */
  readonly waiting: number | null
  readonly replays: number | null
  readonly lastOperation: string
  readonly lastOffset: string
  /** Why no change of the table is handled; null if a function handles it. */
  readonly note: string | null
}

/** The stream at one time: each second of a local one. */
export interface Sample {
  /** Rises by one with each sample. */
  readonly number: number
  readonly at: number
  /** How old the committed position is, in seconds; null before the first commit. */
  readonly lag: number | null
  /** Changes that handlers have finished since the start, by table; null: unknown at that time. */
  readonly handled: Readonly<Record<string, number | null>>
}

export interface Column {
  readonly name: string
  /** Null: the change has no image of this kind with the column. The same applies to `after`. */
  readonly before: string | null
  readonly after: string | null
}

/** What has become of a change. */
export type Fate =
  | {
      readonly kind: 'delivered'
      readonly offset: string
      readonly generation: number
      /** When the local stack learnt of it, at most a second later. */
      readonly at: number
      readonly times: number
    }
  | { readonly kind: 'failing'; readonly reason: string }
  /** It waits in the dead-letter queue. */
  | { readonly kind: 'dead'; readonly reason: string }
  | { readonly kind: 'waiting' }
  /** Its function is past it: it was acknowledged, or is a dead letter that this page has not seen. */
  | { readonly kind: 'done' }
  | { readonly kind: 'filtered' }
  | { readonly kind: 'unknown'; readonly reason: string }
  /** The checkpoint is past it, and no delivery is known. Null: this page saw none. */
  | { readonly kind: 'passed'; readonly reason: string | null }
  | { readonly kind: 'unhandled' }

export interface ShownChange {
  readonly offset: string
  /** The name of the operation, or UNREADABLE. */
  readonly operation: string
  readonly table: string
  /** Such as `id=7`; empty if the record does not name a key. */
  readonly key: string
  /** Milliseconds since 1970. */
  readonly at: number
  readonly columns: readonly Column[]
  /** The statement of a DDL, or why the record cannot be read; null for a row. */
  readonly text: string | null
  /** What is masked or left out of it; null if nothing is. */
  readonly note: string | null
  readonly fate: Fate
}

export interface ShownCheckpoint {
  readonly clusterId: string
  readonly offset: string
  readonly generation: number
  readonly at: number
  readonly state: 'RUNNING' | 'HALTED' | 'PAUSED'
  /** Why it does not run; null if it runs, or if the reason is unknown. */
  readonly halt: {
    readonly code: string
    readonly message: string
    readonly at: number
  } | null
}

export interface ShownLog {
  readonly clusterId: string
  readonly earliest: string
  readonly end: string
  /** The times of the first and the last record; null if there is none. */
  readonly times: { readonly first: number; readonly last: number } | null
  /** Seconds from the time of the first record to that of the checkpoint; null if unknown. */
  readonly reserve: number | null
  /** Whether the broker drops records by their age, handled or not. */
  readonly isBounded: boolean
}

export interface PageView {
  /** The stream: of the local stack, or of a stage. */
  readonly title: string
  readonly now: number
  /** Why this is not the present state; null if it is. */
  readonly fault: string | null
  /** Null: the page does not follow the handlers. */
  readonly tables: readonly TableLine[] | null
  /** Null: the broker was not reached. */
  readonly log: ShownLog | null
  readonly checkpoint: ShownCheckpoint | null
  /** How many dead letters wait; null: only a look into the queue tells. */
  readonly waitingLetters: number | null
  /** The last changes of the log, newest first. Null: the page does not read the log. */
  readonly changes: readonly ShownChange[] | null
  /** Those that this reader has not got yet, oldest first. */
  readonly samples: readonly Sample[]
  /** What fails, such as a change that its handler does not take. */
  readonly troubles: readonly string[]
  /** Newest first. */
  readonly events: readonly string[]
  /** What the page cannot know, or counts in a way that a person should know. */
  readonly notes: readonly string[]
  /** Whether a person can cause faults here. */
  readonly hasFaults: boolean
}

/** A change in the dead-letter queue. */
export interface ShownLetter extends Omit<ShownChange, 'fate'> {
  /** The id of its message. */
  readonly message: string
  /** Null: the record could not be read, so no function gets it. */
  readonly function: string | null
  readonly generation: number
  readonly attempts: number
  readonly error: string
}

export interface Letters {
  readonly letters: readonly ShownLetter[]
  /** About how many wait, with those that the queue does not hand out yet. */
  readonly waiting: number
}

export interface Found {
  readonly changes: readonly ShownChange[]
  /** The first and the last offset that was searched; null if the log is empty. */
  readonly searched: { readonly from: string; readonly to: string } | null
  /** Whether older records were left out, because the log is long or enough was found. */
  readonly isPartial: boolean
  /** The offset below which a search finds older ones; null: it cannot continue. */
  readonly older: string | null
  /** What was not searched, for people; empty if nothing was left out. */
  readonly notes: readonly string[]
}

/** A step that a person can plan. */
export interface OfferedStep {
  readonly text: string
  /** For a request of a plan; null if a person does it in an editor. */
  readonly id: string | null
}

/** An answer of recovery. */
export interface Told {
  readonly text: string
  readonly steps: readonly OfferedStep[]
}

/** Asks what a step would do. */
export interface PlanRequest {
  readonly step: string
  /** Of the step `discard`: the id of the letter's message. */
  readonly message?: string | undefined
}

/** What would be done, and the token that does exactly that. */
export interface Plan {
  readonly token: string
  readonly title: string
  readonly text: string
  readonly facts: readonly { readonly name: string; readonly value: string }[]
}

export type Planned = { readonly plan: Plan } | { readonly refused: Told }

/** The faults that a person can cause. */
export const faultNames = ['cluster', 'connections'] as const
export type FaultName = (typeof faultNames)[number]
