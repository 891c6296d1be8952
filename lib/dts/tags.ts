import type { Cursor } from './cursor.ts'
import { RepeatedText } from './repeated-text.ts'
import type { TableName } from './types.ts'

export type Tags = { readonly [name: string]: string }

/** Moves over `processTimestamps`: null, or an array of long. */
function skipProcessTimestamps(cursor: Cursor): void {
  cursor.section = 'processTimestamps'
  if (cursor.index(2, '') === 0) return
  for (let left = cursor.block(1); left > 0; left = cursor.block(1)) {
    for (; left > 0; left--) cursor.skipVarint('')
  }
}

/** Tag names by position in the map, because records write the same tags in the same order. */
const names = Array.from({ length: 8 }, () => new RepeatedText(64))

/**
 * Moves over `processTimestamps` and reads `tags` into an object without prototype.
 * @param keyInfo keeps the tag `pk_uk_info` from one record of a table to the next
 */
export function readTags(cursor: Cursor, keyInfo?: RepeatedText): Tags {
  skipProcessTimestamps(cursor)
  cursor.section = 'tags'
  const tags: Record<string, string> = Object.create(null)
  let item = 0
  for (let left = cursor.block(2); left > 0; left = cursor.block(2)) {
    for (; left > 0; left--) {
      cursor.item = item
      const name = names[item++]?.read(cursor, 'key') ?? cursor.string('key')
      tags[name] =
        (name === 'pk_uk_info' ? keyInfo?.read(cursor, 'value') : undefined) ?? cursor.string('value')
    }
    cursor.item = -1
  }
  return tags
}

/**
 * Moves over `processTimestamps`, and reads only the tag `pk_uk_info`.
 * @param keyInfo as `readTags` says
 * @returns undefined if there is no such tag
 */
export function readKeyInfo(cursor: Cursor, keyInfo: RepeatedText): string | undefined {
  skipProcessTimestamps(cursor)
  cursor.section = 'tags'
  let found: string | undefined
  let item = 0
  for (let left = cursor.block(2); left > 0; left = cursor.block(2)) {
    for (; left > 0; left--) {
      cursor.item = item
      const name = names[item++]?.read(cursor, 'key') ?? cursor.string('key')
      if (name === 'pk_uk_info') found = keyInfo.read(cursor, 'value')
      else cursor.skipBytes('value')
    }
    cursor.item = -1
  }
  return found
}

/** Moves over `processTimestamps` and `tags`. */
export function skipToFields(cursor: Cursor): void {
  const next = endOfTags(cursor.bytes, cursor.position, cursor.end)
  if (next >= 0) {
    cursor.position = next
    return
  }
  skipProcessTimestamps(cursor)
  skipTags(cursor)
}

/**
 * Moves over `processTimestamps` and `tags` if they are arrays of one block with texts of less than 64 bytes, as nearly
 * all are.
 * @returns the position after them; -1 for any others
 */
function endOfTags(bytes: Buffer, start: number, end: number): number {
  let at = start
  if (at >= end) return -1
  const branch = bytes[at++] as number
  if (branch === 2) {
    if (at >= end) return -1
    let numbers = bytes[at++] as number
    // An even byte below 0x80 is a count from 0 to 63.
    if (numbers & 0x81) return -1
    if (numbers > 0) {
      for (let first = at; numbers > 0; at++) {
        // The cursor reads numbers of more than nine bytes, and refuses those of more than ten.
        if (at >= end || at - first === 9) return -1
        if ((bytes[at] as number) < 0x80) {
          numbers -= 2
          first = at + 1
        }
      }
      if (at >= end || bytes[at++] !== 0) return -1
    }
  } else if (branch !== 0) {
    return -1
  }
  if (at >= end) return -1
  const texts = bytes[at++] as number
  if (texts & 0x81) return -1
  for (let left = texts; left > 0; left--) {
    if (at >= end) return -1
    const length = bytes[at] as number
    if (length & 0x81) return -1
    at += 1 + (length >>> 1)
  }
  if (texts > 0 && (at >= end || bytes[at++] !== 0)) return -1
  return at < end ? at : -1
}

function skipTags(cursor: Cursor): void {
  cursor.section = 'tags'
  let item = 0
  for (let left = cursor.block(2); left > 0; left = cursor.block(2)) {
    for (; left > 0; left--) {
      cursor.item = item++
      cursor.skipBytes('key')
      cursor.skipBytes('value')
    }
    cursor.item = -1
  }
}

/** The name that a sharded source shows to its users, from the tags `l_db_name` and `l_tb_name`. */
export function logicalName(tags: Tags, physical: TableName): TableName | null {
  const database = tags.l_db_name
  const table = tags.l_tb_name
  if (!database && !table) return null
  return {
    database: database || physical.database,
    schema: physical.schema,
    table: table || physical.table,
  }
}
