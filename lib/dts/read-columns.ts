import { Cursor } from './cursor.ts'
import { readFields } from './fields.ts'
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
