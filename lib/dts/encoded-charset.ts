import { FewItems } from './bounded-cache.ts'
import { type Charset, charsetOf } from './charset.ts'
import type { Cursor } from './cursor.ts'
import { sourceTypes } from './grammar.ts'
import { ownBytes, sameBytes } from './repeated-text.ts'
import type { SourceType } from './types.ts'

/** A character set, with its name as a record encodes it: values that begin with these bytes have this set. */
export interface EncodedCharset {
  readonly name: Buffer
  readonly charset: Charset
}

/** Most sets of a source that are found without decoding the name. */
const maxUsed = 16
/** Longer names are decoded each time. */
const maxName = 64
const used = new Map(sourceTypes.map((source) => [source, new FewItems<EncodedCharset>(maxUsed)]))

/** True if the name is at the position. */
export function isNameAt(name: Buffer, bytes: Buffer, at: number, end: number): boolean {
  return name.length <= end - at && sameBytes(bytes, at, name, name.length)
}

/** @returns null if the source's records did not use the set at the position before */
export function usedCharsetAt(
  bytes: Buffer,
  at: number,
  end: number,
  source: SourceType,
): EncodedCharset | null {
  for (const encoded of used.get(source)?.items ?? []) {
    if (isNameAt(encoded.name, bytes, at, end)) return encoded
  }
  return null
}

/** Reads the name of a character set. */
export function readCharset(cursor: Cursor, source: SourceType): EncodedCharset {
  const start = cursor.position
  const text = cursor.string('charset')
  const charset = charsetOf(text, source)
  if (charset === null) {
    const shown = JSON.stringify(text.slice(0, 40))
    throw cursor.failAt(start, 'charset', `the unknown character set ${shown} of ${source}`)
  }
  const name = ownBytes(cursor.bytes, start, cursor.position)
  const encoded = { name, charset }
  if (name.length <= maxName) used.get(source)?.add(encoded)
  return encoded
}
