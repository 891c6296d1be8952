import type { Change } from '../dts/change.ts'
import { decodeChange } from '../dts/decode-change.ts'
import type { ColumnValue, RecordHeader, Row } from '../dts/types.ts'

const origin = { offset: 0n, generation: 0, replay: false }
const noColumns: readonly string[] = []
/** Arrays of key columns, by their joined names. The decoder recognises a set of columns by its array. */
const columnSets = new Map<string, readonly string[]>()

/**
 * Part of the lanes' names. Raise it with each change of the hash. Under the old name, a lane would count changes as
 * done that the new hash gives to another lane.
 */
export const keyHashVersion = 2

/**
 * A hash of the row's primary key. It keeps the changes of one row in one lane. Null for a change without a usable key:
 * DDL, a table without a primary key, an update that changes the key, a key of text beyond ASCII.
 */
export function keyHash(value: Buffer, header: RecordHeader): number | null {
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

/** Null if the key does not identify the row: a key column is missing, NULL, or text beyond ASCII. */
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

/** Without control characters: some collations ignore them. */
const printable = /^[\x20-\x7e]*$/

/**
 * Keys that a database's collation may treat as equal get the same text, or none. Collations disagree beyond ASCII (ß and
 * s, ø and o, か and カ, any soft hyphen), so such keys get none. Two keys in one lane only wait for each other. One key
 * in two lanes would lose its order.
 */
function partText(value: Exclude<ColumnValue, null>): string | null {
  if (Buffer.isBuffer(value)) return value.toString('hex')
  if (typeof value !== 'string') return String(value)
  return printable.test(value) ? foldedText(value) : null
}

/**
 * Within ASCII, collations ignore case and trailing blanks, and some treat letters as equal: MySQL's Lithuanian i and y,
 * and c and ch; its classical Latin i and j, u and v; SQL Server's Swedish v and w; Hungarian ccs and cscs. So only the set
 * of letters counts.
 */
function foldedText(text: string): string {
  const upper = text.trimEnd().toUpperCase()
  const letters = upper
    .replace(/[^A-Z]|H/g, '')
    .replace(/[JY]/g, 'I')
    .replace(/[VW]/g, 'U')
  return `${upper.replace(/[A-Z]+/g, '')} ${[...new Set(letters)].sort().join('')}`
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193)
  return value >>> 0
}
