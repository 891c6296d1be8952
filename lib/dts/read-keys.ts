import { Cursor } from './cursor.ts'
import { cachedTable } from './table-cache.ts'
import { readKeyInfo } from './tags.ts'
import type { RecordHeader } from './types.ts'

/** What is known of the record: `bodyStart` counts from its first byte. */
export type KeyHeader = Pick<RecordHeader, 'objectName' | 'bodyStart'>

const cursor = new Cursor(Buffer.alloc(0))

/**
 * The columns of the primary key that the record of a row names; empty if it names none. It reads nothing after the tags.
 * @param bytes the record is in them, from `start` to `end`
 * @throws DtsError RECORD_INVALID
 */
export function readKeys(
  bytes: Buffer,
  { objectName, bodyStart }: KeyHeader,
  start = 0,
  end = bytes.length,
): readonly string[] {
  cursor.reset(bytes, start, end)
  cursor.position = start + bodyStart
  if (objectName === null) throw cursor.fail('objectName', 'a row without a table name')
  const table = cachedTable(objectName)
  return table.keysOf({ pk_uk_info: readKeyInfo(cursor, table.keyInfo) })
}
