/**
 * Compares forms of a batch on its way from the poller to a table function, by bytes and by CPU on both sides:
 * `npm run bench:wire`. The time includes the SDK's work (UTF-8 bytes of the request, SHA-256 for the signature) and a
 * handler that reads three of twelve columns.
 */
import { createHash } from 'node:crypto'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { Change } from '../lib/dts/change.ts'
import { decodeChange } from '../lib/dts/decode-change.ts'
import { readHeader } from '../lib/dts/header.ts'
import { changeFromJson, changeToJson } from '../lib/dts/json.ts'
import { makeRecords } from './delivery/records.ts'
import { median } from './median.ts'

const batchSize = 1_000
const rounds = 40
const columns = ['id', 'status', 'total']

interface Form {
  readonly name: string
  readonly encode: (values: readonly Buffer[]) => string
  readonly decode: (request: string) => readonly Change[]
}

const decodeAll = (values: readonly Buffer[]): Change[] =>
  values.map((value, index) =>
    decodeChange(value, readHeader(value), { offset: BigInt(index), generation: 1, replay: false }, columns),
  )

interface Blob {
  readonly lengths: readonly number[]
  readonly data: string
}

function cut({ lengths }: Blob, bytes: Buffer): Buffer[] {
  let at = 0
  return lengths.map((length) => {
    at += length
    return bytes.subarray(at - length, at)
  })
}

const zstd = (level: number): Form => ({
  name: `one blob, zstd ${level}, base64`,
  encode: (values) =>
    JSON.stringify({
      lengths: values.map(({ length }) => length),
      data: zstdCompressSync(Buffer.concat(values), {
        params: { [constants.ZSTD_c_compressionLevel]: level },
      }).toString('base64'),
    }),
  decode: (request) => {
    const blob: Blob = JSON.parse(request)
    return decodeAll(cut(blob, zstdDecompressSync(Buffer.from(blob.data, 'base64'))))
  },
})

const forms: readonly Form[] = [
  {
    name: 'base64 by record',
    encode: (values) => JSON.stringify({ records: values.map((value) => value.toString('base64')) }),
    decode: (request) => {
      const { records }: { records: string[] } = JSON.parse(request)
      return decodeAll(records.map((text) => Buffer.from(text, 'base64')))
    },
  },
  {
    name: 'one blob, base64',
    encode: (values) =>
      JSON.stringify({
        lengths: values.map(({ length }) => length),
        data: Buffer.concat(values).toString('base64'),
      }),
    decode: (request) => {
      const blob: Blob = JSON.parse(request)
      return decodeAll(cut(blob, Buffer.from(blob.data, 'base64')))
    },
  },
  zstd(-1),
  zstd(1),
  zstd(3),
  {
    name: 'JSON of the change',
    encode: (values) =>
      JSON.stringify({
        records: values.map((value, index) =>
          changeToJson(
            decodeChange(value, readHeader(value), { offset: BigInt(index), generation: 1, replay: false }),
          ),
        ),
      }),
    decode: (request) => {
      const { records }: { records: unknown[] } = JSON.parse(request)
      return records.map((record) => changeFromJson(record))
    },
  },
]

const values = makeRecords('one', batchSize)
const raw = values.reduce((sum, { length }) => sum + length, 0)
const samples = forms.map(() => ({ encode: [] as number[], decode: [] as number[], bytes: 0 }))
for (let round = 0; round < rounds; round++) {
  for (const [index, form] of forms.entries()) {
    const sample = samples[index]
    const start = performance.now()
    const request = Buffer.from(form.encode(values))
    createHash('sha256').update(request).digest()
    const sent = performance.now()
    const changes = form.decode(request.toString('utf8'))
    const read = performance.now()
    if (changes.length !== batchSize) throw new Error(`${form.name} lost changes`)
    sample?.encode.push(sent - start)
    sample?.decode.push(read - sent)
    if (sample !== undefined) sample.bytes = request.length
  }
}
console.log(`${batchSize} changes of ${Math.round(raw / batchSize)} bytes each; medians of ${rounds} rounds`)
console.table(
  Object.fromEntries(
    forms.map(({ name }, index) => {
      const { encode = [], decode = [], bytes = 0 } = samples[index] ?? {}
      const both = median(encode) + median(decode)
      return [
        name,
        {
          'bytes per change': Math.round(bytes / batchSize),
          'poller, ms': median(encode).toFixed(2),
          'handler, ms': median(decode).toFixed(2),
          'both, ms': both.toFixed(2),
        },
      ]
    }),
  ),
)
