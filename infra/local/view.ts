import { type Checkpoint, haltOf } from '../../lib/checkpoint/types.ts'
import type { DataRange } from '../../lib/kafka/data-range.ts'
import { printable } from '../../lib/text/printable.ts'

/** One table in the live view. */
export interface TableView {
  readonly table: string
  handled: number
  replays: number
  lastOperation: string
  lastOffset: string
}

export interface View {
  readonly tables: readonly TableView[]
  readonly checkpoint: Checkpoint | null
  readonly clusterId: string
  readonly range: DataRange
  /** Milliseconds since 1970. */
  readonly now: number
  /** The last events, newest at the end. */
  readonly events: readonly string[]
  readonly logFile: string
}

const shownEvents = 6

/** The screen as text, one line per element. No element can move the cursor. */
export function render({ tables, checkpoint, clusterId, range, now, events, logFile }: View): string[] {
  return [
    'dts-functions, locally: DStore emulator → poller → table functions → checkpoint in dynalite',
    '',
    columns(['table', 'handled', 'replays', 'last change', 'at offset']),
    ...tables.map((t) =>
      columns([t.table, String(t.handled), String(t.replays), t.lastOperation, t.lastOffset]),
    ),
    '',
    `stream      cluster ${clusterId}, offsets ${range.earliest} to ${range.end}`,
    `checkpoint  ${describeCheckpoint(checkpoint)}`,
    `lag         ${describeLag(checkpoint, clusterId, range, now)}`,
    `state       ${describeState(checkpoint)}`,
    '',
    ...events.slice(-shownEvents),
    '',
    `[c] cluster change   [i] recovery inspect   [r] recovery reset   [q] quit      log: ${logFile}`,
  ].map(printable)
}

function describeCheckpoint(checkpoint: Checkpoint | null): string {
  if (checkpoint === null) return 'none yet'
  return `cluster ${checkpoint.clusterId}, offset ${checkpoint.offset}, generation ${checkpoint.generation}`
}

function describeLag(
  checkpoint: Checkpoint | null,
  clusterId: string,
  range: DataRange,
  now: number,
): string {
  if (checkpoint === null) return 'nothing read yet'
  const seconds = Math.max(0, Math.floor(now / 1000) - checkpoint.timestamp)
  if (checkpoint.clusterId !== clusterId) return `${seconds} s; the stored offset belongs to another cluster`
  const records = range.end - checkpoint.offset
  return records <= 0n ? '0 s, at the end of the stream' : `${seconds} s, ${records} records`
}

function describeState(checkpoint: Checkpoint | null): string {
  if (checkpoint === null) return 'waiting for the first poll'
  const halt = haltOf(checkpoint)
  return halt === null ? checkpoint.state : `HALTED: ${halt.message}`
}

function columns([name = '', ...cells]: readonly string[]): string {
  return name.padEnd(20) + cells.map((cell) => cell.padStart(14)).join('')
}
