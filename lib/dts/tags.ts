import type { Cursor } from './cursor.ts'
import { Remembered } from './remembered.ts'
import type { TableName } from './types.ts'

export type Tags = { readonly [name: string]: string }

/** Moves over `processTimestamps`: null, or an array of long. */
export function skipProcessTimestamps(cursor: Cursor): void {
  cursor.section = 'processTimestamps'
  if (cursor.index(2, '') === 0) return
  for (let left = cursor.block(1); left > 0; left = cursor.block(1)) {
    for (; left > 0; left--) cursor.skipVarint('')
  }
}

/** Names by their place in the map: records write the same tags in the same order. */
const names = Array.from({ length: 8 }, () => new Remembered(64))

/**
 * Reads `tags`, a map of strings, into an object without prototype.
 * @param keyInfo what the tag `pk_uk_info` said in the table's record before
 */
export function readTags(cursor: Cursor, keyInfo?: Remembered): Tags {
  cursor.section = 'tags'
  const tags: Record<string, string> = Object.create(null)
  let item = 0
  for (let left = cursor.block(2); left > 0; left = cursor.block(2)) {
    for (; left > 0; left--) {
      cursor.item = item
      const known = names[item++]
      let name: string
      if (known === undefined) {
        name = cursor.string('key')
      } else {
        known.read(cursor, 'key')
        name = known.text
      }
      if (keyInfo !== undefined && name === 'pk_uk_info') {
        keyInfo.read(cursor, 'value')
        tags[name] = keyInfo.text
      } else {
        tags[name] = cursor.string('value')
      }
    }
    cursor.item = -1
  }
  return tags
}

/** Moves over `tags`. */
export function skipTags(cursor: Cursor): void {
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

/** The name that a sharded source shows to its users, out of the tags `l_db_name` and `l_tb_name`. */
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
