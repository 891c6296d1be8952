import { Cursor } from './cursor.ts'
import { cachedTable } from './table-cache.ts'
import { readKeyInfo } from './tags.ts'
import type { RecordHeader } from './types.ts'

const cursor = new Cursor(Buffer.alloc(0))

/**
 * The columns of the primary key that the record of a row names; empty if it names none. It reads nothing after the tags.
 * @param header what `readHeader` returned for the same bytes
 * @throws DtsError RECORD_INVALID
 */
export function readKeys(bytes: Buffer, { objectName, bodyStart }: RecordHeader): readonly string[] {
  cursor.reset(bytes, 0, bytes.length)
  cursor.position = bodyStart
  if (objectName === null) throw cursor.fail('objectName', 'a row without a table name')
  const table = cachedTable(objectName)
  return table.keysOf({ pk_uk_info: readKeyInfo(cursor, table.keyInfo) })
}
