import { type Checkpoint, haltOf } from '../../../lib/checkpoint/types.ts'
import { printable, printableLines } from '../../../lib/text/printable.ts'
import { toSeconds } from '../../../lib/time.ts'
import type { ShownCheckpoint, ShownLog, TableLine } from '../../page/messages.ts'
import type { StreamPlace } from '../../page/plans.ts'
import type { DStore } from '../dstore/dstore.ts'
import type { TableView } from '../view.ts'

export function tableLine({ table, note, ...line }: TableView): TableLine {
  return { ...line, table: printable(table), waiting: null, note: note ?? null }
}

export function shownCheckpoint(checkpoint: Checkpoint): ShownCheckpoint {
  const { clusterId, offset, generation, timestamp, state } = checkpoint
  const halt = haltOf(checkpoint)
  return {
    clusterId: printable(clusterId),
    offset: String(offset),
    generation,
    at: toSeconds(timestamp) * 1_000,
    state,
    halt: halt === null ? null : { code: halt.code, message: printableLines(halt.message), at: halt.at },
  }
}

export function placeOf(checkpoint: Checkpoint | null): StreamPlace | null {
  if (checkpoint === null) return null
  const { clusterId, generation, state, offset } = checkpoint
  return { clusterId, generation, state, offset: String(offset) }
}

export function shownLog(
  { clusterId, range, times }: Pick<DStore, 'clusterId' | 'range' | 'times'>,
  checkpoint: Checkpoint | null,
): ShownLog {
  return {
    clusterId,
    earliest: String(range.earliest),
    end: String(range.end),
    times: times === null ? null : { first: times.first * 1_000, last: times.last * 1_000 },
    reserve: times === null || checkpoint === null ? null : toSeconds(checkpoint.timestamp) - times.first,
    // It drops only what was handled long ago.
    isBounded: false,
  }
}
