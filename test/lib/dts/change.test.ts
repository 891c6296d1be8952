import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  binaryObject,
  emptyNone,
  encodeRecord,
  float,
  integer,
  type PlainRecord,
  text,
} from '../../../infra/local/encode.ts'
import type { Change } from '../../../lib/dts/change.ts'
import { decodeChange } from '../../../lib/dts/decode-change.ts'
import { digestOf, identityOf } from '../../../lib/dts/digest.ts'
import { operations } from '../../../lib/dts/grammar.ts'
import { readHeader } from '../../../lib/dts/header.ts'
import { decode, origin, roundtrip, row, seen, tagsOf } from './samples.ts'

const fields = [
  ['id', 8],
  ['status', 253],
] as const
const before = [integer(1), text('open')]
const after = [integer(1), text('paid')]

/** The facts that all changes below share. */
const common = {
  table: 'shop.orders',
  name: { database: 'shop', schema: null, table: 'orders' },
  logical: null,
  id: 9n,
  timestamp: 1_795_433_580,
  sourceType: 'MySQL',
  sourcePosition: '4@1',
  transactionId: 'tx',
  keys: ['id'],
  tags: tagsOf({ pk_uk_info: '{"PRIMARY":["id"],"uk":["status"]}' }),
  ...origin,
  key: '4@1/tx/…',
}
const record = (part: Partial<PlainRecord> & Pick<PlainRecord, 'operation'>): PlainRecord => ({
  id: 9n,
  objectName: 'shop.orders',
  sourceTxid: 'tx',
  tags: { pk_uk_info: '{"PRIMARY":["id"],"uk":["status"]}' },
  fields,
  ...part,
})
const open = row({ id: 1n, status: 'open' })
const paid = row({ id: 1n, status: 'paid' })

/** The facts of a change without the variable part of its key, which test/lib/handler/define-table/idempotency-key.test.ts tests. */
function said(change: Change): Record<string, unknown> {
  const { idempotencyKey, ...rest } = seen(change)
  return { ...rest, key: String(idempotencyKey).replace(/[0-9a-f]{32}$/, '…') }
}

test('a change has the images of its operation', () => {
  for (const [plain, expected] of [
    [record({ operation: 'INSERT', after }), { ...common, operation: 'INSERT', after: paid }],
    [record({ operation: 'INIT', after }), { ...common, operation: 'INIT', after: paid }],
    [
      record({ operation: 'UPDATE', before, after }),
      { ...common, operation: 'UPDATE', before: open, after: paid },
    ],
    [record({ operation: 'DELETE', before }), { ...common, operation: 'DELETE', before: open }],
  ] as const) {
    assert.deepEqual(said(roundtrip(plain)), expected, plain.operation)
  }
})

test('an empty array counts as no image, and an image that the operation does not have is ignored', () => {
  assert.deepEqual(said(roundtrip(record({ operation: 'DELETE', before, after: [] }))), {
    ...common,
    operation: 'DELETE',
    before: open,
  })
  assert.deepEqual(said(roundtrip(record({ operation: 'INSERT', before, after }))), {
    ...common,
    operation: 'INSERT',
    after: paid,
  })
})

test('an update without a logged before image has an empty one', () => {
  const change = roundtrip(record({ operation: 'UPDATE', after }))
  assert.ok(change.operation === 'UPDATE')
  assert.deepEqual(change.before, row({}))
})

test('a DDL change has its statement and the names of its record', () => {
  const ddl = {
    operation: 'DDL',
    statement: 'ALTER TABLE orders ADD note text',
    id: 9n,
    timestamp: 1_795_433_580,
    sourceType: 'MySQL',
    sourcePosition: '4@1',
    transactionId: 'tx',
    keys: [],
    tags: tagsOf({}),
    ...origin,
    key: '4@1/tx/…',
  }
  for (const [objectName, names] of [
    ['shop.orders', { table: common.table, name: common.name, logical: null, database: 'shop' }],
    ['sh\\u002Eop', { table: null, name: null, logical: null, database: 'sh.op' }],
    ['', { table: null, name: null, logical: null, database: null }],
    [null, { table: null, name: null, logical: null, database: null }],
  ] as const) {
    const plain = { operation: 'DDL', id: 9n, objectName, sourceTxid: 'tx', after: ddl.statement } as const
    assert.deepEqual(said(roundtrip(plain)), { ...ddl, ...names }, String(objectName))
    assert.deepEqual(
      said(roundtrip({ ...plain, fields: 'ddl', before: '' })),
      { ...ddl, ...names },
      'fields as a string',
    )
  }
})

test('an escaped dot stays inside its name, and the tags give the logical name', () => {
  const change = roundtrip(
    record({
      operation: 'INSERT',
      objectName: 'shop_01.public.ord\\u002Eers_7',
      tags: { l_db_name: 'shop', l_tb_name: 'ord.ers' },
      after,
    }),
  )
  assert.equal(change.table, 'shop_01.public.ord\\u002Eers_7')
  assert.deepEqual(change.name, { database: 'shop_01', schema: 'public', table: 'ord.ers_7' })
  assert.deepEqual(change.logical, { database: 'shop', schema: 'public', table: 'ord.ers' })
  assert.deepEqual(change.keys, [])
})

test('if the tags have one part of the logical name, the physical name gives the other part', () => {
  for (const [tags, expected, reason] of [
    [{ l_db_name: 'shop' }, { database: 'shop', schema: 'public', table: 'orders_7' }, 'no table'],
    [{ l_tb_name: 'orders' }, { database: 'shop_01', schema: 'public', table: 'orders' }, 'no database'],
    [
      { l_db_name: 'shop', l_tb_name: '' },
      { database: 'shop', schema: 'public', table: 'orders_7' },
      'empty table',
    ],
    [
      { l_db_name: '', l_tb_name: 'orders' },
      { database: 'shop_01', schema: 'public', table: 'orders' },
      'empty database',
    ],
    [{ l_db_name: '', l_tb_name: '' }, null, 'both empty'],
    [{ other: 'x' }, null, 'neither'],
  ] as const) {
    for (const operation of ['INSERT', 'DDL'] as const) {
      const change = roundtrip(
        record({
          operation,
          objectName: 'shop_01.public.orders_7',
          tags,
          ...(operation === 'DDL' ? { fields: null, after: 'DROP TABLE x' } : { after }),
        }),
      )
      assert.deepEqual(change.logical, expected, `${operation}: ${reason}`)
    }
  }
})

test('the primary key comes from the tag pk_uk_info in its order, and is empty without one', () => {
  for (const [text, expected] of [
    ['{"PRIMARY":["b","a"]}', ['b', 'a']],
    ['{"uk":["a"]}', []],
    ['{"PRIMARY":"a"}', []],
    ['{"PRIMARY":[1]}', []],
    ['{"PRIMARY":', []],
    ['null', []],
    ['', []],
  ] as const) {
    assert.deepEqual(
      roundtrip(record({ operation: 'INSERT', after, tags: { pk_uk_info: text } })).keys,
      expected,
      text,
    )
  }
})

test('a record without the last field, or with more fields after it, decodes to the same change', () => {
  const whole = record({ operation: 'UPDATE', before, after })
  const expected = seen(roundtrip(whole))
  assert.deepEqual(seen(roundtrip({ ...whole, bornTimestamp: null })), expected)
  assert.deepEqual(
    seen(decode(Buffer.concat([encodeRecord(whole), Buffer.from([0xff, 0xff, 0xff])]))),
    expected,
  )
})

test('only the requested columns are decoded', () => {
  const plain = record({ operation: 'UPDATE', before, after })
  for (const [columns, expected] of [
    [['status'], row({ status: 'paid' })],
    [['status', 'id'], paid],
    [['status', 'no such column'], row({ status: 'paid' })],
    [[], row({})],
    [undefined, paid],
  ] as const) {
    const change = roundtrip(plain, columns)
    assert.ok(change.operation === 'UPDATE')
    assert.deepEqual(change.after, expected, String(columns))
  }
  const broken = record({ operation: 'INSERT', after: [integer('broken'), text('x')] })
  assert.throws(() => roundtrip(broken), { code: 'RECORD_INVALID' })
  const change = roundtrip(broken, ['status'])
  assert.ok(change.operation === 'INSERT')
  assert.deepEqual(change.after, row({ status: 'x' }))
})

test('a changed column list applies from the first record that has it', () => {
  const table = 'shop.changing'
  const insert = (names: readonly (readonly [string, number])[]) => {
    const plain: PlainRecord = {
      operation: 'INSERT',
      objectName: table,
      fields: names,
      after: names.map(([, type]) => integer(type)),
    }
    const change = roundtrip(plain, ['a', 'b', 'c'])
    assert.ok(change.operation === 'INSERT')
    return change.after
  }
  for (let round = 0; round < 3; round++) {
    assert.deepEqual(
      insert([
        ['a', 3],
        ['b', 8],
      ]),
      row({ a: 3, b: 8n }),
    )
    assert.deepEqual(
      insert([
        ['a', 8],
        ['b', 3],
      ]),
      row({ a: 8n, b: 3 }),
      'same names, other types',
    )
    assert.deepEqual(
      insert([
        ['b', 3],
        ['a', 8],
      ]),
      row({ b: 3, a: 8n }),
      'another order',
    )
    assert.deepEqual(
      insert([
        ['a', 3],
        ['b', 8],
        ['c', 3],
      ]),
      row({ a: 3, b: 8n, c: 3 }),
      'a column more',
    )
    assert.deepEqual(insert([['a', 3]]), row({ a: 3 }), 'a column less')
    assert.deepEqual(
      insert([
        ['c', 3],
        ['x', 3],
      ]),
      row({ c: 3 }),
      'a column that was not requested',
    )
  }
})

test('a column list is read the same way in every table, whatever its names and type numbers', () => {
  const unusual = [
    ['', 3],
    ['n'.repeat(63), 3],
    ['ä'.repeat(32), 3],
    ['m'.repeat(8191), 3],
    ['l'.repeat(8192), 3],
    ['negative', -1],
    ['large', 100_000],
  ] as const
  for (const fields of [unusual, ...unusual.map((field) => [field])]) {
    for (const table of ['shop.first', 'shop.second', 'shop.first', 'shop.third']) {
      const change = roundtrip({
        operation: 'INSERT',
        objectName: table,
        fields,
        after: fields.map((_, index) => text(String(index))),
      })
      assert.ok(change.operation === 'INSERT')
      const expected = Object.fromEntries(fields.map(([name], index) => [name, String(index)]))
      assert.deepEqual(change.after, row(expected))
    }
  }
})

test('equal column lists of two source types keep the column types of their own source', () => {
  for (const [sourceType, expected] of [
    ['MySQL', 5],
    ['Oracle', 5n],
    ['MySQL', 5],
  ] as const) {
    const plain: PlainRecord = {
      operation: 'INSERT',
      objectName: 'a.b',
      sourceType,
      fields: [['c', 3]],
      after: [integer(5)],
    }
    const change = roundtrip(plain)
    assert.ok(change.operation === 'INSERT')
    assert.deepEqual(change.after, row({ c: expected }), sourceType)
  }
})

test('a column can have any name, in the first record of a table and in the hundredth', () => {
  const quotes = ['"]=0;globalThis.polluted=1//', "'", '\\', '\n', '\u2028', '*/']
  const names = ['__proto__', 'constructor', 'toString', '', '0', 'ä', 'a.b', 'hasOwnProperty', ...quotes]
  for (let record = 0; record < 100; record++) {
    const change = roundtrip({
      operation: 'INSERT',
      objectName: 'shop.odd',
      fields: names.map((name) => [name, 3] as const),
      after: names.map((_, index) => (index === record % 50 ? emptyNone : integer(index))),
      tags: JSON.parse('{"__proto__":"x"}'),
    })
    assert.ok(change.operation === 'INSERT')
    assert.ok(!('valueOf' in change.after))
    assert.throws(() => Object.assign(Object.getPrototypeOf(change.after), { polluted: 1 }), TypeError)
    assert.equal(Object.getPrototypeOf(change.tags), null)
    assert.deepEqual(Object.entries(change.tags), [['__proto__', 'x']])
    for (const [index, name] of names.entries()) {
      assert.equal(change.after[name], index === record % 50 ? undefined : index, name)
      assert.equal(Object.hasOwn(change.after, name), index !== record % 50, name)
    }
    assert.equal(
      Object.keys(change.after).length,
      record % 50 < names.length ? names.length - 1 : names.length,
    )
  }
  assert.ok(!('polluted' in globalThis))
})

test('bytes after the last requested column are not decoded, but a record that is too short is refused', () => {
  const insert = encodeRecord(
    record({
      operation: 'INSERT',
      fields: [...fields, ['note', 253]],
      after: [...after, text('n'.repeat(40))],
      bornTimestamp: null,
    }),
  )
  const end = insert.indexOf('paid') + 'paid'.length
  for (const [length, columns, accepted] of [
    [insert.length, undefined, true],
    [insert.length - 1, undefined, false],
    [end + 1, ['id', 'status'], true],
    [end, ['id', 'status'], false],
    [end - 1, ['id', 'status'], false],
    [end + 1, ['note'], false],
  ] as const) {
    const read = () => decode(insert.subarray(0, length), columns)
    if (accepted) assert.ok(Reflect.get(read(), 'after').status === 'paid')
    else assert.throws(read, { code: 'RECORD_INVALID' }, `${length} bytes, ${columns}`)
  }
})

test('a table with many columns decodes like one with few', () => {
  const columns = Array.from({ length: 4096 }, (_, index) => `column_${index}`)
  const change = roundtrip({
    operation: 'INSERT',
    objectName: 'shop.wide',
    fields: columns.map((name) => [name, 3] as const),
    after: columns.map((_, index) => integer(index)),
  })
  assert.ok(change.operation === 'INSERT')
  assert.deepEqual(
    Object.entries(change.after),
    columns.map((name, index) => [name, index]),
  )
})

test('changed() is true for the columns to which an update wrote another value', () => {
  const change = roundtrip({
    operation: 'UPDATE',
    objectName: 'shop.orders',
    fields: ['same', 'other', 'blob', 'blob2', 'nan', 'null', 'gone', 'come', 'big'].map(
      (name) => [name, 8] as const,
    ),
    before: [
      text('a'),
      text('a'),
      binaryObject(Buffer.from('x')),
      binaryObject(Buffer.from('x')),
      float(Number.NaN),
      null,
      integer(1),
      emptyNone,
      integer('9007199254740993'),
    ],
    after: [
      text('a'),
      text('b'),
      binaryObject(Buffer.from('x')),
      binaryObject(Buffer.from('y')),
      float(Number.NaN),
      text(''),
      emptyNone,
      integer(1),
      integer('9007199254740992'),
    ],
  })
  assert.ok(change.operation === 'UPDATE')
  const changed = Object.fromEntries(
    ['same', 'other', 'blob', 'blob2', 'nan', 'null', 'gone', 'come', 'big', 'no such'].map((name) => [
      name,
      change.changed(name),
    ]),
  )
  assert.deepEqual(changed, {
    same: false,
    other: true,
    blob: false,
    blob2: true,
    nan: false,
    null: true,
    gone: false,
    come: true,
    big: true,
    'no such': false,
  })
  assert.ok(!Object.keys(change).includes('changed'))
})

const rejects: [plain: PlainRecord, path: string, reason: string][] = [
  [record({ operation: 'INSERT' }), 'afterImages', 'INSERT without its image'],
  [record({ operation: 'INSERT', after: [] }), 'afterImages', 'INSERT with an empty image'],
  [record({ operation: 'UPDATE', before }), 'afterImages', 'UPDATE without the image after'],
  [record({ operation: 'DELETE', after }), 'beforeImages', 'DELETE without its image'],
  [record({ operation: 'INSERT', after: 'text' }), 'afterImages', 'text as the image of a row'],
  [record({ operation: 'INSERT', after: [integer(1)] }), 'afterImages', 'fewer values than columns'],
  [record({ operation: 'INSERT', after: [...after, null] }), 'afterImages', 'more values than columns'],
  [record({ operation: 'INSERT', after, fields: null }), 'fields', 'no column list'],
  [record({ operation: 'INSERT', after, fields: 'id' }), 'fields', 'text as column list'],
  [
    record({
      operation: 'INSERT',
      after,
      fields: [
        ['a', 1],
        ['a', 1],
      ],
    }),
    'fields[1].name',
    'a column twice',
  ],
  [record({ operation: 'INSERT', after, objectName: null }), 'objectName', 'no table'],
  [record({ operation: 'INSERT', after, objectName: 'shop' }), 'objectName', 'a database alone'],
  [record({ operation: 'DDL' }), 'afterImages', 'DDL without statement'],
  [record({ operation: 'DDL', after }), 'afterImages', 'DDL with an image'],
]

test('a record that contradicts its operation is refused, and the error names the path', () => {
  for (const [plain, path, reason] of rejects) {
    assert.throws(
      () => roundtrip(plain),
      (error: { code: string; facts: { path: string } }) => {
        assert.equal(error.code, 'RECORD_INVALID', reason)
        assert.equal(error.facts.path, path, reason)
        return true
      },
      reason,
    )
  }
})

test('a record whose operation carries no change is refused', () => {
  for (const operation of operations) {
    if (['INSERT', 'UPDATE', 'DELETE', 'INIT', 'DDL'].includes(operation)) continue
    const bytes = encodeRecord({ operation })
    assert.throws(() => decodeChange(bytes, readHeader(bytes), origin), { code: 'RECORD_INVALID' }, operation)
  }
})

test('the identity of a record depends on its content, not on its id, tags or processing times', () => {
  const identity = (plain: PlainRecord) => {
    const bytes = encodeRecord(plain)
    return identityOf(bytes, readHeader(bytes))
  }
  const base = record({ operation: 'UPDATE', before, after })
  const expected = identity(base)
  assert.match(expected, /^[0-9a-f]{32}$/)
  for (const [same, reason] of [
    [{ ...base, id: 10n }, 'another id'],
    [{ ...base, tags: { trace: 'x' } }, 'other tags'],
    [{ ...base, processTimestamps: [1n, 2n] }, 'times of processing'],
    [{ ...base, bornTimestamp: 1n }, 'time of birth'],
    [{ ...base, bornTimestamp: null }, 'an older version'],
  ] as [PlainRecord, string][]) {
    assert.equal(identity(same), expected, reason)
  }
  for (const [other, reason] of [
    [{ ...base, operation: 'INSERT' }, 'operation'],
    [{ ...base, objectName: 'shop.order' }, 'table'],
    [
      {
        ...base,
        fields: [
          ['id', 8],
          ['Status', 253],
        ],
      },
      'columns',
    ],
    [{ ...base, before: after }, 'image before'],
    [{ ...base, after: before }, 'image after'],
  ] as [PlainRecord, string][]) {
    assert.notEqual(identity(other), expected, reason)
  }
  assert.match(identity({ operation: 'HEARTBEAT' }), /^[0-9a-f]{32}$/)
  assert.match(identity({ operation: 'DDL', after: 'DROP TABLE x' }), /^[0-9a-f]{32}$/)
})

test('bytes that are not a record have a digest too', () => {
  const digests = [null, Buffer.alloc(0), Buffer.alloc(1), Buffer.from('null')].map(digestOf)
  assert.equal(new Set(digests).size, digests.length)
  for (const digest of digests) assert.match(digest, /^[0-9a-f]{32}$/)
  assert.equal(digestOf(Buffer.from('x')), digestOf(Buffer.from('x')))
})

test('the type of a change narrows by its operation', () => {
  const describe = (change: Change<{ readonly status: string }>): string => {
    switch (change.operation) {
      case 'INSERT':
      case 'INIT':
        return change.after.status
      case 'UPDATE':
        return change.changed('status') ? `${change.before.status} → ${change.after.status}` : ''
      case 'DELETE':
        return change.before.status
      case 'DDL':
        return change.statement
    }
  }
  const change = roundtrip(record({ operation: 'UPDATE', before, after })) as Change<{ status: string }>
  assert.equal(describe(change), 'open → paid')
})
