import { type Change, decodeChange } from '../dts/change.ts'
import type { ColumnValue, RecordHeader, Row } from '../dts/types.ts'

const origin = { offset: 0n, generation: 0, replay: false }
const noColumns: readonly string[] = []
/** Key columns by their names joined: the decoder recognises a set of columns by its array. */
const columnSets = new Map<string, readonly string[]>()

/**
 * Part of the names of strands: to be raised with each change of the hash. Under its old name a strand would be taken
 * to have done what, by the new hash, another one was to do.
 */
export const keyHashVersion = 2

/**
 * A hash of the row's primary key, by which changes of one row stay in one strand; null for a change that has none
 * that can be used: DDL, a table without a primary key, an update that changes the key, a key of text beyond ASCII.
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

/** Null when such a row cannot be told from another: a key column is missing, NULL, or text beyond ASCII. */
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

/** Control characters are not among them: some collations ignore those. */
const printable = /^[\x20-\x7e]*$/

/**
 * Keys that a database's collation may take for equal get one text, or none. Which texts are equal, each collation
 * says otherwise (ß and s, ø and o, か and カ, anything with a soft hyphen in it), so that beyond ASCII nothing is told
 * apart. Two keys that share a strand only wait for each other; one key in two strands would lose its order.
 */
function partText(value: Exclude<ColumnValue, null>): string | null {
  if (Buffer.isBuffer(value)) return value.toString('hex')
  if (typeof value !== 'string') return String(value)
  return printable.test(value) ? foldedText(value) : null
}

/**
 * Within ASCII, case and trailing blanks do not count, nor do some letters of some languages: MySQL's Lithuanian takes
 * i and y for equal, and c and ch; its classical Latin i and j, u and v; SQL Server's Swedish v and w; Hungarian ccs
 * and cscs. So of letters counts which ones there are.
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
