/** A part of the log that was read, with the row changes of each table. */
export interface CountedPart {
  readonly from: bigint
  /** The offset after it. */
  readonly to: bigint
  readonly changes: ReadonlyMap<string, number>
}

/** About eight hours of looks. Older ones are joined. */
const mostParts = 2_000

/**
 * Counts the changes of each table below an offset, in parts of the log that follow each other. Within a part, changes count as
 * spread evenly.
 */
export class ReadCounts {
  #parts: CountedPart[] = []

  /** The offset after the last part; null before the first. */
  get end(): bigint | null {
    return this.#parts.at(-1)?.to ?? null
  }

  /** A part that does not follow the last one begins the counts anew. */
  add(part: CountedPart): void {
    if (part.from === this.end && part.to === part.from) return
    if (part.from !== this.end) this.#parts = []
    this.#parts.push(part)
    const [oldest, second] = this.#parts
    if (this.#parts.length > mostParts && oldest !== undefined && second !== undefined)
      this.#parts.splice(0, 2, joined(oldest, second))
  }

  /** The changes of a table from the first part to `offset`; null if the first part begins above it. */
  below(table: string, offset: bigint): number | null {
    const [first] = this.#parts
    if (first === undefined || offset < first.from) return null
    let sum = 0
    for (const { from, to, changes } of this.#parts) {
      if (offset <= from) break
      const count = changes.get(table) ?? 0
      sum += offset >= to ? count : Math.round((count * Number(offset - from)) / Number(to - from))
    }
    return sum
  }
}

function joined(older: CountedPart, newer: CountedPart): CountedPart {
  const changes = new Map(older.changes)
  for (const [table, count] of newer.changes) changes.set(table, (changes.get(table) ?? 0) + count)
  return { from: older.from, to: newer.to, changes }
}
