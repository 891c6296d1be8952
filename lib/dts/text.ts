import type { Cursor } from './cursor.ts'

/** Up to this many bytes, building a string in JavaScript is quicker than the call into Node's own decoder. */
const maxShort = 12
/** One array per length, since `apply` takes as many codes as its array has. */
const codesOf = Array.from({ length: maxShort + 1 }, (_, length) => new Array<number>(length).fill(0))

/** Text in UTF-8 between two positions. */
export function utf8(bytes: Buffer, start: number, end: number): string {
  if (end - start <= maxShort) {
    const text = shortAscii(bytes, start, end)
    if (text !== null) return text
  }
  return bytes.toString('utf8', start, end)
}

/** @returns null when there are other codes than ASCII; at most `maxShort` bytes */
function shortAscii(bytes: Buffer, start: number, end: number): string | null {
  const length = end - start
  const codes = codesOf[length] as number[]
  let all = 0
  for (let at = 0; at < length; at++) {
    const code = bytes[start + at] as number
    codes[at] = code
    all |= code
  }
  return all < 0x80 ? String.fromCharCode.apply(null, codes) : null
}

/** Text whose bytes are known to be ASCII. */
export function ascii(bytes: Buffer, start: number, end: number): string {
  if (end - start <= maxShort) {
    const text = shortAscii(bytes, start, end)
    if (text !== null) return text
  }
  return bytes.toString('latin1', start, end)
}

/**
 * One string of a record that mostly says the same as in the record before (a version, a table, a character set).
 * It is recognised by its bytes, so that the text is made only when it changes.
 */
export class Remembered {
  text = ''
  readonly #raw: Uint8Array
  #length = -1

  /** @param maxBytes longer text than this is never remembered */
  constructor(maxBytes: number) {
    this.#raw = new Uint8Array(maxBytes)
  }

  /** Reads an Avro string into `text`. @returns true when it is the one of the time before */
  read(cursor: Cursor, member: string): boolean {
    const length = cursor.length(member)
    const start = cursor.position
    cursor.position = start + length
    if (length === this.#length && sameBytes(cursor.bytes, start, this.#raw, length)) return true
    this.text = utf8(cursor.bytes, start, start + length)
    this.#length = -1
    if (length <= this.#raw.length) {
      for (let at = 0; at < length; at++) this.#raw[at] = cursor.bytes[start + at] as number
      this.#length = length
    }
    return false
  }
}

/** True when `bytes` from `start` on begin with the first `length` bytes of `other`; both have that many. */
export function sameBytes(bytes: Buffer, start: number, other: Uint8Array, length: number): boolean {
  for (let at = 0; at < length; at++) {
    if (bytes[start + at] !== other[at]) return false
  }
  return true
}
