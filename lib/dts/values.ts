import { type Charset, charsetOf } from './charset.ts'
import type { Cursor } from './cursor.ts'
import { readDateTime, readTimestamp, readZonedDateTime, skipDateTime } from './datetime.ts'
import { readBigInteger, readInteger } from './integers.ts'
import { Remembered } from './remembered.ts'
import type { ColumnValue } from './types.ts'

/** How one column's values are read: what the union branch alone does not say. */
export class ColumnReader {
  readonly name: string
  /** True when the Integer branch may hold more than a number holds exactly, so that all of it becomes bigint. */
  readonly wide: boolean
  /** What one `millis` of a time is worth in microseconds. */
  readonly microsPerUnit: number
  /** Name of the character set of the value before, and the set itself. */
  readonly charsetName = new Remembered(16)
  charset: Charset | null = null

  constructor(name: string, wide: boolean, microsPerUnit: number) {
    this.name = name
    this.wide = wide
    this.microsPerUnit = microsPerUnit
  }
}

/** Branches of the union that an image's values are. */
const branchCount = 13

/**
 * Reads one value of an image.
 * @returns undefined for EmptyObject NONE: the image does not hold the column
 */
export function readValue(cursor: Cursor, column: ColumnReader): ColumnValue | undefined {
  switch (cursor.index(branchCount, '')) {
    case 0: // null
      return null
    case 1: // Integer
      cursor.skipVarint('precision')
      return column.wide ? readBigInteger(cursor) : readInteger(cursor)
    case 2: // Character
      return readCharacter(cursor, column)
    case 3: {
      // Decimal
      const value = cursor.string('value')
      cursor.skipVarint('precision')
      cursor.skipVarint('scale')
      return value
    }
    case 4: {
      // Float
      const value = cursor.double('value')
      cursor.skipVarint('precision')
      cursor.skipVarint('scale')
      return value
    }
    case 5: // Timestamp
      return readTimestamp(cursor, column.microsPerUnit)
    case 6: // DateTime
      return readDateTime(cursor, column.microsPerUnit)
    case 7: // TimestampWithTimeZone
      return readZonedDateTime(cursor, column.microsPerUnit)
    case 8: // BinaryGeometry
    case 10: // BinaryObject
      cursor.skipBytes('type')
      return readBytes(cursor)
    case 9: // TextGeometry
    case 11: // TextObject
      cursor.skipBytes('type')
      return cursor.string('value')
    default: // EmptyObject { NULL, NONE }
      return cursor.index(2, '') === 0 ? null : undefined
  }
}

/** Moves over one value of an image. */
export function skipValue(cursor: Cursor): void {
  switch (cursor.index(branchCount, '')) {
    case 0: // null
      return
    case 1: // Integer
      cursor.skipVarint('precision')
      cursor.skipBytes('value')
      return
    case 3: // Decimal
      cursor.skipBytes('value')
      cursor.skipVarint('precision')
      cursor.skipVarint('scale')
      return
    case 4: // Float
      cursor.skip(8, 'value')
      cursor.skipVarint('precision')
      cursor.skipVarint('scale')
      return
    case 5: // Timestamp
      cursor.skipVarint('timestamp')
      cursor.skipVarint('millis')
      return
    case 6: // DateTime
      skipDateTime(cursor)
      return
    case 7: // TimestampWithTimeZone
      skipDateTime(cursor)
      cursor.skipBytes('timezone')
      return
    case 2: // Character: charset and value
    case 8: // BinaryGeometry
    case 9: // TextGeometry
    case 10: // BinaryObject
    case 11: // TextObject: type and value
      cursor.skipBytes('type')
      cursor.skipBytes('value')
      return
    default: // EmptyObject
      cursor.index(2, '')
  }
}

function readCharacter(cursor: Cursor, column: ColumnReader): string | Buffer {
  const nameStart = cursor.position
  let { charset } = column
  if (!column.charsetName.read(cursor, 'charset') || charset === null) {
    const name = column.charsetName.text
    charset = charsetOf(name)
    column.charset = charset
    if (charset === null) {
      throw cursor.failAt(nameStart, 'charset', `unknown character set ${JSON.stringify(name.slice(0, 40))}`)
    }
  }
  const length = cursor.length('value')
  const start = cursor.position
  const end = start + length
  cursor.position = end
  return (charset.keepsAscii ? cursor.asciiText(start, end) : null) ?? charset.read(cursor.bytes, start, end)
}

/** A copy, so that a handler that keeps the value does not keep the whole fetch response with it. */
function readBytes(cursor: Cursor): Buffer {
  const length = cursor.length('value')
  const start = cursor.position
  cursor.position = start + length
  return Buffer.from(cursor.bytes.subarray(start, start + length))
}
