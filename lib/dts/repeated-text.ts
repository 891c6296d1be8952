import type { Cursor } from './cursor.ts'

/**
 * One string of a record that mostly repeats the string of the record before, such as a version or a transaction.
 * It compares the bytes, and decodes the text only if they changed.
 */
export class RepeatedText {
  readonly #maxBytes: number
  #text = ''
  #raw: Buffer | null = null
  #length = 0

  /** @param maxBytes longer texts are decoded each time, and not kept */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Reads an Avro string. */
  read(cursor: Cursor, member: string): string {
    const { bytes } = cursor
    const head = cursor.position
    const length = cursor.length(member)
    const start = cursor.position
    if (this.#raw !== null && length === this.#length && sameBytes(bytes, start, this.#raw, length)) {
      cursor.position = start + length
      return this.#text
    }
    cursor.position = head
    const text = cursor.string(member)
    if (length <= this.#maxBytes) this.#keep(text, bytes, start, length)
    return text
  }

  #keep(text: string, bytes: Buffer, start: number, length: number): void {
    if (this.#raw === null || this.#raw.length < length) this.#raw = ownBytes(bytes, start, start + length)
    else bytes.copy(this.#raw, 0, start, start + length)
    this.#text = text
    this.#length = length
  }
}

/** A power of two. At most so many texts are kept, and of two with the same place only the last one. */
const places = 4096
/** A longer text is decoded each time, and not kept. */
const maxKept = 256

interface KeptText {
  readonly raw: Buffer
  readonly text: string
}

const nothing: KeptText = { raw: Buffer.alloc(0), text: '' }

/**
 * Strings of which a stream repeats thousands in turn, such as the names of its tables. Equal bytes mostly give the same string
 * object. One for each record would add a third to the garbage of a waiting change, and its look-up in a map would hash it again.
 */
export class RepeatedTexts {
  readonly #kept: KeptText[] = new Array(places).fill(nothing)
  /** Many records repeat the text of the record before. */
  #last = nothing

  /** Reads an Avro string. */
  read(cursor: Cursor, member: string): string {
    const { bytes } = cursor
    const head = cursor.position
    const length = cursor.length(member)
    const start = cursor.position
    if (!isText(this.#last, bytes, start, length)) {
      if (length > maxKept) {
        cursor.position = head
        return cursor.string(member)
      }
      const place = hash(bytes, start, start + length) & (places - 1)
      if (!isText(this.#kept[place] as KeptText, bytes, start, length)) {
        cursor.position = head
        const text = cursor.string(member)
        this.#kept[place] = { raw: ownBytes(bytes, start, start + length), text }
      }
      this.#last = this.#kept[place] as KeptText
    }
    cursor.position = start + length
    return this.#last.text
  }
}

function isText({ raw }: KeptText, bytes: Buffer, start: number, length: number): boolean {
  return raw.length === length && sameBytes(bytes, start, raw, length)
}

/** FNV-1a, 32 bits, with its high bits mixed into the low ones. */
function hash(bytes: Buffer, start: number, end: number): number {
  let value = 0x811c9dc5
  for (let at = start; at < end; at++) value = Math.imul(value ^ (bytes[at] as number), 0x01000193)
  return value ^ (value >>> 15)
}

/** A copy that is not in Node's pool: a short copy there keeps 8 KiB of other buffers in memory. */
export function ownBytes(bytes: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(end - start)
  bytes.copy(copy, 0, start, end)
  return copy
}

/** From this length on, Node's comparison is faster than one in JavaScript. */
export const longComparison = 256

/** True if the first `length` bytes of `other` are at `start` in `bytes`. Both must have that many. */
export function sameBytes(bytes: Buffer, start: number, other: Buffer, length: number): boolean {
  if (length >= longComparison) return sameLongBytes(bytes, start, other, length)
  for (let at = 0; at < length; at++) {
    if (bytes[start + at] !== other[at]) return false
  }
  return true
}

function sameLongBytes(bytes: Buffer, start: number, other: Buffer, length: number): boolean {
  // Most bytes that differ also do so at the end, and a call into Node costs as much as a hundred comparisons.
  for (let at = length - 8; at < length; at++) {
    if (bytes[start + at] !== other[at]) return false
  }
  return bytes.compare(other, 0, length, start, start + length) === 0
}
