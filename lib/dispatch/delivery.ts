import type { DtsError } from '../errors.ts'
import type { TransactionPart } from './batch-format.ts'
import type { RoutedEvent } from './event.ts'

/** What a lane needs from the run, and the outcome of an invocation. */

/** The outcome of an invocation. */
export type SendResult =
  /** Done up to and including `through`; null: not even the first event. `error` is the failure of the next event. */
  | { readonly kind: 'acknowledged'; readonly through: bigint | null; readonly error: DtsError | null }
  /** The function failed. The events may be the cause. */
  | { readonly kind: 'failed'; readonly error: DtsError }
  /** The function could not run. The events are not the cause. */
  | { readonly kind: 'unavailable'; readonly error: DtsError }
  /** No answer came. The handler may still be running. */
  | { readonly kind: 'unknown'; readonly error: DtsError }

/** The parts of a run that delivery uses. */
export interface DeliveryEnvironment {
  /**
   * Sends events to a function and resolves to the outcome.
   * @param transactions of the events; null if the function does not get whole ones
   */
  readonly send: (
    functionName: string,
    events: readonly RoutedEvent[],
    packed: string,
    transactions: readonly TransactionPart[] | null,
  ) => Promise<SendResult>
  /**
   * Stores a failed event as a dead letter. Null if no queue is configured: then the stream halts instead.
   * @throws DtsError if it cannot be stored
   */
  readonly putAside:
    | ((functionName: string, event: RoutedEvent, attempts: number, error: DtsError) => Promise<void>)
    | null
  /** Resolves to true when an invocation may start, and to false when this run starts no more. */
  readonly permit: () => Promise<boolean>
  /**
   * Whether a batch that begins at this offset may wait for more changes.
   * @param share of the usual wait, above 0 and at most 1
   */
  readonly mayGrow: (offset: bigint, share: number) => boolean
  /**
   * Whether a batch that begins at this offset may wait for changes that are not written yet. No longer if the run reads no more, or
   * if so much of the log follows that its wait would fill the memory.
   */
  readonly mayHold: (offset: bigint) => boolean
  /**
   * For how long a batch that begins at this offset may wait for the end of its transaction, in milliseconds; 0: no longer;
   * infinite: until more is read, in this run or in the next one.
   */
  readonly transactionWaitMs: (offset: bigint) => number
  /** How long a batch that begins to wait now may wait, in milliseconds. */
  readonly longestGrowthMs: () => number
  /** Waits; resolves early when the run stops. */
  readonly pause: (milliseconds: number) => Promise<void>
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** From 0 to 1. */
  readonly random: () => number
  /** The latest end of an invocation that starts now, even without an answer, in milliseconds since 1970. */
  readonly endsBy: () => number
  /** Called after each completed or failed event. */
  readonly changed: () => void
}
