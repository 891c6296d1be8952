import type { Cursor } from './cursor.ts'
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

/** Reads `tags`, a map of strings, into an object without prototype. */
export function readTags(cursor: Cursor): Tags {
  cursor.section = 'tags'
  const tags: Record<string, string> = Object.create(null)
  let item = 0
  for (let left = cursor.block(2); left > 0; left = cursor.block(2)) {
    for (; left > 0; left--) {
      cursor.item = item++
      const name = cursor.string('key')
      tags[name] = cursor.string('value')
    }
    cursor.item = -1
  }
  return Object.freeze(tags)
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

const noKeys: readonly string[] = Object.freeze([])

/** Primary key columns out of the tag `pk_uk_info`, such as `{"PRIMARY":["id"]}`; empty if it names none. */
export function primaryKeys(tags: Tags): readonly string[] {
  const text = tags.pk_uk_info
  if (text === undefined) return noKeys
  let keys: unknown
  try {
    keys = JSON.parse(text)?.PRIMARY
  } catch {
    return noKeys
  }
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'string')) return noKeys
  return Object.freeze(keys)
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
