import { type Change, decodeChange } from '../dts/change.ts'
import type { ColumnValue, RecordHeader, Row } from '../dts/types.ts'

const origin = { offset: 0n, generation: 0, replay: false }
const noColumns: readonly string[] = []
/** Key columns by their names joined: the decoder recognises a set of columns by its array. */
const columnSets = new Map<string, readonly string[]>()

/**
 * A hash of the row's primary key, by which changes of one row stay in one strand; null for a change that has none
 * that can be used: DDL, a table without a primary key, an update that changes the key.
 */
export function keyHash(value: Buffer, header: RecordHeader): number | null {
  if (header.operation === 'DDL') return null
  const { keys } = decodeChange(value, header, origin, noColumns)
  if (keys.length === 0) return null
  const change = decodeChange(value, header, origin, columnSet(keys))
  const rows = rowsOf(change).map((row) => keyText(row, keys))
  const [first] = rows
  if (first === undefined || first === null || rows.some((text) => text !== first)) return null
  return hash(first)
}

function columnSet(keys: readonly string[]): readonly string[] {
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

/** Null when a key column is missing or NULL: such a row cannot be told from another. */
function keyText(row: Row, keys: readonly string[]): string | null {
  const parts: string[] = []
  for (const key of keys) {
    const value = row[key]
    if (value === undefined || value === null) return null
    parts.push(partText(value))
  }
  return parts.join('\0')
}

/**
 * Texts that a database's collation may take for equal get one text: case, accents and trailing blanks are left out.
 * Two keys that share a strand only wait for each other; one key in two strands would lose its order.
 */
function partText(value: Exclude<ColumnValue, null>): string {
  if (Buffer.isBuffer(value)) return value.toString('hex')
  if (typeof value !== 'string') return String(value)
  return value.normalize('NFKD').replace(/\p{M}/gu, '').toUpperCase().trimEnd()
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193)
  return value >>> 0
}
