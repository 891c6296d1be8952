import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  binaryObject,
  dateTime,
  decimal,
  emptyNone,
  emptyNull,
  encodeRecord,
  float,
  integer,
  nothing,
  type PlainRecord,
  type PlainValue,
  recordType,
  text,
  textObject,
  timestamp,
} from '../../../infra/local/encode.ts'
import { Cursor } from '../../../lib/dts/cursor.ts'
import { decodeChange } from '../../../lib/dts/decode-change.ts'
import { skipFields } from '../../../lib/dts/fields.ts'
import { readHeader } from '../../../lib/dts/header.ts'
import { skipImage } from '../../../lib/dts/image.ts'
import { type Mask, maskRecord } from '../../../lib/dts/mask-record.ts'
import { skipToFields } from '../../../lib/dts/tags.ts'
import type { Row } from '../../../lib/dts/types.ts'
import { skipValue } from '../../../lib/dts/value.ts'
import { t0 } from '../../support/records.ts'

/** Shows what is hashed. */
const shown = (value: string | Buffer) => `#${Buffer.isBuffer(value) ? value.toString('hex') : value}`

const fields = [
  ['id', 8],
  ['email', 253],
  ['phone', 253],
  ['note', 253],
] as const

function encode(plain: Partial<PlainRecord>): Buffer {
  return encodeRecord({
    operation: 'INSERT',
    objectName: 'shop.people',
    sourceTimestamp: t0,
    fields,
    ...plain,
  })
}

function imagesOf(bytes: Buffer): { before?: Row; after?: Row } {
  const change = decodeChange(bytes, readHeader(bytes), { offset: 0n, generation: 0, replay: false })
  const { before, after } = change as { before?: Row; after?: Row }
  return {
    ...(before === undefined ? {} : { before: { ...before } }),
    ...(after === undefined ? {} : { after: { ...after } }),
  }
}

const masked = (bytes: Buffer, mask: Mask) => maskRecord(bytes, readHeader(bytes), mask, shown)
const mask: Mask = { email: 'hash', phone: 'drop' }

describe('a masked record', () => {
  test('has the hash or no value in both images, and everything else as it was', () => {
    const bytes = encode({
      operation: 'UPDATE',
      before: [integer(7), text('a@x'), text('0123'), text('n')],
      after: [integer(7), text('b@x'), text('0123'), nothing],
      tags: { pk_uk_info: '{"PRIMARY":["id"]}' },
    })
    const result = masked(bytes, mask)
    assert.deepEqual(imagesOf(result), {
      before: { id: 7n, email: '#a@x', note: 'n' },
      after: { id: 7n, email: '#b@x', note: null },
    })
    const [one, other] = [bytes, result].map((each) => ({
      ...recordType.fromBuffer(each),
      beforeImages: null,
      afterImages: null,
    }))
    assert.deepEqual(other, one)
  })

  const values: [what: string, value: PlainValue, expected: string | null | undefined][] = [
    ['a text', text('ä€', 'utf8mb4'), '#ä€'],
    ['a text in another character set', text(Buffer.from([0xe4]), 'latin1'), '#ä'],
    ['an empty text', text(''), '#'],
    ['an integer, by its exact digits', integer('9007199254740993'), '#9007199254740993'],
    ['a decimal', decimal('1.50'), '#1.50'],
    ['a float', float(0.5), '#0.5'],
    ['a time stamp', timestamp(t0), '#2023-11-14T22:13:20.000000Z'],
    ['a date', dateTime({ year: 2026, month: 1, day: 2 }), '#2026-01-02'],
    ['bytes', binaryObject(Buffer.from([1, 255])), '#01ff'],
    ['JSON', textObject('{"a":1}'), '#{"a":1}'],
    ['NULL, which stays NULL', nothing, null],
    ['NULL in its other form', emptyNull, null],
    ['a column that the image does not have', emptyNone, undefined],
  ]
  for (const [what, value, expected] of values) {
    test(`hashes ${what}`, () => {
      const { after } = imagesOf(masked(encode({ after: [integer(1), value, nothing, nothing] }), mask))
      assert.equal(after?.email, expected)
    })
  }

  test('tells invalid texts apart by their bytes', () => {
    const emails = [0xff, 0xfe].map((byte) => {
      const after = [integer(1), text(Buffer.from([byte])), nothing, nothing]
      return imagesOf(masked(encode({ after }), mask)).after?.email
    })
    assert.match(String(emails[0]), /^#[0-9a-f]+ff$/)
    assert.notEqual(emails[0], emails[1])
  })

  test('stays as it is if it is masked again', () => {
    const once = masked(encode({ after: [integer(1), text('a@x'), text('0'), nothing] }), mask)
    assert.deepEqual(masked(once, mask), once)
  })

  test('holds a long hash completely', () => {
    const bytes = encode({ after: [integer(1), text('x'.repeat(5_000)), nothing, nothing] })
    assert.equal(imagesOf(masked(bytes, mask)).after?.email, `#${'x'.repeat(5_000)}`)
  })

  test('holds a hash of 64 characters, as pseudonyms are', () => {
    const bytes = encode({ after: [integer(1), text('x'.repeat(63)), nothing, text('n')] })
    assert.deepEqual(imagesOf(masked(bytes, mask)).after, { id: 1n, email: `#${'x'.repeat(63)}`, note: 'n' })
  })

  test('keeps a column that is named as a member of every object', () => {
    const bytes = encode({ fields: [['constructor', 253]], after: [text('clear')] })
    assert.deepEqual(imagesOf(masked(bytes, mask)).after, { constructor: 'clear' })
  })

  test('with fewer values than columns is refused', () => {
    const bytes = encode({ after: [integer(1), text('a@x')] })
    assert.throws(() => masked(bytes, mask), {
      code: 'RECORD_INVALID',
      message: /2 values, but the table has 4/,
    })
  })

  test('with more values than columns is refused, because the last ones have no name that the mask could know', () => {
    const after = [integer(1), text('a@x'), text('0'), text('n'), text('more')]
    assert.throws(() => masked(encode({ after }), mask), {
      code: 'RECORD_INVALID',
      message: /more values than the 4 columns/,
    })
  })

  test('with a text in place of an image is refused', () => {
    assert.throws(
      () => masked(encode({ after: 'canary' }), mask),
      (error: Error) => {
        assert.match(error.message, /a string instead of an image of a row/)
        assert.doesNotMatch(error.message, /canary/)
        return true
      },
    )
  })

  test('is readable if the source wrote the image in several blocks with their sizes', () => {
    const bytes = encode({ after: [integer(7), text('a@x'.repeat(30)), text('0123'), text('n')] })
    const cursor = new Cursor(bytes, readHeader(bytes).bodyStart)
    skipToFields(cursor)
    skipFields(cursor)
    skipImage(cursor, 'beforeImages')
    const start = cursor.position
    // The branch and the count take one byte each.
    cursor.position = start + 2
    skipValue(cursor)
    skipValue(cursor)
    const middle = cursor.position
    skipValue(cursor)
    skipValue(cursor)
    const end = cursor.position
    const [first, second] = [bytes.subarray(start + 2, middle), bytes.subarray(middle, end)]
    // Two values in a block: the count -2, then the size.
    const size = ({ length }: Buffer) =>
      length < 64 ? [length * 2] : [((length * 2) & 0x7f) | 0x80, (length * 2) >> 7]
    const image = [
      Buffer.from([4, 3, ...size(first)]),
      first,
      Buffer.from([3, ...size(second)]),
      second,
      Buffer.from([0]),
    ]
    const blocks = Buffer.concat([bytes.subarray(0, start), ...image, bytes.subarray(end + 1)])
    assert.deepEqual(imagesOf(blocks), imagesOf(bytes))
    assert.deepEqual(imagesOf(masked(blocks, mask)), imagesOf(masked(bytes, mask)))
  })

  test('that is cut off anywhere is refused, or masked as far as it is there', () => {
    const bytes = encode({ after: [integer(7), text('canary@x'), text('0123'), text('n')] })
    for (let length = readHeader(bytes).bodyStart; length < bytes.length; length++) {
      try {
        const cut = bytes.subarray(0, length)
        assert.ok(!maskRecord(cut, readHeader(cut), mask, () => 'hash').includes('canary'), `${length} bytes`)
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'RECORD_INVALID', `${length} bytes: ${String(error)}`)
      }
    }
  })
})
