import type { Cursor } from './cursor.ts'

/**
 * One string of a record that mostly says the same as in the record before (a version, a table, a character set).
 * It is recognised by its bytes, so that the text is made only when it changes.
 */
export class RepeatedText {
  text = ''
  private readonly raw: Buffer
  private rawLength = -1

  /** @param maxBytes longer text than this is never remembered */
  constructor(maxBytes: number) {
    this.raw = Buffer.alloc(maxBytes)
  }

  /** Reads an Avro string into `text`. @returns true when it is the one of the time before */
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

/** From this length on, Node's own comparison is quicker than one in JavaScript. */
const longComparison = 256

/** True when `bytes` from `start` on begin with the first `length` bytes of `other`; both have that many. */
export function sameBytes(bytes: Buffer, start: number, other: Buffer, length: number): boolean {
  if (length >= longComparison) return bytes.compare(other, 0, length, start, start + length) === 0
  for (let at = 0; at < length; at++) {
    if (bytes[start + at] !== other[at]) return false
  }
  return true
}
