/** A transaction whose producer gave it up. Its records stay in the log, and are for nobody. */
export interface AbortedTransaction {
  readonly producerId: bigint
  /** Of its first record. It ends at the next abort marker of the same producer. */
  readonly firstOffset: bigint
}

/** The aborted transactions of one fetch response, while its batches are gone through in offset order. */
export class AbortedTransactions {
  /** Those not reached yet, the next one last. */
  readonly #coming: AbortedTransaction[]
  readonly #producers = new Set<bigint>()

  /** @param transactions in any order: a broker lists them by where they end */
  constructor(transactions: readonly AbortedTransaction[]) {
    this.#coming = transactions.toSorted((a, b) =>
      a.firstOffset < b.firstOffset ? 1 : a.firstOffset > b.firstOffset ? -1 : 0,
    )
  }

  /** Whether the producer's transaction at `offset`, which must not fall from call to call, is an aborted one. */
  has(producerId: bigint, offset: bigint): boolean {
    for (;;) {
      const next = this.#coming.at(-1)
      if (next === undefined || next.firstOffset > offset) return this.#producers.has(producerId)
      this.#producers.add(next.producerId)
      this.#coming.pop()
    }
  }

  /** The producer's abort marker was met. */
  end(producerId: bigint): void {
    this.#producers.delete(producerId)
  }
}
