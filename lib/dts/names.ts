import { recordInvalid } from './record-invalid.ts'
import type { TableName } from './types.ts'

/**
 * The names in a record's `objectName`: `database.table` or `database.schema.table`. A dot inside a name is `\u002E`.
 * @throws DtsError RECORD_INVALID for any other number of parts, or an empty part
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

/** From a record's form of a name to the database's: `\u002E` is a dot. */
export function unescapeName(name: string): string {
  return name.includes('\\u002E') ? name.replaceAll('\\u002E', '.') : name
}

/** From the database's form of a name to the record's: a dot is `\u002E`. */
export function escapeName(name: string): string {
  return name.includes('.') ? name.replaceAll('.', '\\u002E') : name
}

/** True if an `objectName` names a table, so that `tableOf` accepts it. */
export function isTableName(objectName: string): boolean {
  const parts = objectName.split('.', 4)
  return (parts.length === 2 || parts.length === 3) && !parts.includes('')
}
