import type { Anchor } from '../checkpoint/types.ts'
import { readHeader } from '../dts/header.ts'
import { isSameStatement } from '../dts/statement.ts'

/** A change where it lies in the log. */
export interface LoggedChange {
  readonly offset: bigint
  readonly value: Buffer
}

/** Tells which of the changes of its statement a change is; see `Anchor`. */
export class Ordinals {
  /** Of changes that were counted already, by offset: no statement is walked through twice. */
  readonly #known = new Map<bigint, number | null>()

  /**
   * Counted backwards, and only as far as the statement goes: mostly that is one change.
   * @param before the changes below it, the nearest first, down to that of `base`
   * @param base the last change below all of those; null where nothing is known of it
   */
  of(change: LoggedChange, before: Iterable<LoggedChange>, base: Anchor | null): number | null {
    const ordinal = this.#count(change, before, base)
    this.#known.set(change.offset, ordinal)
    return ordinal
  }

  /** Forgets the changes below an offset: none of them is asked for again. */
  forget(below: bigint): void {
    for (const offset of this.#known.keys()) if (offset < below) this.#known.delete(offset)
  }

  #count({ value }: LoggedChange, before: Iterable<LoggedChange>, base: Anchor | null): number | null {
    let count = 0
    for (const other of before) {
      if (!isSameStatement(other.value, value)) return count
      count += 1
      const known = this.#known.get(other.offset)
      if (known !== undefined) return known === null ? null : known + count
    }
    // The statement may have begun where nothing is known of.
    if (base === null) return null
    const { sourcePosition, sourceTxid } = readHeader(value)
    if (base.sourcePosition !== sourcePosition || base.transactionId !== sourceTxid) return count
    return base.ordinal === null ? null : base.ordinal + 1 + count
  }
}
