import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeRecord, text } from '../../../infra/local/encode.ts'
import { carriesChange, isFiller, readHeader } from '../../../lib/dts/header.ts'
import { tableOf } from '../../../lib/dts/names.ts'
import { operations, sourceTypes } from '../../../lib/dts/types.ts'
import { LogRecords } from '../../../lib/kafka/records.ts'
import { plainHeader } from './samples.ts'

test('the header is read without touching what is behind it', () => {
  const bytes = encodeRecord({
    operation: 'INSERT',
    version: 3,
    id: -(2n ** 63n),
    sourceTimestamp: 1_795_433_580,
    sourcePosition: '123456@7',
    safeSourcePosition: '123000@7',
    sourceTxid: 'tx-1',
    sourceType: 'PostgreSQL',
    sourceVersion: '16.2',
    objectName: 'shop.public.orders',
    fields: [['c', 253]],
    after: [text('x')],
  })
  const header = readHeader(bytes)
  assert.deepEqual(plainHeader(header), {
    version: 3,
    id: -(2n ** 63n),
    sourceTimestamp: 1_795_433_580,
    sourcePosition: '123456@7',
    safeSourcePosition: '123000@7',
    sourceTxid: 'tx-1',
    sourceType: 'PostgreSQL',
    sourceVersion: '16.2',
    operation: 'INSERT',
    objectName: 'shop.public.orders',
    bodyStart: header.bodyStart,
  })
  const garbled = Buffer.from(bytes).fill(0xff, header.bodyStart)
  assert.deepEqual(plainHeader(readHeader(garbled)), plainHeader(header))
})

test('numbers of the header are exact to their last bit', () => {
  for (const [id, reason] of [
    [2n ** 63n - 1n, 'the largest long'],
    [-(2n ** 63n), 'the smallest long'],
    [2n ** 53n + 1n, 'what a double would round'],
    [-(2n ** 53n) - 1n, 'and its negative'],
    [2n ** 27n, 'five bytes'],
    [2n ** 55n, 'eight bytes and the ninth'],
    [2n ** 55n - 1n, 'eight bytes'],
    [-64n, 'the last of one byte'],
    [64n, 'the first of two bytes'],
    [0n, 'zero'],
  ] as const) {
    assert.equal(readHeader(encodeRecord({ operation: 'HEARTBEAT', id })).id, id, reason)
  }
  for (const version of [-(2 ** 31), 2 ** 31 - 1, 0, -1, 63, -64, 64]) {
    assert.equal(readHeader(encodeRecord({ operation: 'HEARTBEAT', version })).version, version)
  }
  for (const sourceTimestamp of [0, 1_795_433_580_123, Number.MAX_SAFE_INTEGER, -1]) {
    assert.equal(
      readHeader(encodeRecord({ operation: 'HEARTBEAT', sourceTimestamp })).sourceTimestamp,
      sourceTimestamp,
    )
  }
})

test('every operation and every source type has its name', () => {
  for (const operation of operations)
    assert.equal(readHeader(encodeRecord({ operation })).operation, operation)
  for (const sourceType of sourceTypes) {
    assert.equal(readHeader(encodeRecord({ operation: 'NOOP', sourceType })).sourceType, sourceType)
  }
})

test('text of the header is UTF-8 of any length', () => {
  for (const length of [0, 1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 200, 5000]) {
    for (const char of ['x', 'ä', '中', '😀']) {
      const sourcePosition = char.repeat(length)
      const header = readHeader(
        encodeRecord({ operation: 'NOOP', sourcePosition, objectName: sourcePosition }),
      )
      assert.equal(header.sourcePosition, sourcePosition, `${length} × ${char}`)
      assert.equal(header.objectName, sourcePosition, `${length} × ${char}`)
    }
  }
})

test('only row changes and DDL reach a handler', () => {
  assert.deepEqual(operations.filter(carriesChange), ['INSERT', 'UPDATE', 'DELETE', 'DDL', 'INIT'])
})

test('filler is a value of at most two bytes', () => {
  for (const [value, expected] of [
    [null, true],
    [Buffer.alloc(0), true],
    [Buffer.alloc(2), true],
    [Buffer.alloc(3), false],
  ] as const) {
    assert.equal(isFiller(LogRecords.of([{ offset: 0n, value }]).size(0)), expected, `${value?.length} bytes`)
  }
})

test('a table name splits at its dots, and a written dot comes back', () => {
  for (const [objectName, expected] of [
    ['shop.orders', { database: 'shop', schema: null, table: 'orders' }],
    ['shop.public.orders', { database: 'shop', schema: 'public', table: 'orders' }],
    ['a\\u002Eb.c\\u002E\\u002Ed', { database: 'a.b', schema: null, table: 'c..d' }],
    ['a.b\\u002ec', { database: 'a', schema: null, table: 'b\\u002ec' }],
    ['__proto__.constructor', { database: '__proto__', schema: null, table: 'constructor' }],
    ['店.注文', { database: '店', schema: null, table: '注文' }],
  ] as const) {
    assert.deepEqual(tableOf(objectName), expected, objectName)
  }
  for (const objectName of ['', 'shop', 'a.b.c.d', 'shop.', '.orders', 'a..b']) {
    assert.throws(() => tableOf(objectName), { code: 'RECORD_INVALID' }, objectName)
  }
})
