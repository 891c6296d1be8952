import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeRecord, type PlainRecord, text } from '../../../infra/local/encode.ts'
import { Cursor } from '../../../lib/dts/cursor.ts'
import { operations, sourceTypes } from '../../../lib/dts/grammar.ts'
import { carriesChange, isFiller, readHeader } from '../../../lib/dts/header.ts'
import { tableOf } from '../../../lib/dts/names.ts'
import type { DtsError } from '../../../lib/errors.ts'
import { LogRecords } from '../../../lib/kafka/records.ts'
import { decode, plainHeader } from './samples.ts'

test('readHeader does not touch the bytes after the header', () => {
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

test('numbers of the header are exact in all their bits', () => {
  for (const [id, reason] of [
    [2n ** 63n - 1n, 'the largest long'],
    [-(2n ** 63n), 'the smallest long'],
    [2n ** 53n + 1n, 'a decimal that a double would round'],
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

test('each number of an operation or a source type gives its name', () => {
  for (const operation of operations)
    assert.equal(readHeader(encodeRecord({ operation })).operation, operation)
  for (const sourceType of sourceTypes) {
    assert.equal(readHeader(encodeRecord({ operation: 'NOOP', sourceType })).sourceType, sourceType)
  }
})

/** The header's bytes with another number in place of an enum's symbol. */
function withNumber(number: number[], one: PlainRecord, other: PlainRecord): Buffer {
  const bytes = encodeRecord(one)
  const at = bytes.findIndex((byte, index) => byte !== encodeRecord(other)[index])
  return Buffer.concat([bytes.subarray(0, at), Buffer.from(number), bytes.subarray(at + 1)])
}

test('an unknown source type is OTHER, and its changes are decoded', () => {
  const insert: PlainRecord = {
    operation: 'INSERT',
    objectName: 'shop.orders',
    fields: [['c', 253]],
    after: [text('x')],
  }
  for (const [number, reason] of [
    [[26], 'the first unknown one, 13'],
    [[126], '63'],
    [[0x90, 0x03], '200'],
    [[0xfe, 0xff, 0xff, 0xff, 0x0f], '2^31 - 1'],
  ] as const) {
    const bytes = withNumber([...number], insert, { ...insert, sourceType: 'OTHER' })
    const header = readHeader(bytes)
    assert.equal(header.sourceType, 'OTHER', reason)
    assert.deepEqual([header.operation, header.objectName], ['INSERT', 'shop.orders'], reason)
    const change = decode(bytes)
    assert.ok(change.operation === 'INSERT')
    assert.deepEqual({ ...change.after }, { c: 'x' }, reason)
  }
})

test('a negative source type and an unknown operation are refused', () => {
  const plain: PlainRecord = { operation: 'INSERT', objectName: 'shop.orders' }
  for (const [bytes, path] of [
    [withNumber([1], plain, { ...plain, sourceType: 'OTHER' }), 'source.sourceType'],
    [withNumber([34], plain, { ...plain, operation: 'UPDATE' }), 'operation'],
    [withNumber([1], plain, { ...plain, operation: 'UPDATE' }), 'operation'],
  ] as const) {
    assert.throws(
      () => readHeader(bytes),
      (error: DtsError) => error.code === 'RECORD_INVALID' && error.facts.path === path,
      path,
    )
  }
})

test('a table name that is not UTF-8 is refused, but positions that are not UTF-8 are read with replacement', () => {
  const damaged = (part: object) => {
    const bytes = encodeRecord({ operation: 'INSERT', objectName: 'shop.orders', sourceTxid: 'tx', ...part })
    bytes[bytes.indexOf('~~')] = 0xff
    return bytes
  }
  assert.throws(() => readHeader(damaged({ objectName: 'shop.~~' })), {
    code: 'RECORD_INVALID',
    message: /objectName .*bytes that are not UTF-8/,
  })
  assert.equal(readHeader(damaged({ sourcePosition: '~~' })).sourcePosition, '\ufffd~')
  assert.equal(readHeader(damaged({ sourceTxid: '~~' })).sourceTxid, '\ufffd~')
})

test('texts of the header can be UTF-8 of any length', () => {
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

test('a value of at most two bytes is filler', () => {
  for (const [value, expected] of [
    [null, true],
    [Buffer.alloc(0), true],
    [Buffer.alloc(2), true],
    [Buffer.alloc(3), false],
  ] as const) {
    assert.equal(isFiller(LogRecords.of([{ offset: 0n, value }]).size(0)), expected, `${value?.length} bytes`)
  }
})

test('a table name is split at its dots, and an escaped dot becomes a dot', () => {
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

test('names that a stream repeats in turn are decoded once', (t) => {
  const names = Array.from({ length: 200 }, (_, index) => `shop.orders_${index}`)
  const records = names.map((objectName) => encodeRecord({ operation: 'INSERT', objectName }))
  const read = () => records.map((bytes) => readHeader(bytes).objectName)
  assert.deepEqual(read(), names)
  const decoded = t.mock.method(Cursor.prototype, 'string').mock
  assert.deepEqual(read(), names)
  // Two names may have the same place in the cache.
  const most = 2 * 20
  assert.ok(decoded.callCount() <= most, `${decoded.callCount()} names decoded again`)
})

test('far more names than can be kept are read as they are, also in turn', () => {
  const names = Array.from(
    { length: 20_000 },
    (_, index) => `s${index % 7}.${'t'.repeat(index % 5)}é${index}`,
  )
  const records = names.map((objectName) => encodeRecord({ operation: 'INSERT', objectName }))
  for (let round = 0; round < 2; round++) {
    assert.equal(
      records.find((bytes, index) => readHeader(bytes).objectName !== names[index]),
      undefined,
    )
  }
})

test('a name of any length is read, and so is what follows it', () => {
  for (const length of [0, 1, 255, 256, 257, 1_500]) {
    const objectName = `s.${'t'.repeat(length)}`
    const bytes = encodeRecord({ operation: 'INSERT', objectName, tags: { a: 'b' } })
    for (let round = 0; round < 2; round++) {
      const { objectName: read, bodyStart } = readHeader(bytes)
      assert.deepEqual([read, bodyStart], [objectName, bytes.indexOf(objectName) + objectName.length])
    }
  }
})
