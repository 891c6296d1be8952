import type { Change } from '../../dts/change.ts'
import type { ColumnValue, Row } from '../../dts/types.ts'
import { printable } from '../../text/printable.ts'
import { toSeconds } from '../../time.ts'

export interface DescribedColumn {
  readonly name: string
  /** Null: the change has no image of this kind with the column. The same applies to `after`. */
  readonly before: string | null
  readonly after: string | null
}

/** A change, with values cut to what a person reads. */
export interface DescribedChange {
  readonly id: string
  readonly offset: bigint
  readonly operation: string
  readonly table: string
  /** Such as `id=7`; empty if the record does not name a key. */
  readonly key: string
  /** Milliseconds since 1970. */
  readonly at: number
  readonly columns: readonly DescribedColumn[]
  /** The statement of a DDL; null for a row. */
  readonly text: string | null
}

const mostCharacters = 160
const mostBytes = 32
const mostColumns = 60

export function describeChange(change: Change): DescribedChange {
  const { id, offset, operation, table, timestamp } = change
  return {
    id: String(id),
    offset,
    operation,
    table: table ?? '',
    key: keyOf(change),
    at: toSeconds(timestamp) * 1_000,
    columns: operation === 'DDL' ? [] : columnsOf(imagesOf(change)),
    text: operation === 'DDL' ? cut(change.statement) : null,
  }
}

interface Images {
  readonly before: Row
  readonly after: Row
}

function imagesOf(change: Change): Images {
  return {
    before: 'before' in change ? change.before : {},
    after: 'after' in change ? change.after : {},
  }
}

function columnsOf({ before, after }: Images): DescribedColumn[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  const shown = names.slice(0, mostColumns).map((name) => ({
    name: cut(name),
    before: name in before ? shownValue(before[name]) : null,
    after: name in after ? shownValue(after[name]) : null,
  }))
  const rest = names.length - shown.length
  return rest === 0 ? shown : [...shown, { name: `… ${rest} more columns`, before: null, after: null }]
}

function keyOf(change: Change): string {
  const { before, after } = imagesOf(change)
  const row = change.operation === 'DELETE' ? before : after
  const known = change.keys.filter((name) => name in row)
  return known.map((name) => `${cut(name)}=${plainValue(row[name])}`).join(' ')
}

/** A value of a key, as a person types it. */
export function plainValue(value: ColumnValue | undefined): string {
  return Buffer.isBuffer(value) ? `x'${value.toString('hex')}'` : cut(String(value))
}

function shownValue(value: ColumnValue | undefined): string {
  if (typeof value === 'string') return `'${cut(value)}'`
  if (value === null) return 'NULL'
  if (!Buffer.isBuffer(value)) return String(value)
  const bytes = `x'${value.subarray(0, mostBytes).toString('hex')}'`
  return value.length > mostBytes ? `${bytes}… (${value.length} bytes)` : bytes
}

function cut(text: string): string {
  if (text.length <= mostCharacters) return printable(text)
  return `${printable(text.slice(0, mostCharacters))}… (${text.length} characters)`
}
