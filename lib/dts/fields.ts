import type { Cursor } from './cursor.ts'
import { endOfInt } from './fast-skip.ts'
import type { ColumnField } from './types.ts'

/** The columns that `fields` names; null if it is null. */
export function readFields(cursor: Cursor): ColumnField[] | null {
  cursor.section = 'fields'
  const start = cursor.position
  const kind = cursor.index(3, '')
  if (kind === 0) return null
  if (kind === 1) throw cursor.failAt(start, '', 'a string instead of a column list')
  const fields: ColumnField[] = []
  const names = new Set<string>()
  for (let left = cursor.block(2); left > 0; left = cursor.block(2)) {
    for (; left > 0; left--) {
      cursor.item = fields.length
      const name = cursor.string('name')
      if (names.has(name)) throw cursor.fail('name', 'the same column name twice')
      names.add(name)
      fields.push({ name, dataTypeNumber: cursor.int('dataTypeNumber') })
    }
    cursor.item = -1
  }
  return fields
}

/** Moves over `fields`. */
export function skipFields(cursor: Cursor): void {
  cursor.section = 'fields'
  const kind = cursor.index(3, '')
  if (kind === 1) cursor.skipBytes('')
  if (kind !== 2) return
  let item = 0
  for (let left = cursor.block(2); left > 0; left = cursor.block(2)) {
    for (; left > 0; left--) {
      cursor.item = item++
      cursor.skipBytes('name')
      cursor.skipVarint('dataTypeNumber')
    }
    cursor.item = -1
  }
}

/**
 * The position after `fields` if it is an array of one block with names of less than 8,192 bytes, as nearly all are.
 * @returns -1 for any other, and for malformed ones
 */
export function endOfFields(bytes: Buffer, start: number, end: number): number {
  if (end - start < 3 || bytes[start] !== 4) return -1
  let at = start + 1
  let raw = 0
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++] as number
    raw |= (byte & 0x7f) << shift
    if (byte < 0x80) break
    if (shift === 14) return -1
  }
  // An odd number is negative: the count of a block with a size.
  if (raw & 1) return -1
  for (let left = raw >>> 1; left > 0; left--) {
    if (end - at < 5) return -1
    const nameAt = endOfInt(bytes, at)
    if (nameAt < 0) return -1
    let length = bytes[at] as number
    if (nameAt - at === 2) length = (length & 0x7f) | ((bytes[at + 1] as number) << 7)
    if (length & 1 || length >>> 1 > end - nameAt - 2) return -1
    at = endOfInt(bytes, nameAt + (length >>> 1))
    if (at < 0) return -1
  }
  return at < end && bytes[at] === 0 ? at + 1 : -1
}
