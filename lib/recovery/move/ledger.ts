import type { LedgerEntry } from '../../checkpoint/types.ts'

/**
 * The moves of the checkpoint, the last one first, as `{"ledger":N}` and `rollback --entry N` count them. A resume writes
 * an entry that begins and ends at the same place. Such an entry is left out, because it moved nothing.
 */
export function moves(ledger: readonly LedgerEntry[]): readonly LedgerEntry[] {
  return ledger.filter(({ from, to }) => !isSamePlace(from, to)).toReversed()
}

function isSamePlace(from: LedgerEntry['from'], to: LedgerEntry['to']): boolean {
  return from?.clusterId === to.clusterId && from.offset === to.offset && from.generation === to.generation
}
