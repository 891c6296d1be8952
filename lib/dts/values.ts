import { textReader } from './charset.ts'
import type { Cursor } from './cursor.ts'
import { readDateTime, readTimestamp, readZonedDateTime, skipDateTime } from './datetime.ts'
import type { ColumnValue } from './types.ts'

/** How one column's values are read: what the union branch alone does not say. */
export interface ColumnReader {
  readonly name: string
  /** True when the Integer branch holds values that a number cannot hold exactly, so that all become bigint. */
  readonly wide: boolean
  /** What one `millis` of a time is worth in microseconds. */
  readonly microsPerUnit: number
}

/** The union of an image's values, by branch. */
const branchCount = 13
const branch = {
  null: 0,
  integer: 1,
  character: 2,
  decimal: 3,
  float: 4,
  timestamp: 5,
  dateTime: 6,
  zonedDateTime: 7,
  binaryGeometry: 8,
  textGeometry: 9,
  binaryObject: 10,
  textObject: 11,
  empty: 12,
} as const

/**
 * Reads one value of an image.
 * @returns undefined for EmptyObject NONE: the image does not hold the column
 */
export function readValue(cursor: Cursor, column: ColumnReader): ColumnValue | undefined {
  switch (cursor.index(branchCount, '')) {
    case branch.null:
      return null
    case branch.integer:
      cursor.skipVarint('precision')
      return column.wide ? readBigInteger(cursor) : readSmallInteger(cursor)
    case branch.character:
      return readCharacter(cursor)
    case branch.decimal: {
      const value = cursor.string('value')
      cursor.skipVarint('precision')
      cursor.skipVarint('scale')
      return value
    }
    case branch.float: {
      const value = cursor.double('value')
      cursor.skipVarint('precision')
      cursor.skipVarint('scale')
      return value
    }
    case branch.timestamp:
      return readTimestamp(cursor, column.microsPerUnit)
    case branch.dateTime:
      return readDateTime(cursor, column.microsPerUnit)
    case branch.zonedDateTime:
      return readZonedDateTime(cursor, column.microsPerUnit)
    case branch.binaryGeometry:
    case branch.binaryObject:
      cursor.skipBytes('type')
      return readBytes(cursor)
    case branch.textGeometry:
    case branch.textObject:
      cursor.skipBytes('type')
      return cursor.string('value')
    default:
      return cursor.index(2, '') === 0 ? null : undefined
  }
}

/** Moves over one value of an image. */
export function skipValue(cursor: Cursor): void {
  switch (cursor.index(branchCount, '')) {
    case branch.null:
      return
    case branch.integer:
      cursor.skipVarint('precision')
      cursor.skipBytes('value')
      return
    case branch.character:
      cursor.skipBytes('charset')
      cursor.skipBytes('value')
      return
    case branch.decimal:
      cursor.skipBytes('value')
      cursor.skipVarint('precision')
      cursor.skipVarint('scale')
      return
    case branch.float:
      cursor.double('value')
      cursor.skipVarint('precision')
      cursor.skipVarint('scale')
      return
    case branch.timestamp:
      cursor.skipVarint('timestamp')
      cursor.skipVarint('millis')
      return
    case branch.dateTime:
      skipDateTime(cursor)
      return
    case branch.zonedDateTime:
      skipDateTime(cursor)
      cursor.skipBytes('timezone')
      return
    case branch.binaryGeometry:
    case branch.textGeometry:
    case branch.binaryObject:
    case branch.textObject:
      cursor.skipBytes('type')
      cursor.skipBytes('value')
      return
    default:
      cursor.index(2, '')
  }
}

/** No integer type of any source has more digits; BigInt takes quadratic time, so that more must not reach it. */
const maxDigits = 100

/** Integer digits of a column whose type says that a number holds them exactly. */
function readSmallInteger(cursor: Cursor): number {
  const { bytes } = cursor
  const length = cursor.length('value')
  const start = cursor.position
  const end = start + length
  const negative = length > 0 && bytes[start] === 0x2d
  let value = 0
  let position = negative ? start + 1 : start
  if (position === end || end - position > 15)
    throw cursor.fail('value', 'an integer without digits, or above 15')
  for (; position < end; position++) {
    const digit = (bytes[position] as number) - 0x30
    if (digit < 0 || digit > 9) throw cursor.fail('value', 'an integer with something else than digits')
    value = value * 10 + digit
  }
  cursor.position = end
  return negative && value !== 0 ? -value : value
}

function readBigInteger(cursor: Cursor): bigint {
  const length = cursor.length('value')
  const start = cursor.position
  const text = cursor.bytes.toString('latin1', start, start + length)
  if (length > maxDigits || !/^-?[0-9]+$/.test(text)) {
    throw cursor.fail('value', `an integer with something else than 1 to ${maxDigits} digits`)
  }
  cursor.position = start + length
  return BigInt(text)
}

function readCharacter(cursor: Cursor): string | Buffer {
  const start = cursor.position
  const charset = cursor.string('charset')
  const read = textReader(charset)
  if (read === null)
    throw cursor.failAt(start, 'charset', `unknown character set ${JSON.stringify(charset.slice(0, 40))}`)
  const length = cursor.length('value')
  const from = cursor.position
  cursor.position = from + length
  return read(cursor.bytes, from, from + length)
}

/** A copy, so that a handler that keeps the value does not keep the whole fetch response with it. */
function readBytes(cursor: Cursor): Buffer {
  const length = cursor.length('value')
  const start = cursor.position
  cursor.position = start + length
  return Buffer.from(cursor.bytes.subarray(start, start + length))
}
