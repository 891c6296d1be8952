import type { Change } from '../dts/change.ts'
import { decodeChange } from '../dts/decode-change.ts'
import type { ColumnValue, RecordHeader, Row } from '../dts/types.ts'
import { foldText } from './fold-text.ts'

const origin = { offset: 0n, generation: 0, replay: false }
const noColumns: readonly string[] = []
/** Arrays of key columns, by their joined names. The decoder recognises a set of columns by its array. */
const columnSets = new Map<string, readonly string[]>()

/**
 * Part of the lanes' names. Raise it with each change of the hash. Under the old name, a lane would count changes as
 * done that the new hash gives to another lane.
 */
export const keyHashVersion = 3

/** It keeps changes in order that must not be parallel. */
export interface OrderKey {
  /** The same for all changes of a row; without a primary key, for all changes of the table. */
  readonly hash: number
  /** The key's columns. The same array for the same columns. */
  readonly columns: readonly string[]
}

/**
 * The key of a change. Null for a change that must not be parallel to any other: DDL, an update that changes the key, a key that
 * its record does not contain, a key of text that cannot be folded.
 */
export function orderKey(value: Buffer, header: RecordHeader): OrderKey | null {
  if (header.operation === 'DDL') return null
  const { keys } = decodeChange(value, header, origin, noColumns)
  if (keys.length === 0) return { hash: hash(header.objectName ?? ''), columns: noColumns }
  const columns = columnSet(keys)
  const change = decodeChange(value, header, origin, columns)
  const rows = rowsOf(change).map((row) => keyText(row, columns))
  const [first] = rows
  if (first === undefined || first === null || rows.some((text) => text !== first)) return null
  return { hash: hash(first), columns }
}

/** The same array for the same columns. */
export function columnSet(keys: readonly string[]): readonly string[] {
  const name = keys.join('\0')
  const known = columnSets.get(name)
  if (known !== undefined) return known
  columnSets.set(name, keys)
  return keys
}

function rowsOf(change: Change): readonly Row[] {
  switch (change.operation) {
    case 'INSERT':
    case 'INIT':
      return [change.after]
    case 'DELETE':
      return [change.before]
    case 'UPDATE':
      return [change.before, change.after]
    case 'DDL':
      return []
  }
}

/** Null if the key does not identify the row: a key column is missing or NULL, or `foldText` has no result for it. */
function keyText(row: Row, keys: readonly string[]): string | null {
  const parts: string[] = []
  for (const key of keys) {
    const value = row[key]
    const part = value === undefined || value === null ? null : partText(value)
    if (part === null) return null
    parts.push(part)
  }
  return parts.join('\0')
}

/** The same for values that are equal in the database. Equal values in two lanes would lose their order. */
function partText(value: Exclude<ColumnValue, null>): string | null {
  if (Buffer.isBuffer(value)) return value.toString('hex')
  return typeof value === 'string' ? foldText(value) : String(value)
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193)
  return value >>> 0
}
