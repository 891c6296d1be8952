import { recordInvalid } from './record-invalid.ts'
import type { TableName } from './types.ts'

/**
 * The names in a record's `objectName`: `database.table` or `database.schema.table`, where a dot inside a name is
 * written `\u002E`.
 * @throws DtsError RECORD_INVALID for any other number of parts, or an empty one
 */
export function tableOf(objectName: string): TableName {
  const parts = objectName.split('.', 4).map(unescapeName)
  const [database = '', second = '', third] = parts
  if (!isTableName(objectName)) {
    throw recordInvalid('a table name has two or three parts, none of them empty', 'objectName')
  }
  return third === undefined
    ? { database, schema: null, table: second }
    : { database, schema: second, table: third }
}

/** A name as the database has it; on the wire its dots are written `\u002E`. */
export function unescapeName(name: string): string {
  return name.includes('\\u002E') ? name.replaceAll('\\u002E', '.') : name
}

/** A name as the wire has it, where a dot is written `\u002E`. */
export function escapeName(name: string): string {
  return name.includes('.') ? name.replaceAll('.', '\\u002E') : name
}

/** Whether an `objectName` names a table: what `tableOf` takes. */
export function isTableName(objectName: string): boolean {
  const parts = objectName.split('.', 4)
  return (parts.length === 2 || parts.length === 3) && !parts.includes('')
}
