import { skipFields } from './columns.ts'
import { Cursor } from './cursor.ts'
import { idempotencyKeyOf } from './digest.ts'
import { type ImageName, readImage, readTextImage, skipImage } from './images.ts'
import { unescapeName } from './names.ts'
import { RecordDetails, rowChange } from './row-change.ts'
import { emptyRow } from './rows.ts'
import { knownTable } from './tables.ts'
import { logicalName, readTags, skipToFields, type Tags } from './tags.ts'
import type { RecordHeader, Row, SourceType, TableName } from './types.ts'

/** Where a change stands in the log. */
export interface ChangeOrigin {
  readonly offset: bigint
  /** Rises with every recovery that moved the checkpoint; offsets compare only within one generation. */
  readonly generation: number
  /** True when the change may have been delivered before. */
  readonly replay: boolean
}

interface ChangeBase extends ChangeOrigin {
  readonly id: bigint
  /** When the source logged the change, in seconds since 1970 (milliseconds in a synchronisation topic). */
  readonly timestamp: number
  readonly sourceType: SourceType
  readonly sourcePosition: string
  readonly transactionId: string
  readonly tags: Tags
  /**
   * The same for every delivery of this change, also from another cluster as far as the source tells changes apart
   * (equal rows of one statement in a table without a primary key have the same key).
   */
  readonly idempotencyKey: string
}

interface RowChangeBase extends ChangeBase {
  /** `database.table` or `database.schema.table`; a dot inside a name is written `\u002E`. */
  readonly table: string
  readonly name: TableName
  /** The name that a sharded source shows to its users; null where the record carries none. */
  readonly logical: TableName | null
  /** Columns of the primary key; empty where the record does not name them. */
  readonly keys: readonly string[]
}

/** A new row; INIT is a row of a full copy that was there before the tracking began. */
export interface InsertChange<R = Row> extends RowChangeBase {
  readonly operation: 'INSERT' | 'INIT'
  readonly after: R
}

export interface UpdateChange<R = Row> extends RowChangeBase {
  readonly operation: 'UPDATE'
  /** Empty where the source logs no image before an update. */
  readonly before: R
  readonly after: R
  /**
   * True when the update wrote another value to the column. A column that the after image does not hold was not
   * written; one that only the after image holds was. Buffers are compared by content, and NaN equals itself.
   */
  changed(column: keyof R & string): boolean
}

export interface DeleteChange<R = Row> extends RowChangeBase {
  readonly operation: 'DELETE'
  readonly before: R
}

/** A statement that changed a schema. It may name a database alone, or nothing. */
export interface DdlChange extends ChangeBase {
  readonly operation: 'DDL'
  readonly statement: string
  readonly database: string | null
  readonly table: string | null
  readonly name: TableName | null
  readonly logical: TableName | null
  readonly keys: readonly string[]
}

export type RowChange<R = Row> = InsertChange<R> | UpdateChange<R> | DeleteChange<R>

/** What a handler gets. */
export type Change<R = Row> = RowChange<R> | DdlChange

/**
 * Decodes the change that a record carries.
 * @param bytes kept by the change, which reads its tags, keys and positions when asked for them: not to be written to
 * @param header what `readHeader` returned for the same bytes; its operation must carry a change
 * @param columns the columns to decode, all when left out; a name that the table lacks is absent from the rows.
 *   Pass the same array for every record of a table: it is recognised by identity, and must not change.
 *   What stands behind the last of them in the last image that is needed is then not looked at, save that it is long
 *   enough for the values that are left; without `columns` the record is read to its end, and refused when cut.
 * @param replaceInvalidText true: bytes that are no text in the character set of their column become U+FFFD
 * @throws DtsError RECORD_INVALID, with byte position and path
 */
export function decodeChange(
  bytes: Buffer,
  header: RecordHeader,
  origin: ChangeOrigin,
  columns?: readonly string[],
  replaceInvalidText = false,
): Change {
  const cursor = new Cursor(bytes, header.bodyStart)
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
  const table = knownTable(objectName)
  skipToFields(cursor)
  const plan = table.columnLists.read(cursor, header.sourceType, columns)
  if (plan === null) throw cursor.fail('', `${operation} without a column list`)

  const whole = columns === undefined
  let before: Row | null = null
  let after: Row | null = null
  if (operation === 'DELETE') {
    before = readImage(cursor, 'beforeImages', plan, !whole)
    if (whole) skipImage(cursor, 'afterImages')
  } else {
    if (operation === 'UPDATE') before = readImage(cursor, 'beforeImages', plan, false)
    else skipImage(cursor, 'beforeImages')
    after = readImage(cursor, 'afterImages', plan, !whole, before !== null)
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
  const table = objectName?.includes('.') ? knownTable(objectName) : null
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

/** `bornTimestamp`, which older versions do not write; what newer ones write behind it is left alone. */
function readEnd(cursor: Cursor): void {
  cursor.section = ''
  if (cursor.position < cursor.end) cursor.skipVarint('bornTimestamp')
}
