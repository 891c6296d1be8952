import type { Anchor, Checkpoint } from '../../lib/checkpoint/types.ts'
import type { Log, Slot } from './log.ts'
import type { Entry } from './source.ts'

/** What can be told of a change of one log in another, by one who knows both and what the source did. */

/** How far before a statement another one is looked for, in records, when it has to be told where it begins. */
const sightBefore = 40

/** Two logs, and where the second ends for the one who looks. */
export interface Logs {
  readonly from: Log
  readonly to: Log
  readonly end: bigint
}

/** How a change is told: by itself, or by its number among equal rows; null: not at all. */
export function howFindable(anchor: Anchor | null, { from, to, end }: Logs): 'itself' | 'number' | null {
  const entry = entryOf(anchor, from)
  if (entry === null || from.hand.rewritten !== to.hand.rewritten) return null
  const slot = to.slotOf(entry)
  if (slot === undefined || slot.offset < to.earliest || slot.offset >= end) return null
  if (isUnique(entry, to)) return 'itself'
  if (anchor?.ordinal == null) return null
  // The number takes the beginning of the statement.
  const at = to.slots.findIndex((other) => other.entry?.statement === entry.statement)
  const tells = (other: Slot) =>
    other.offset >= to.earliest && (other.entry?.kind === 'change' || other.bracketsTransaction)
  const isWhole = to.slots[at]?.entry?.ordinal === 0 && (to.slots[at]?.offset ?? 0n) >= to.earliest
  return isWhole && to.slots.slice(Math.max(0, at - sightBefore), at).some(tells) ? 'number' : null
}

/** Whether the log had not got to the checkpoint when somebody went on in it. */
export function shouldWait({ anchor, timestamp }: Checkpoint, { from, to, end }: Logs, how: string): boolean {
  const entry = entryOf(anchor, from)
  const slot = entry === null ? undefined : to.slotOf(entry)
  if (slot === undefined || slot.offset < end || from.hand.rewritten !== to.hand.rewritten) return false
  // An equal row that was not counted cannot be told from those before it.
  if (!isUnique(entry, to) && anchor?.ordinal == null) return false
  if (how === 'anchor') return true
  // By time, as soon as the log has something of the checkpoint's time.
  return how === 'time' && to.slots.every(({ offset, time }) => offset >= to.end || time < timestamp)
}

function entryOf(anchor: Anchor | null, log: Log): Entry | null {
  return anchor === null ? null : (log.slotAt(anchor.offset)?.entry ?? null)
}

/** Whether no other change of its statement can be equal to it, as far as the log tells. */
function isUnique(entry: Entry | null, { hand }: Log): boolean {
  return entry?.isDdl === true || (entry?.isUnique === true && !hand.untagged)
}
