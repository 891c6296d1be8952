/*
 * The decoder keeps what records repeat, within limits, and reads the usual values in faster ways. These tests decode
 * records right below and right above such a limit, and compare the work: blocks of code and calls, not time.
 */
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import {
  binaryObject,
  decimal,
  encodeRecord,
  integer,
  type PlainRecord,
  type PlainValue,
  text,
  textObject,
  timestamp,
} from '../../../infra/local/encode.ts'
import { workOf } from '../../support/executed-blocks.ts'
import { decode } from './samples.ts'

/** Record n asks for the columns `asked[n % asked.length]`. */
type Asked = readonly (readonly string[] | undefined)[]

/** The work for one record, on average. The records are decoded once before, so that they are known. */
function work(records: readonly Buffer[], asked: Asked = [undefined]) {
  const decodeAll = () => {
    for (const [n, bytes] of records.entries()) decode(bytes, asked[n % asked.length])
  }
  decodeAll()
  const { blocks, calls } = workOf('/lib/dts/', decodeAll)
  return { blocks: blocks / records.length, calls: (name: string) => (calls.get(name) ?? 0) / records.length }
}

/** Calls of a method of a built-in class for one record, on average. */
function builtIn(owner: object, method: string, records: readonly Buffer[]): number {
  for (const bytes of records) decode(bytes)
  const { mock: counted } = mock.method(owner as Record<string, () => unknown>, method)
  for (const bytes of records) decode(bytes)
  counted.restore()
  return counted.callCount() / records.length
}

const names = (count: number, prefix = 'column') => Array.from({ length: count }, (_, n) => `${prefix}_${n}`)

function insert(columns: readonly string[], value: (column: number) => PlainValue, table = 'shop.steps') {
  const plain: PlainRecord = {
    operation: 'INSERT',
    objectName: table,
    fields: columns.map((name) => [name, 8] as const),
    after: columns.map((_, column) => value(column)),
  }
  return encodeRecord(plain)
}

const mixed = (column: number) => (column % 2 === 0 ? integer(column) : text(`the value of ${column}`))
const repeated = (count: number, record: (n: number) => Buffer) =>
  Array.from({ length: count }, (_, n) => record(n))
const wide = (columns: number) => repeated(20, () => insert(names(columns), mixed))
const listsInTurn = (lists: number) =>
  repeated(lists * 4, (n) => insert(names(12, `list${n % lists}`), mixed))
const tablesInTurn = (tables: number) => repeated(tables, (n) => insert(names(12), mixed, `shop.table_${n}`))
const ofValues = (value: (n: number) => PlainValue, count = 40) =>
  repeated(count, (n) => insert(names(12), (column) => value(n * 12 + column)))
const twoAsked: Asked = [['column_0', 'column_1']]
const askedInTurn = (count: number): Asked =>
  Array.from({ length: count }, (_, n) => ['column_0', `column_${1 + n}`])

/** Above a limit, decoding is at most this many times the work. */
const tolerated = 1.5

const steps: readonly (readonly [
  below: string,
  above: string,
  records: (isAbove: boolean) => readonly Buffer[],
  asked?: Asked,
])[] = [
  ['128 columns', '129', (isAbove) => wide(isAbove ? 129 : 128)],
  ['400 columns', '401', (isAbove) => wide(isAbove ? 401 : 400)],
  ['512 columns', '513', (isAbove) => wide(isAbove ? 513 : 512)],
  ['two of 512 columns', 'two of 513', (isAbove) => wide(isAbove ? 513 : 512), twoAsked],
  [
    'two of 8,191 columns',
    'two of 8,192',
    (isAbove) => [insert(names(isAbove ? 8192 : 8191), () => null)],
    twoAsked,
  ],
  ['one column list', 'two in turn', (isAbove) => listsInTurn(isAbove ? 2 : 1)],
  ['4 column lists of a table in turn', '5', (isAbove) => listsInTurn(isAbove ? 5 : 4)],
  ['32 column lists of a table in turn', '33', (isAbove) => listsInTurn(isAbove ? 33 : 32)],
  ['1,000 tables in turn', '1,001', (isAbove) => tablesInTurn(isAbove ? 1001 : 1000)],
]

for (const [below, above, records, asked] of steps) {
  test(`${above} take about the same work as ${below}`, () => {
    const low = work(records(false), asked).blocks
    const high = work(records(true), asked).blocks
    assert.ok(high <= low * tolerated, `${low} and ${high} blocks for a record`)
  })
}

test('rows of up to 400 columns come from a constructor, wider ones are filled column by column', () => {
  for (const [columns, fills] of [
    [128, 0],
    [129, 0],
    [400, 0],
    [401, 1],
  ] as const) {
    assert.equal(work(wide(columns)).calls('#fill'), fills, `${columns} columns`)
  }
})

test('a known column list is not read again, whether wide records, lists or tables come in turn', () => {
  for (const [records, reason] of [
    [wide(513), '513 columns'],
    [listsInTurn(5), '5 lists of a table'],
    [tablesInTurn(1001), '1,001 tables'],
  ] as const) {
    assert.equal(work(records).calls('readFields'), 0, reason)
  }
  const first = insert(names(12, 'new'), mixed)
  const { calls } = workOf('/lib/dts/', () => decode(first))
  assert.equal(calls.get('readFields'), 1, 'a new list is read')
})

test('tables with the same columns share one column list', () => {
  const columns = names(12, 'shared')
  decode(insert(columns, mixed, 'shop.shard_0'))
  const other = insert(columns, mixed, 'shop.shard_1')
  const { calls } = workOf('/lib/dts/', () => decode(other))
  assert.equal(calls.get('readFields') ?? 0, 0)
})

test('slightly more sets of columns than are kept find most of their projections', () => {
  const made = work(
    repeated(17 * 8, () => insert(names(30), mixed)),
    askedInTurn(17),
  ).calls('makeProjection')
  assert.ok(made < 0.4, `${made} projections for a record`)
})

test('a column whose character set alternates finds each set without decoding its name', () => {
  const records = repeated(40, (n) => insert(['c'], () => text('text', ['utf8mb4', 'latin1', 'gbk'][n % 3])))
  assert.equal(work(records).calls('readCharset'), 0)
  const { calls } = workOf('/lib/dts/', () => decode(insert(['c'], () => text('text', 'latin9'))))
  assert.equal(calls.get('readCharset'), 1, 'a new name is decoded')
})

test('ASCII values of a long record are cut out of a few texts', () => {
  const records = wide(400)
  const bytes = records[0]?.length ?? 0
  assert.ok(bytes > 8192, 'the record is longer than one text')
  const texts = builtIn(Buffer.prototype, 'toString', records)
  assert.ok(texts <= Math.ceil(bytes / 4096), `${texts} texts for ${bytes} bytes`)
})

test('times of many different minutes are printed without a Date', () => {
  const records = ofValues((n) => timestamp(n * 999_999), 200)
  assert.equal(builtIn(Date.prototype, 'toISOString', records), 0)
})

test('integers of up to 100 digits are read without a string', () => {
  for (const digits of [19n, 20n, 38n, 100n]) {
    const records = ofValues((n) => integer(10n ** digits - 1n - BigInt(n)))
    assert.equal(builtIn(Buffer.prototype, 'toString', records), 0, `${digits} digits`)
  }
})

test('an integer of 16 to 20 digits is read without leaving the fast path', () => {
  for (const digits of [15n, 16n, 19n, 20n]) {
    const records = ofValues((n) => integer(10n ** (digits - 1n) + BigInt(n)))
    assert.equal(work(records).calls('readValue'), 0, `${digits} digits`)
  }
  assert.equal(work(ofValues(() => integer(10n ** 20n))).calls('readValue'), 12, '21 digits')
})

const large: readonly (readonly [kind: string, value: (bytes: number) => PlainValue])[] = [
  ['ASCII text', (bytes) => text('x'.repeat(bytes))],
  ['text beyond ASCII', (bytes) => text('ü'.repeat(bytes / 2))],
  ['text whose last character is not ASCII', (bytes) => text(`${'x'.repeat(bytes - 2)}ü`)],
  ['JSON', (bytes) => textObject(`"${'x'.repeat(bytes - 2)}"`)],
  ['bytes', (bytes) => binaryObject(Buffer.alloc(bytes, 7))],
  ['a decimal', (bytes) => decimal('9'.repeat(bytes))],
]
const update = (before: PlainValue, after: PlainValue) =>
  encodeRecord({
    operation: 'UPDATE',
    objectName: 'shop.large',
    fields: [['c', 252]],
    before: [before],
    after: [after],
  })

for (const [kind, value] of large) {
  test(`the work for ${kind} does not grow with its length`, () => {
    const small = work([update(value(200), value(200))]).blocks
    for (const bytes of [50_000, 1_000_000]) {
      const same = work([update(value(bytes), value(bytes))]).blocks
      const other = work([update(value(bytes - 100), value(bytes))]).blocks
      assert.ok(same <= small * tolerated, `${bytes} bytes that stay: ${small} and ${same} blocks`)
      assert.ok(other <= small * tolerated, `${bytes} bytes that change: ${small} and ${other} blocks`)
    }
  })
}
