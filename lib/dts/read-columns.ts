import { Cursor } from './cursor.ts'
import { readFields } from './fields.ts'
import { ownBytes, sameBytes } from './repeated-text.ts'
import { skipToFields } from './tags.ts'
import type { ColumnField, RecordHeader } from './types.ts'

/**
 * The columns that a record of a row lists, whether or not its images have values for them.
 * @param header what `readHeader` returned for the same bytes
 * @throws DtsError RECORD_INVALID
 */
export function readColumns(bytes: Buffer, header: RecordHeader): readonly ColumnField[] {
  const cursor = new Cursor(bytes, header.bodyStart)
  skipToFields(cursor)
  return readFields(cursor) ?? []
}

/** The names of `readColumns`. */
export function columnNames(bytes: Buffer, header: RecordHeader): readonly string[] {
  return readColumns(bytes, header).map(({ name }) => name)
}

/** The columns that a record lists, and a copy of the bytes that list them. */
export interface ColumnListing {
  readonly raw: Buffer
  readonly columns: readonly ColumnField[]
}

/**
 * Reads the list of columns if it is not the known one. Avro's encoding of an array marks its own end, so bytes that begin with a known
 * list are that list.
 * @param known `raw` of an earlier listing of the table
 * @returns null if it is the known list, or if the record has none
 * @throws DtsError RECORD_INVALID
 */
export function readChangedColumns(
  bytes: Buffer,
  header: RecordHeader,
  known: Buffer | undefined,
): ColumnListing | null {
  const cursor = new Cursor(bytes, header.bodyStart)
  skipToFields(cursor)
  const start = cursor.position
  if (
    known !== undefined &&
    known.length <= bytes.length - start &&
    sameBytes(bytes, start, known, known.length)
  )
    return null
  const columns = readFields(cursor)
  return columns === null ? null : { raw: ownBytes(bytes, start, cursor.position), columns }
}
