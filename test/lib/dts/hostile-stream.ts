/**
 * A stream in which nothing repeats: each record has a table, a column list, a key, character sets and a set of asked columns of
 * its own. This runs in its own process with a small heap, and prints what the decoder still holds after it.
 */
import { encodeRecord, text } from '../../../infra/local/encode.ts'
import { decodeChange } from '../../../lib/dts/decode-change.ts'
import { readHeader } from '../../../lib/dts/header.ts'
import { varint } from './hostile-records.ts'
import { origin } from './samples.ts'

const records = 600
const columns = 300
/** Records with texts of this length, where a real name has some ten characters. */
const longText = 50_000
const longRecords = 300

/** Record n, whose columns begin with its own number. All values are NULL, except for one text. */
function record(n: number): Buffer {
  const isLong = n % (records / longRecords) === 0
  const own = isLong ? String(n).padEnd(longText, 'x') : String(n)
  const header = encodeRecord({
    operation: 'INSERT',
    objectName: `a.t${own}`,
    tags: { pk_uk_info: `{"PRIMARY":["c${own}"]}` },
    bornTimestamp: null,
  })
  const fields = Array.from({ length: columns }, (_, column) => {
    const name = Buffer.from(`c${n}_${column}_of_a_hostile_stream`)
    return Buffer.concat([varint(BigInt(name.length)), name, Buffer.from([6])])
  })
  const value = encodeRecord({
    operation: 'INSERT',
    fields: [['c', 253]],
    after: [text('text', `set ${own}`)],
    bornTimestamp: null,
  })
  // The value after its image's branch (4) and count (2), before the end of the image.
  const last = value.subarray(value.lastIndexOf(Buffer.from([4, 2, 4])) + 2, -1)
  return Buffer.concat([
    // Without the empty `fields`, `beforeImages` and `afterImages`.
    header.subarray(0, -3),
    Buffer.from([4]),
    varint(BigInt(columns)),
    ...fields,
    Buffer.from([0, 0, 4]),
    varint(BigInt(columns)),
    Buffer.alloc(columns - 1),
    last,
    Buffer.from([0]),
  ])
}

/** The output of the process, as JSON. */
export interface Held {
  readonly records: number
  readonly bytes: number
}

function usedBytes(): number {
  for (let times = 0; times < 3; times++) globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

if (import.meta.main) {
  decodeChange(record(0), readHeader(record(0)), origin)
  const before = usedBytes()
  for (let n = 1; n <= records; n++) {
    const bytes = record(n)
    const header = readHeader(bytes)
    for (const asked of [
      undefined,
      [`c${n}_1_of_a_hostile_stream`, `c${n}_${columns - 1}_of_a_hostile_stream`],
    ]) {
      const change = decodeChange(bytes, header, origin, asked)
      if (change.operation !== 'INSERT' || change.keys.length !== 1 || Object.keys(change.after).length < 2)
        throw new Error(`record ${n}`)
    }
  }
  const held: Held = { records, bytes: usedBytes() - before }
  console.log(JSON.stringify(held))
}
