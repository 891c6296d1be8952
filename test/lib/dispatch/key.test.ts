import assert from 'node:assert/strict'
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
import { keyHash } from '../../../lib/dispatch/key.ts'
import { readHeader } from '../../../lib/dts/header.ts'

const primary = (...columns: string[]) => ({ pk_uk_info: JSON.stringify({ PRIMARY: columns }) })

function hashOf(plain: Partial<PlainRecord>, tags: Record<string, string> = primary('id')): number | null {
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
  return keyHash(value, readHeader(value))
}

const row = (id: PlainValue, status = 'new') => [id, text(status)]

test('all changes of one row have one hash, whatever else they write', () => {
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
  const strands = Array.from({ length: 400 }, (_, id) => (hashOf({ after: row(integer(id)) }) ?? 0) % 4)
  for (const strand of [0, 1, 2, 3]) {
    assert.ok(strands.filter((one) => one === strand).length > 50, `strand ${strand}`)
  }
})

test('a change whose row cannot be told has none: it waits for all and all wait for it', () => {
  const cases: [change: Partial<PlainRecord>, tags: Record<string, string>, reason: string][] = [
    [{ operation: 'DDL', fields: null, after: 'ALTER TABLE x' }, primary('id'), 'a statement'],
    [{ after: row(integer(5)) }, {}, 'a table without a primary key'],
    [{ after: row(integer(5)) }, { pk_uk_info: '{"uk":["id"]}' }, 'a unique key only'],
    [{ after: row(integer(5)) }, { pk_uk_info: '{' }, 'keys that cannot be read'],
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

test('a key of several columns counts each of them, and binary keys by their bytes', () => {
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

const sameRow: [left: string, right: string, reason: string][] = [
  ['a', 'A', 'MySQL compares keys without regard to case by default'],
  ['café', 'CAFE', 'and without accents'],
  ['straße', 'STRASSE', 'and some collations know that these are one letter'],
  ['a', 'a  ', 'trailing blanks of a CHAR do not count'],
]
for (const [left, right, reason] of sameRow) {
  test(`the keys "${left}" and "${right}" stay in one strand: ${reason}`, () => {
    const hash = (id: string) => hashOf({ after: row(text(id)) })
    assert.notEqual(hash(left), null)
    assert.equal(hash(left), hash(right))
  })
}
