import { DtsError } from '../errors.ts'
import { utf8 } from './text.ts'

/**
 * Items that arrays and maps of one record may hold together. The widest table that a source allows has some
 * 30,000 columns, which a record names once and holds twice; above that, the bytes are not a DTS record.
 */
const maxItems = 200_000

const int32Min = -0x80000000
const int32Max = 0x7fffffff

/**
 * Reads Avro's binary encoding from one record. Nothing is allocated before its length has been compared with
 * the bytes that remain, and every failure is a `DtsError('RECORD_INVALID')` that carries the byte position and
 * the path (`afterImages[3].value`), never a value.
 *
 * Each method takes the name of what it reads, for the path alone.
 */
export class Cursor {
  readonly bytes: Buffer
  readonly end: number
  position: number
  /** The record's field that is being read; empty inside the header, where names are unique. */
  section = ''
  /** The item of an array or map that is being read, -1 outside of one. */
  item = -1
  #itemsLeft = maxItems

  constructor(bytes: Buffer, position = 0) {
    this.bytes = bytes
    this.end = bytes.length
    this.position = position
  }

  /** Avro `int`: zigzag varint within 32 bits. */
  int(member: string): number {
    if (this.position < this.end) {
      const byte = this.bytes[this.position] as number
      if (byte < 0x80) {
        this.position++
        return (byte >>> 1) ^ -(byte & 1)
      }
    }
    const start = this.position
    const value = this.#varint(member)
    if (value < int32Min || value > int32Max) throw this.failAt(start, member, 'an int exceeds 32 bits')
    return Number(value)
  }

  /** Avro `long` for which a safe integer is enough (counts, lengths, seconds); anything larger is refused. */
  long(member: string): number {
    if (this.position < this.end) {
      const byte = this.bytes[this.position] as number
      if (byte < 0x80) {
        this.position++
        return (byte >>> 1) ^ -(byte & 1)
      }
    }
    const start = this.position
    const value = Number(this.#varint(member))
    if (!Number.isSafeInteger(value)) throw this.failAt(start, member, 'a number exceeds 53 bits')
    return value
  }

  /** Avro `long` in all its 64 bits. */
  bigLong(member: string): bigint {
    return BigInt(this.#varint(member))
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
    this.position = start + length
    return utf8(this.bytes, start, start + length)
  }

  /** Length of a string or of bytes, known to lie within the record. The caller moves `position` over them. */
  length(member: string): number {
    const start = this.position
    const length = this.long(member)
    if (length < 0 || length > this.end - this.position) {
      throw this.failAt(start, member, `a length of ${length} where ${this.end - this.position} bytes remain`)
    }
    return length
  }

  /** Index of a union's branch or of an enum's symbol, below `count`. */
  index(count: number, member: string): number {
    const start = this.position
    if (start < this.end) {
      // Zigzag: an even byte is a number from 0 on.
      const byte = this.bytes[start] as number
      if ((byte & 0x81) === 0 && byte < count * 2) {
        this.position = start + 1
        return byte >>> 1
      }
    }
    const index = this.long(member)
    if (index < 0 || index >= count) {
      throw this.failAt(start, member, `choice ${index} where there are ${count}`)
    }
    return index
  }

  /**
   * Head of the next block of an array or map: how many items follow, 0 at the end of the array.
   * @param itemBytes the fewest bytes that one item takes, so that a count that cannot fit is refused at once
   */
  block(itemBytes: number): number {
    const start = this.position
    let count = this.long('')
    if (count < 0) {
      count = -count
      this.length('')
    }
    const remaining = this.end - this.position
    if (count > remaining / itemBytes) {
      throw this.failAt(start, '', `${count} items where ${remaining} bytes remain`)
    }
    if (count > this.#itemsLeft) {
      throw this.failAt(start, '', `${count} items where a record may hold ${maxItems} in all`)
    }
    this.#itemsLeft -= count
    return count
  }

  /** Moves over an `int` or `long`. */
  skipVarint(member: string): void {
    const { bytes, end } = this
    let position = this.position
    const last = Math.min(end, position + 9)
    while (position < last) {
      if ((bytes[position++] as number) < 0x80) {
        this.position = position
        return
      }
    }
    this.#varint(member)
  }

  /** Moves over a string or bytes. */
  skipBytes(member: string): void {
    const length = this.length(member)
    this.position += length
  }

  /** The error for what was found at the present position. */
  fail(member: string, problem: string): DtsError {
    return this.failAt(this.position, member, problem)
  }

  failAt(position: number, member: string, problem: string): DtsError {
    const item = this.item < 0 ? '' : `[${this.item}]`
    const path = [`${this.section}${item}`, member].filter((part) => part !== '').join('.')
    return recordInvalid(problem, path, { position, size: this.end })
  }

  /** Varint of at most ten bytes, zigzag decoded: a number while it is exact, a bigint above. */
  #varint(member: string): number | bigint {
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
      else return this.#wideVarint(member, start, low, high)
      if (byte < 0x80) break
    }
    this.position = position
    if (high >= 0x1000000) return zigzag(BigInt(low) | (BigInt(high) << 28n))
    const raw = high * 0x10000000 + low
    return low & 1 ? -(raw + 1) / 2 : raw / 2
  }

  /** The varints of nine and ten bytes; `low` and `high` hold the 56 bits of the first eight. */
  #wideVarint(member: string, start: number, low: number, high: number): bigint {
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

function zigzag(raw: bigint): bigint {
  return (raw >> 1n) ^ -(raw & 1n)
}

/** The error for bytes that are not a DTS record. `path` names the place in the record, never a value. */
export function recordInvalid(
  problem: string,
  path: string,
  facts: Readonly<Record<string, string | number>> = {},
): DtsError {
  const where = facts.position === undefined ? '' : ` at byte ${facts.position} of ${facts.size}`
  return new DtsError(
    'RECORD_INVALID',
    `Not a DTS record that is understood here: ${path}${where}: ${problem}. ` +
      'Keep the raw bytes of this record (the dead letter holds them) and compare them with the record schema.',
    { retryable: false, facts: { path, ...facts } },
  )
}
