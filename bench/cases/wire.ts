import { createHash } from 'node:crypto'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { Change } from '../../lib/dts/change.ts'
import { decodeChange } from '../../lib/dts/decode-change.ts'
import { readHeader } from '../../lib/dts/header.ts'
import { changeFromJson, changeToJson } from '../../lib/dts/json.ts'
import type { Case } from '../case.ts'
import { makeRecords } from '../ground/records.ts'
import { measureInTurn } from '../measure.ts'
import { cpu } from './in-process.ts'

const batchSize = 1_000
const columns = ['id', 'status', 'total']

interface Form {
  readonly name: string
  readonly encode: (values: readonly Buffer[]) => string
  readonly decode: (request: string) => readonly Change[]
}

const origin = (index: number) => ({ offset: BigInt(index), generation: 1, replay: false })

const decodeAll = (values: readonly Buffer[]): Change[] =>
  values.map((value, index) => decodeChange(value, readHeader(value), origin(index), columns))

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

const lengthsOf = (values: readonly Buffer[]) => values.map(({ length }) => length)

const zstd = (level: number): Form => ({
  name: `one blob, zstd ${level}, base64`,
  encode: (values) =>
    JSON.stringify({
      lengths: lengthsOf(values),
      data: zstdCompressSync(Buffer.concat(values), {
        params: { [constants.ZSTD_c_compressionLevel]: level },
      }).toString('base64'),
    }),
  decode: (request) => {
    const blob: Blob = JSON.parse(request)
    return decodeAll(cut(blob, zstdDecompressSync(Buffer.from(blob.data, 'base64'))))
  },
})

const chosen = zstd(1)
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
      JSON.stringify({ lengths: lengthsOf(values), data: Buffer.concat(values).toString('base64') }),
    decode: (request) => {
      const blob: Blob = JSON.parse(request)
      return decodeAll(cut(blob, Buffer.from(blob.data, 'base64')))
    },
  },
  chosen,
  zstd(3),
  {
    name: 'JSON of the change',
    encode: (values) =>
      JSON.stringify({
        records: values.map((value, index) =>
          changeToJson(decodeChange(value, readHeader(value), origin(index))),
        ),
      }),
    decode: (request) => {
      const { records }: { records: unknown[] } = JSON.parse(request)
      return records.map((record) => changeFromJson(record))
    },
  },
]

function measure(form: Form, values: readonly Buffer[]) {
  const start = cpu()
  const request = Buffer.from(form.encode(values))
  // The SDK signs the request.
  createHash('sha256').update(request).digest()
  const sent = cpu()
  const changes = form.decode(request.toString('utf8'))
  const read = cpu()
  if (changes.length !== batchSize) throw new Error(`${form.name} lost changes`)
  return { poller: (sent - start) / 1_000, handler: (read - sent) / 1_000, bytes: request.length / batchSize }
}

export const wire: Case = {
  title: 'The form of a batch on its way to a function',
  about: `A batch of ${batchSize.toLocaleString('en')} changes, as the poller writes it and a handler reads three of its twelve columns. The CPU includes the SDK's work
on each form (UTF-8, and SHA-256 for the signature). The poller uses one blob with zstd level 1. In the blob, offset and length
precede each record. DTS repeats table, column names and types in every record. So compression costs less than moving, hashing
and parsing the bytes that it saves. These records differ less from each other than those of a real table, so expect less
compression there. Changes that a person sends by hand, and dead letters, are JSON, because people read them.`,
  goals: [],
  async run({ rounds }) {
    const values = makeRecords({ tables: 1 }, batchSize)
    // V8 compiles the code.
    for (let time = 0; time < 20; time++) for (const form of forms) measure(form, values)
    const variants = forms.map((form) => ({ name: form.name, measure: () => measure(form, values) }))
    return await measureInTurn(variants, Math.max(rounds, 25), [
      { name: 'bytes per change', of: ({ bytes }) => bytes },
      { name: 'poller, CPU ms', of: ({ poller }) => poller },
      { name: 'handler, CPU ms', of: ({ handler }) => handler },
      {
        name: 'both, of the chosen form',
        of: ({ poller, handler }) => poller + handler,
        against: chosen.name,
      },
    ])
  },
}
