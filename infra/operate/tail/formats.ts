import { styleText } from 'node:util'
import type { Change, RowChange } from '../../../lib/dts/change.ts'
import { stringifyChange } from '../../../lib/dts/json.ts'
import { unescapeName } from '../../../lib/dts/names.ts'
import type { ColumnValue, Row } from '../../../lib/dts/types.ts'
import { DtsError } from '../../../lib/errors.ts'
import { printable } from '../../../lib/text/printable.ts'
import { toSeconds } from '../../../lib/time.ts'

export type FormatName = 'pretty' | 'json' | 'changelog' | 'csv'

export interface FormatOptions {
  /** The columns to print, in this order; null: all. */
  readonly columns: readonly string[] | null
  /** Whether every change is of the same table, so that its name need not be repeated. */
  readonly isOneTable: boolean
  /** Whether a terminal shows the output: it gets colours, and no character that it would obey. */
  readonly isTerminal: boolean
}

/** Writes a change as whole lines. Null: the format has no form for it. @throws DtsError COLUMN_UNKNOWN (csv) */
export type Format = (change: Change) => string | null

export function formatOf(name: FormatName, options: FormatOptions): Format {
  switch (name) {
    case 'pretty':
      return prettyFormat(options)
    case 'json':
      return (change) => `${printable(stringifyChange(change))}\n`
    case 'changelog':
      return changelogFormat(options)
    case 'csv':
      return csvFormat(options)
  }
}

const mostCharacters = 200
const mostBytes = 32

const colourOf = { INSERT: 'green', INIT: 'green', UPDATE: 'yellow', DELETE: 'red', DDL: 'magenta' } as const

/** One line for a change: time, offset, operation, table, key, then the columns; of an update only the changed ones. */
function prettyFormat({ columns, isTerminal }: FormatOptions): Format {
  const paint = (style: Parameters<typeof styleText>[0], text: string) =>
    isTerminal ? styleText(style, text, { validateStream: false }) : text
  const timeOf = timeText()
  return (change) => {
    const operation = paint(colourOf[change.operation], change.operation.padEnd(6))
    const name = paint('bold', printable(unescapeName(change.table ?? databaseOf(change))))
    const head = `${paint('dim', `${timeOf(change.timestamp)} ${change.offset}`)} ${operation} ${name}`
    if (change.operation === 'DDL') return `${head} ${printable(change.statement)}\n`
    const rowKeys = new Set(change.keys)
    const row = change.operation === 'DELETE' ? change.before : change.after
    const key = change.keys.filter((column) => column in row).map((column) => pair(column, row[column]))
    const names = (columns ?? Object.keys(row)).filter((column) => column in row)
    const shown = names.filter(
      (column) => !rowKeys.has(column) || (change.operation === 'UPDATE' && change.changed(column)),
    )
    const { texts, unchanged } = change.operation === 'UPDATE' ? updated(change, shown) : plain(row, shown)
    const rest = unchanged === 0 ? '' : paint('dim', ` (${unchanged} unchanged)`)
    const columnTexts = texts.length === 0 ? '' : `  ${texts.join(', ')}`
    return `${head}${key.length === 0 ? '' : ` ${paint('cyan', key.join(' '))}`}${columnTexts}${rest}\n`
  }
}

function databaseOf(change: Change): string {
  return change.operation === 'DDL' ? (change.database ?? '') : ''
}

interface ColumnTexts {
  readonly texts: readonly string[]
  readonly unchanged: number
}

function plain(row: Row, columns: readonly string[]): ColumnTexts {
  return { texts: columns.map((column) => pair(column, row[column])), unchanged: 0 }
}

function updated(
  change: Extract<RowChange, { operation: 'UPDATE' }>,
  columns: readonly string[],
): ColumnTexts {
  const { before, after } = change
  const texts: string[] = []
  for (const column of columns) {
    if (!change.changed(column)) continue
    const old = before[column]
    texts.push(
      old === undefined ? pair(column, after[column]) : `${pair(column, old)} → ${shownValue(after[column])}`,
    )
  }
  return { texts, unchanged: columns.length - texts.length }
}

function pair(column: string, value: ColumnValue | undefined): string {
  return `${printable(column)}=${shownValue(value)}`
}

function shownValue(value: ColumnValue | undefined): string {
  if (typeof value === 'string') {
    const text = value.length > mostCharacters ? value.slice(0, mostCharacters) : value
    const rest = value.length - text.length
    return `'${printable(text)}'${rest === 0 ? '' : `… (${value.length} characters)`}`
  }
  if (Buffer.isBuffer(value)) {
    const bytes = `x'${value.subarray(0, mostBytes).toString('hex')}'`
    return value.length > mostBytes ? `${bytes}… (${value.length} bytes)` : bytes
  }
  return String(value)
}

/** Records of one second follow each other, so the last text is kept. */
function timeText(): (timestamp: number) => string {
  let last = Number.NaN
  let text = ''
  return (timestamp) => {
    if (timestamp !== last) {
      const date = new Date(toSeconds(timestamp) * 1000)
      text = Number.isNaN(date.getTime())
        ? `no date (${timestamp})`
        : date.toISOString().replace('.000Z', 'Z')
      last = timestamp
    }
    return text
  }
}

/** The rows of a change with Flink's row kinds: +I, -U, +U, -D. A statement has none. */
function rowsOf(change: Change): [kind: string, row: Row][] {
  switch (change.operation) {
    case 'INSERT':
    case 'INIT':
      return [['+I', change.after]]
    case 'UPDATE':
      return [
        ['-U', change.before],
        ['+U', change.after],
      ]
    case 'DELETE':
      return [['-D', change.before]]
    case 'DDL':
      return []
  }
}

/** As Flink prints a changelog: `+I[1, paid, null]`, after the table's name if there are several tables. */
function changelogFormat({ columns, isOneTable }: FormatOptions): Format {
  return (change) => {
    const rows = rowsOf(change)
    if (rows.length === 0) return null
    const name = isOneTable ? '' : `${printable(unescapeName(change.table ?? ''))} `
    return rows
      .map(([kind, row]) => {
        const names = columns ?? Object.keys(row)
        return `${name}${kind}[${names.map((column) => printable(plainValue(row[column]))).join(', ')}]\n`
      })
      .join('')
  }
}

function plainValue(value: ColumnValue | undefined): string {
  if (value === undefined) return ''
  return Buffer.isBuffer(value) ? `x'${value.toString('hex')}'` : String(value)
}

/** RFC 4180, with the rows of a changelog. NULL is empty, an empty text is "". */
function csvFormat({ columns, isTerminal }: FormatOptions): Format {
  const shown = isTerminal ? printable : (text: string) => text
  let header: readonly string[] | null = null
  return (change) => {
    const rows = rowsOf(change)
    if (rows.length === 0) return null
    let lines = ''
    if (header === null) {
      const [[, row] = ['', {}]] = rows.slice(-1)
      header = columns ?? Object.keys(row)
      lines = `${['kind', 'table', 'timestamp', 'offset', ...header].map((name) => cell(shown(name))).join(',')}\r\n`
    }
    const names = header
    for (const [kind, row] of rows) {
      if (columns === null) checkHeader(change, row, names)
      const cells = [
        kind,
        unescapeName(change.table ?? ''),
        String(toSeconds(change.timestamp)),
        String(change.offset),
      ]
      for (const column of names) cells.push(csvValue(row[column]))
      lines += `${cells.map((text, at) => (at < 4 ? cell(shown(text)) : shown(text))).join(',')}\r\n`
    }
    return lines
  }
}

function checkHeader({ offset, table }: Change, row: Row, header: readonly string[]): void {
  const other = Object.keys(row).find((column) => !header.includes(column))
  if (other === undefined) return
  throw new DtsError(
    'COLUMN_UNKNOWN',
    `From offset ${offset} on, ${table} has the column ${other}, which the header of this csv lacks. Give --columns, or read ` +
      `the rest with --from-offset ${offset}.`,
    { retryable: false, facts: { column: other, table: table ?? null, offset: String(offset) } },
  )
}

function csvValue(value: ColumnValue | undefined): string {
  if (value === null || value === undefined) return ''
  if (Buffer.isBuffer(value)) return `0x${value.toString('hex')}`
  return typeof value === 'string' ? cell(value) : String(value)
}

function cell(text: string): string {
  return text === '' || /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
