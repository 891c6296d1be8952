import { type Cursor, isAscii } from './cursor.ts'
import { quickDateTime, quickDateTimeText } from './datetime.ts'
import { isoText } from './datetime-text.ts'
import { endOfInt, endOfValues } from './fast-skip.ts'
import { beforeImage, type ImageSlots } from './image-slots.ts'
import { exactBigint, longInteger } from './integers.ts'
import type { Projection } from './projection.ts'
import { longComparison, sameBytes } from './repeated-text.ts'
import type { ColumnValue } from './types.ts'
import { type ColumnReader, readValue, skipValues } from './value.ts'

/** If fewer bytes than this remain in the record, `readValue` reads the value. */
const quickBytes = 13
/** The same for a DateTime. */
const quickDateTimeBytes = 24

/**
 * Reads the values of the columns from `first` to before `last` into `image`, beginning with `slot`.
 *
 * This one long function reads the usual forms of the common branches itself. So the position stays in a local variable,
 * which doubles the speed. `readValue` reads all other values, and reports all errors.
 * @returns the slot after the last one that was written
 */
export function readValues(
  cursor: Cursor,
  projection: Projection,
  first: number,
  last: number,
  image: ImageSlots,
  slot: number,
  hasBefore: boolean,
): number {
  const { columns, runs } = projection
  const { bytes, end } = cursor
  const { values, starts, ends } = image
  let { text, textStart, textEnd } = cursor
  let at = cursor.position
  for (let item = first; item < last; item++) {
    const column = columns[item] as ColumnReader | null
    if (column === null) {
      const count = Math.min(runs[item] as number, last - item)
      const runEnd = endOfValues(bytes, at, end, count)
      if (runEnd < 0) {
        cursor.position = at
        skipValues(cursor, item, count)
        at = cursor.position
      } else {
        at = runEnd
      }
      item += count - 1
      continue
    }

    if (hasBefore) {
      const from = beforeImage.starts[slot] as number
      const length = (beforeImage.ends[slot] as number) - from
      if (length <= end - at && sameWithin(bytes, from, at, length)) {
        at += length
        const value = beforeImage.values[slot]
        if (value === undefined) image.complete = false
        // Each row has its own bytes, so that a handler that overwrites one row does not change the other.
        values[slot++] = typeof value === 'object' && value !== null ? Buffer.from(value) : value
        continue
      }
    }

    let next = -1
    let value: ColumnValue | undefined
    const branch = bytes[at]
    if (end - at >= quickBytes || branch === 0) {
      switch (branch) {
        case 0:
          value = null
          next = at + 1
          break
        case 2: {
          // Integer, not negative, of at most 20 digits.
          const lengthAt = endOfInt(bytes, at + 1)
          const length = bytes[lengthAt] as number
          const digitsEnd = lengthAt + 1 + (length >>> 1)
          if (lengthAt < 0 || length === 0 || length > 40 || length & 1 || digitsEnd > end) break
          if (length > 30) {
            const long = column.wide ? longInteger(bytes, lengthAt + 1, digitsEnd) : null
            if (long === null) break
            value = long
            next = digitsEnd
            break
          }
          let number = 0
          let digitAt = lengthAt + 1
          for (; digitAt < digitsEnd; digitAt++) {
            const digit = (bytes[digitAt] as number) - 0x30
            if (digit < 0 || digit > 9) break
            number = number * 10 + digit
          }
          if (digitAt < digitsEnd) break
          value = column.wide ? exactBigint(number) : number
          next = digitsEnd
          break
        }
        case 4: {
          // Character in the character set of the previous value, whose bytes are all ASCII.
          // Compared here: a call for each text would make decoding slower by a twentieth.
          let encoded = column.charset
          if (encoded === null || !sameBytes(bytes, at + 1, encoded.name, encoded.name.length)) {
            encoded = column.charsetAt(bytes, at + 1, end)
            if (encoded === null) break
          }
          if (!encoded.charset.keepsAscii) break
          const lengthAt = at + 1 + encoded.name.length
          if (end - lengthAt < 2) break
          const length = shortLength(bytes, lengthAt)
          const valueAt = lengthAt + (length < 64 ? 1 : 2)
          const valueEnd = valueAt + length
          if (length < 0 || valueEnd > end || !isAscii(bytes, valueAt, valueEnd)) break
          if (valueEnd > textEnd) {
            value = cursor.latin1(valueAt, valueEnd)
            text = cursor.text
            textStart = cursor.textStart
            textEnd = cursor.textEnd
          } else {
            value = text.substring(valueAt - textStart, valueEnd - textStart)
          }
          next = valueEnd
          break
        }
        case 6: {
          // Decimal.
          const length = shortLength(bytes, at + 1)
          const valueAt = at + (length < 64 ? 2 : 3)
          const valueEnd = valueAt + length
          if (length < 0 || end - valueEnd < 4 || !isAscii(bytes, valueAt, valueEnd)) break
          const scaleAt = endOfInt(bytes, valueEnd)
          next = scaleAt < 0 ? -1 : endOfInt(bytes, scaleAt)
          if (next < 0) break
          if (valueEnd > textEnd) {
            value = cursor.latin1(valueAt, valueEnd)
            text = cursor.text
            textStart = cursor.textStart
            textEnd = cursor.textEnd
          } else {
            value = text.substring(valueAt - textStart, valueEnd - textStart)
          }
          break
        }
        case 8: {
          // Float.
          const scaleAt = endOfInt(bytes, at + 9)
          next = scaleAt < 0 ? -1 : endOfInt(bytes, scaleAt)
          if (next >= 0) value = bytes.readDoubleLE(at + 1)
          break
        }
        case 10: {
          // Timestamp after 1970 whose seconds have five bytes, as those from 1974 to 2514 have.
          const low = ((bytes[at + 1] as number) & 0x7f) | (((bytes[at + 2] as number) & 0x7f) << 7)
          const middle = ((bytes[at + 3] as number) & 0x7f) | (((bytes[at + 4] as number) & 0x7f) << 7)
          const allContinue =
            (bytes[at + 1] as number) &
            (bytes[at + 2] as number) &
            (bytes[at + 3] as number) &
            (bytes[at + 4] as number) &
            0x80
          const top = bytes[at + 5] as number
          if (allContinue === 0 || top >= 0x80 || low & 1) break
          // Zigzag: the lowest bit is the sign.
          const seconds = (low >>> 1) + middle * 0x2000 + top * 0x8000000
          const fractionAt = at + 6
          const one = bytes[fractionAt] as number
          const two = bytes[fractionAt + 1] as number
          const three = bytes[fractionAt + 2] as number
          let raw = one
          let fractionEnd = fractionAt + 1
          if (one >= 0x80) {
            raw = (one & 0x7f) | (two << 7)
            fractionEnd++
            if (two >= 0x80) {
              raw = (raw & 0x3fff) | (three << 14)
              fractionEnd++
              if (three >= 0x80) break
            }
          }
          const micros = raw >>> 1
          if (raw & 1 || micros >= 1_000_000) break
          value = isoText(seconds, micros)
          next = fractionEnd
          break
        }
        case 12: {
          // DateTime.
          if (end - at < quickDateTimeBytes) break
          const dateTimeEnd = quickDateTime(bytes, at + 1)
          if (dateTimeEnd < 0) break
          const printed = quickDateTimeText()
          if (printed === '') break
          value = printed
          next = dateTimeEnd
          break
        }
        case 24: {
          // EmptyObject.
          const symbol = bytes[at + 1] as number
          if (symbol !== 0) break
          value = null
          next = at + 2
          break
        }
      }
    }
    if (next < 0) {
      cursor.position = at
      cursor.item = item
      value = readValue(cursor, column)
      next = cursor.position
      if (value === undefined) image.complete = false
    }
    starts[slot] = at
    ends[slot] = next
    values[slot++] = value
    at = next
  }
  cursor.position = at
  cursor.item = -1
  return slot
}

/** A length of at most 13 bits. It has two bytes from 64 on. @returns -1 if it is longer or negative */
function shortLength(bytes: Buffer, at: number): number {
  const low = bytes[at] as number
  if (low < 0x80) return low & 1 ? -1 : low >>> 1
  const high = bytes[at + 1] as number
  const length = ((low & 0x7f) | (high << 7)) >>> 1
  return high >= 0x80 || low & 1 || length < 64 ? -1 : length
}

/** True if the record has the same bytes in both places. */
function sameWithin(bytes: Buffer, one: number, other: number, length: number): boolean {
  // Most bytes that differ do so at once.
  const head = length < longComparison ? length : 64
  for (let at = 0; at < head; at++) {
    if (bytes[one + at] !== bytes[other + at]) return false
  }
  return head === length || bytes.compare(bytes, one, one + length, other, other + length) === 0
}
