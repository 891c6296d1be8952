import type { ColumnPlan } from './columns.ts'
import type { Cursor } from './cursor.ts'
import { exactBigint } from './integers.ts'
import { sameBytes } from './remembered.ts'
import type { ColumnValue, Row } from './types.ts'
import { behindInt, behindValue, type ColumnReader, readValue, skipValue } from './values.ts'

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
    readValues(cursor, columns, item, item + left, row, before, remember)
    item += left
  }
  if (item === 0) return null
  if (item < columns.length) throw lengthError(cursor, start, item, columns.length)
  return row
}

/** A value that starts with fewer bytes than this before the end of the record is left to `readValue`. */
const quickBytes = 24

/**
 * Reads the values of the columns from `first` to before `last` into `row`.
 *
 * The branches that most values have are read right here where nothing about them is unusual: that keeps the
 * position in a local variable, which doubles the speed. `readValue` does all the rest, and all the errors.
 */
function readValues(
  cursor: Cursor,
  columns: ColumnPlan['columns'],
  first: number,
  last: number,
  row: OpenRow,
  before: Row | null,
  remember: boolean,
): void {
  const { bytes, end, text, textStart } = cursor
  const knownStarts = starts
  const knownEnds = ends
  let at = cursor.position
  for (let item = first; item < last; item++) {
    const column = columns[item] as ColumnReader | null
    if (column === null) {
      const behind = behindValue(bytes, at, end)
      if (behind < 0) {
        cursor.position = at
        cursor.item = item
        skipValue(cursor)
        at = cursor.position
      } else {
        at = behind
      }
      continue
    }

    const { name } = column
    const from = at
    if (before !== null) {
      const start = knownStarts[item] as number
      const length = (knownEnds[item] as number) - start
      if (length <= end - at && sameWithin(bytes, start, at, length)) {
        at += length
        const value = before[name]
        // Each row has its own bytes: what is written into one of them must not show in the other.
        if (value !== undefined)
          row[name] = typeof value === 'object' && value !== null ? Buffer.from(value) : value
        continue
      }
    }

    let next = -1
    let value: ColumnValue | undefined
    if (end - at >= quickBytes) {
      switch (bytes[at]) {
        case 0:
          value = null
          next = at + 1
          break
        case 2: {
          // Integer, not negative, of at most 15 digits.
          const lengthAt = (bytes[at + 1] as number) < 0x80 ? at + 2 : at + 3
          const length = bytes[lengthAt] as number
          const stop = lengthAt + 1 + (length >>> 1)
          if (
            (bytes[lengthAt - 1] as number) >= 0x80 ||
            length === 0 ||
            length > 30 ||
            length & 1 ||
            stop > end
          )
            break
          let number = 0
          let digitAt = lengthAt + 1
          for (; digitAt < stop; digitAt++) {
            const digit = (bytes[digitAt] as number) - 0x30
            if (digit < 0 || digit > 9) break
            number = number * 10 + digit
          }
          if (digitAt < stop) break
          value = column.wide ? exactBigint(number) : number
          next = stop
          break
        }
        case 4: {
          // Character, in the character set of the value before, and ASCII in fact.
          const { charset, charsetBytes } = column
          if (charset === null || !charset.keepsAscii || text === '') break
          const lengthAt = at + 1 + charsetBytes.length
          if (end - lengthAt < 2 || !sameBytes(bytes, at + 1, charsetBytes, charsetBytes.length)) break
          const length = shortLength(bytes, lengthAt)
          const valueAt = lengthAt + (length < 64 ? 1 : 2)
          const stop = valueAt + length
          if (length < 0 || stop > end || !isAscii(bytes, valueAt, stop)) break
          value = text.substring(valueAt - textStart, stop - textStart)
          next = stop
          break
        }
        case 6: {
          // Decimal.
          const length = shortLength(bytes, at + 1)
          const valueAt = at + (length < 64 ? 2 : 3)
          const stop = valueAt + length
          if (length < 0 || end - stop < 4 || text === '' || !isAscii(bytes, valueAt, stop)) break
          const behindPrecision = behindInt(bytes, stop)
          next = behindPrecision < 0 ? -1 : behindInt(bytes, behindPrecision)
          if (next >= 0) value = text.substring(valueAt - textStart, stop - textStart)
          break
        }
      }
    }
    if (next < 0) {
      cursor.position = at
      cursor.item = item
      value = readValue(cursor, column)
      next = cursor.position
    }
    at = next
    if (remember) {
      knownStarts[item] = from
      knownEnds[item] = at
    }
    if (value !== undefined) row[name] = value
  }
  cursor.position = at
  cursor.item = -1
}

/** Length of at most 13 bits at `at`; -1 when it takes more than two bytes, or is negative. Two bytes from 64 on. */
function shortLength(bytes: Buffer, at: number): number {
  const low = bytes[at] as number
  if (low < 0x80) return low & 1 ? -1 : low >>> 1
  const high = bytes[at + 1] as number
  const length = ((low & 0x7f) | (high << 7)) >>> 1
  return high >= 0x80 || low & 1 || length < 64 ? -1 : length
}

function isAscii(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    if ((bytes[at] as number) >= 0x80) return false
  }
  return true
}

/** True when the record says the same in both places. */
function sameWithin(bytes: Buffer, one: number, other: number, length: number): boolean {
  for (let at = 0; at < length; at++) {
    if (bytes[one + at] !== bytes[other + at]) return false
  }
  return true
}

function lengthError(cursor: Cursor, start: number, values: number, columns: number): Error {
  return cursor.failAt(start, '', `${values} values where the table has ${columns} columns`)
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
      const next = behindValue(cursor.bytes, cursor.position, cursor.end)
      if (next < 0) skipValue(cursor)
      else cursor.position = next
    }
    cursor.item = -1
  }
}
