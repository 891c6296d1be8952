import { markTransactions } from '../dispatch/mark-transactions.ts'
import type { RoutedPart } from '../dispatch/route-slice.ts'
import { TransactionReader } from '../dispatch/source-transaction.ts'

/** At the end of the stream, a transaction without news for this long is sent without its end, in milliseconds. */
const longestSilenceMs = 2_000

/** The run at the moment of the question. */
export interface WaitQuestion {
  /** Of the first change that waits. */
  readonly offset: bigint
  /** Milliseconds since 1970. */
  readonly now: number
  /** Milliseconds in which another invocation may still be started. */
  readonly timeLeftMs: number
  readonly atEnd: boolean
  /** The stream halts at the end of what was read. */
  readonly halts: boolean
  readonly mayEverFetch: boolean
  /** So much of the log was read after the change that its wait would fill the memory. */
  readonly isFarBehind: boolean
}

/** Reads the transactions of a run, and bounds the wait for the end of one. */
export class TransactionWait {
  readonly #reader: TransactionReader
  readonly #start: bigint
  /** While the change where the run began waits, so much of the time must be left, in milliseconds. */
  readonly #halfTimeMs: number
  #lastNews: number

  /**
   * @param before as in `TransactionReader`
   * @param start the offset where the run begins
   */
  constructor(before: string | null, start: bigint, timeLeftMs: number, now: number) {
    this.#reader = new TransactionReader(before)
    this.#start = start
    this.#halfTimeMs = Math.floor(timeLeftMs / 2)
    this.#lastNews = now
  }

  /** Tells the changes their transactions. @param end as in `markTransactions` */
  read(part: RoutedPart, end: bigint, now: number): void {
    if (markTransactions(part, end, this.#reader)) this.#lastNews = now
  }

  /** As `DeliveryEnvironment.transactionWaitMs` says. */
  leftMs({ offset, now, timeLeftMs, atEnd, halts, mayEverFetch, isFarBehind }: WaitQuestion): number {
    // No run reads past a halt before a person acts, and that person must not find changes that wait.
    if (isFarBehind || halts) return 0
    const isStart = offset <= this.#start
    // The next run reads the change again, with more of its transaction, unless it begins at the same place as this one.
    if (!mayEverFetch) return isStart ? 0 : Number.POSITIVE_INFINITY
    const silenceMs = atEnd ? this.#lastNews + longestSilenceMs - now : Number.POSITIVE_INFINITY
    const timeMs = isStart ? timeLeftMs - this.#halfTimeMs : Number.POSITIVE_INFINITY
    return Math.max(0, Math.min(silenceMs, timeMs))
  }
}
