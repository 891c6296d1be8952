/**
 * Records with hostile lengths, counts and branches. This runs in its own process with a small heap, decodes each record, and
 * prints the results and the growth of the process.
 */
import { encodeRecord, type PlainRecord } from '../../../infra/local/encode.ts'
import { DtsError } from '../../../lib/errors.ts'
import { decode } from './samples.ts'

/** The bytes before `fields`. A test appends the rest. */
export function upTo(section: 'tags' | 'fields' | 'images'): Buffer {
  const empty: PlainRecord = { operation: 'INSERT', objectName: 'a.b', bornTimestamp: null }
  // The fields after `objectName` if all are empty: processTimestamps, tags, fields, beforeImages, afterImages.
  const bytes = encodeRecord(empty)
  const before = bytes.subarray(0, bytes.length - 5)
  if (section === 'tags') return Buffer.concat([before, Buffer.from([0])])
  if (section === 'fields') return Buffer.concat([before, Buffer.from([0, 0])])
  // One column "a" of type 3, and no before image.
  return Buffer.concat([before, Buffer.from([0, 0, 4, 2, 2, 0x61, 6, 0, 0])])
}

export function varint(value: bigint): Buffer {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
  return Buffer.from([...bytes, Number(rest)])
}

/** Records whose lengths, counts or branches do not match the bytes after them, and their errors. */
export const hostile: readonly (readonly [bytes: Buffer, path: string, problem: RegExp, reason: string])[] = [
  [Buffer.concat([upTo('tags'), varint(10n ** 9n)]), 'tags', /1000000000 items/, 'a map of 10^9 entries'],
  [
    Buffer.concat([upTo('fields'), Buffer.from([4]), varint(10n ** 9n)]),
    'fields',
    /1000000000 items/,
    'a column list of 10^9 columns',
  ],
  [
    Buffer.concat([upTo('images'), Buffer.from([4]), varint(10n ** 9n)]),
    'afterImages',
    /1000000000 items/,
    'an image of 10^9 values',
  ],
  [
    Buffer.concat([upTo('images'), Buffer.from([4]), varint(-(2n ** 63n)), varint(1n)]),
    'afterImages',
    /53 bits/,
    'a block of -2^63 items',
  ],
  [
    Buffer.concat([upTo('images'), Buffer.from([4]), varint(-1n), varint(2n ** 31n), Buffer.alloc(4)]),
    'afterImages',
    /length of 2147483648/,
    'a block that says it has 2^31 bytes',
  ],
  [
    Buffer.concat([upTo('images'), Buffer.from([4]), varint(300_000n), Buffer.alloc(300_001)]),
    'afterImages',
    /300000 items/,
    'more items than any record has, though the bytes are there',
  ],
  [
    Buffer.concat([
      upTo('tags'),
      varint(150_000n),
      Buffer.alloc(300_001),
      Buffer.from([4]),
      varint(100_000n),
      Buffer.alloc(200_001),
    ]),
    'fields',
    /100000 items, but a record may have 200000 in all/,
    'tags and columns that are each within the limit, and beyond it together',
  ],
  [
    Buffer.concat([upTo('images'), Buffer.from([4, 2, 26])]),
    'afterImages[0]',
    /choice 13 of only 13/,
    'a branch after the last',
  ],
  [
    Buffer.concat([upTo('images'), Buffer.from([4, 2, 1])]),
    'afterImages[0]',
    /choice -1/,
    'a branch before the first',
  ],
  [
    Buffer.concat([upTo('images'), Buffer.from([4, 2, 2, 0]), varint(2n ** 31n - 1n)]),
    'afterImages[0].value',
    /length of 2147483647/,
    'text of 2^31 - 1 bytes',
  ],
  [
    Buffer.concat([upTo('images'), Buffer.from([4, 2, 2, 0]), varint(-5n)]),
    'afterImages[0].value',
    /length of -5/,
    'text of negative length',
  ],
  [Buffer.alloc(64, 0xff), 'version', /64 bits/, 'a varint without end'],
  [
    Buffer.concat([Buffer.from([2]), Buffer.alloc(9, 0xff), Buffer.from([2])]),
    'id',
    /64 bits/,
    'a varint of 65 bits',
  ],
  [Buffer.from([0x80, 0x80, 0x80, 0x80, 0x20]), 'version', /32 bits/, 'an int of 33 bits'],
  [
    Buffer.from([2, 2, 2, 6, 0x61]),
    'sourcePosition',
    /length of 3, but 1 bytes remain/,
    'text beyond the end',
  ],
  [Buffer.alloc(0), 'version', /cut off/, 'an empty value'],
]

/** The output of the process, as JSON. */
export interface Outcomes {
  /** In the order of `hostile`; null for a record that was decoded. */
  readonly refusals: readonly ({
    readonly code: string
    readonly path: unknown
    readonly message: string
  } | null)[]
  /** Growth of the process's peak memory. */
  readonly grownBytes: number
  /** Peak size of buffers, minus their size before. The process's memory does not include buffers that nothing has written to. */
  readonly bufferBytes: number
}

if (import.meta.main) {
  const { arrayBuffers } = process.memoryUsage()
  const { maxRSS } = process.resourceUsage()
  let bufferBytes = 0
  const refusals = hostile.map(([bytes]) => {
    try {
      decode(bytes)
      return null
    } catch (error) {
      if (!(error instanceof DtsError)) throw error
      return { code: error.code, path: error.facts.path, message: error.message }
    } finally {
      bufferBytes = Math.max(bufferBytes, process.memoryUsage().arrayBuffers - arrayBuffers)
    }
  })
  const grownBytes = (process.resourceUsage().maxRSS - maxRSS) * 1024
  const outcomes: Outcomes = { refusals, grownBytes, bufferBytes }
  console.log(JSON.stringify(outcomes))
}
