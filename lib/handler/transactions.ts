import type { TransactionPart } from '../dispatch/batch-format.ts'
import type { RowChange } from '../dts/change.ts'
import type { Row } from '../dts/types.ts'

/**
 * Changes of one transaction of the source, in order: those of the function's tables that its operations and filter let pass.
 */
export interface Transaction<R = Row> {
  /** The source's id of the transaction; empty if the source names none. */
  readonly id: string
  /**
   * `whole`: these are all of its changes. `first`: the first ones. `last`: the last ones. `middle`: neither is known. A begin or an
   * end is claimed only if the stream shows it. `resent`: recovery sends these changes again, out of their transaction.
   */
  readonly part: TransactionPart['part']
  readonly changes: readonly RowChange<R>[]
}

/** The part that a statement within a part of a transaction leaves on one of its sides. */
export function sideOf(
  part: TransactionPart['part'],
  side: { readonly isFirst: boolean; readonly isLast: boolean },
): TransactionPart['part'] {
  if (part === 'resent') return part
  const isFirst = side.isFirst && (part === 'whole' || part === 'first')
  const isLast = side.isLast && (part === 'whole' || part === 'last')
  if (isFirst) return isLast ? 'whole' : 'first'
  return isLast ? 'last' : 'middle'
}

/**
 * The transactions of changes in their JSON form: neighbours with the same id are one. Each is cut where the poller cuts it, by its
 * number of changes.
 */
export function transactionsByHand(changes: readonly unknown[], batchSize: number): TransactionPart[] {
  const parts: TransactionPart[] = []
  for (let at = 0; at < changes.length; ) {
    const id = idOf(changes[at])
    let length = 1
    while (id !== '' && at + length < changes.length && idOf(changes[at + length]) === id) length += 1
    for (let from = 0; from < length; from += batchSize) {
      const count = Math.min(batchSize, length - from)
      const side = { isFirst: from === 0, isLast: from + count === length }
      parts.push({ count, part: sideOf('whole', side) })
    }
    at += length
  }
  return parts
}

/** Empty if it has none. A change that is not valid is refused when it is decoded. */
function idOf(change: unknown): string {
  const { transactionId } = (change ?? {}) as { transactionId?: unknown }
  return typeof transactionId === 'string' ? transactionId : ''
}
