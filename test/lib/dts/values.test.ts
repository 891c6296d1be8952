import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  binaryGeometry,
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
  text,
  textGeometry,
  textObject,
  timestamp,
  zonedDateTime,
} from '../../../infra/local/encode.ts'
import { decodeChange } from '../../../lib/dts/decode-change.ts'
import { sourceTypes } from '../../../lib/dts/grammar.ts'
import { readHeader } from '../../../lib/dts/header.ts'
import type { ColumnValue, SourceType } from '../../../lib/dts/types.ts'
import type { DtsError } from '../../../lib/errors.ts'
import { decode, decoded, insertOf, origin, roundtrip, row } from './samples.ts'

type Case = readonly [
  value: PlainValue,
  expected: ColumnValue | undefined,
  reason: string,
  typeNumber?: number,
  sourceType?: SourceType,
]

const integers: Case[] = [
  [integer('-128'), -128, 'MySQL TINYINT at its lower bound', 1],
  [integer('255'), 255, 'MySQL TINYINT UNSIGNED at its upper bound', 1],
  [integer('65535'), 65535, 'MySQL SMALLINT UNSIGNED', 2],
  [integer('-8388608'), -8388608, 'MySQL MEDIUMINT', 9],
  [integer('4294967295'), 4294967295, 'MySQL INT UNSIGNED', 3],
  [integer('-2147483648'), -2147483648, 'MySQL INT', 3],
  [integer('2155'), 2155, 'MySQL YEAR as an integer', 13],
  [integer('0'), 0, 'zero', 3],
  [integer('-0'), 0, 'minus zero is zero', 3],
  [integer('007'), 7, 'ZEROFILL', 3],
  [integer('1'), 1n, 'MySQL BIGINT, though the value is small', 8],
  [integer('-9223372036854775808'), -9223372036854775808n, 'MySQL BIGINT at its lower bound', 8],
  [integer('18446744073709551615'), 18446744073709551615n, 'MySQL BIGINT UNSIGNED at its upper bound', 8],
  [integer('9007199254740993'), 9007199254740993n, 'the first integer that a double cannot hold', 8],
  [integer('18446744073709551615'), 18446744073709551615n, 'MySQL BIT(64)', 16],
  [integer('0'), 0n, 'MySQL BIT(1)', 16],
  [integer('5'), 5n, 'a MySQL type that no table knows', 77],
  [integer('42'), 42, 'DRDS writes the types of MySQL', 3, 'DRDS'],
  [integer('-32768'), -32768, 'PostgreSQL int2', 21, 'PostgreSQL'],
  [integer('2147483647'), 2147483647, 'PostgreSQL int4', 23, 'PostgreSQL'],
  [integer('2147483647'), 2147483647n, 'PostgreSQL int8', 20, 'PostgreSQL'],
  [integer('4294967295'), 4294967295n, 'PostgreSQL oid', 26, 'PostgreSQL'],
  [integer('1'), 1, 'PPAS writes the types of PostgreSQL', 23, 'PPAS'],
  [integer('3'), 3n, 'the same number is another type on Oracle', 3, 'Oracle'],
  [integer('9'.repeat(38)), BigInt('9'.repeat(38)), 'Oracle NUMBER(38)', 2, 'Oracle'],
]

const numbers: Case[] = [
  [decimal('1.50'), '1.50', 'trailing zeros are kept'],
  [decimal('-0.000000000000000000000000000001'), '-0.000000000000000000000000000001', 'MySQL DECIMAL(65,30)'],
  [decimal('9'.repeat(65)), '9'.repeat(65), '65 digits'],
  [decimal('NaN'), 'NaN', 'PostgreSQL numeric'],
  [decimal('-Infinity'), '-Infinity', 'PostgreSQL numeric'],
  [float(0.1), 0.1, 'a double'],
  [float(-0), -0, 'the sign of zero'],
  [float(Number.MAX_VALUE), Number.MAX_VALUE, 'the largest double'],
  [float(Number.MIN_VALUE), Number.MIN_VALUE, 'the smallest double'],
  [float(Number.NaN), Number.NaN, 'not a number'],
  [float(Number.NEGATIVE_INFINITY), Number.NEGATIVE_INFINITY, 'infinity'],
]

const times: Case[] = [
  [timestamp(1_795_433_580, 1), '2026-11-23T11:33:00.000001Z', 'microseconds on MySQL'],
  [timestamp(0), '1970-01-01T00:00:00.000000Z', 'the epoch, with its six digits'],
  [timestamp(-1, 500_000), '1969-12-31T23:59:59.500000Z', 'before the epoch, the fraction counts forward'],
  [timestamp(-1, -500_000), '1969-12-31T23:59:58.500000Z', 'a negative fraction counts back'],
  [timestamp(2_147_483_647, 999_999), '2038-01-19T03:14:07.999999Z', 'the end of MySQL TIMESTAMP'],
  [timestamp(4_102_444_799), '2099-12-31T23:59:59.000000Z', 'beyond 32 bits'],
  [timestamp(951_782_400), '2000-02-29T00:00:00.000000Z', 'a leap day'],
  [timestamp(-62_135_596_800), '0001-01-01T00:00:00.000000Z', 'the year 1'],
  [timestamp(253_402_300_800), '+010000-01-01T00:00:00.000000Z', 'five digits of a year'],

  [dateTime({ year: 2026, month: 11, day: 23 }), '2026-11-23', 'DATE'],
  [dateTime({ year: 0, month: 0, day: 0 }), '0000-00-00', 'zero DATE'],
  [dateTime({ year: 2026, month: 0, day: 0 }), '2026-00-00', 'a DATE with a known year only'],
  [dateTime({ year: 9999, month: 12, day: 31 }), '9999-12-31', 'the last DATE'],
  [dateTime({ year: -44, month: 3, day: 15 }), '-0044-03-15', 'before our era'],
  [dateTime({ year: 294276, month: 12, day: 31 }), '294276-12-31', 'the last year of PostgreSQL'],
  [dateTime({ year: 2026, month: 11 }), '2026-11', 'year and month'],
  [dateTime({ year: 1901 }), 1901, 'YEAR'],
  [dateTime({ year: 0 }), 0, 'zero YEAR'],
  [dateTime({ hour: 11, minute: 33, second: 0 }), '11:33:00', 'TIME'],
  [dateTime({ hour: -838, minute: -59, second: -59 }), '-838:59:59', 'the lowest TIME'],
  [dateTime({ hour: 838, minute: 59, second: 59, millis: 0 }), '838:59:59', 'the highest TIME'],
  [dateTime({ hour: 0, minute: 0, second: -1 }), '-00:00:01', 'the sign when only the seconds carry it'],
  [dateTime({ hour: 0, minute: 0, second: 0, millis: -1 }), '-00:00:00.000001', 'or only the fraction'],
  [
    dateTime({ hour: -1, minute: -2, second: -3, millis: -400_000 }),
    '-01:02:03.400000',
    'negative, with a fraction',
  ],
  [
    dateTime({ year: 2026, month: 1, day: 2, hour: 3, minute: 4, second: 5, millis: 6 }),
    '2026-01-02 03:04:05.000006',
    'DATETIME(6)',
  ],
  [
    dateTime({ year: 2026, month: 1, day: 2, hour: 3, minute: 4, second: 5, millis: 0 }),
    '2026-01-02 03:04:05',
    'a fraction of zero is left out',
  ],
  [
    dateTime({ year: 0, month: 0, day: 0, hour: 0, minute: 0, second: 0 }),
    '0000-00-00 00:00:00',
    'zero DATETIME',
  ],
  [
    zonedDateTime(
      { year: 2026, month: 11, day: 23, hour: 11, minute: 33, second: 0, millis: 123_456 },
      '+08:00',
    ),
    '2026-11-23 11:33:00.123456 +08:00',
    'the zone as written',
  ],
  [
    zonedDateTime({ year: 2026, month: 11, day: 23, hour: 11, minute: 33, second: 0 }, 'GMT+8:00'),
    '2026-11-23 11:33:00 GMT+8:00',
    'an offset from GMT',
  ],
  [zonedDateTime({ hour: 1, minute: 2, second: 3 }, '-03:30'), '01:02:03 -03:30', 'PostgreSQL timetz'],
  [zonedDateTime({ year: 26 }, 'UTC'), '0026 UTC', 'text even where only a year is there'],
]

const wkb = Buffer.from('0101000000000000000000f03f0000000000000040', 'hex')
const others: Case[] = [
  [text('Grüße 😀'), 'Grüße 😀', 'utf8mb4'],
  [text(''), '', 'empty text is not null'],
  [text(Buffer.from([0, 0xff]), 'binary'), Buffer.from([0, 0xff]), 'binary is bytes'],
  [text(Buffer.from([0x80]), ''), Buffer.from([0x80]), 'no character set is bytes'],
  [textObject('{"a": 1}', 'JSON'), '{"a": 1}', 'JSON as written'],
  [textObject('small', 'ENUM'), 'small', 'ENUM'],
  [textObject('a,b', 'SET'), 'a,b', 'SET'],
  [binaryObject(Buffer.from([1, 2, 0xff]), 'BLOB'), Buffer.from([1, 2, 0xff]), 'BLOB'],
  [binaryObject(Buffer.alloc(0), 'BLOB'), Buffer.alloc(0), 'empty BLOB'],
  [binaryGeometry(wkb), wkb, 'WKB'],
  [textGeometry('POINT (1 2)'), 'POINT (1 2)', 'WKT'],
  [nothing, null, 'NULL by the union'],
  [emptyNull, null, 'NULL by EmptyObject'],
  [emptyNone, undefined, 'NONE: the row lacks the column'],
]

test('a fraction of a second is in microseconds for every source and column', () => {
  for (const sourceType of sourceTypes) {
    for (const [micros, digits] of [
      [1, '000001'],
      [123, '000123'],
      [999, '000999'],
      [123_456, '123456'],
      [999_999, '999999'],
    ] as const) {
      const clock = { hour: 8, minute: 9, second: 10, millis: micros }
      for (const typeNumber of [7, 11, 12, 93]) {
        const read = (value: PlainValue) => decoded(value, typeNumber, sourceType)
        assert.equal(read(timestamp(1_795_433_580, micros)), `2026-11-23T11:33:00.${digits}Z`, sourceType)
        assert.equal(read(dateTime(clock)), `08:09:10.${digits}`, sourceType)
        const whole = { year: 2026, month: 1, day: 2, ...clock }
        assert.equal(read(dateTime(whole)), `2026-01-02 08:09:10.${digits}`, sourceType)
        const zoned = read(zonedDateTime(whole, '+08:00'))
        assert.equal(zoned, `2026-01-02 08:09:10.${digits} +08:00`, sourceType)
      }
    }
  }
})

for (const [title, cases] of Object.entries({ integers, numbers, times, others })) {
  test(`a value decodes by its branch and column type: ${title}`, () => {
    for (const [value, expected, reason, typeNumber, sourceType] of cases) {
      assert.deepEqual(decoded(value, typeNumber, sourceType), expected, reason)
    }
  })
}

test('text and bytes of any length are decoded, ASCII or not, at any place in the record', () => {
  for (const length of [
    0, 1, 12, 13, 31, 32, 63, 64, 65, 127, 128, 1023, 1024, 4000, 4096, 8191, 8192, 20_000,
  ]) {
    for (const unit of ['x', 'ä', '中', '😀']) {
      const long = unit.repeat(length)
      const bytes = Buffer.from(long)
      const change = roundtrip({
        operation: 'INSERT',
        objectName: 'shop.long',
        fields: ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => [name, 253] as const),
        after: [
          text(long),
          decimal(long),
          textObject(long),
          binaryObject(bytes),
          text('ä'),
          text('end', 'latin1'),
        ],
      })
      assert.ok(change.operation === 'INSERT')
      const expected = row({ a: long, b: long, c: long, d: bytes, e: 'ä', f: 'end' })
      assert.deepEqual(change.after, expected, `${length} × ${unit}`)
    }
  }
})

test('an integer of any length is exact, and so are those next to a limit of 64 bits', () => {
  const powers = Array.from({ length: 41 }, (_, digits) => 10n ** BigInt(digits))
  const fast = 18_446_744_073n * 10n ** 9n
  for (const limit of [...powers, 2n ** 53n, 2n ** 63n, 2n ** 64n, fast]) {
    for (const value of [limit - 1n, limit, limit + 1n, -limit]) {
      assert.equal(decoded(integer(value), 8), value)
    }
  }
  assert.equal(decoded(integer('00000000000000000042'), 8), 42n)
})

test('every text of a record that is longer than one shared text is complete', () => {
  const columns = Array.from({ length: 60 }, (_, n) => `c${n}`)
  for (let round = 0; round < 40; round++) {
    const textOf = (n: number, image: number) => {
      const letter = String.fromCharCode(0x61 + ((n + image) % 26))
      return letter.repeat((n * 37 + round * 101) % (n % 7 === 0 ? 3000 : 300))
    }
    const imageOf = (image: number) =>
      columns.map((_, n) => (n % 5 === 0 ? decimal(textOf(n, image)) : text(textOf(n, image))))
    const rowOf = (image: number) =>
      row(Object.fromEntries(columns.map((name, n) => [name, textOf(n, image)])))
    const change = roundtrip({
      operation: 'UPDATE',
      objectName: 'shop.long',
      fields: columns.map((name) => [name, 253] as const),
      before: imageOf(0),
      after: imageOf(round % 2),
    })
    assert.ok(change.operation === 'UPDATE')
    assert.deepEqual(change.before, rowOf(0), `round ${round}`)
    assert.deepEqual(change.after, rowOf(round % 2), `round ${round}`)
  }
})

test('the two images of an update do not share bytes', () => {
  const same = binaryObject(Buffer.from('same'))
  const change = roundtrip({
    operation: 'UPDATE',
    objectName: 'shop.orders',
    fields: [['c', 252]],
    before: [same],
    after: [same],
  })
  assert.ok(change.operation === 'UPDATE' && Buffer.isBuffer(change.before.c))
  change.before.c.fill(0)
  assert.deepEqual(change.after, row({ c: Buffer.from('same') }))
})

test('each value is read in its own character set, even if the set changes from record to record', () => {
  for (let round = 0; round < 3; round++) {
    assert.equal(decoded(text(Buffer.from([0xe4]), 'latin1')), 'ä')
    assert.equal(decoded(text(Buffer.from([0xe4]), 'cp1251')), 'д')
    assert.deepEqual(decoded(text(Buffer.from([0xe4]), 'binary')), Buffer.from([0xe4]))
    assert.equal(decoded(text(Buffer.from([0, 0x41]), 'ucs2')), 'A')
  }
})

test('a Buffer in a row is a copy, so overwriting the record does not change it', () => {
  const bytes = encodeRecord(insertOf(binaryObject(Buffer.from('keep'))))
  const change = decode(bytes)
  bytes.fill(0)
  assert.ok(change.operation === 'INSERT')
  assert.deepEqual(change.after, row({ c: Buffer.from('keep') }))
})

const rejects: [
  value: PlainValue,
  problem: RegExp,
  reason: string,
  typeNumber?: number,
  sourceType?: SourceType,
][] = [
  [integer(''), /integer/, 'no digits', 3],
  [integer('-'), /integer/, 'a sign alone', 3],
  [integer('12a'), /integer/, 'a letter', 3],
  [integer('1234567890123456'), /integer/, 'more digits than a number holds, in an INT', 3],
  [integer(''), /integer/, 'no digits', 8],
  [integer('0x10'), /integer/, 'what BigInt would take as hexadecimal', 8],
  [integer(' 1'), /integer/, 'what BigInt would trim', 8],
  [integer('9'.repeat(101)), /integer/, 'more digits than any type has', 8],
  [text('ä', 'klingon'), /unknown character set "klingon" of MySQL/, 'an unknown character set, by name'],
  [text('ä', 'constructor'), /unknown character set/, 'a name that every object has'],
  [text('ä', 'base64'), /unknown character set/, 'an encoding that is not a character set'],
  [
    text('A', 'WE8EBCDIC37'),
    /unknown character set/,
    'a set in which these bytes are not ASCII',
    12,
    'Oracle',
  ],
  [timestamp(1n << 60n), /53 bits/, 'a time beyond the range of a number'],
  [timestamp(9_000_000_000_000), /ISO 8601/, 'a time beyond the range of a Date'],
  [timestamp(0, 1_000_000), /fraction/, 'a whole second in the fraction'],
  [timestamp(0, -1_000_000), /fraction/, 'a whole second back'],
  [timestamp(0, 123_456_789), /fraction/, 'nanoseconds, which no client of Alibaba sends', 7, 'Oracle'],
  [dateTime({}), /no date or time/, 'no parts'],
  [dateTime({ month: 1, day: 1 }), /no date or time/, 'a date without a year'],
  [dateTime({ year: 2026, day: 1 }), /no date or time/, 'a date without a month'],
  [dateTime({ hour: 1, minute: 2 }), /no date or time/, 'a time without seconds'],
  [dateTime({ millis: 5 }), /no date or time/, 'a fraction without a time'],
  [dateTime({ year: 2026, month: 13, day: 1 }), /out of range/, 'a thirteenth month'],
  [dateTime({ year: 2026, month: 1, day: -1 }), /out of range/, 'a negative day'],
  [dateTime({ hour: 1, minute: 60, second: 0 }), /out of range/, 'a sixtieth minute'],
  [dateTime({ hour: 1, minute: -1, second: 0 }), /different sign/, 'parts of different sign'],
  [
    dateTime({ year: 2026, month: 1, day: 1, hour: -1, minute: 0, second: 0 }),
    /out of range/,
    'a negative time on a date',
  ],
]

test('impossible values are refused with their path, without the value', () => {
  for (const [value, problem, reason, typeNumber, sourceType] of rejects) {
    assert.throws(
      () => decoded(value, typeNumber, sourceType),
      (error: DtsError) => {
        assert.equal(error.code, 'RECORD_INVALID', reason)
        assert.equal(error.retryable, false, reason)
        assert.match(error.message, problem, reason)
        assert.match(String(error.facts.path), /^afterImages\[0\]/, reason)
        return true
      },
      reason,
    )
  }
})

/** A record in which the bytes FF C3 A4 replace the first `~~~`. FF is not UTF-8. */
function damaged(plain: PlainRecord): Buffer {
  const bytes = encodeRecord(plain)
  Buffer.from([0xff, 0xc3, 0xa4]).copy(bytes, bytes.indexOf('~~~'))
  return bytes
}

const damagedValues: readonly (readonly [value: PlainValue, replaced: string, reason: string])[] = [
  [text('a ~~~'), 'a \ufffdä', 'text in UTF-8'],
  [text('a ~~~', 'gbk'), 'a \ufffd盲', 'a byte that starts no character of GBK'],
  [text('a ~~~', 'ascii'), 'a \ufffd\ufffd\ufffd', 'bytes beyond ASCII'],
  [textObject('a ~~~'), 'a \ufffdä', 'JSON'],
  [textGeometry('a ~~~'), 'a \ufffdä', 'WKT'],
  [decimal('~~~'), '\ufffdä', 'a decimal'],
  [zonedDateTime({ hour: 1, minute: 2, second: 3 }, '~~~'), '01:02:03 \ufffdä', 'a zone'],
]

test('bytes that are not text are refused with their path, and become U+FFFD only on request', () => {
  for (const [value, replaced, reason] of damagedValues) {
    const bytes = damaged(insertOf(value))
    assert.throws(
      () => decode(bytes),
      (error: DtsError) =>
        error.code === 'RECORD_INVALID' &&
        /bytes that are not (text in the character set "\w+" of MySQL|UTF-8)/.test(error.message) &&
        /invalidText: 'replace'/.test(error.message) &&
        String(error.facts.path).startsWith('afterImages[0].'),
      reason,
    )
    const change = decodeChange(bytes, readHeader(bytes), origin, undefined, true)
    assert.deepEqual('after' in change && change.after, row({ c: replaced }), reason)
  }
})

test('column names and statements that are not UTF-8 are refused too', () => {
  for (const [plain, path] of [
    [{ ...insertOf(text('x')), fields: [['~~~', 253]] }, 'fields[0].name'],
    [{ operation: 'DDL', objectName: 'shop.orders', after: 'DROP TABLE ~~~' }, 'afterImages'],
  ] as [PlainRecord, string][]) {
    assert.throws(
      () => decode(damaged(plain)),
      (error: DtsError) => error.code === 'RECORD_INVALID' && error.facts.path === path,
      path,
    )
  }
})

test('invalid text that an update does not change is refused, or replaced, in both images', () => {
  const same = text(Buffer.from([0x61, 0xff]))
  const bytes = encodeRecord({ ...insertOf(same), operation: 'UPDATE', before: [same], after: [same] })
  assert.throws(() => decode(bytes), { code: 'RECORD_INVALID' })
  const change = decodeChange(bytes, readHeader(bytes), origin, undefined, true)
  assert.ok(change.operation === 'UPDATE')
  assert.deepEqual([change.before, change.after], [row({ c: 'a\ufffd' }), row({ c: 'a\ufffd' })])
  assert.equal(change.changed('c'), false)
})

test('a tag that is not UTF-8 does not fail its change', () => {
  const bytes = damaged({ ...insertOf(text('x')), tags: { trace: '~~~', l_tb_name: 'orders' } })
  const change = decode(bytes)
  assert.equal(change.tags.trace, '\ufffdä')
  assert.equal(change.logical?.table, 'orders')
})

test('text in an unknown character set is read as long as it is ASCII', () => {
  for (const source of ['MySQL', 'Oracle', 'OTHER'] as const) {
    assert.equal(decoded(text('plain ~ text', 'klingon'), 12, source), 'plain ~ text')
    assert.equal(decoded(text('', 'klingon'), 12, source), '')
  }
  const bytes = encodeRecord(insertOf(text('ä', 'klingon')))
  assert.throws(() => decodeChange(bytes, readHeader(bytes), origin, undefined, true), {
    code: 'RECORD_INVALID',
    message: /bytes beyond ASCII in the unknown character set "klingon" of MySQL/,
  })
})

test('one character set name on two sources is read as each source means it', () => {
  for (let round = 0; round < 2; round++) {
    const read = (source: SourceType) => decoded(text(Buffer.from([0x80]), 'latin1'), 253, source)
    assert.deepEqual([read('MySQL'), read('PostgreSQL')], ['€', '\x80'])
  }
})

test('an error never contains the value', () => {
  for (const branch of [
    integer('SECRET'),
    text('SECRET ä', 'klingon'),
    text(Buffer.from('SECRET\xff', 'latin1')),
  ]) {
    assert.throws(
      () => decoded(branch, 8),
      (error: DtsError) => !`${error.message}${JSON.stringify(error.facts)}`.includes('SECRET'),
    )
  }
})
