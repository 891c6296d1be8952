import type { ColumnPlan } from './columns.ts'
import type { Cursor } from './cursor.ts'
import type { ColumnValue, Row } from './types.ts'
import { readValue, skipValue } from './values.ts'

export type ImageName = 'beforeImages' | 'afterImages'

/**
 * Reads an image (null, string, or array of values parallel to the column list).
 * @returns null when the record has no such image; an empty array counts as none
 */
export function readImage(cursor: Cursor, section: ImageName, plan: ColumnPlan): Row | null {
  cursor.section = section
  const start = cursor.position
  const kind = cursor.index(3, '')
  if (kind === 0) return null
  if (kind === 1) throw cursor.failAt(start, '', 'a string where an image of a row is needed')
  const row: Record<string, ColumnValue> = Object.create(null)
  let item = 0
  for (let left = cursor.block(1); left > 0; left = cursor.block(1)) {
    if (item + left > plan.length) {
      throw cursor.failAt(start, '', `${item + left} values where the table has ${plan.length} columns`)
    }
    for (; left > 0; left--) {
      const column = plan[item] as ColumnPlan[number]
      cursor.item = item++
      if (column === null) {
        skipValue(cursor)
        continue
      }
      const value = readValue(cursor, column)
      if (value !== undefined) row[column.name] = value
    }
    cursor.item = -1
  }
  if (item === 0) return null
  if (item < plan.length)
    throw cursor.failAt(start, '', `${item} values where the table has ${plan.length} columns`)
  return row
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
