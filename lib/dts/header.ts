import { Cursor, recordInvalid } from './cursor.ts'
import { type Operation, operations, type RecordHeader, sourceTypes, type TableName } from './types.ts'

/** The operations that handlers see; all others only move the position. */
export type ChangeOperation = 'INSERT' | 'UPDATE' | 'DELETE' | 'INIT' | 'DDL'

/**
 * Reads the part of a record that routing and checkpoint need, and touches nothing behind it:
 *
 *     version int, id long, sourceTimestamp long, sourcePosition string, safeSourcePosition string,
 *     sourceTxid string, source { sourceType enum, version string }, operation enum, objectName null|string
 *
 * @throws DtsError RECORD_INVALID, with byte position and path
 */
export function readHeader(bytes: Buffer): RecordHeader {
  const cursor = new Cursor(bytes)
  const version = cursor.int('version')
  const id = cursor.bigLong('id')
  const sourceTimestamp = cursor.long('sourceTimestamp')
  const sourcePosition = cursor.string('sourcePosition')
  const safeSourcePosition = cursor.string('safeSourcePosition')
  const sourceTxid = cursor.string('sourceTxid')
  const sourceType = symbol(sourceTypes, cursor, 'source.sourceType')
  const sourceVersion = cursor.string('source.version')
  const operation = symbol(operations, cursor, 'operation')
  const objectName = cursor.index(2, 'objectName') === 0 ? null : cursor.string('objectName')
  return {
    version,
    id,
    sourceTimestamp,
    sourcePosition,
    safeSourcePosition,
    sourceTxid,
    sourceType,
    sourceVersion,
    operation,
    objectName,
    bodyStart: cursor.position,
  }
}

function symbol<T extends string>(symbols: readonly T[], cursor: Cursor, member: string): T {
  return symbols[cursor.index(symbols.length, member)] as T
}

/** True for a Kafka value that only moves the offset: none, or at most two bytes. */
export function isFiller(value: Buffer | null): boolean {
  return value === null || value.length <= 2
}

/** True for the operations that reach a handler. */
export function carriesChange(operation: Operation): operation is ChangeOperation {
  switch (operation) {
    case 'INSERT':
    case 'UPDATE':
    case 'DELETE':
    case 'INIT':
    case 'DDL':
      return true
    default:
      return false
  }
}

/**
 * The names in a record's `objectName`: `database.table` or `database.schema.table`, where a dot inside a name is
 * written `\u002E`.
 * @throws DtsError RECORD_INVALID for any other number of parts, or an empty one
 */
export function tableOf(objectName: string): TableName {
  const parts = objectName.split('.').map(unescapeName)
  const [database = '', second = '', third] = parts
  if (parts.length < 2 || parts.length > 3 || parts.includes('')) {
    throw recordInvalid(
      `a table name has two or three parts, this one ${parts.length} or an empty one`,
      'objectName',
    )
  }
  return third === undefined
    ? { database, schema: null, table: second }
    : { database, schema: second, table: third }
}

/** A name as the database has it; on the wire its dots are written `\u002E`. */
export function unescapeName(name: string): string {
  return name.includes('\\u002E') ? name.replaceAll('\\u002E', '.') : name
}
