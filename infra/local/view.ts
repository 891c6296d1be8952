import { type Checkpoint, haltOf } from '../../lib/checkpoint/types.ts'
import type { DataRange } from '../../lib/kafka/data-range.ts'
import { printable } from '../../lib/text/printable.ts'
import { fit, type Section, wrap } from './fit.ts'
import { type Trouble, troubleLines } from './troubles.ts'

/** One table in the live view. */
export interface TableView {
  readonly table: string
  handled: number
  replays: number
  lastOperation: string
  lastOffset: string
  /** Why no change of the table is handled; undefined if a function handles it. */
  readonly note?: string | undefined
}

export interface View {
  readonly tables: readonly TableView[]
  readonly checkpoint: Checkpoint | null
  readonly clusterId: string
  readonly range: DataRange
  /** Milliseconds since 1970. */
  readonly now: number
  /** The changes that wait for a handler that takes them. */
  readonly troubles: readonly Trouble[]
  /** How many dead letters wait. */
  readonly letters: number
  /** The last events, newest at the end. */
  readonly events: readonly string[]
  /** What a key does now, such as `[1] let the stream continue`. */
  readonly steps: readonly string[]
  readonly logFile: string
  /** The address of the page. */
  readonly page: string
}

/** Of the terminal, in characters. */
export interface Size {
  readonly columns: number
  readonly rows: number
}

/** Without a terminal, lines are as long as they are. */
export const unlimited: Size = { columns: Number.POSITIVE_INFINITY, rows: Number.POSITIVE_INFINITY }
const shownEvents = 6
/** The column at which the values after the labels begin. */
const indent = 12

/**
 * The screen as text, one line per element. No element can move the cursor, is longer than the screen is wide, or pushes the
 * first line out of it.
 */
export function render(view: View, { columns, rows }: Size = unlimited): string[] {
  const { tables, checkpoint, clusterId, range, now, troubles, letters, events, steps, logFile, page } = view
  const wrapped = (line: string) => wrap(printable(line), columns, indent)
  const state = describeState(checkpoint)
  const section = (rank: number, least: number, lines: readonly string[], keepsEnd = false): Section => ({
    lines: lines.flatMap(wrapped),
    least,
    rank,
    keepsEnd,
  })
  const title = 'dts-functions, locally: DStore emulator → poller → table functions → checkpoint in dynalite'
  const head = cells(['table', 'handled', 'replays', 'last change', 'at offset'])
  const sections: Section[] = [
    { lines: [...wrapped(title).slice(0, 1), '', head.slice(0, columns)], least: 3, rank: 9 },
    section(4, 3, tables.map(tableLine)),
    section(3, 2, ['', ...troubles.flatMap(troubleView), ...letterView(letters)]),
    section(6, 4, [
      `stream      cluster ${clusterId}, offsets ${range.earliest} to ${range.end}`,
      `checkpoint  ${describeCheckpoint(checkpoint)}`,
      `lag         ${describeLag(checkpoint, clusterId, range, now)}`,
    ]),
    section(5, 3, [`state       ${state}`, ...hints(checkpoint)]),
    section(1, 0, ['', ...events.slice(-shownEvents)], true),
    section(7, 1, ['', ...steps]),
    section(8, 3, [
      '[c] cluster change   [i] recovery inspect   [r] recovery reset   [q] quit',
      `log: ${logFile}`,
      `page: ${page}`,
    ]),
  ]
  return fit(sections, rows - 1)
}

function tableLine({ table, handled, replays, lastOperation, lastOffset, note }: TableView): string {
  if (note !== undefined) return `${table.padEnd(20)}  ${note}`
  return cells([table, String(handled), String(replays), lastOperation, lastOffset])
}

function troubleView(trouble: Trouble): string[] {
  const [first = '', ...more] = troubleLines(trouble)
  return [`failing     ${first}`, ...more.map((line) => ' '.repeat(indent) + line)]
}

function letterView(count: number): string[] {
  const verb = count === 1 ? 'dead letter waits' : 'dead letters wait'
  return count === 0 ? [] : [`letters     ${count} ${verb}: see the page`]
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

function hints(checkpoint: Checkpoint | null): string[] {
  const halt = checkpoint === null ? null : haltOf(checkpoint)
  if (halt === null) return []
  return [`${' '.repeat(indent)}Press i to see what ends the halt.`]
}

function cells([name = '', ...more]: readonly string[]): string {
  return name.padEnd(20) + more.map((cell) => cell.padStart(14)).join('')
}
