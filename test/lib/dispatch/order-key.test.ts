import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import {
  binaryObject,
  emptyNone,
  encodeRecord,
  integer,
  type PlainRecord,
  type PlainValue,
  text,
} from '../../../infra/local/encode.ts'
import { keyHashVersion, type OrderKey, orderKey } from '../../../lib/dispatch/order-key.ts'
import { readHeader } from '../../../lib/dts/header.ts'

const primary = (...columns: string[]) => ({ pk_uk_info: JSON.stringify({ PRIMARY: columns }) })

function hashOf(plain: Partial<PlainRecord>, tags: Record<string, string> = primary('id')): number | null {
  return keyOf(plain, tags)?.hash ?? null
}

function keyOf(plain: Partial<PlainRecord>, tags: Record<string, string> = primary('id')): OrderKey | null {
  const value = encodeRecord({
    operation: 'INSERT',
    objectName: 'shop.orders',
    fields: [
      ['id', 8],
      ['status', 253],
    ],
    tags,
    ...plain,
  })
  return orderKey(value, readHeader(value))
}

const row = (id: PlainValue, status = 'new') => [id, text(status)]

test('all changes of one row have the same hash', () => {
  const insert = hashOf({ after: row(integer(5)) })
  assert.notEqual(insert, null)
  assert.equal(hashOf({ operation: 'INIT', after: row(integer(5)) }), insert)
  assert.equal(
    hashOf({ operation: 'UPDATE', before: row(integer(5)), after: row(integer(5), 'paid') }),
    insert,
  )
  assert.equal(hashOf({ operation: 'DELETE', before: row(integer(5), 'paid') }), insert)
})

test('rows spread over many hashes', () => {
  const lanes = Array.from({ length: 400 }, (_, id) => (hashOf({ after: row(integer(id)) }) ?? 0) % 4)
  for (const lane of [0, 1, 2, 3]) {
    assert.ok(lanes.filter((one) => one === lane).length > 50, `lane ${lane}`)
  }
})

test('a change whose row is unknown has no hash, so that it runs alone', () => {
  const cases: [change: Partial<PlainRecord>, tags: Record<string, string>, reason: string][] = [
    [{ operation: 'DDL', fields: null, after: 'ALTER TABLE x' }, primary('id'), 'a statement'],
    [
      { operation: 'UPDATE', before: row(integer(5)), after: row(integer(6)) },
      primary('id'),
      'an update that changes the key',
    ],
    [{ after: row(null) }, primary('id'), 'a key that is NULL'],
    [{ after: row(emptyNone) }, primary('id'), 'a key that the image does not hold'],
    [{ after: row(integer(5)) }, primary('id', 'gone'), 'a key column that the table lacks'],
    [
      { operation: 'UPDATE', before: [emptyNone, emptyNone], after: row(integer(5)) },
      primary('id'),
      'an update without an image before it',
    ],
  ]
  for (const [change, tags, reason] of cases) assert.equal(hashOf(change, tags), null, reason)
})

test('all changes of a table without a primary key have the same hash, and another one than those of other tables', () => {
  const after = row(integer(5))
  const hashes = [{}, { pk_uk_info: '{"uk":["id"]}' }, { pk_uk_info: '{' }].flatMap((tags) => [
    hashOf({ after }, tags),
    hashOf({ operation: 'UPDATE', before: after, after: row(integer(6)) }, tags),
    hashOf({ after: row(null) }, tags),
  ])
  assert.deepEqual(new Set(hashes).size, 1)
  assert.notEqual(hashes[0], null)
  assert.notEqual(hashOf({ after, objectName: 'shop.items' }, {}), hashes[0])
  assert.equal(hashOf({ after }, {}), hashes[0])
})

test('the key is found among other tags', () => {
  const after = row(integer(5))
  const among = { l_db_name: 'shop', ...primary('id'), trace: 'x' }
  assert.equal(hashOf({ after }, among), hashOf({ after }))
  assert.notEqual(hashOf({ after: row(integer(6)) }, among), hashOf({ after }, among))
})

test('changes with the same key columns have the same array of them, and others have another one', () => {
  const [one, again, other, none] = [
    keyOf({ after: row(integer(5)) }),
    keyOf({ after: row(integer(6)) }),
    keyOf({ after: row(integer(5)) }, primary('id', 'status')),
    keyOf({ after: row(integer(5)) }, {}),
  ]
  assert.ok(one?.columns === again?.columns)
  assert.equal(new Set([one, other, none].map((key) => key?.columns)).size, 3)
})

test('the hash uses every column of a key, and the bytes of a binary key', () => {
  const both = primary('id', 'status')
  const hashes = [
    hashOf({ after: row(integer(5), 'a') }, both),
    hashOf({ after: row(integer(5), 'b') }, both),
    hashOf({ after: row(integer(6), 'a') }, both),
    hashOf({ after: row(binaryObject(Buffer.from([0xff]))) }),
    hashOf({ after: row(binaryObject(Buffer.from([0xfe]))) }),
  ]
  assert.equal(new Set(hashes).size, hashes.length)
  assert.ok(!hashes.includes(null))
})

test('a key of several columns is not mistaken for one whose columns have other names of the same letters', () => {
  const columns = (...names: string[]) => ({
    fields: names.map((name) => [name, 8] as const),
    after: [integer(5), integer(6)],
  })
  const one = hashOf(columns('a', 'bc'), primary('a', 'bc'))
  assert.notEqual(one, null)
  assert.equal(hashOf(columns('ab', 'c'), primary('ab', 'c')), one)
})

const textHash = (id: string) => hashOf({ after: row(text(id)) })

const sameRow: [left: string, right: string, reason: string][] = [
  ['a', 'A', 'MySQL compares keys without regard to case by default'],
  ['a', 'a  ', 'trailing blanks of a CHAR do not count'],
  ['vilniy', 'vilnii', 'Lithuanian has y for a kind of i'],
  ['acb', 'ACHB', 'Lithuanian has ch for a kind of c'],
  ['ivlivs', 'JULIUS', 'Latin has two letters for four'],
  ['iam', 'jam', 'Latin has i for a kind of j'],
  ['vera', 'wera', 'Swedish has w for a kind of v'],
  ['accsb', 'acscsb', 'Hungarian doubles letters by their first half'],
]
for (const [left, right, reason] of sameRow) {
  test(`the keys "${left}" and "${right}" stay in one lane: ${reason}`, () => {
    assert.notEqual(textHash(left), null)
    assert.equal(textHash(left), textHash(right))
  })
}

test('a text that cannot be folded has no hash, in any column of the key', () => {
  for (const key of ['ł', '\u{1F600}', '\ufffd', 'ก\u0e53', 'ђ'])
    assert.equal(textHash(key), null, JSON.stringify(key))
  assert.equal(hashOf({ after: row(integer(5), 'ł') }, primary('id', 'status')), null)
})

test('keys of text spread over many hashes', () => {
  const uuids = Array.from({ length: 400 }, (_, at) =>
    createHash('sha256')
      .update(String(at))
      .digest('hex')
      .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/, '$1-$2-$3-$4-$5'),
  )
  const words = Array.from({ length: 400 }, (_, at) =>
    String(at * 7_919).replace(/\d/g, (digit) => 'ABCDEFGKLM'[+digit] ?? ''),
  )
  for (const [keys, least] of [
    [uuids, 50],
    [words, 50],
  ] as const) {
    const lanes = keys.map((key) => (textHash(key) ?? 0) % 4)
    for (const lane of [0, 1, 2, 3]) assert.ok(lanes.filter((one) => one === lane).length > least, keys[0])
  }
})

test('the hash stays the same within a keyHashVersion', () => {
  const hashes = [
    hashOf({ after: row(integer(5)) }),
    textHash('ORD-2026/17b'),
    hashOf({ after: row(binaryObject(Buffer.from([0xff, 0x00]))) }),
    hashOf({ after: row(integer(5), 'a') }, primary('id', 'status')),
  ]
  assert.deepEqual([keyHashVersion, ...hashes], [3, 806133968, 1975951751, 1165575413, 3144737520])
})
