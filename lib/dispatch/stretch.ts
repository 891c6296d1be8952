import type { QueuedEvent } from './event.ts'

/**
 * Consecutive changes of a function that its lanes may have at the same time: changes that are spread by their keys, or changes
 * that must not be parallel to any other. The latter all belong to the first lane, so neighbours travel in one batch.
 */
export class Stretch {
  /** Whether its changes are spread over the lanes; null before the first change. */
  #isSpread: boolean | null = null
  /** The key columns of each table. */
  readonly #columns = new Map<string, readonly string[]>()

  /** Adds the change if it may be part of the stretch. */
  joins({ key, table }: QueuedEvent): boolean {
    this.#isSpread ??= key !== null
    if (key === null) return !this.#isSpread
    if (!this.#isSpread) return false
    // If the table's key changes, a row has one hash by the old key and another one by the new key.
    const columns = this.#columns.get(table) ?? key.columns
    this.#columns.set(table, columns)
    return columns === key.columns
  }
}
