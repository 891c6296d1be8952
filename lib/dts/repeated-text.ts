import type { Cursor } from './cursor.ts'

/**
 * One string of a record that mostly repeats the string of the record before, such as a version or a table name.
 * It compares the bytes, and decodes the text only if they changed.
 */
export class RepeatedText {
  text = ''
  private readonly raw: Buffer
  private rawLength = -1

  /** @param maxBytes longer texts are decoded each time */
  constructor(maxBytes: number) {
    this.raw = Buffer.alloc(maxBytes)
  }

  /** Reads an Avro string into `text`. @returns true if it is the previous one */
  read(cursor: Cursor, member: string): boolean {
    const { bytes } = cursor
    const head = cursor.position
    const length = cursor.length(member)
    const start = cursor.position
    if (length === this.rawLength && sameBytes(bytes, start, this.raw, length)) {
      cursor.position = start + length
      return true
    }
    cursor.position = head
    this.text = cursor.string(member)
    this.rawLength = -1
    if (length <= this.raw.length) {
      bytes.copy(this.raw, 0, start, start + length)
      this.rawLength = length
    }
    return false
  }
}

/** From this length on, Node's comparison is faster than one in JavaScript. */
const longComparison = 256

/** True if the first `length` bytes of `other` are at `start` in `bytes`. Both must have that many. */
export function sameBytes(bytes: Buffer, start: number, other: Buffer, length: number): boolean {
  if (length >= longComparison) return bytes.compare(other, 0, length, start, start + length) === 0
  for (let at = 0; at < length; at++) {
    if (bytes[start + at] !== other[at]) return false
  }
  return true
}
