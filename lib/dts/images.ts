import type { ColumnPlan } from './columns.ts'
import type { Cursor } from './cursor.ts'
import type { ColumnValue, Row } from './types.ts'
import { type ColumnReader, readValue, skipValue } from './values.ts'

export type ImageName = 'beforeImages' | 'afterImages'

type OpenRow = Record<string, ColumnValue>

/**
 * Where the values of the image before lie in the record, by column. Most columns of an update stay as they were,
 * and comparing a value's bytes with those is several times quicker than decoding it again.
 */
let starts = new Int32Array(64)
let ends = new Int32Array(64)

/**
 * Reads an image (null, string, or array of values parallel to the column list).
 * @param before the row of the image before, when it was read by the call just before this one; else null
 * @returns null when the record has no such image; an empty array counts as none
 */
export function readImage(
  cursor: Cursor,
  section: ImageName,
  plan: ColumnPlan,
  before: Row | null = null,
): Row | null {
  cursor.section = section
  const start = cursor.position
  const kind = cursor.index(3, '')
  if (kind === 0) return null
  if (kind === 1) throw cursor.failAt(start, '', 'a string where an image of a row is needed')
  const { columns } = plan
  const remember = section === 'beforeImages'
  if (remember && starts.length < columns.length) {
    starts = new Int32Array(columns.length)
    ends = new Int32Array(columns.length)
  }
  const row = newRow(plan.wanted)
  let item = 0
  for (let left = cursor.block(1); left > 0; left = cursor.block(1)) {
    if (item + left > columns.length) throw lengthError(cursor, start, item + left, columns.length)
    for (; left > 0; left--, item++) {
      const column = columns[item] as ColumnReader | null
      cursor.item = item
      if (column === null) {
        skipValue(cursor)
        continue
      }
      const from = cursor.position
      let value: ColumnValue | undefined
      if (before !== null && sameAsBefore(cursor, item)) {
        value = before[column.name]
        // Each row has its own bytes: what is written into one of them must not show in the other.
        if (Buffer.isBuffer(value)) value = Buffer.from(value)
      } else {
        value = readValue(cursor, column)
        if (remember) {
          starts[item] = from
          ends[item] = cursor.position
        }
      }
      if (value !== undefined) row[column.name] = value
    }
    cursor.item = -1
  }
  if (item === 0) return null
  if (item < columns.length) throw lengthError(cursor, start, item, columns.length)
  return row
}

function lengthError(cursor: Cursor, start: number, values: number, columns: number): Error {
  return cursor.failAt(start, '', `${values} values where the table has ${columns} columns`)
}

/** Moves over the value at hand if it has the bytes that the image before has for this column. */
function sameAsBefore(cursor: Cursor, item: number): boolean {
  const { bytes, position } = cursor
  const start = starts[item] as number
  const length = (ends[item] as number) - start
  if (length > cursor.end - position) return false
  for (let at = 0; at < length; at++) {
    if (bytes[start + at] !== bytes[position + at]) return false
  }
  cursor.position = position + length
  return true
}

/**
 * An empty row without prototype. V8 makes `Object.create(null)` a hash table, which is the quicker thing for very
 * few columns and for very many; in between, an object that loses its prototype while empty keeps fixed slots.
 */
function newRow(columns: number): OpenRow {
  return columns >= 4 && columns <= 16 ? Object.setPrototypeOf({}, null) : Object.create(null)
}

/** Reads an image that is text: the statement of a DDL record. @returns null when there is none */
export function readTextImage(cursor: Cursor, section: ImageName): string | null {
  cursor.section = section
  const start = cursor.position
  const kind = cursor.index(3, '')
  if (kind === 0) return null
  if (kind === 1) return cursor.string('')
  throw cursor.failAt(start, '', 'an image of a row where text is needed')
}

/** Moves over an image of any kind. */
export function skipImage(cursor: Cursor, section: ImageName): void {
  cursor.section = section
  const kind = cursor.index(3, '')
  if (kind === 1) cursor.skipBytes('')
  if (kind !== 2) return
  let item = 0
  for (let left = cursor.block(1); left > 0; left = cursor.block(1)) {
    for (; left > 0; left--) {
      cursor.item = item++
      skipValue(cursor)
    }
    cursor.item = -1
  }
}
