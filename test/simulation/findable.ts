import type { Anchor, Checkpoint } from '../../lib/checkpoint/types.ts'
import type { Log, Slot } from './log.ts'
import type { Entry } from './source.ts'

/** Says whether a change of one log can be found in another. It knows both logs and the source. */

/** How many records before a statement must contain another one, to prove where the statement begins. */
const sightBefore = 40

/** Two logs, and the end of the second one when the search began. */
export interface Logs {
  readonly from: Log
  readonly to: Log
  readonly end: bigint
}

/** How a change is identified: by itself, or by its ordinal among equal rows; null: not at all. */
export function howFindable(anchor: Anchor | null, { from, to, end }: Logs): 'itself' | 'number' | null {
  const entry = entryOf(anchor, from)
  if (entry === null || from.dialect.rewritten !== to.dialect.rewritten) return null
  const slot = to.slotOf(entry)
  if (slot === undefined || slot.offset < to.earliest || slot.offset >= end) return null
  if (isUnique(entry, to)) return 'itself'
  if (anchor?.ordinal == null) return null
  // The ordinal counts from the beginning of the statement.
  const at = to.slots.findIndex((other) => other.entry?.statement === entry.statement)
  const provesBeginning = (other: Slot) =>
    other.offset >= to.earliest && (other.entry?.kind === 'change' || other.bracketsTransaction)
  const isWhole = to.slots[at]?.entry?.ordinal === 0 && (to.slots[at]?.offset ?? 0n) >= to.earliest
  return isWhole && to.slots.slice(Math.max(0, at - sightBefore), at).some(provesBeginning) ? 'number' : null
}

/** Whether the log was still to reach the checkpoint when a recovery continued in it. */
export function shouldWait({ anchor, timestamp }: Checkpoint, { from, to, end }: Logs, how: string): boolean {
  const entry = entryOf(anchor, from)
  const slot = entry === null ? undefined : to.slotOf(entry)
  if (slot === undefined || slot.offset < end || from.dialect.rewritten !== to.dialect.rewritten) return false
  // Without an ordinal, a row cannot be distinguished from the equal rows before it.
  if (!isUnique(entry, to) && anchor?.ordinal == null) return false
  if (how === 'anchor') return true
  // A reset by time may continue as soon as the log has a record of the checkpoint's time.
  return how === 'time' && to.slots.every(({ offset, time }) => offset >= to.end || time < timestamp)
}

function entryOf(anchor: Anchor | null, log: Log): Entry | null {
  return anchor === null ? null : (log.slotAt(anchor.offset)?.entry ?? null)
}

/** Whether the log proves that no other change of its statement is equal to it. */
function isUnique(entry: Entry | null, { dialect }: Log): boolean {
  return entry?.isDdl === true || (entry?.isUnique === true && !dialect.untagged)
}
