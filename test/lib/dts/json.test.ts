import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Change, RowChange } from '../../../lib/dts/change.ts'
import { parseChange, stringifyChange } from '../../../lib/dts/json.ts'
import type { Tags } from '../../../lib/dts/tags.ts'
import type { ColumnValue } from '../../../lib/dts/types.ts'
import { DtsError } from '../../../lib/errors.ts'
import { row, seen, tagsOf } from './samples.ts'

const name = { database: 'shop', schema: null, table: 'orders' }
const noTags: Tags = Object.create(null)
const defaults = {
  logical: null,
  keys: [],
  offset: 0n,
  generation: 0,
  replay: false,
  id: 0n,
  timestamp: 0,
  sourceType: 'MySQL',
  sourcePosition: '',
  transactionId: '',
  tags: noTags,
  idempotencyKey: 'key',
} as const
const insert = (values: { readonly [column: string]: ColumnValue }): Change => ({
  ...defaults,
  operation: 'INSERT',
  table: 'shop.orders',
  name,
  after: row(values),
})

test('each value has one JSON form, which reads back as the same value of the same type', () => {
  for (const [value, json, reason] of [
    [null, 'null', 'NULL'],
    ['', '""', 'empty text'],
    ['42', '"42"', 'text that looks like a number'],
    ['{"$bigint":"1"}', '"{\\"$bigint\\":\\"1\\"}"', 'text that looks like a form'],
    ['\ud800x', '"\\ud800x"', 'a lone surrogate is escaped, and comes back'],
    ['\u0000\u2028😀', '"\\u0000\u2028😀"', 'control characters and pairs'],
    [true, 'true', 'boolean'],
    [42, '42', 'number'],
    [0.1, '0.1', 'fraction'],
    [5e-324, '5e-324', 'the smallest double'],
    [1e20, '100000000000000000000', 'a double whose text is an integer beyond 2^53'],
    [1e21, '1e+21', 'a double with exponent'],
    [2 ** 53, '9007199254740992', '2^53, a double'],
    [Number.NaN, '{"$number":"NaN"}', 'NaN'],
    [Number.POSITIVE_INFINITY, '{"$number":"Infinity"}', 'Infinity'],
    [Number.NEGATIVE_INFINITY, '{"$number":"-Infinity"}', '-Infinity'],
    [-0, '{"$number":"-0"}', 'negative zero, which JSON.stringify would lose'],
    [42n, '{"$bigint":"42"}', 'a small bigint stays a bigint'],
    [2n ** 64n - 1n, '{"$bigint":"18446744073709551615"}', 'unsigned 64 bits'],
    [-(2n ** 63n), '{"$bigint":"-9223372036854775808"}', 'signed 64 bits'],
    [Buffer.from([0, 255, 128]), '{"$binary":"AP+A"}', 'bytes'],
    [Buffer.alloc(0), '{"$binary":""}', 'no bytes'],
  ] as const) {
    const text = stringifyChange(insert({ v: value }))
    assert.ok(text.includes(`"after":{"v":${json}}`), `${reason}: ${text}`)
    const back = parseChange(text)
    assert.ok(back.operation === 'INSERT')
    assert.deepEqual(back.after, row({ v: value }), reason)
    assert.ok(Object.is(back.after.v, value) || Buffer.isBuffer(value), reason)
  }
})

test('a change written by hand needs operation, table and images; all other members have defaults', () => {
  for (const [text, expected, reason] of [
    [
      '{"operation":"INSERT","table":"shop.orders","after":{"id":{"$bigint":"7"},"note":null}}',
      insert({ id: 7n, note: null }),
      'INSERT',
    ],
    [
      '{"operation":"DELETE","table":"crm.public.a\\\\u002Eb","before":{}}',
      {
        ...defaults,
        operation: 'DELETE',
        table: 'crm.public.a\\u002Eb',
        name: { database: 'crm', schema: 'public', table: 'a.b' },
        before: row({}),
      },
      'the name follows from the table, with its escaped dot',
    ],
    [
      '{"operation":"DDL","statement":"CREATE DATABASE x"}',
      {
        ...defaults,
        operation: 'DDL',
        table: null,
        name: null,
        database: null,
        statement: 'CREATE DATABASE x',
      },
      'DDL of nothing',
    ],
    [
      '{"operation":"DDL","table":"shop.orders","statement":"DROP TABLE orders"}',
      {
        ...defaults,
        operation: 'DDL',
        table: 'shop.orders',
        name,
        database: 'shop',
        statement: 'DROP TABLE orders',
      },
      'the database of a DDL follows from its table',
    ],
  ] as const) {
    const change = parseChange(text)
    assert.match(change.idempotencyKey, /^by-hand\/[0-9a-f]{32}$/)
    assert.deepEqual({ ...seen(change), idempotencyKey: 'key' }, expected, reason)
  }
})

test('the idempotency key of a change written by hand is a digest of its JSON, or the key that it gives', () => {
  const keyOf = (members: string) =>
    parseChange(`{"operation":"DELETE","table":"shop.orders","before":{"id":1}${members}}`).idempotencyKey
  assert.equal(keyOf(''), keyOf(''))
  assert.notEqual(keyOf(''), keyOf(',"offset":"1"'))
  assert.equal(keyOf(',"idempotencyKey":"mine"'), 'mine')
})

test('the examples of docs/change-json.md are valid changes', () => {
  const manual = readFileSync(new URL('../../../docs/change-json.md', import.meta.url), 'utf8')
  const examples = [...manual.matchAll(/```json\n(.*?)```/gs)].map(([, text = '']) => parseChange(text))
  assert.deepEqual(
    examples.map(({ operation }) => operation),
    ['UPDATE', 'DDL'],
  )
})

test('changed() works on an update from JSON, and keeps absent and null apart', () => {
  const change = parseChange(
    '{"operation":"UPDATE","table":"shop.orders",' +
      '"before":{"a":1,"b":{"$binary":"AA=="},"c":{"$number":"NaN"},"e":null},' +
      '"after":{"a":2,"b":{"$binary":"AA=="},"c":{"$number":"NaN"},"d":null}}',
  )
  assert.ok(change.operation === 'UPDATE')
  assert.deepEqual(
    ['a', 'b', 'c', 'd', 'e', '__proto__', 'toString'].map((column) => change.changed(column)),
    [true, false, false, true, false, false, false],
  )
  assert.deepEqual(Object.keys(change.after), ['a', 'b', 'c', 'd'])
})

test('a column or tag named __proto__ is data', () => {
  const tags = tagsOf({ ['__proto__']: 'tag', constructor: 'x' })
  const change: Change = { ...insert({ ['__proto__']: 1n, constructor: 'c' }), tags }
  const back = parseChange(stringifyChange(change))
  assert.deepEqual(seen(back), seen(change))
  assert.ok(back.operation === 'INSERT')
  assert.deepEqual(Object.entries(back.after), [
    ['__proto__', 1n],
    ['constructor', 'c'],
  ])
  assert.ok(!('valueOf' in back.after))
  assert.equal(Object.getPrototypeOf(back.tags), null)
  assert.equal(Reflect.get({}, 'polluted'), undefined)
})

test('any other JSON is refused with place and reason, and without values', () => {
  const good = { operation: 'INSERT', table: 'shop.orders', after: {} }
  const value = (json: string) => `{"operation":"INSERT","table":"shop.orders","after":{"v":${json}}}`
  for (const [text, message, reason] of [
    ['', /it is not JSON text/, 'nothing'],
    ['{"operation":"SECRET', /it is not JSON text\. docs/, 'cut off; the text is not quoted'],
    [`${'['.repeat(50_000)}${']'.repeat(50_000)}`, /it is nested too deeply/, 'nesting without end'],
    ['[]', /expected object/, 'an array'],
    ['{}', /operation: INSERT, INIT, UPDATE, DELETE or DDL is needed/, 'no operation'],
    ['{"operation":"BEGIN"}', /operation: INSERT, INIT/, 'an operation that carries no change'],
    [JSON.stringify({ ...good, offfset: '1' }), /"offfset"/, 'a key that does not exist'],
    [JSON.stringify({ ...good, before: {} }), /"before"/, 'an image that an INSERT does not have'],
    [JSON.stringify({ ...good, format: 'dts-change/2' }), /format: /, 'another version'],
    ['{"operation":"INSERT","table":"a.b","after":{},"__proto__":{"polluted":1}}', /__proto__/, 'prototype'],
    ['{"operation":"INSERT","table":"a.b"}', /after: an object of column values/, 'no image'],
    ['{"operation":"UPDATE","table":"a.b","after":{}}', /before: an object of/, 'one image of two'],
    ['{"operation":"INSERT","table":"a.b","after":[]}', /after: an object of/, 'an array as image'],
    ['{"operation":"INSERT","after":{}}', /table: /, 'no table'],
    [JSON.stringify({ ...good, table: 'orders' }), /table: database\.table/, 'one part'],
    [JSON.stringify({ ...good, table: 'shop.' }), /table: database\.table/, 'an empty part'],
    [JSON.stringify({ ...good, table: 'a.b.c.d' }), /table: database\.table/, 'four parts'],
    [JSON.stringify({ ...good, offset: 7 }), /offset: /, 'an offset as number, which may be rounded'],
    [JSON.stringify({ ...good, offset: '-1' }), /offset: an offset is not negative/, 'a negative offset'],
    [JSON.stringify({ ...good, id: '1.5' }), /id: a whole number/, 'an id that is not whole'],
    [JSON.stringify({ ...good, id: '0x1f' }), /id: a whole number/, 'an id that BigInt would read'],
    [JSON.stringify({ ...good, timestamp: 0.5 }), /timestamp: /, 'a fraction of a second'],
    [JSON.stringify({ ...good, tags: { a: 1 } }), /tags\.a: a string/, 'a tag that is not a string'],
    [JSON.stringify({ ...good, keys: [1] }), /keys\[0\]: /, 'a key that is not a string'],
    [value('9007199254740993'), /after\.v: the number would be rounded/, '2^53 + 1'],
    [value('-18446744073709551615'), /after\.v: the number would be rounded/, 'a 64-bit number'],
    [value('1e400'), /after\.v: the number would be rounded/, 'beyond a double'],
    [value('{}'), /after\.v: neither/, 'no form'],
    [value('[1]'), /after\.v: neither/, 'an array'],
    [value('{"$date":"2026-01-01"}'), /after\.v: neither/, 'a form that does not exist'],
    [value('{"constructor":"SECRET"}'), /after\.v: neither/, 'a form whose name is on the prototype'],
    [value('{"__proto__":"SECRET"}'), /after\.v: neither/, 'a form whose name is on the prototype'],
    [value('{"$bigint":"1","x":1}'), /after\.v: neither/, 'two keys'],
    [value('{"$bigint":1}'), /after\.v: not a valid \$bigint/, 'a bigint by number'],
    [value('{"$bigint":"01"}'), /after\.v: not a valid \$bigint/, 'a leading zero'],
    [value('{"$bigint":"-0"}'), /after\.v: not a valid \$bigint/, 'there is no negative bigint zero'],
    [value('{"$bigint":""}'), /after\.v: not a valid \$bigint/, 'which BigInt reads as 0'],
    [value('{"$bigint":" 1"}'), /after\.v: not a valid \$bigint/, 'which BigInt trims'],
    [value('{"$binary":"A"}'), /after\.v: not a valid \$binary/, 'base64 cut off'],
    [value('{"$binary":"AB=="}'), /after\.v: not a valid \$binary/, 'base64 with bits that are dropped'],
    [value('{"$binary":"SECRET!!"}'), /after\.v: not a valid \$binary/, 'not base64'],
    [value('{"$number":"1"}'), /after\.v: not a valid \$number/, 'a number that plain JSON has'],
    [value('{"$number":"toString"}'), /after\.v: not a valid \$number/, 'not a number'],
  ] as const) {
    assert.throws(
      () => parseChange(text),
      (error) =>
        error instanceof DtsError &&
        error.code === 'CHANGE_JSON_INVALID' &&
        message.test(error.message) &&
        !/SECRET/.test(error.message),
      reason,
    )
  }
})

test('a row with a value that no column can have is refused instead of converted', () => {
  for (const value of [new Date(0), undefined, [1], { a: 1 }, Symbol('x')]) {
    const change = insert({ v: value as unknown as ColumnValue })
    assert.throws(() => stringifyChange(change), { code: 'CHANGE_JSON_INVALID', message: /after\.v: / })
  }
})

test('stringifyChange accepts the typed change of a handler', () => {
  const write: (change: RowChange<{ id: bigint; note: string | null }>) => string = stringifyChange
  const typed = {
    ...insert({}),
    operation: 'INSERT',
    table: 'a.b',
    name,
    after: { id: 1n, note: null },
  } as const
  assert.match(write(typed), /"after":{"id":{"\$bigint":"1"},"note":null}/)
})
