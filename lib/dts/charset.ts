import { BoundedCache } from './bounded-cache.ts'
import { mayKeepAscii, setNamed } from './charset-names.ts'
import { textSet } from './charset-sets.ts'
import type { SourceType } from './types.ts'

/** One character set, as one source names it. */
export interface Charset {
  /**
   * True if bytes below 0x80 are ASCII. Most text is ASCII in every character set, and the caller need not call `read`
   * for it.
   */
  readonly keepsAscii: boolean
  /**
   * The text between two positions; for `binary`, a copy of the bytes.
   * @param replace true: bytes that are not text in the set become U+FFFD
   * @returns null for bytes that are not text in the set
   */
  readonly read: (bytes: Buffer, start: number, end: number, replace: boolean) => string | Buffer | null
  /** Why `read` returned null. */
  readonly problem: string
}

const binary: Charset = {
  keepsAscii: false,
  read: (bytes, start, end) => Buffer.from(bytes.subarray(start, end)),
  problem: '',
}

/** Most names that are kept. No real data has more spellings. */
const maxCharsets = 256
/** Longer names are looked up each time. */
const maxName = 64
/** Character sets by source and name. */
const charsets = new BoundedCache<Charset>(maxCharsets)

/**
 * @param name the source's own name of a character set, or a common name, in any case
 * @returns for an unknown name, a set that reads ASCII only; null if even that would be a guess
 */
export function charsetOf(name: string, source: SourceType): Charset | null {
  const key = `${source} ${name}`
  const known = charsets.get(key)?.value
  if (known) return known
  const charset = makeCharset(name, source)
  if (charset !== null && name.length <= maxName) charsets.add(key, charset, 1)
  return charset
}

function makeCharset(name: string, source: SourceType): Charset | null {
  // A source that names no character set sends bytes.
  if (name === '') return binary
  const set = setNamed(name, source)
  if (set === 'binary') return binary
  const shown = JSON.stringify(name.slice(0, 40))
  const text = set === undefined ? undefined : textSet(set)
  if (text !== undefined) {
    const { keepsAscii, read } = text
    const problem = `bytes that are not text in the character set ${shown} of ${source}; with invalidText: 'replace' in the table's definition they are read as U+FFFD`
    return { keepsAscii, read, problem }
  }
  if (!mayKeepAscii(name)) return null
  // `replace` has no effect: in a set of several bytes per character, some of those bytes would be read as ASCII.
  return {
    keepsAscii: true,
    read: readAscii,
    problem: `bytes beyond ASCII in the unknown character set ${shown} of ${source}`,
  }
}

function readAscii(bytes: Buffer, start: number, end: number): string | null {
  for (let at = start; at < end; at++) if ((bytes[at] as number) >= 0x80) return null
  return bytes.toString('latin1', start, end)
}
