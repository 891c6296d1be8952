import type { Change } from '../../../lib/dts/change.ts'
import { decodeChange } from '../../../lib/dts/decode-change.ts'
import { carriesChange, isFiller, readHeader } from '../../../lib/dts/header.ts'
import type { ColumnValue, Row } from '../../../lib/dts/types.ts'
import { isDtsError } from '../../../lib/errors.ts'
import { printable } from '../../../lib/text/printable.ts'
import { toSeconds } from '../../../lib/time.ts'
import type { DStoreRecord } from '../dstore/dstore.ts'
import type { Column, ShownChange } from './messages.ts'

/** A change of the log, with values cut to what a person reads. */
export interface LoggedChange extends Omit<ShownChange, 'offset' | 'fate'> {
  readonly id: string
  readonly offset: bigint
}

const mostCharacters = 160
const mostBytes = 32
const mostColumns = 60

/** The change in a record of the log; null if it carries none. */
export function decodeRecord({ offset, value }: DStoreRecord): Change | null {
  if (value === null || isFiller(value.length)) return null
  const header = readHeader(value)
  if (!carriesChange(header.operation)) return null
  return decodeChange(value, header, { offset, generation: 0, replay: false }, undefined, true)
}

/** The same for people. A record that cannot be read is shown, with the reason. */
export function describeRecord(record: DStoreRecord): LoggedChange | null {
  try {
    const change = decodeRecord(record)
    return change === null ? null : describeChange(change)
  } catch (error) {
    if (!isDtsError(error)) throw error
    const { offset, timestamp } = record
    const operation = 'UNREADABLE'
    return {
      id: '',
      offset,
      operation,
      table: '',
      key: '',
      at: timestamp * 1_000,
      columns: [],
      text: error.message,
    }
  }
}

export function describeChange(change: Change): LoggedChange {
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

function columnsOf({ before, after }: Images): Column[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  const shown = names.slice(0, mostColumns).map((name) => ({
    name: printable(name),
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
  return known.map((name) => `${printable(name)}=${plainValue(row[name])}`).join(' ')
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
