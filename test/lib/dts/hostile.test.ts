import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import {
  binaryGeometry,
  binaryObject,
  dateTime,
  decimal,
  emptyNone,
  encodeRecord,
  float,
  integer,
  type PlainRecord,
  text,
  textObject,
  timestamp,
  zonedDateTime,
} from '../../../infra/local/encode.ts'
import { seeded } from '../../../infra/local/random.ts'
import { identityOf } from '../../../lib/dts/digest.ts'
import { readHeader } from '../../../lib/dts/header.ts'
import { DtsError } from '../../../lib/errors.ts'
import { decode } from './samples.ts'

const image = [
  integer('18446744073709551615'),
  text('Grüße', 'utf8mb4'),
  decimal('1.50'),
  float(1.5),
  timestamp(1_795_433_580, 1),
  dateTime({ year: 2026, month: 11, day: 23, hour: 11, minute: 33, second: 0, millis: 1 }),
  zonedDateTime({ year: 2026, month: 11, day: 23 }, '+08:00'),
  binaryGeometry(Buffer.alloc(21, 1)),
  binaryObject(Buffer.from([1, 2, 3])),
  textObject('{"a":1}'),
  null,
  emptyNone,
]
const sample: PlainRecord = {
  operation: 'UPDATE',
  id: 2n ** 63n - 1n,
  objectName: 'shop.orders',
  sourceTxid: 'tx',
  processTimestamps: [1n, 2n ** 62n],
  tags: { pk_uk_info: '{"PRIMARY":["c0"]}', l_tb_name: 'orders' },
  fields: image.map((_, index) => [`c${index}`, 8] as const),
  before: image,
  after: image,
  bornTimestamp: 1_795_433_580_000n,
}

/** Decodes whatever these bytes are; anything but a change or a RECORD_INVALID fails the test. */
function outcome(bytes: Buffer): unknown {
  try {
    identityOf(bytes, readHeader(bytes))
    return decode(bytes)
  } catch (error) {
    assert.ok(error instanceof DtsError, `${error instanceof Error ? error.stack : error}`)
    assert.equal(error.code, 'RECORD_INVALID')
    assert.ok(error.message.length < 500, error.message)
    return error
  }
}

test('a record cut at any byte is refused, save where only the last field is cut off whole', () => {
  const whole = encodeRecord(sample)
  const old = encodeRecord({ ...sample, bornTimestamp: null })
  assert.ok(whole.subarray(0, old.length).equals(old), 'the last field is at the end')
  const expected = decode(whole)
  let refused = 0
  for (let length = 0; length < whole.length; length++) {
    const result = outcome(whole.subarray(0, length))
    if (length === old.length) {
      assert.ok(isDeepStrictEqual(result, expected))
    } else {
      assert.ok(result instanceof DtsError, `cut at ${length} of ${whole.length}`)
      assert.ok(Number(result.facts.position ?? 0) <= length)
      refused++
    }
  }
  assert.equal(refused, whole.length - 1)
})

/** The bytes up to `fields`, so that a test can write on from there. */
function upTo(section: 'tags' | 'fields' | 'images'): Buffer {
  const empty: PlainRecord = { operation: 'INSERT', objectName: 'a.b', bornTimestamp: null }
  // What follows `objectName` when all is empty: processTimestamps, tags, fields, beforeImages, afterImages.
  const bytes = encodeRecord(empty)
  const before = bytes.subarray(0, bytes.length - 5)
  if (section === 'tags') return Buffer.concat([before, Buffer.from([0])])
  if (section === 'fields') return Buffer.concat([before, Buffer.from([0, 0])])
  // One column "a" of type 3, and no image before.
  return Buffer.concat([before, Buffer.from([0, 0, 4, 2, 2, 0x61, 6, 0, 0])])
}

function varint(value: bigint): Buffer {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
  return Buffer.from([...bytes, Number(rest)])
}

const hostile: [bytes: Buffer, path: string, problem: RegExp, reason: string][] = [
  [Buffer.concat([upTo('tags'), varint(10n ** 9n)]), 'tags', /1000000000 items/, 'a map of 10^9 entries'],
  [
    Buffer.concat([upTo('fields'), Buffer.from([4]), varint(10n ** 9n)]),
    'fields',
    /1000000000 items/,
    'a column list of 10^9 columns',
  ],
  [
    Buffer.concat([upTo('images'), Buffer.from([4]), varint(10n ** 9n)]),
    'afterImages',
    /1000000000 items/,
    'an image of 10^9 values',
  ],
  [
    Buffer.concat([upTo('images'), Buffer.from([4]), varint(-(2n ** 63n)), varint(1n)]),
    'afterImages',
    /53 bits/,
    'a block of -2^63 items',
  ],
  [
    Buffer.concat([upTo('images'), Buffer.from([4]), varint(-1n), varint(2n ** 31n), Buffer.alloc(4)]),
    'afterImages',
    /length of 2147483648/,
    'a block that says it has 2^31 bytes',
  ],
  [
    Buffer.concat([upTo('images'), Buffer.from([4]), varint(300_000n), Buffer.alloc(300_001)]),
    'afterImages',
    /300000 items/,
    'more items than any record has, though the bytes are there',
  ],
  [
    Buffer.concat([upTo('images'), Buffer.from([4, 2, 26])]),
    'afterImages[0]',
    /choice 13 where there are 13/,
    'a branch behind the last',
  ],
  [
    Buffer.concat([upTo('images'), Buffer.from([4, 2, 1])]),
    'afterImages[0]',
    /choice -1/,
    'a branch before the first',
  ],
  [
    Buffer.concat([upTo('images'), Buffer.from([4, 2, 2, 0]), varint(2n ** 31n - 1n)]),
    'afterImages[0].value',
    /length of 2147483647/,
    'text of 2^31 - 1 bytes',
  ],
  [
    Buffer.concat([upTo('images'), Buffer.from([4, 2, 2, 0]), varint(-5n)]),
    'afterImages[0].value',
    /length of -5/,
    'text of negative length',
  ],
  [Buffer.alloc(64, 0xff), 'version', /64 bits/, 'a varint without end'],
  [
    Buffer.concat([Buffer.from([2]), Buffer.alloc(9, 0xff), Buffer.from([2])]),
    'id',
    /64 bits/,
    'a varint of 65 bits',
  ],
  [Buffer.from([0x80, 0x80, 0x80, 0x80, 0x20]), 'version', /32 bits/, 'an int of 33 bits'],
  [
    Buffer.from([2, 2, 2, 6, 0x61]),
    'sourcePosition',
    /length of 3 where 1 bytes remain/,
    'text behind the end',
  ],
  [Buffer.alloc(0), 'version', /cut off/, 'nothing at all'],
]

test('hostile lengths, counts and branches are refused before anything is allocated for them', () => {
  const heapBefore = process.memoryUsage().heapUsed
  for (const [bytes, path, problem, reason] of hostile) {
    const result = outcome(bytes)
    assert.ok(result instanceof DtsError, reason)
    assert.equal(result.facts.path, path, reason)
    assert.match(result.message, problem, reason)
  }
  assert.ok(process.memoryUsage().heapUsed - heapBefore < 32 * 2 ** 20)
})

test('blocks with a size, and several blocks, are one array', () => {
  const values = [4, varint(-1n), varint(1n), 0, 2, 0, 0]
  const two = Buffer.concat([
    upTo('images').subarray(0, -9),
    Buffer.from([0, 0, 4, 4, 2, 0x61, 6, 2, 0x62, 6, 0, 0]),
    ...values.map((value) => (typeof value === 'number' ? Buffer.from([value]) : value)),
  ])
  const change = decode(two)
  assert.ok(change.operation === 'INSERT')
  assert.deepEqual(Object.entries(change.after), [
    ['a', null],
    ['b', null],
  ])
})

test('flipped bits and overwritten bytes never end in anything but a change or RECORD_INVALID', () => {
  const seed = 20_261_123
  const random = seeded(seed)
  const original = encodeRecord(sample)
  let refused = 0
  const rounds = 30_000
  for (let round = 0; round < rounds; round++) {
    const bytes = Buffer.from(original)
    const edits = 1 + Math.floor(random() * 4)
    for (let edit = 0; edit < edits; edit++) {
      const at = Math.floor(random() * bytes.length)
      const kind = random()
      if (kind < 0.5) bytes[at] = (bytes[at] as number) ^ (1 << Math.floor(random() * 8))
      else if (kind < 0.8) bytes[at] = Math.floor(random() * 256)
      else
        bytes.fill(random() < 0.5 ? 0xff : 0x80, at, Math.min(bytes.length, at + Math.floor(random() * 12)))
    }
    if (outcome(bytes) instanceof DtsError) refused++
  }
  assert.ok(refused > rounds / 10 && refused < rounds, `${refused} of ${rounds} refused, seed ${seed}`)
})

test('bytes at random never end in anything but a change or RECORD_INVALID', () => {
  const seed = 42
  const random = seeded(seed)
  for (let round = 0; round < 10_000; round++) {
    const bytes = Buffer.from(
      Array.from({ length: Math.floor(random() * 200) }, () => Math.floor(random() * 256)),
    )
    outcome(bytes)
  }
})
