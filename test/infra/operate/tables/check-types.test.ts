import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import * as z from 'zod'
import * as mini from 'zod/mini'
import { encodeRecord, integer, type PlainValue, text, textObject } from '../../../../infra/local/encode.ts'
import { type CheckedHandler, findDrift } from '../../../../infra/operate/tables/check-types.ts'
import { columnType } from '../../../../infra/operate/tables/column-types.ts'
import { newTable } from '../../../../infra/operate/tables/new-table.ts'
import { sampleTables } from '../../../../infra/operate/tables/sample.ts'
import { open } from '../../../support/open-stream.ts'
import type { NewRecord } from '../../../support/parts.ts'
import { t0, Writer } from '../../../support/records.ts'

const nothing: PlainValue = { EmptyObject: 'NULL' }
const none: PlainValue = { EmptyObject: 'NONE' }

/** MySQL: bigint, int, decimal, json, varchar, varchar that is always NULL, blob. */
const fields = [
  ['id', 8],
  ['count', 3],
  ['total', 246],
  ['cart', 245],
  ['note', 253],
  ['empty', 253],
  ['strange name', 252],
] as const

function order(id: number, note: PlainValue, table = 'shop.orders'): NewRecord {
  const value = encodeRecord({
    operation: 'INSERT',
    objectName: table,
    fields,
    after: [
      integer(id),
      integer(2),
      { Decimal: { value: '1.50', precision: 10, scale: 2 } },
      textObject('{}', 'JSON'),
      note,
      nothing,
      { BinaryObject: { type: 'BLOB', value: Buffer.from('x') } },
    ],
    sourceTimestamp: t0,
    tags: { pk_uk_info: '{"PRIMARY":["id"]}' },
  })
  return { value, timestamp: t0 }
}

const stream: readonly NewRecord[] = [
  order(1, nothing),
  order(2, text('x')),
  order(3, none),
  new Writer().insert('shop.users', 1, t0),
]

async function sampling(t: TestContext, records = stream) {
  const { stream: log } = await open(t, records)
  return await sampleTables(
    log,
    () => true,
    () => false,
  )
}

test('the types of columns follow from the seen values: NULL is nullable, an absent column optional', async (t) => {
  const { samples, tables, records } = await sampling(t)
  const sample = samples.get('shop.orders')
  assert.ok(sample !== undefined)
  assert.deepEqual(
    sample.columns.map((column) => [column.name, columnType(column, sample)]),
    [
      ['id', 'z.bigint()'],
      ['count', 'z.number()'],
      ['total', 'decimalColumn()'],
      ['cart', 'jsonColumn()'],
      ['note', 'z.string().nullable().optional()'],
      ['empty', 'z.unknown()'],
      ['strange name', 'z.instanceof(Buffer)'],
    ],
  )
  assert.deepEqual([sample.keys, [...tables], records], [['id'], ['shop.orders', 'shop.users'], 4])
})

test('a new handler declares the key, and has the other columns as comments', async (t) => {
  const sample = (await sampling(t)).samples.get('shop.orders')
  assert.ok(sample !== undefined)
  const { handler, test: testText } = newTable(sample, '../functions/tables/orders.ts')
  assert.match(handler, /^import \{ defineTable \} from 'dts-functions'/)
  assert.match(handler, /\n {4}id: z\.bigint\(\), \/\/ primary key\n/)
  assert.match(handler, /\n {4}\/\/ 'strange name': z\.instanceof\(Buffer\),\n/)
  assert.match(handler, /\n {4}\/\/ empty: z\.unknown\(\), \/\/ only NULL was seen\n/)
  assert.match(handler, /Import decimalColumn, jsonColumn from 'dts-functions'/)
  assert.match(testText, /from '\.\.\/functions\/tables\/orders\.ts'/)
  assert.match(testText, /const row = \{ id: 1n \}/)
})

const handlerOf = (table: string | string[], row: z.core.$ZodObject, source: string): CheckedHandler => ({
  file: 'functions/tables/orders.ts',
  source,
  table,
  row,
  operations: undefined,
  filtered: [],
  mask: {},
})

test('a handler that fits the stream has no drift', async (t) => {
  const row = z.object({ id: z.bigint(), note: z.string().nullish(), gone: z.string().optional() })
  assert.deepEqual(findDrift([handlerOf('shop.orders', row, '')], await sampling(t)), [])
})

test('a row in the mini form of zod is compared like one in the usual form', async (t) => {
  const row = mini.object({ id: mini.string(), gone: mini.string(), absent: mini.optional(mini.string()) })
  const found = findDrift([handlerOf('shop.orders', row, 'id\ngone')], await sampling(t))
  assert.deepEqual(
    found.map(({ line, message }) => [line, message.replace(/;.*/, '')]),
    [
      [2, 'shop.orders has no column gone'],
      [1, 'shop.orders.id at offset 0: the handler expects string, the stream has bigint'],
    ],
  )
})

test('a column of the filter that the table lacks is drift, at the line of the filter', async (t) => {
  const source = ['export const handler = defineTable({', '  filter: { where: "stats = 1" },', '})'].join(
    '\n',
  )
  const handler = { ...handlerOf('shop.orders', z.object({}), source), filtered: ['id', 'stats'] }
  const [drift, ...others] = findDrift([handler], await sampling(t))
  assert.deepEqual([drift?.line, others], [2, []])
  assert.match(
    drift?.message ?? '',
    /^shop\.orders has no column stats, which the filter names; its columns are .*id/,
  )
})

test('a handler with a mask is compared with masked rows, and a mask of a column that the table lacks is drift', async (t) => {
  const row = z.object({ id: z.string(), note: z.string().nullish() })
  const handler = {
    ...handlerOf('shop.orders', row, "  mask: { id: 'hash' },"),
    mask: { id: 'hash' } as const,
  }
  assert.deepEqual(findDrift([handler], await sampling(t)), [])
  const typo = { ...handler, mask: { id: 'hash', emial: 'drop' } as const }
  assert.deepEqual(
    findDrift([typo], await sampling(t)).map(({ message }) => message.split(';')[0]),
    ['shop.orders has no column emial, which the mask names'],
  )
  const later = { ...handler, mask: { id: 'hash', phone: 'drop-if-present' } as const }
  assert.deepEqual(findDrift([later], await sampling(t)), [])
})

test('changes of operations that do not reach the handler are not compared', async (t) => {
  const row = z.object({ count: z.string() })
  const handler = { ...handlerOf('shop.orders', row, ''), operations: ['DELETE'] }
  assert.deepEqual(findDrift([handler], await sampling(t)), [])
})

test('a wrong type, a missing column and NULL are reported with file and line', async (t) => {
  const source = [
    "table: 'shop.orders',",
    'row: z.object({',
    '  id: z.number(),',
    '  totl: z.string(),',
    '  note: z.string(),',
    '})',
  ]
  const row = z.object({ id: z.number(), totl: z.string(), note: z.string() })
  const drift = findDrift([handlerOf('shop.orders', row, source.join('\n'))], await sampling(t))
  assert.deepEqual(
    drift.map(({ line }) => line),
    [4, 3, 5],
  )
  const [missing, type, nullable] = drift.map(({ message }) => message)
  assert.match(missing ?? '', /shop\.orders has no column totl; its columns are id, count, total, cart/)
  assert.match(type ?? '', /shop\.orders\.id at offset 0: the handler expects number, the stream has bigint/)
  assert.match(
    nullable ?? '',
    /shop\.orders\.note at offset 0: the handler expects string, the stream has NULL/,
  )
})

test('a table or pattern that no change matches is reported, with the tables that there are', async (t) => {
  const source = "export const handler = defineTable({\n  table: ['shop.ordrs', 'shop.x_*'],\n"
  const drift = findDrift([handlerOf(['shop.ordrs', 'shop.x_*'], z.object({}), source)], await sampling(t))
  assert.equal(drift.length, 2)
  for (const { line, message } of drift) {
    assert.equal(line, 2)
    assert.match(
      message,
      /no table of the newest 4 records matches shop\.(ordrs|x_\*); they have shop\.orders, shop\.users/,
    )
  }
})

test('every table that a pattern matches is compared, except those that it leaves out', async (t) => {
  const found = await sampling(t, [...stream, order(1, text('x'), 'shop.old_orders')])
  const row = z.object({ count: z.bigint() })
  const drift = findDrift([handlerOf(['shop.*orders', '!shop.old_*'], row, 'count: z.bigint()')], found)
  assert.deepEqual(
    drift.map(({ message }) => message.slice(0, 17)),
    ['shop.orders.count'],
  )
})

test('the search goes back beyond its first step for a table that changed long ago', async (t) => {
  const write = new Writer()
  const marks = Array.from({ length: 20_050 }, () => write.mark('HEARTBEAT', t0))
  const { stream: log } = await open(t, [order(1, nothing), ...marks])
  const { samples, records } = await sampleTables(
    log,
    (table) => table === 'shop.orders',
    (changes) => changes.has('shop.orders'),
  )
  assert.equal(samples.get('shop.orders')?.changes.length, 1)
  assert.equal(records, 20_051)
})
