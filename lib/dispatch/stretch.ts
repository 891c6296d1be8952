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
  /** Of these, the ones of the last change. Most changes follow one of the same table. */
  #last: { readonly table: string; readonly columns: readonly string[] } | null = null

  /** Adds the change if it may be part of the stretch. */
  joins({ key, table }: QueuedEvent): boolean {
    this.#isSpread ??= key !== null
    if (key === null) return !this.#isSpread
    if (!this.#isSpread) return false
    // If the table's key changes, a row has one hash by the old key and another one by the new key.
    const columns = this.#last?.table === table ? this.#last.columns : this.#columnsOf(table, key.columns)
    return columns === key.columns
  }

  #columnsOf(table: string, first: readonly string[]): readonly string[] {
    const columns = this.#columns.get(table) ?? first
    this.#columns.set(table, columns)
    this.#last = { table, columns }
    return columns
  }
}
