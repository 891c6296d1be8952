import { type Checkpoint, haltOf } from '../../../lib/checkpoint/types.ts'
import { printable, printableLines } from '../../../lib/text/printable.ts'
import { toSeconds } from '../../../lib/time.ts'
import { localHint, type TableView } from '../view.ts'
import type { ShownCheckpoint, TableLine } from './messages.ts'

export function tableLine({ table, note, ...line }: TableView): TableLine {
  return { ...line, table: printable(table), note: note ?? null }
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
    halt:
      halt === null
        ? null
        : { code: halt.code, message: printableLines(halt.message), hint: localHint(halt.code), at: halt.at },
  }
}
