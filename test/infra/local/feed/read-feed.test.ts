import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ChangeEncoder } from '../../../../infra/local/feed/encode-change.ts'
import { refuseFeed } from '../../../../infra/local/feed/feed-reader.ts'
import { shopTables } from '../../../../infra/local/feed/known-tables.ts'
import { readFeed } from '../../../../infra/local/feed/read-feed.ts'
import { Shop, type ShopRecord } from '../../../../infra/local/shop.ts'
import { formatOf } from '../../../../infra/operate/tail/formats.ts'
import type { Change } from '../../../../lib/dts/change.ts'
import { decodeChange } from '../../../../lib/dts/decode-change.ts'
import { carriesChange, readHeader } from '../../../../lib/dts/header.ts'
import { changeToJson, parseChange } from '../../../../lib/dts/json.ts'
import { rowToPlain } from './rows.ts'

const now = 1_790_000_000

function read(text: string, encoder = new ChangeEncoder(new Map())) {
  return readFeed(text, encoder, now)
}

function decode({ value }: Pick<ShopRecord, 'value'>): Change {
  return decodeChange(value, readHeader(value), { offset: 0n, generation: 0, replay: false })
}

/** The one change of a feed, as a handler with all columns gets it. */
function only(text: string, encoder?: ChangeEncoder): Change {
  const { records, faults } = read(text, encoder)
  assert.deepEqual(faults, [])
  assert.equal(records.length, 1)
  return decode(records[0] as ShopRecord)
}

/** Without what belongs to the place in a log, and to the bytes of the record. */
function comparable(change: Change): object {
  return { ...changeToJson(change), offset: null, idempotencyKey: null }
}

describe('a recorded stretch of a stream', () => {
  test('comes to handlers as it came from the source, through the JSON of tail', () => {
    const shop = new Shop(7)
    const source = Array.from({ length: 60 }, () => shop.transaction(now)).flat()
    source.push(shop.ddl(now))
    const recorded = source.filter(({ value }) => carriesChange(readHeader(value).operation)).map(decode)
    const print = formatOf('json', { columns: null, isOneTable: false, isTerminal: false })
    const lines = recorded.map((change) => print(change)).join('')
    const { records, faults } = read(lines, new ChangeEncoder(shopTables))
    assert.deepEqual(faults, [])
    assert.ok(records.length > 100)
    assert.deepEqual(records.map(decode).map(comparable), recorded.map(comparable))
  })

  test('keeps its source times, so that the stream begins there', () => {
    const line = '{"operation":"INSERT","table":"shop.a","after":{},"timestamp":1700000000}'
    assert.deepEqual(
      read(line).records.map(({ timestamp }) => timestamp),
      [1_700_000_000],
    )
  })
})

const values: [json: string, reason: string][] = [
  ['null', 'NULL'],
  ['7', 'a small integer'],
  ['-2147483648', 'the smallest INT'],
  ['2147483648', 'a number beyond INT'],
  ['1.5', 'a fraction'],
  ['{"$number":"NaN"}', 'a number without JSON form'],
  ['{"$number":"-0"}', 'negative zero'],
  ['{"$bigint":"9223372036854775807"}', 'a BIGINT'],
  ['"12.30"', 'a DECIMAL'],
  ['"2026-11-23T11:33:00.000001Z"', 'a TIMESTAMP'],
  ['"née № 1"', 'a text beyond ASCII'],
  ['{"$binary":"AP+A"}', 'bytes'],
]
describe('a value without a type', () => {
  for (const [json, reason] of values) {
    for (const sourceType of ['MySQL', 'PostgreSQL']) {
      test(`reaches the handler as its JSON form says: ${reason} of ${sourceType}`, () => {
        const line = `{"operation":"INSERT","table":"crm.notes","sourceType":"${sourceType}","after":{"a":${json}}}`
        assert.deepEqual(rowToPlain(only(line)), rowToPlain(parseChange(line)))
      })
    }
  }

  test('in a table of the shop has the type that the table has there', () => {
    const line =
      '{"operation":"INSERT","table":"shop.orders","after":{"id":7,"total":12.5,"placed_at":"2026-11-23 11:33:00","note":"new"}}'
    const change = only(line, new ChangeEncoder(shopTables))
    assert.equal(change.operation, 'INSERT')
    assert.deepEqual(
      { ...change.after },
      { id: 7n, total: '12.5', placed_at: '2026-11-23 11:33:00', note: 'new' },
    )
    assert.deepEqual(change.keys, ['id'])
  })

  test('that does not fit the type of the shop keeps its own', () => {
    const line = '{"operation":"DELETE","table":"shop.orders","before":{"id":"a-1"}}'
    const change = only(line, new ChangeEncoder(shopTables))
    assert.equal(change.operation, 'DELETE')
    assert.deepEqual({ ...change.before }, { id: 'a-1' })
  })

  test('that an image lacks is absent, also in an update without before image', () => {
    const line =
      '{"operation":"UPDATE","table":"crm.notes","keys":["id"],"before":{},"after":{"id":7,"a":null}}'
    const change = only(line)
    assert.equal(change.operation, 'UPDATE')
    assert.deepEqual([{ ...change.before }, { ...change.after }], [{}, { id: 7, a: null }])
    assert.deepEqual(change.keys, ['id'])
  })
})

const typed: [type: string, json: string, value: unknown][] = [
  ['bigint', '42', 42n],
  ['BIGINT', '"42"', 42n],
  ['int', '42', 42],
  ['year', '2026', 2026],
  ['double', '42', 42],
  ['decimal', '42', '42'],
  ['varchar', '"x"', 'x'],
  ['json', '"{}"', '{}'],
  ['timestamp', '"2026-11-23 11:33:00.5Z"', '2026-11-23T11:33:00.500000Z'],
  ['datetime', '"2026-11-23 11:33:00.25"', '2026-11-23 11:33:00.250000'],
  ['datetime', '"0000-00-00 00:00:00"', '0000-00-00 00:00:00'],
  ['date', '"2026-11-23"', '2026-11-23'],
  ['time', '"-838:59:59"', '-838:59:59'],
  ['blob', '{"$binary":"AP+A"}', Buffer.from([0, 0xff, 0x80])],
]
describe('a value with the type of its column', () => {
  for (const [type, json, value] of typed) {
    test(`is written as that type: ${type} ${json}`, () => {
      const change = only(
        `{"operation":"INSERT","table":"crm.notes","columns":{"a":"${type}"},"after":{"a":${json}}}`,
      )
      assert.equal(change.operation, 'INSERT')
      assert.deepEqual(change.after.a, value)
    })
  }
})

const faulty: [line: string, reason: RegExp, what: string][] = [
  ['{"operation":', /^it is not JSON text$/, 'no JSON'],
  ['> dts-functions@0.1.0 tail', /^it is not JSON text, but a line of npm: .*--silent/, 'a line of npm'],
  ['7', /not a change in JSON form/, 'no object'],
  ['{"operation":"INSERT","after":{}}', /table/, 'no table'],
  ['{"operation":"INSERT","table":"orders","after":{}}', /database\.table/, 'a table without its database'],
  ['{"operation":"UPDATE","table":"shop.a","after":{}}', /before/, 'an image too few'],
  ['{"operation":"INSERT","table":"shop.a","after":{"a":[1]}}', /after\.a/, 'a value that no column has'],
  ['{"operation":"INSERT","table":"shop.a","after":{"a":9007199254740993}}', /after\.a/, 'a rounded number'],
  ['{"operation":"INSERT","table":"shop.a","after":{"a":true}}', /^a: .*BOOLEAN is 0 or 1/, 'a boolean'],
  [
    '{"operation":"UPDATE","table":"shop.a","before":{"a":"1"},"after":{"a":1}}',
    /^a: .*different types/,
    'two types of one column',
  ],
  [
    '{"operation":"INSERT","table":"shop.a","columns":{"a":"int"},"after":{"a":"secret"}}',
    /^a: for int, a whole number is needed$/,
    'a value of another type',
  ],
  [
    '{"operation":"INSERT","table":"shop.a","columns":{"a":"date"},"after":{"a":"2026-13-01"}}',
    /^a: for date/,
    'a date that no calendar has',
  ],
  [
    '{"operation":"INSERT","table":"shop.a","columns":{"a":"timestamp"},"after":{"a":"2026-02-31T00:00:00Z"}}',
    /^a: for timestamp/,
    'a day that its month has not',
  ],
  [
    '{"operation":"INSERT","table":"shop.a","columns":{"a":"number"},"after":{"a":1}}',
    /known are .*bigint/,
    'a type that does not exist',
  ],
  [
    '{"operation":"INSERT","table":"shop.a","columns":{"b":"int"},"after":{"a":1}}',
    /^columns\.b: /,
    'a type of no column',
  ],
  [
    '{"operation":"INSERT","table":"shop.a","columns":["int"],"after":{"a":1}}',
    /^columns: an object/,
    'types without names',
  ],
]
describe('a line that is not a change', () => {
  const good = '{"operation":"INSERT","table":"shop.a","after":{"a":1}}'
  for (const [line, reason, what] of faulty) {
    test(`is named with its number and its reason, without a value: ${what}`, () => {
      const { faults } = read(`${good}\n\n${line}\n${good}\n`)
      assert.deepEqual(
        faults.map((fault) => fault.line),
        [3],
      )
      assert.match(faults[0]?.reason ?? '', reason)
      assert.doesNotMatch(faults[0]?.reason ?? '', /secret|9007199254740993/)
    })
  }

  test('refuses the whole file, which names each such line', () => {
    const { faults } = read(`${good}\n7\n${good}\n{`)
    assert.match(
      refuseFeed('orders.jsonl', faults).message,
      /^orders\.jsonl has 2 lines that are no change, so no line of it was sent\.\norders\.jsonl:2: .*\norders\.jsonl:4: it is not JSON text$/,
    )
  })
})
