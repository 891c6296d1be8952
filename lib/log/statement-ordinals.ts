import type { Anchor } from '../checkpoint/types.ts'
import { readHeader } from '../dts/header.ts'
import { isSameStatement } from '../dts/statement.ts'

/** A change and its offset in the log. */
export interface LoggedChange {
  readonly offset: bigint
  readonly value: Buffer
}

/** Counts the number of a change among the changes of its statement; see `Anchor`. */
export class StatementOrdinals {
  /** Ordinals by offset, so that no statement is counted twice. */
  readonly #counted = new Map<bigint, number | null>()

  /**
   * Counts backwards to the beginning of the statement. Most statements have one change.
   * @param before the changes below it, the nearest first, down to that of `base`
   * @param base the last change below all of those; null if it is unknown
   */
  of(change: LoggedChange, before: Iterable<LoggedChange>, base: Anchor | null): number | null {
    const ordinal = this.#count(change, before, base)
    this.#counted.set(change.offset, ordinal)
    return ordinal
  }

  /** Forgets the changes below an offset. They are not needed any more. */
  forget(below: bigint): void {
    for (const offset of this.#counted.keys()) if (offset < below) this.#counted.delete(offset)
  }

  #count({ value }: LoggedChange, before: Iterable<LoggedChange>, base: Anchor | null): number | null {
    let count = 0
    for (const other of before) {
      if (!isSameStatement(other.value, value)) return count
      count += 1
      const counted = this.#counted.get(other.offset)
      if (counted !== undefined) return counted === null ? null : counted + count
    }
    // The statement may have begun before the known changes.
    if (base === null) return null
    const { sourcePosition, sourceTxid } = readHeader(value)
    if (base.sourcePosition !== sourcePosition || base.transactionId !== sourceTxid) return count
    return base.ordinal === null ? null : base.ordinal + 1 + count
  }
}
