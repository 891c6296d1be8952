import type { Cursor } from './cursor.ts'
import { readDateTime, readTimestamp, readZonedDateTime, skipDateTime } from './datetime.ts'
import { type EncodedCharset, isNameAt, readCharset, usedCharsetAt } from './encoded-charset.ts'
import { endOfValues } from './fast-skip.ts'
import { valueBranches } from './grammar.ts'
import { readBigInteger, readInteger } from './integers.ts'
import type { ColumnValue, SourceType } from './types.ts'

/** How to read one column's values, as far as the union branch does not say it. */
export class ColumnReader {
  readonly name: string
  /** True if the type allows integers that a number would round. All values of the column then are bigints. */
  readonly wide: boolean
  /** Two sources can give one name to different character sets. */
  readonly source: SourceType
  /** The character set of the previous value; null before the first. */
  charset: EncodedCharset | null = null

  constructor(name: string, wide: boolean, source: SourceType) {
    this.name = name
    this.wide = wide
    this.source = source
  }

  /** The character set whose name is at the position; null if it must be read. */
  charsetAt(bytes: Buffer, at: number, end: number): EncodedCharset | null {
    const { charset } = this
    if (charset !== null && isNameAt(charset.name, bytes, at, end)) return charset
    this.charset = usedCharsetAt(bytes, at, end, this.source)
    return this.charset
  }
}

const branchCount = valueBranches.length

/**
 * Reads one value of an image.
 * @returns undefined for EmptyObject NONE: the image does not have the column
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
      return readTimestamp(cursor)
    case 6: // DateTime
      return readDateTime(cursor)
    case 7: // TimestampWithTimeZone
      return readZonedDateTime(cursor)
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

/** Moves over `count` values, beginning with the item `first`. */
export function skipValues(cursor: Cursor, first: number, count: number): void {
  const next = endOfValues(cursor.bytes, cursor.position, cursor.end, count)
  if (next >= 0) {
    cursor.position = next
    return
  }
  for (let item = first; item < first + count; item++) {
    cursor.item = item
    skipValue(cursor)
  }
  cursor.item = -1
}

function readCharacter(cursor: Cursor, column: ColumnReader): string | Buffer {
  const { bytes } = cursor
  const { charset } = charsetAt(cursor, column)
  const at = cursor.position
  const length = cursor.length('value')
  const start = cursor.position
  const end = start + length
  cursor.position = end
  const value =
    (charset.keepsAscii ? cursor.asciiText(start, end) : null) ??
    charset.read(bytes, start, end, cursor.replacesInvalidText)
  if (value === null) throw cursor.failAt(at, 'value', charset.problem)
  return value
}

function charsetAt(cursor: Cursor, column: ColumnReader): EncodedCharset {
  const known = column.charsetAt(cursor.bytes, cursor.position, cursor.end)
  if (known === null) return readCharset(cursor, column.source)
  cursor.position += known.name.length
  return known
}

/** A copy: otherwise a handler that keeps the value would keep the whole fetch response in memory. */
function readBytes(cursor: Cursor): Buffer {
  const length = cursor.length('value')
  const start = cursor.position
  cursor.position = start + length
  return Buffer.from(cursor.bytes.subarray(start, start + length))
}
