import type { Change, ChangeOrigin, DdlChange, RowChange } from './change.ts'
import { Cursor } from './cursor.ts'
import { idempotencyKeyOf } from './digest.ts'
import { skipFields } from './fields.ts'
import { type ImageName, readImage, readTextImage, skipImage } from './image.ts'
import { unescapeName } from './names.ts'
import { RecordDetails, rowChange } from './row-change.ts'
import { emptyRow } from './row-factory.ts'
import { cachedTable } from './table-cache.ts'
import { logicalName, readTags, skipToFields } from './tags.ts'
import type { RecordHeader, Row } from './types.ts'

/** Of all records: no decoding begins within another one. */
const shared = new Cursor(Buffer.alloc(0))

/**
 * Decodes the change that a record carries.
 * @param bytes the change keeps them, and reads tags, keys and positions from them later: do not overwrite them
 * @param header what `readHeader` returned for the same bytes; its operation must carry a change
 * @param columns the columns to decode; all if left out. A name that the table lacks is absent from the rows.
 *   Pass the same array for every record of a table, and do not change it: the decoder recognises it by identity.
 *   With `columns` the decoder stops after the last wanted column of the last image; it only checks that enough bytes
 *   remain for the other values. Without `columns` it reads the record to its end, and refuses a truncated one.
 * @param replaceInvalidText true: bytes that are not text in the character set of their column become U+FFFD
 * @throws DtsError RECORD_INVALID, with byte position and path
 */
export function decodeChange(
  bytes: Buffer,
  header: RecordHeader,
  origin: ChangeOrigin,
  columns?: readonly string[],
  replaceInvalidText = false,
): Change {
  const cursor = shared
  cursor.reset(bytes, 0, bytes.length)
  cursor.position = header.bodyStart
  cursor.replacesInvalidText = replaceInvalidText
  switch (header.operation) {
    case 'INSERT':
    case 'INIT':
    case 'UPDATE':
    case 'DELETE':
      return decodeRowChange(cursor, header, header.operation, origin, columns)
    case 'DDL':
      return decodeDdl(cursor, header, origin)
    default:
      throw cursor.fail('operation', `${header.operation} carries no change`)
  }
}

function decodeRowChange(
  cursor: Cursor,
  header: RecordHeader,
  operation: RowChange['operation'],
  origin: ChangeOrigin,
  columns: readonly string[] | undefined,
): RowChange {
  const objectName = header.objectName
  if (objectName === null) throw cursor.fail('objectName', `${operation} without a table name`)
  const table = cachedTable(objectName)
  skipToFields(cursor)
  const projection = table.columnLists.read(cursor, header.sourceType, columns)
  if (projection === null) throw cursor.fail('', `${operation} without a column list`)

  const whole = columns === undefined
  let before: Row | null = null
  let after: Row | null = null
  if (operation === 'DELETE') {
    before = readImage(cursor, 'beforeImages', projection, !whole)
    if (whole) skipImage(cursor, 'afterImages')
  } else {
    if (operation === 'UPDATE') before = readImage(cursor, 'beforeImages', projection, false)
    else skipImage(cursor, 'beforeImages')
    after = readImage(cursor, 'afterImages', projection, !whole, before !== null)
  }
  if (whole) readEnd(cursor)

  if (operation === 'DELETE') {
    if (before === null) throw missingImage(cursor, 'beforeImages', operation)
  } else if (after === null) {
    throw missingImage(cursor, 'afterImages', operation)
  }
  if (operation === 'UPDATE') before ??= emptyRow()
  return rowChange(
    operation,
    objectName,
    header.id,
    header.sourceTimestamp,
    header.sourceType,
    origin,
    before,
    after,
    new RecordDetails(cursor.bytes, header, table),
  )
}

function missingImage(cursor: Cursor, section: ImageName, operation: string): Error {
  cursor.section = section
  return cursor.fail('', `${operation} without this image`)
}

function decodeDdl(cursor: Cursor, header: RecordHeader, origin: ChangeOrigin): DdlChange {
  const objectName = header.objectName === '' ? null : header.objectName
  const table = objectName?.includes('.') ? cachedTable(objectName) : null
  const tags = readTags(cursor, table?.keyInfo)
  skipFields(cursor)
  skipImage(cursor, 'beforeImages')
  const statement = readTextImage(cursor, 'afterImages')
  if (statement === null) throw cursor.fail('', 'DDL without a statement')
  readEnd(cursor)
  return {
    operation: 'DDL',
    table: table === null ? null : objectName,
    name: table?.name ?? null,
    logical: table === null ? null : logicalName(tags, table.name),
    database: objectName === null ? null : (table?.name.database ?? unescapeName(objectName)),
    id: header.id,
    timestamp: header.sourceTimestamp,
    sourceType: header.sourceType,
    sourcePosition: header.sourcePosition,
    transactionId: header.sourceTxid,
    keys: table?.keysOf(tags) ?? [],
    tags,
    offset: origin.offset,
    generation: origin.generation,
    replay: origin.replay,
    statement,
    idempotencyKey: idempotencyKeyOf(cursor.bytes, header),
  }
}

/** Reads `bornTimestamp`, which older versions do not write. Newer versions may write more after it. */
function readEnd(cursor: Cursor): void {
  cursor.section = ''
  if (cursor.position < cursor.end) cursor.skipVarint('bornTimestamp')
}
