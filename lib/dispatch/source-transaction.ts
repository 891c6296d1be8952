import { type HeaderScan, readTransactionId } from '../dts/header.ts'

/** A transaction of the source, while its changes are on their way to functions that get whole transactions. */
export class SourceTransaction {
  /** Whether this run saw that the change before its first one belongs to another transaction. */
  readonly isBeginKnown: boolean
  /**
   * `open`: more changes may follow. `ended`: a record showed that none follow. `unclear`: no record will show its end, so
   * nothing waits for it.
   */
  state: 'open' | 'ended' | 'unclear'

  constructor(isBeginKnown: boolean, state: 'open' | 'unclear') {
    this.isBeginKnown = isBeginKnown
    this.state = state
  }
}

/**
 * Tells to which transaction of the source a record belongs. A stream can mark transactions with BEGIN and COMMIT, or only name
 * them in each change. A begin or an end is claimed only if a record shows it.
 */
export class TransactionReader {
  #current: SourceTransaction | null = null
  /** The id of the current transaction. Empty: only marks show what belongs to it. */
  #id = ''
  /** A BEGIN was read, and no end of its transaction. */
  #isMarked = false
  /** The stream also marks ends. */
  #marksEnds = false
  /** The record before was a mark. */
  #isAtMark = false
  /** The transaction of the last change; empty if the change names none; null if nothing is known of it. */
  #last: string | null

  /** @param before the transaction of the last change before the run; null if nothing is known of it */
  constructor(before: string | null) {
    this.#last = before
  }

  /**
   * The transaction of the change; null for a mark; undefined for a record that says nothing.
   * @param bytes hold the record of the header
   */
  see(header: HeaderScan, bytes: Buffer): SourceTransaction | null | undefined {
    switch (header.operation) {
      case 'BEGIN':
      case 'COMMIT':
      case 'ROLLBACK':
      case 'ABORT':
        this.#mark(header.operation === 'BEGIN')
        return null
      case 'INSERT':
      case 'UPDATE':
      case 'DELETE':
      case 'INIT':
      case 'DDL': {
        const transaction = this.#transactionOf(readTransactionId(header, bytes))
        this.#isAtMark = false
        return transaction
      }
      default:
        return undefined
    }
  }

  #mark(isBegin: boolean): void {
    // Without its own end, the transaction before was cut off: its writer may have begun again.
    if (isBegin && this.#isMarked && this.#marksEnds && this.#current !== null)
      this.#current.state = 'unclear'
    else this.#end()
    this.#current = null
    this.#isMarked = isBegin
    this.#marksEnds ||= !isBegin
    this.#isAtMark = true
  }

  #transactionOf(id: string): SourceTransaction {
    if (id === '' && !this.#isMarked) return this.#single()
    const current = this.#current
    const isNamed = id !== '' && this.#id !== ''
    if (current !== null && (id === this.#id || (this.#isMarked && !isNamed))) {
      // The first change of a marked transaction that has a name names it.
      if (id !== '') this.#id = this.#last = id
      return current
    }
    const next = new SourceTransaction(this.#isBegin(id), 'open')
    this.#end()
    this.#current = next
    this.#id = id
    if (id !== '') this.#last = id
    return next
  }

  /** A change that nothing assigns to a transaction. It may belong to one before or after it, so nothing is known of these. */
  #single(): SourceTransaction {
    if (this.#current !== null) this.#current.state = 'unclear'
    this.#current = null
    this.#last = ''
    return new SourceTransaction(false, 'unclear')
  }

  /** Whether a record shows that the transaction begins with this change. */
  #isBegin(id: string): boolean {
    if (this.#isAtMark) return this.#isMarked || id !== this.#last
    return this.#last !== null && this.#last !== '' && this.#last !== id
  }

  #end(): void {
    if (this.#current !== null) this.#current.state = 'ended'
    this.#current = null
  }
}
