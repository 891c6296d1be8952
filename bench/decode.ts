/**
 * Compares our decoder with avsc's full decode of the same bytes, and our batch reading with kafkajs', in one run:
 * `npm run bench:decode`. Prints absolute figures, then the ratios as one JSON object in the last line.
 * Fails if a million records leave memory that a garbage collection cannot free.
 */
import avro from 'avsc'
import * as encode from '../infra/local/encode.ts'
import { decodeChange } from '../lib/dts/decode-change.ts'
import { carriesChange, readHeader } from '../lib/dts/header.ts'
import { measureBatch } from './batch.ts'
import { median } from './median.ts'
import { columns, row } from './rows.ts'

/** One way to work through a set of records. */
interface Contender {
  readonly name: string
  /** Processes the whole set once. The result keeps V8 from optimising the work away. */
  readonly pass: () => number
}

/** A comparison. The ratio is the rate of `ours` divided by the rate of `theirs`. */
interface Comparison {
  /** Key of the ratio in the last line. */
  readonly key: string
  readonly recordsPerPass: number
  readonly ours: Contender
  readonly theirs: Contender
}

interface Result {
  readonly key: string
  /** Median of the ratios of neighbouring rounds. */
  readonly ratio: number
  /** Medians, in records per second. */
  readonly ours: number
  readonly theirs: number
}

const rounds = 31
const warmUpMillis = 300
const roundMillis = 50

/**
 * Times both in turn, in short rounds, so that other load on the machine affects both alike. The ratio is taken round
 * by round, because the speed of a shared machine changes from second to second.
 */
function compare(comparison: Comparison): Result {
  const { ours, theirs, recordsPerPass } = comparison
  const times: Record<'ours' | 'theirs' | 'ratio', number[]> = { ours: [], theirs: [], ratio: [] }
  for (const contender of [ours, theirs, ours, theirs]) timePasses(contender, warmUpMillis)
  for (let round = 0; round < rounds; round++) {
    const one = timePasses(ours, roundMillis)
    const other = timePasses(theirs, roundMillis)
    times.ours.push(one)
    times.theirs.push(other)
    times.ratio.push(other / one)
  }
  const perSecond = (millis: readonly number[]) => (recordsPerPass * 1000) / median(millis)
  return {
    key: comparison.key,
    ratio: median(times.ratio),
    ours: perSecond(times.ours),
    theirs: perSecond(times.theirs),
  }
}

/** @returns milliseconds of one pass */
function timePasses(contender: Contender, millis: number): number {
  let passes = 0
  const start = performance.now()
  let elapsed = 0
  while (elapsed < millis) {
    contender.pass()
    passes++
    elapsed = performance.now() - start
  }
  return elapsed / passes
}

const askedColumns = ['id', 'status', 'total'] as const

/** The four columns that an update writes. */
function updated(values: readonly encode.PlainValue[], n: number): encode.PlainValue[] {
  const after = [...values]
  after[2] = encode.text('delivered')
  after[3] = encode.integer(1 + (n % 7), 11)
  after[4] = encode.decimal(`${n % 999}.${10 + (n % 80)}`)
  after[10] = encode.timestamp(1_795_433_590 + n, (n * 7) % 1_000_000)
  return after
}

function image(n: number): encode.PlainValue[] {
  return row(n, n % 3 === 0 ? 'paid' : 'shipped', 1_795_433_580 + n)
}

/** Records of a busy table: of 20, 6 inserts, 8 updates, 3 deletes, and transaction marks around some. */
function sampleRecords(count = 2000): Buffer[] {
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
    const isRow = operation === 'INSERT' || operation === 'UPDATE' || operation === 'DELETE'
    return encode.encodeRecord({
      operation,
      id: 5_000_000_000n + BigInt(n),
      sourceTimestamp: 1_795_433_580 + (n >> 5),
      sourcePosition: `${194_000_000 + n * 311}@17`,
      safeSourcePosition: `${194_000_000 + (n - (n % 20)) * 311}@17`,
      sourceTxid: `${8_800_000 + Math.floor(n / 20)}`,
      objectName: isRow ? 'shop.orders' : null,
      processTimestamps: [1_795_433_580_101n, 1_795_433_580_105n],
      tags: isRow
        ? { pk_uk_info: '{"PRIMARY":["id"]}', readerThroughoutTime: `${1_795_433_580_105 + n}` }
        : {},
      fields: isRow ? columns : null,
      before: operation === 'UPDATE' || operation === 'DELETE' ? image(n) : null,
      after: operation === 'UPDATE' ? updated(image(n), n) : operation === 'INSERT' ? image(n) : null,
    })
  })
}

const origin = { offset: 1n, generation: 1, replay: false }

/** Decodes all records to row objects with the given columns. @returns the number of changes */
function decodeAll(records: readonly Buffer[], asked?: readonly string[]): number {
  let seen = 0
  for (const bytes of records) {
    const header = readHeader(bytes)
    if (carriesChange(header.operation) && decodeChange(bytes, header, origin, asked).id !== 0n) seen++
  }
  return seen
}

function decodeComparisons(records: readonly Buffer[]): Comparison[] {
  // avsc at its fastest: longs as numbers.
  const theirType = avro.Type.forSchema(encode.recordType.schema())
  const theirs: Contender = {
    name: 'avsc, all fields',
    pass() {
      let seen = 0
      for (const bytes of records) if (theirType.fromBuffer(bytes).id !== 0) seen++
      return seen
    },
  }
  const headers: Contender = {
    name: 'header only',
    pass() {
      let seen = 0
      for (const bytes of records) if (readHeader(bytes).objectName !== null) seen++
      return seen
    },
  }
  const full = { name: 'all columns', pass: () => decodeAll(records) }
  const projected = { name: '3 of 12 columns', pass: () => decodeAll(records, askedColumns) }
  const recordsPerPass = records.length
  return [
    { key: 'full', recordsPerPass, ours: full, theirs },
    { key: 'projected', recordsPerPass, ours: projected, theirs },
    { key: 'header', recordsPerPass, ours: headers, theirs },
  ]
}

/** The heap may grow by this many bytes: V8's own memory varies by that much. */
const toleratedGrowth = 1024 * 1024

/** Growth of the heap over a million records, in bytes. The collector runs before both readings. */
function heapGrowth(records: readonly Buffer[], collect: () => void): number {
  const heapUsed = () => {
    for (let times = 0; times < 3; times++) collect()
    return process.memoryUsage().heapUsed
  }
  decodeAll(records)
  const before = heapUsed()
  for (let left = 1_000_000; left > 0; left -= records.length) decodeAll(records)
  return heapUsed() - before
}

type Line = { readonly ours: string; readonly theirs: string; readonly ratio: string }

async function main(): Promise<void> {
  const records = sampleRecords()
  const average = records.reduce((sum, bytes) => sum + bytes.length, 0) / records.length
  console.log(
    `${records.length} records of ${average.toFixed(0)} bytes on average, ${columns.length} columns`,
  )
  const ratios: Record<string, number> = {}
  const table: Record<string, Line> = {}
  const add = (result: Result, ours: string, theirs: string) => {
    const speed = (perSecond: number) => `${Math.round(perSecond).toLocaleString('en')}/s`
    ratios[result.key] = Number(result.ratio.toFixed(2))
    table[result.key] = {
      ours: `${speed(result.ours)}  ${ours}`,
      theirs: `${speed(result.theirs)}  ${theirs}`,
      ratio: `${result.ratio.toFixed(2)}×`,
    }
  }
  for (const comparison of decodeComparisons(records)) {
    add(compare(comparison), comparison.ours.name, comparison.theirs.name)
  }
  const { ours, kafkajs, ratio, valueBytes } = await measureBatch(rounds)
  add({ key: 'batch', ours, theirs: kafkajs, ratio }, `batches of ${valueBytes}-byte values`, 'kafkajs')
  console.table(table)
  if (globalThis.gc === undefined) {
    console.log('Heap growth: not measured; run node with --expose-gc.')
  } else {
    const growth = heapGrowth(records, globalThis.gc)
    console.log(`Heap growth after a million records: ${Math.round(growth / 1024)} KiB`)
    if (growth > toleratedGrowth) process.exitCode = 1
  }
  console.log(JSON.stringify(ratios))
}

if (import.meta.main) await main()
