import { type HeaderScan, readTransactionId } from '../dts/header.ts'

/** A transaction of the source, while its changes are on their way to functions that get whole transactions. */
export class SourceTransaction {
  readonly id: string
  /** Nothing shows whether the stream had changes of it before the place where this run began. */
  readonly isBeginUnknown: boolean
  /**
   * What silence at the end of the stream means. `end`: its begin was not marked, so its end is not either. `cut`: the run began
   * within it and cannot know; its changes do not wait, and do not count as the whole. Null: its begin was marked, so its end comes.
   */
  readonly silence: 'end' | 'cut' | null
  /** No more changes of it follow. */
  isOver = false
  /** No record showed its end, so more may follow all the same. */
  endedSilently = false

  constructor(id: string, isBeginUnknown: boolean, silence: 'end' | 'cut' | null) {
    this.id = id
    this.isBeginUnknown = isBeginUnknown
    this.silence = silence
  }
}

/**
 * Tells to which transaction of the source a record belongs. A stream can mark transactions with BEGIN and COMMIT, or only name
 * them in each record.
 */
export class TransactionReader {
  readonly #before: string | null
  #current: SourceTransaction | null = null
  #begunAt: bigint | null = null
  /** A transaction began or ended in this run. */
  #sawBoundary = false

  /** @param before the transaction of the last change before the run; null if nothing is known of it */
  constructor(before: string | null) {
    this.#before = before
  }

  /** The offset of the last BEGIN, if its COMMIT did not come yet. A run that begins there sees that the transaction is marked. */
  get begunAt(): bigint | null {
    return this.#begunAt
  }

  /**
   * The transaction of the change; null for a record that is none.
   * @param bytes hold the record of the header
   * @param offset of the record
   */
  see(header: HeaderScan, bytes: Buffer, offset: bigint): SourceTransaction | null {
    switch (header.operation) {
      case 'BEGIN':
      case 'COMMIT':
      case 'ROLLBACK':
      case 'ABORT':
        this.#end()
        this.#begunAt = header.operation === 'BEGIN' ? offset : null
        this.#sawBoundary = true
        return null
      case 'INSERT':
      case 'UPDATE':
      case 'DELETE':
      case 'INIT':
      case 'DDL':
        return this.#transactionOf(readTransactionId(header, bytes))
      default:
        return null
    }
  }

  #transactionOf(id: string): SourceTransaction {
    const current = this.#current
    if (current !== null && !current.isOver && current.id === id) return current
    this.#end()
    const isFirst = !this.#sawBoundary
    const isMarked = this.#begunAt !== null
    const next = new SourceTransaction(
      id,
      isFirst && this.#before === null,
      isMarked ? null : isFirst && (this.#before ?? id) === id ? 'cut' : 'end',
    )
    // A record without a name for its transaction, outside of marks, is a transaction of its own.
    next.isOver = id === '' && !isMarked
    this.#sawBoundary = true
    this.#current = next
    return next
  }

  #end(): void {
    if (this.#current !== null) this.#current.isOver = true
    this.#current = null
  }
}
