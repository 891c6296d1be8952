import type { Change, UpdateChange } from '../dts/change.ts'
import { decodeChange } from '../dts/decode-change.ts'
import { readHeader } from '../dts/header.ts'
import { type KeyHeader, readKeys } from '../dts/read-keys.ts'
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
 * @param bytes the record is in them, from `start` to `end`
 * @throws DtsError RECORD_INVALID
 */
export function orderKey(
  bytes: Buffer,
  header: KeyHeader & Pick<RecordHeader, 'operation'>,
  start = 0,
  end = bytes.length,
): OrderKey | null {
  if (header.operation === 'DDL') return null
  const keys = readKeys(bytes, header, start, end)
  if (keys.length === 0) return keyOfTable(header)
  const columns = columnSet(keys)
  const value = bytes.subarray(start, end)
  const text = textOf(decodeChange(value, readHeader(value), origin, columns), columns)
  return text === null ? null : { hash: hash(text), columns }
}

let lastTable = ''
let lastTableKey: OrderKey | null = null

/** A table without a key has one key for all changes. Most follow a change of the same table. */
function keyOfTable({ objectName }: KeyHeader): OrderKey {
  const table = objectName ?? ''
  if (lastTableKey === null || table !== lastTable) {
    lastTableKey = { hash: hash(table), columns: noColumns }
    lastTable = table
  }
  return lastTableKey
}

let lastKeys = noColumns
let lastColumnSet = noColumns

/** The same array for the same columns. */
export function columnSet(keys: readonly string[]): readonly string[] {
  // The decoder keeps the array of a table's columns as well.
  if (keys !== lastKeys) {
    lastColumnSet = knownSet(keys)
    lastKeys = keys
  }
  return lastColumnSet
}

function knownSet(keys: readonly string[]): readonly string[] {
  const name = keys.join('\0')
  const known = columnSets.get(name)
  if (known !== undefined) return known
  columnSets.set(name, keys)
  return keys
}

/** Null if the key does not identify the row, or if an update changes it. */
function textOf(change: Change, keys: readonly string[]): string | null {
  switch (change.operation) {
    case 'INSERT':
    case 'INIT':
      return keyText(change.after, keys)
    case 'DELETE':
      return keyText(change.before, keys)
    case 'UPDATE': {
      const before = keyText(change.before, keys)
      return isSame(change, keys) || keyText(change.after, keys) === before ? before : null
    }
    case 'DDL':
      return null
  }
}

/** Most updates leave the key as it is, and then its values need not be folded twice. */
function isSame({ before, after }: UpdateChange, keys: readonly string[]): boolean {
  for (let at = 0; at < keys.length; at++) {
    const key = keys[at] as string
    if (before[key] !== after[key]) return false
  }
  return true
}

/** Null if the key does not identify the row: a key column is missing or NULL, or `foldText` has no result for it. */
function keyText(row: Row, keys: readonly string[]): string | null {
  let text = ''
  for (let at = 0; at < keys.length; at++) {
    const value = row[keys[at] as string]
    const part = value === undefined || value === null ? null : partText(value)
    if (part === null) return null
    text = at === 0 ? part : `${text}\0${part}`
  }
  return text
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
