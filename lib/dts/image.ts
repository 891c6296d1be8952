import type { Cursor } from './cursor.ts'
import { readValues } from './fast-values.ts'
import { afterImage, beforeImage } from './image-slots.ts'
import type { Projection } from './projection.ts'
import type { Row } from './types.ts'
import { skipValues } from './value.ts'

export type ImageName = 'beforeImages' | 'afterImages'

/** With fewer columns than this, single strings are faster than one shared text. */
const sharingColumns = 6

/**
 * Reads an image of a row.
 * @param last true if the caller needs nothing after the wanted columns of this image. The cursor then stops there, after
 *   it has checked that the remaining bytes are enough for the remaining values.
 * @param hasBefore true if the previous call read the before image of the same record
 * @returns null if the record has no such image; an empty array counts as none
 */
export function readImage(
  cursor: Cursor,
  section: ImageName,
  projection: Projection,
  last: boolean,
  hasBefore = false,
): Row | null {
  cursor.section = section
  const start = cursor.position
  const kind = cursor.index(3, '')
  if (kind === 0) return null
  if (kind === 1) throw cursor.failAt(start, '', 'a string instead of an image of a row')
  const { columns, wanted, wantedEnd } = projection
  const image = section === 'beforeImages' ? beforeImage : afterImage
  image.reset(wanted)
  if (wanted >= sharingColumns) cursor.sharesText = true
  if (cursor.startsBlockOf(columns.length)) {
    readValues(cursor, projection, 0, last ? wantedEnd : columns.length, image, 0, hasBefore)
    if (last) {
      if (cursor.end - cursor.position < columns.length - wantedEnd)
        throw cursor.fail('', 'values are cut off')
      return projection.rows.make(image.values, image.complete)
    }
    if (cursor.block(1) === 0) return projection.rows.make(image.values, image.complete)
    throw lengthError(cursor, start, columns.length + 1, columns.length)
  }
  let item = 0
  let slot = 0
  for (let left = cursor.block(1); left > 0; left = cursor.block(1)) {
    const next = item + left
    if (next > columns.length) throw lengthError(cursor, start, next, columns.length)
    slot = readValues(cursor, projection, item, next, image, slot, hasBefore)
    item = next
  }
  if (item === 0) return null
  if (item < columns.length) throw lengthError(cursor, start, item, columns.length)
  return projection.rows.make(image.values, image.complete)
}

function lengthError(cursor: Cursor, start: number, values: number, columns: number): Error {
  return cursor.failAt(start, '', `${values} values, but the table has ${columns} columns`)
}

/** Reads an image that is text: the statement of a DDL record. @returns null if the record has none */
export function readTextImage(cursor: Cursor, section: ImageName): string | null {
  cursor.section = section
  const start = cursor.position
  const kind = cursor.index(3, '')
  if (kind === 0) return null
  if (kind === 1) return cursor.string('')
  throw cursor.failAt(start, '', 'an image of a row instead of text')
}

/** Moves over an image of any branch. */
export function skipImage(cursor: Cursor, section: ImageName): void {
  cursor.section = section
  const kind = cursor.index(3, '')
  if (kind === 1) cursor.skipBytes('')
  if (kind !== 2) return
  let item = 0
  for (let left = cursor.block(1); left > 0; left = cursor.block(1)) {
    skipValues(cursor, item, left)
    item += left
  }
}
