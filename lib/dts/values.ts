import { sameBytes } from './byte-cache.ts'
import { type Charset, charsetOf } from './charset.ts'
import type { Cursor } from './cursor.ts'
import { readDateTime, readTimestamp, readZonedDateTime, skipDateTime } from './datetime.ts'
import { readBigInteger, readInteger } from './integers.ts'
import type { ColumnValue, SourceType } from './types.ts'

const noBytes = Buffer.alloc(0)

/** How one column's values are read: what the union branch alone does not say. */
export class ColumnReader {
  readonly name: string
  /** True when the Integer branch may hold more than a number holds exactly, so that all of it becomes bigint. */
  readonly wide: boolean
  /** Sources call different character sets by one name. */
  readonly source: SourceType
  /** The character set of the value before, null before the first. */
  charset: Charset | null = null
  /** Its name as it stands in a record, length and all: a value that starts with these bytes has the same. */
  charsetBytes: Buffer = noBytes

  constructor(name: string, wide: boolean, source: SourceType) {
    this.name = name
    this.wide = wide
    this.source = source
  }
}

/** Branches of the union that an image's values are. */
const branchCount = 13

/** Moves over an `int` at `at` of at most two bytes. @returns -1 when it is longer */
export function behindInt(bytes: Buffer, at: number): number {
  if ((bytes[at] as number) < 0x80) return at + 1
  return (bytes[at + 1] as number) < 0x80 ? at + 2 : -1
}

/** No branch below looks at more bytes than this before it compares with the end. */
const quickBytes = 24

/**
 * Moves over so many values of an image, as `skipValue` does for each, where they are what nearly all values are:
 * lengths of one byte, and not at the very end of the record. Twice as quick, for it keeps the position to itself.
 * @returns where the next value starts; -1 when one of them is anything else, also when it is malformed
 */
export function behindValues(bytes: Buffer, start: number, end: number, count: number): number {
  let at = start
  for (let left = count; left > 0; left--) {
    if (end - at < quickBytes) return -1
    switch (bytes[at++]) {
      case 0: // null
        break
      case 2: // Integer: precision, digits
        at = behindInt(bytes, at)
        if (at < 0) return -1
        at = behindShort(bytes, at)
        break
      case 4: // Character: charset, bytes
      case 22: // TextObject: type, text
        at = behindShort(bytes, at)
        if (at < 0 || at >= end) return -1
        at = behindShort(bytes, at)
        break
      case 6: // Decimal: digits, precision, scale
        at = behindShort(bytes, at)
        if (at < 0 || end - at < 4) return -1
        at = behindInt(bytes, at)
        if (at < 0) return -1
        at = behindInt(bytes, at)
        break
      case 8: // Float: double, precision, scale
        at = behindInt(bytes, at + 8)
        if (at < 0) return -1
        at = behindInt(bytes, at)
        break
      case 10: {
        // Timestamp: two numbers
        const last = at + 15
        for (let numbers = 0; numbers < 2; at++) {
          if (at === last) return -1
          if ((bytes[at] as number) < 0x80) numbers++
        }
        break
      }
      case 12: // DateTime: seven times null or a number
        for (let part = 0; part < 7; part++) {
          const branch = bytes[at++] as number
          if (branch === 2) {
            at = behindInt(bytes, at)
            if (at < 0) return -1
          } else if (branch !== 0) {
            return -1
          }
        }
        break
      case 24: // EmptyObject: NULL or NONE
        if ((bytes[at++] as number) & 0xfd) return -1
        break
      default:
        return -1
    }
    if (at < 0) return -1
  }
  return at <= end ? at : -1
}

/** Moves over text or bytes whose length takes one byte. @returns -1 when it takes more */
function behindShort(bytes: Buffer, at: number): number {
  const byte = bytes[at] as number
  return (byte & 0x81) === 0 ? at + 1 + (byte >>> 1) : -1
}

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

function readCharacter(cursor: Cursor, column: ColumnReader): string | Buffer {
  const { bytes, position } = cursor
  const { charsetBytes } = column
  let { charset } = column
  if (
    charset !== null &&
    charsetBytes.length <= cursor.end - position &&
    sameBytes(bytes, position, charsetBytes, charsetBytes.length)
  ) {
    cursor.position = position + charsetBytes.length
  } else {
    charset = readCharset(cursor, column)
  }
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

function readCharset(cursor: Cursor, column: ColumnReader): Charset {
  const start = cursor.position
  const name = cursor.string('charset')
  const charset = charsetOf(name, column.source)
  if (charset === null) {
    const shown = JSON.stringify(name.slice(0, 40))
    throw cursor.failAt(start, 'charset', `the unknown character set ${shown} of ${column.source}`)
  }
  column.charset = charset
  column.charsetBytes = Buffer.from(cursor.bytes.subarray(start, cursor.position))
  return charset
}

/** A copy, so that a handler that keeps the value does not keep the whole fetch response with it. */
function readBytes(cursor: Cursor): Buffer {
  const length = cursor.length('value')
  const start = cursor.position
  cursor.position = start + length
  return Buffer.from(cursor.bytes.subarray(start, start + length))
}
