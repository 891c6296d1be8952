/** A transaction that its producer aborted. Its records stay in the log, and no reader may deliver them. */
export interface AbortedTransaction {
  readonly producerId: bigint
  /** The offset of its first record. It ends at the next abort marker of the same producer. */
  readonly firstOffset: bigint
}

/** The aborted transactions of one fetch response, for a reader that takes its batches in offset order. */
export class AbortedTransactions {
  /** Transactions that begin later, the next one last. */
  readonly #later: AbortedTransaction[]
  readonly #producers = new Set<bigint>()

  /** @param transactions in any order: a broker sorts them by their end */
  constructor(transactions: readonly AbortedTransaction[]) {
    this.#later = transactions.toSorted((a, b) =>
      a.firstOffset < b.firstOffset ? 1 : a.firstOffset > b.firstOffset ? -1 : 0,
    )
  }

  /** Whether the producer's transaction at `offset` was aborted. `offset` must not fall from call to call. */
  has(producerId: bigint, offset: bigint): boolean {
    for (;;) {
      const next = this.#later.at(-1)
      if (next === undefined || next.firstOffset > offset) return this.#producers.has(producerId)
      this.#producers.add(next.producerId)
      this.#later.pop()
    }
  }

  /** Call it at the producer's abort marker. */
  end(producerId: bigint): void {
    this.#producers.delete(producerId)
  }
}
