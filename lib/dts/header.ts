import { Cursor } from './cursor.ts'
import { exactBigint } from './integers.ts'
import { Remembered } from './remembered.ts'
import { type Operation, operations, type RecordHeader, sourceTypes } from './types.ts'

export { tableOf } from './names.ts'

/** The operations that handlers see; all others only move the position. */
export type ChangeOperation = 'INSERT' | 'UPDATE' | 'DELETE' | 'INIT' | 'DDL'

/** Neighbouring records mostly share their source's version and often their table. */
const sourceVersions = new Remembered(64)
const objectNames = new Remembered(256)

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
  const id = cursor.exactLong('id')
  const sourceTimestamp = cursor.long('sourceTimestamp')
  const sourcePosition = cursor.string('sourcePosition')
  const safeSourcePosition = cursor.string('safeSourcePosition')
  const sourceTxid = cursor.string('sourceTxid')
  const sourceType = symbol(sourceTypes, cursor, 'source.sourceType')
  sourceVersions.read(cursor, 'source.version')
  const operation = symbol(operations, cursor, 'operation')
  const named = cursor.index(2, 'objectName') === 1
  if (named) objectNames.read(cursor, 'objectName')
  return {
    version,
    id: typeof id === 'number' ? exactBigint(id) : id,
    sourceTimestamp,
    sourcePosition,
    safeSourcePosition,
    sourceTxid,
    sourceType,
    sourceVersion: sourceVersions.text,
    operation,
    objectName: named ? objectNames.text : null,
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
