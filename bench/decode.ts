/**
 * Compares the decoder with avsc's full decode of the same bytes, within one run: `npm run bench:decode`.
 * Prints a table of absolute figures, and as its last line the ratios as one JSON object.
 */
import avro from 'avsc'
import * as encode from '../infra/local/encode.ts'
import { decodeChange } from '../lib/dts/change.ts'
import { carriesChange, readHeader } from '../lib/dts/header.ts'

/** One way to work through a set of records. */
export interface Contender {
  readonly name: string
  /** Works through the whole set once. What it returns keeps the work from being optimised away. */
  readonly pass: () => number
}

/** A comparison: `ours` against `theirs`, the ratio being how many times the records per second `ours` does. */
export interface Comparison {
  /** Key of the ratio in the last line. */
  readonly key: string
  readonly recordsPerPass: number
  readonly ours: Contender
  readonly theirs: Contender
}

export interface Result {
  readonly key: string
  readonly ratio: number
  /** Medians, in records per second. */
  readonly ours: number
  readonly theirs: number
}

const rounds = 11
const roundMillis = 120

/** Times both in turn, so that whatever else the machine does falls on both alike; medians of all rounds. */
export function compare(comparison: Comparison): Result {
  const { ours, theirs, recordsPerPass } = comparison
  const times: Record<'ours' | 'theirs', number[]> = { ours: [], theirs: [] }
  for (const contender of [ours, theirs, ours, theirs]) timePasses(contender)
  for (let round = 0; round < rounds; round++) {
    times.ours.push(timePasses(ours))
    times.theirs.push(timePasses(theirs))
  }
  const perSecond = (millis: readonly number[]) => (recordsPerPass * 1000) / median(millis)
  const [a, b] = [perSecond(times.ours), perSecond(times.theirs)]
  return { key: comparison.key, ratio: a / b, ours: a, theirs: b }
}

/** @returns milliseconds of one pass */
function timePasses(contender: Contender): number {
  let passes = 0
  const start = performance.now()
  let elapsed = 0
  while (elapsed < roundMillis) {
    contender.pass()
    passes++
    elapsed = performance.now() - start
  }
  return elapsed / passes
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? Number.NaN
}

const columns = [
  ['id', 8],
  ['customer_id', 8],
  ['status', 254],
  ['quantity', 3],
  ['total', 246],
  ['currency', 254],
  ['note', 253],
  ['email', 253],
  ['discount', 5],
  ['created_at', 12],
  ['updated_at', 7],
  ['deleted_at', 7],
] as const

const askedColumns = ['id', 'status', 'total'] as const

/** What an update writes of a row: four of its columns. */
function updated(values: readonly encode.PlainValue[], n: number): encode.PlainValue[] {
  const after = [...values]
  after[2] = encode.text('delivered')
  after[3] = encode.integer(1 + (n % 7), 11)
  after[4] = encode.decimal(`${n % 999}.${10 + (n % 80)}`)
  after[10] = encode.timestamp(1_795_433_590 + n, (n * 7) % 1_000_000)
  return after
}

function image(n: number): encode.PlainValue[] {
  return [
    encode.integer(10_000_000_000n + BigInt(n), 20),
    encode.integer(70_000 + (n % 5000), 20),
    encode.text(n % 3 === 0 ? 'paid' : 'shipped'),
    encode.integer(1 + (n % 9), 11),
    encode.decimal(`${n % 1000}.${10 + (n % 90)}`),
    encode.text('EUR', 'latin1'),
    encode.text(n % 10 === 0 ? 'Bitte vor der Tür ablegen' : 'leave at the front door'),
    encode.text(`customer${n % 5000}@example.com`),
    encode.float(n % 7 === 0 ? 0.15 : 0),
    encode.dateTime({
      year: 2026,
      month: 11,
      day: 1 + (n % 28),
      hour: n % 24,
      minute: n % 60,
      second: 7,
      millis: 0,
    }),
    encode.timestamp(1_795_433_580 + n, n % 1_000_000),
    n % 20 === 0 ? encode.emptyNull : null,
  ]
}

/** Records as a busy table writes them: of 20, 6 inserts, 8 updates, 3 deletes, and a transaction around some. */
export function sampleRecords(count = 2000): Buffer[] {
  return Array.from({ length: count }, (_, n) => {
    const kind = n % 20
    const operation =
      kind < 6
        ? 'INSERT'
        : kind < 14
          ? 'UPDATE'
          : kind < 17
            ? 'DELETE'
            : kind < 18
              ? 'BEGIN'
              : kind < 19
                ? 'COMMIT'
                : 'HEARTBEAT'
    const row = operation === 'INSERT' || operation === 'UPDATE' || operation === 'DELETE'
    return encode.encodeRecord({
      operation,
      id: 5_000_000_000n + BigInt(n),
      sourceTimestamp: 1_795_433_580 + (n >> 5),
      sourcePosition: `${194_000_000 + n * 311}@17`,
      safeSourcePosition: `${194_000_000 + (n - (n % 20)) * 311}@17`,
      sourceTxid: `${8_800_000 + Math.floor(n / 20)}`,
      objectName: row ? 'shop.orders' : null,
      processTimestamps: [1_795_433_580_101n, 1_795_433_580_105n],
      tags: row ? { pk_uk_info: '{"PRIMARY":["id"]}', readerThroughoutTime: `${1_795_433_580_105 + n}` } : {},
      fields: row ? columns : null,
      before: operation === 'UPDATE' || operation === 'DELETE' ? image(n) : null,
      after: operation === 'UPDATE' ? updated(image(n), n) : operation === 'INSERT' ? image(n) : null,
    })
  })
}

function decodeComparisons(): Comparison[] {
  const records = sampleRecords()
  // avsc at its fastest: its own longs, which are numbers.
  const theirType = avro.Type.forSchema(encode.recordType.schema())
  const theirs: Contender = {
    name: 'avsc, all fields',
    pass() {
      let seen = 0
      for (const bytes of records) if (theirType.fromBuffer(bytes).id !== 0) seen++
      return seen
    },
  }
  const origin = { offset: 1n, generation: 1, replay: false }
  const decodeWith = (name: string, asked: readonly string[] | undefined): Contender => ({
    name,
    pass() {
      let seen = 0
      for (const bytes of records) {
        const header = readHeader(bytes)
        if (carriesChange(header.operation) && decodeChange(bytes, header, origin, asked).id !== 0n) seen++
      }
      return seen
    },
  })
  const headers: Contender = {
    name: 'header only',
    pass() {
      let seen = 0
      for (const bytes of records) if (readHeader(bytes).objectName !== null) seen++
      return seen
    },
  }
  const recordsPerPass = records.length
  const average = records.reduce((sum, bytes) => sum + bytes.length, 0) / records.length
  console.log(
    `${records.length} records of ${average.toFixed(0)} bytes on average, ${columns.length} columns`,
  )
  return [
    { key: 'full', recordsPerPass, ours: decodeWith('all columns', undefined), theirs },
    { key: 'projected', recordsPerPass, ours: decodeWith('3 of 12 columns', askedColumns), theirs },
    { key: 'header', recordsPerPass, ours: headers, theirs },
  ]
}

/** Every comparison of this benchmark. Another one is one more entry. */
export const comparisons: (() => Comparison[])[] = [decodeComparisons]

function main(): void {
  const ratios: Record<string, number> = {}
  const table: Record<string, Record<string, string>> = {}
  for (const comparison of comparisons.flatMap((make) => make())) {
    const result = compare(comparison)
    ratios[result.key] = Number(result.ratio.toFixed(2))
    table[result.key] = {
      ours: `${Math.round(result.ours).toLocaleString('en')}/s  ${comparison.ours.name}`,
      theirs: `${Math.round(result.theirs).toLocaleString('en')}/s  ${comparison.theirs.name}`,
      ratio: `${result.ratio.toFixed(2)}×`,
    }
  }
  console.table(table)
  console.log(JSON.stringify(ratios))
}

if (import.meta.main) main()
