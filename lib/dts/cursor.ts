import { isAscii as isAsciiNative } from 'node:buffer'
import type { DtsError } from '../errors.ts'
import { readUtf8 } from './charset-read.ts'
import { recordInvalid } from './record-invalid.ts'

/**
 * Most items that all arrays and maps of one record may have together. The widest table that a source allows has about
 * 30,000 columns. A record names them once and has two values of each, so that bytes with more items are not a DTS record.
 */
const maxItems = 200_000

/**
 * Most bytes that become one shared text. A substring keeps the whole text in memory that it was cut from, so a row never
 * keeps more than its record.
 */
const maxSharedText = 4096
/** Longer values are strings of their own. */
const maxSharedValue = 1024
/** From this number of bytes on, a call into Node is faster than a loop. */
const manyBytes = 512
/** Text beyond ASCII mostly shows it this soon. */
const firstBytes = 32
const notUtf8 =
  "bytes that are not UTF-8; in a column, invalidText: 'replace' in the table's definition reads them as U+FFFD"
/** Up to this many bytes, building a string in JavaScript is faster than a call into Node's decoder. */
const maxShort = 12
/** One array for each length, because `apply` uses the whole array. */
const codesOf = Array.from({ length: maxShort + 1 }, (_, length) => new Array<number>(length).fill(0))

/**
 * Reads Avro's binary encoding from one record. It compares each length with the bytes that remain before it allocates
 * memory. Every failure is a `DtsError('RECORD_INVALID')` with the byte position and the path (`afterImages[3].value`),
 * never with a value.
 *
 * Each method takes the name of the member that it reads. Only the path of an error uses it.
 */
export class Cursor {
  bytes: Buffer
  /** The record is between these two positions of `bytes`. */
  start: number
  end: number
  position: number
  /** The record's field that is being read; empty inside the header, where names are unique. */
  section = ''
  /** The item of an array or map that is being read, -1 outside of one. */
  item = -1
  /** True: bytes that are not text in their character set become U+FFFD. False: they are refused. */
  replacesInvalidText = false
  private itemsLeft = maxItems
  /** True: ASCII values are cut out of a shared text. */
  sharesText = false
  /** The shared text, and the positions that it begins and ends at. */
  text = ''
  textStart = 0
  textEnd = 0

  /** @param position the first byte to read; `start` and `end` bound the record if `bytes` contains more than it */
  constructor(bytes: Buffer, position = 0, start = 0, end = bytes.length) {
    this.bytes = bytes
    this.start = start
    this.end = end
    this.position = position
  }

  /** Begins another record, as if it were a new cursor. */
  reset(bytes: Buffer, start: number, end: number): void {
    this.bytes = bytes
    this.start = start
    this.end = end
    this.position = start
    this.section = ''
    this.item = -1
    this.itemsLeft = maxItems
    this.sharesText = false
    this.textEnd = 0
  }

  /** Avro `int`: zigzag varint within 32 bits. */
  int(member: string): number {
    const start = this.position
    const value = this.long(member)
    if (value < -0x80000000 || value > 0x7fffffff) throw this.failAt(start, member, 'an int exceeds 32 bits')
    return value
  }

  /** Avro `long` that must be a safe integer (counts, lengths, seconds). Larger numbers are refused. */
  long(member: string): number {
    const { bytes, end } = this
    let position = this.position
    // Nearly all numbers have up to five bytes. Longer ones, and numbers near the end of the record, take the slow path.
    if (end - position >= 5) {
      let byte = bytes[position++] as number
      let raw = byte & 0x7f
      if (byte >= 0x80) {
        byte = bytes[position++] as number
        raw |= (byte & 0x7f) << 7
        if (byte >= 0x80) {
          byte = bytes[position++] as number
          raw |= (byte & 0x7f) << 14
          if (byte >= 0x80) {
            byte = bytes[position++] as number
            raw |= (byte & 0x7f) << 21
          }
        }
      }
      if (byte < 0x80) {
        this.position = position
        return (raw >>> 1) ^ -(raw & 1)
      }
      byte = bytes[position++] as number
      if (byte < 0x80) {
        this.position = position
        const wide = raw + byte * 0x10000000
        return raw & 1 ? -(wide + 1) / 2 : wide / 2
      }
    }
    const start = this.position
    const value = Number(this.varint(member))
    if (!Number.isSafeInteger(value)) throw this.failAt(start, member, 'a number exceeds 53 bits')
    return value
  }

  /** Avro `long` in all its 64 bits: a number if that is exact, otherwise a bigint. */
  exactLong(member: string): number | bigint {
    return this.varint(member)
  }

  /** Avro `double`. */
  double(member: string): number {
    if (this.end - this.position < 8) throw this.fail(member, 'a double is cut off')
    const value = this.bytes.readDoubleLE(this.position)
    this.position += 8
    return value
  }

  /** Avro `string`. */
  string(member: string): string {
    const length = this.length(member)
    const start = this.position
    const end = start + length
    this.position = end
    const text = this.asciiText(start, end) ?? readUtf8(this.bytes, start, end, this.replacesInvalidText)
    if (text === null) throw this.failAt(start, member, notUtf8)
    return text
  }

  /** The text of ASCII bytes; null if one of them is not ASCII. */
  asciiText(start: number, end: number): string | null {
    const { bytes } = this
    const head = end - start > firstBytes ? start + firstBytes : end
    for (let at = start; at < head; at++) {
      if ((bytes[at] as number) >= 0x80) return null
    }
    return isAscii(bytes, head, end) ? this.latin1(start, end) : null
  }

  /**
   * The bytes as text, one character for each byte.
   *
   * With `sharesText`, the next few KB become one string, and the following values are substrings of it. One call into
   * Node's decoder costs as much as ten substrings.
   */
  latin1(start: number, end: number): string {
    if (!this.sharesText) return this.#ownText(start, end)
    if (end > this.textEnd || start < this.textStart) {
      if (end - start > maxSharedValue) return this.#ownText(start, end)
      this.textStart = start
      this.textEnd = Math.min(this.end, start + maxSharedText)
      this.text = this.bytes.toString('latin1', start, this.textEnd)
    }
    return this.text.substring(start - this.textStart, end - this.textStart)
  }

  #ownText(start: number, end: number): string {
    const { bytes } = this
    const length = end - start
    if (length > maxShort) return bytes.toString('latin1', start, end)
    const codes = codesOf[length] as number[]
    for (let at = 0; at < length; at++) codes[at] = bytes[start + at] as number
    return String.fromCharCode.apply(null, codes)
  }

  /** The length of a string or of bytes, which the record contains completely. The caller moves `position` over them. */
  length(member: string): number {
    const start = this.position
    if (start < this.end) {
      const byte = this.bytes[start] as number
      // Zigzag: an even byte below 0x80 is a number from 0 to 63.
      if ((byte & 0x81) === 0 && byte >>> 1 < this.end - start) {
        this.position = start + 1
        return byte >>> 1
      }
    }
    const length = this.long(member)
    if (length < 0 || length > this.end - this.position) {
      throw this.failAt(start, member, `a length of ${length}, but ${this.end - this.position} bytes remain`)
    }
    return length
  }

  /** The number of a union's branch or of an enum's symbol, less than `count`. */
  index(count: number, member: string): number {
    const start = this.position
    if (start < this.end) {
      const byte = this.bytes[start] as number
      if ((byte & 0x81) === 0 && byte >>> 1 < count) {
        this.position = start + 1
        return byte >>> 1
      }
    }
    const index = this.long(member)
    if (index < 0 || index >= count) {
      throw this.failAt(start, member, `choice ${index} of only ${count}`)
    }
    return index
  }

  /**
   * Reads the head of the next block of an array or map.
   * @param itemBytes the fewest bytes that one item takes, so that an impossible count is refused at once
   * @returns the number of items that follow; 0 at the end of the array
   */
  block(itemBytes: number): number {
    const start = this.position
    if (start < this.end && this.bytes[start] === 0) {
      this.position = start + 1
      return 0
    }
    let count = this.long('')
    if (count === 0) return 0
    if (count < 0) {
      count = -count
      this.length('')
    }
    const remaining = this.end - this.position
    if (count * itemBytes > remaining) {
      throw this.failAt(start, '', `${count} items, but ${remaining} bytes remain`)
    }
    if (count > this.itemsLeft) {
      throw this.failAt(start, '', `${count} items, but a record may have ${maxItems} in all`)
    }
    this.itemsLeft -= count
    return count
  }

  /** Moves over the head of a block if it announces `count` items and has no size. @returns false otherwise */
  startsBlockOf(count: number): boolean {
    const { bytes, end, position } = this
    // No item takes less than a byte.
    if (count === 0 || end - position < count + 2) return false
    let at = position
    let rest = count * 2
    for (; rest >= 0x80; rest >>>= 7) {
      if (bytes[at++] !== ((rest & 0x7f) | 0x80)) return false
    }
    if (bytes[at++] !== rest) return false
    this.position = at
    return true
  }

  /** Moves over an `int` or `long`. */
  skipVarint(member: string): void {
    const { bytes, end, position } = this
    const last = end - position < 9 ? end : position + 9
    for (let at = position; at < last; at++) {
      if ((bytes[at] as number) < 0x80) {
        this.position = at + 1
        return
      }
    }
    this.varint(member)
  }

  /** Moves over a string or bytes. */
  skipBytes(member: string): void {
    const length = this.length(member)
    this.position += length
  }

  /** Moves over `length` bytes. */
  skip(length: number, member: string): void {
    if (this.end - this.position < length) throw this.fail(member, 'a value is cut off')
    this.position += length
  }

  /** The error for the bytes at the current position. */
  fail(member: string, problem: string): DtsError {
    return this.failAt(this.position, member, problem)
  }

  failAt(position: number, member: string, problem: string): DtsError {
    const item = this.item < 0 ? '' : `[${this.item}]`
    const path = [`${this.section}${item}`, member].filter((part) => part !== '').join('.')
    return recordInvalid(problem, path, { position: position - this.start, size: this.end - this.start })
  }

  /** Reads a zigzag varint of at most ten bytes: a number if that is exact, otherwise a bigint. */
  private varint(member: string): number | bigint {
    const { bytes, end } = this
    const start = this.position
    let position = start
    let low = 0
    let high = 0
    for (let shift = 0; ; shift += 7) {
      if (position >= end) throw this.failAt(start, member, 'a number is cut off')
      const byte = bytes[position++] as number
      if (shift < 28) low |= (byte & 0x7f) << shift
      else if (shift < 56) high |= (byte & 0x7f) << (shift - 28)
      else return this.wideVarint(member, start, low, high)
      if (byte < 0x80) break
    }
    this.position = position
    if (high >= 0x1000000) return zigzag(BigInt(low) | (BigInt(high) << 28n))
    const raw = high * 0x10000000 + low
    return low & 1 ? -(raw + 1) / 2 : raw / 2
  }

  /** Reads a varint of nine or ten bytes; `low` and `high` are the 56 bits of the first eight. */
  private wideVarint(member: string, start: number, low: number, high: number): bigint {
    const ninth = this.bytes[start + 8] as number
    let top = ninth & 0x7f
    let next = start + 9
    if (ninth >= 0x80) {
      if (next >= this.end) throw this.failAt(start, member, 'a number is cut off')
      const tenth = this.bytes[next++] as number
      if (tenth > 1) throw this.failAt(start, member, 'a number exceeds 64 bits')
      top |= tenth << 7
    }
    this.position = next
    return zigzag(BigInt(low) | (BigInt(high) << 28n) | (BigInt(top) << 56n))
  }
}

/** True if all bytes are ASCII. */
export function isAscii(bytes: Buffer, start: number, end: number): boolean {
  if (end - start >= manyBytes) return isAsciiNative(bytes.subarray(start, end))
  // Without a branch for each byte: most texts are ASCII to their end.
  let all = 0
  for (let at = start; at < end; at++) all |= bytes[at] as number
  return all < 0x80
}

function zigzag(raw: bigint): bigint {
  return (raw >> 1n) ^ -(raw & 1n)
}
