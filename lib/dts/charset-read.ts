import { isUtf8 } from 'node:buffer'
import { noCharacter, type Plane } from './charset-units.ts'

/**
 * Reads the text between two positions.
 * @param replace true: bytes that are not text become U+FFFD
 * @returns null for bytes that are not text in the character set
 */
export type ReadText = (bytes: Buffer, start: number, end: number, replace: boolean) => string | null

/** The buffer in which texts are built as UTF-16. It is kept, because a new array for each text costs more than the text. */
let units = new Uint16Array(4096)
let unitBytes = Buffer.from(units.buffer)

/** Makes room for `count` units. */
function room(count: number): Uint16Array {
  if (units.length < count) {
    units = new Uint16Array(count * 2)
    unitBytes = Buffer.from(units.buffer)
  }
  return units
}

function textOf(count: number): string {
  const text = unitBytes.toString('utf16le', 0, count * 2)
  // Release the memory of one large value.
  if (units.length > 1 << 20) {
    units = new Uint16Array(4096)
    unitBytes = Buffer.from(units.buffer)
  }
  return text
}

export const readUtf8: ReadText = (bytes, start, end, replace) => {
  const text = bytes.toString('utf8', start, end)
  // Node writes U+FFFD for bytes that are not UTF-8. Without one in the text, all bytes were UTF-8.
  return replace || !text.includes('\ufffd') || isUtf8(bytes.subarray(start, end)) ? text : null
}

/** A surrogate without its other half is not a character. */
function wellFormed(text: string, replace: boolean): string | null {
  if (text.isWellFormed()) return text
  return replace ? text.toWellFormed() : null
}

export function byUtf16(high: 0 | 1): ReadText {
  return (bytes, start, end, replace) => {
    const length = end - start
    if (length % 2 === 1 && !replace) return null
    const out = room((length >> 1) + 1)
    let count = 0
    for (let at = start; at + 1 < end; at += 2) {
      out[count++] = ((bytes[at + high] as number) << 8) | (bytes[at + 1 - high] as number)
    }
    if (length % 2 === 1) out[count++] = noCharacter
    return wellFormed(textOf(count), replace)
  }
}

export const readUtf32: ReadText = (bytes, start, end, replace) => {
  const out = room((end - start) / 2 + 2)
  let count = 0
  for (let at = start; at < end; at += 4) {
    const point = at + 4 <= end ? bytes.readUInt32BE(at) : -1
    if (point >= 0 && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff)) {
      count = putPoint(out, count, point)
    } else if (replace) {
      out[count++] = noCharacter
    } else {
      return null
    }
  }
  return textOf(count)
}

/** @returns the index after the character */
function putPoint(out: Uint16Array, count: number, point: number): number {
  if (point < 0x10000) {
    out[count] = point
    return count + 1
  }
  out[count] = 0xd800 + ((point - 0x10000) >> 10)
  out[count + 1] = 0xdc00 + ((point - 0x10000) & 0x3ff)
  return count + 2
}

/** CESU-8 writes a character above U+FFFF as two surrogates of three bytes each. True UTF-8 is accepted too. */
export const readCesu8: ReadText = (bytes, start, end, replace) => {
  if (isUtf8(bytes.subarray(start, end))) return bytes.toString('utf8', start, end)
  const out = room(end - start)
  let count = 0
  for (let at = start; at < end; ) {
    const size = utf8Size(bytes, at, end)
    if (size === 0) {
      if (!replace) return null
      out[count++] = noCharacter
      at += 1
    } else {
      count = putPoint(out, count, utf8Point(bytes, at, size))
      at += size
    }
  }
  return wellFormed(textOf(count), replace)
}

/** Length of the character at `at`, which may be a surrogate; 0 if the bytes are not a character. */
function utf8Size(bytes: Buffer, at: number, end: number): number {
  const byte = bytes[at] as number
  if (byte < 0x80) return 1
  const size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
  if (byte < 0xc2 || byte > 0xf4 || end - at < size) return 0
  for (let index = at + 1; index < at + size; index++) {
    if (((bytes[index] as number) & 0xc0) !== 0x80) return 0
  }
  const point = utf8Point(bytes, at, size)
  // Each length has its range. An overlong form of a shorter character is invalid.
  return (size === 3 && point < 0x800) || (size === 4 && (point < 0x10000 || point > 0x10ffff)) ? 0 : size
}

function utf8Point(bytes: Buffer, at: number, size: number): number {
  let point = size === 1 ? (bytes[at] as number) : (bytes[at] as number) & (0xff >> (size + 1))
  for (let index = at + 1; index < at + size; index++)
    point = (point << 6) | ((bytes[index] as number) & 0x3f)
  return point
}

/** @param table the characters of all 256 bytes */
export function bySingleBytes(table: Uint16Array): ReadText {
  return (bytes, start, end, replace) => {
    const out = room(end - start)
    for (let at = start; at < end; at++) {
      const unit = table[bytes[at] as number] as number
      if (unit === noCharacter && !replace) return null
      out[at - start] = unit
    }
    return textOf(end - start)
  }
}

export interface MultiBytes {
  /** Characters of one byte. */
  readonly one: Uint16Array
  readonly two: Plane
  /** Characters of three bytes, which begin with 8F. */
  readonly three?: Plane | undefined
  /** The code point of four bytes; 0 if they are not a character. Undefined: no character has four bytes. */
  readonly four?: (bytes: Buffer, at: number) => number
}

export function byMultiBytes({ one, two, three, four }: MultiBytes): ReadText {
  return (bytes, start, end, replace) => {
    const out = room(end - start)
    let count = 0
    for (let at = start; at < end; ) {
      const byte = bytes[at] as number
      let unit = one[byte] as number
      if (unit !== noCharacter) {
        out[count++] = unit
        at += 1
        continue
      }
      const left = end - at
      const pair = left > 1 ? (byte << 8) | (bytes[at + 1] as number) : 0
      unit = characterOf(two, pair)
      if (unit !== noCharacter) {
        out[count++] = unit
        at += 2
        continue
      }
      if (three !== undefined && left > 2) unit = characterOf(three, (pair << 8) | (bytes[at + 2] as number))
      if (unit !== noCharacter) {
        out[count++] = unit
        at += 3
        continue
      }
      const point = four !== undefined && left > 3 ? four(bytes, at) : 0
      if (point !== 0) {
        count = putPoint(out, count, point)
        at += 4
        continue
      }
      if (!replace) return null
      out[count++] = noCharacter
      // Skip both bytes of an invalid pair, unless the second can be a character by itself.
      const isFirst = byte << 8 >= two.first && (byte << 8) - two.first < two.units.length
      at += isFirst && pair & 0x80 ? 2 : 1
    }
    return textOf(count)
  }
}

function characterOf({ first, units: table }: Plane, code: number): number {
  return code < first ? noCharacter : (table[code - first] ?? noCharacter)
}

/** U+1E3F, and the character that has its code in the edition of 2005. */
const moved = 0x1e3f
const movedInto = 0xe7c7

/**
 * GB 18030 gives codes of four bytes, in order, to the characters up to U+FFFF that have no shorter code. The codes of
 * later characters follow in order.
 * @param two the table of the edition of 2000. The edition of 2005 exchanged two characters and kept all others.
 */
export function gb18030(one: Uint16Array, two: Plane, edition: 2000 | 2005): MultiBytes {
  const given = new Uint8Array(0x10000)
  for (const unit of two.units) given[unit] = 1
  given[noCharacter] = 0
  const rest: number[] = []
  for (let point = 0x80; point < 0x10000; point++) {
    const isSurrogate = point >= 0xd800 && point <= 0xdfff
    if (!isSurrogate && given[point] === 0) rest.push(point)
  }
  if (edition === 2000) return { one, two, four: fourBytes(rest) }
  rest[rest.indexOf(moved)] = movedInto
  const exchanged = two.units.map((unit) => (unit === movedInto ? moved : unit))
  return { one, two: { first: two.first, units: exchanged }, four: fourBytes(rest) }
}

/** @param rest the characters up to U+FFFF in the order of their codes */
function fourBytes(rest: readonly number[]): (bytes: Buffer, at: number) => number {
  return (bytes, at) => {
    const [first, second, third, fourth] = [
      (bytes[at] as number) - 0x81,
      (bytes[at + 1] as number) - 0x30,
      (bytes[at + 2] as number) - 0x81,
      (bytes[at + 3] as number) - 0x30,
    ]
    const inRange = (value: number, limit: number) => value >= 0 && value < limit
    if (!inRange(first, 126) || !inRange(second, 10) || !inRange(third, 126) || !inRange(fourth, 10)) return 0
    const number = ((first * 10 + second) * 126 + third) * 10 + fourth
    if (number < rest.length) return rest[number] as number
    const beyond = number - 189_000 + 0x10000
    return beyond >= 0x10000 && beyond <= 0x10ffff ? beyond : 0
  }
}
