import type { Cursor } from './cursor.ts'

/**
 * One string of a record that mostly repeats the string of the record before, such as a version or a table name.
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
