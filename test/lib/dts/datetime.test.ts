import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  dateTime,
  encodeRecord,
  type PlainDateTime,
  type PlainValue,
  text,
  timestamp,
  zonedDateTime,
} from '../../../infra/local/encode.ts'
import type { ColumnValue } from '../../../lib/dts/types.ts'
import type { DtsError } from '../../../lib/errors.ts'
import { decode, decoded, roundtrip } from './samples.ts'

/** The value as the fast path reads it, which needs enough bytes of the record after it. */
function readQuickly(value: PlainValue): ColumnValue | undefined {
  const change = roundtrip({
    operation: 'INSERT',
    objectName: 'shop.orders',
    fields: [
      ['c', 12],
      ['d', 253],
    ],
    after: [value, text('long enough for the quick way to be taken')],
  })
  assert.ok(change.operation === 'INSERT')
  return change.after.c
}

/** The value at the end of a record, and with enough bytes of the record after it. */
function readBothWays(value: PlainValue): (ColumnValue | undefined)[] {
  return [decoded(value), readQuickly(value)]
}

const day = { year: 2026, month: 1, day: 2 }
const midnight = { hour: 0, minute: 0, second: 0 }

test('dates that share a cache slot keep their own texts', () => {
  // The slot is (13 × year + month) × 32 + day modulo 512: dates 16 months or 512 years apart share it.
  const dates: readonly (readonly [parts: PlainDateTime, printed: string])[] = [
    [{ year: 2026, month: 1, day: 5 }, '2026-01-05'],
    [{ year: 2027, month: 4, day: 5 }, '2027-04-05'],
    [{ year: 2538, month: 1, day: 5 }, '2538-01-05'],
    [{ year: 0, month: 0, day: 0 }, '0000-00-00'],
    [{ year: 512, month: 0, day: 0 }, '0512-00-00'],
    // The first date of its slot, and dates that would share a number if year, month and day had less room in it.
    [{ year: 0, month: 0, day: 1 }, '0000-00-01'],
    [{ year: 0, month: 1, day: 31 }, '0000-01-31'],
    [{ year: 2, month: 6, day: 0 }, '0002-06-00'],
    [{ year: 0, month: 1, day: 5 }, '0000-01-05'],
    [{ year: 13, month: 0, day: 5 }, '0013-00-05'],
    [{ year: -1, month: 12, day: 31 }, '-0001-12-31'],
    [{ year: 16_384, month: 1, day: 2 }, '16384-01-02'],
  ]
  for (let round = 0; round < 3; round++) {
    for (const [parts, printed] of dates) {
      assert.deepEqual(readBothWays(dateTime(parts)), [printed, printed])
      const whole = `${printed} 00:00:00`
      assert.deepEqual(readBothWays(dateTime({ ...parts, ...midnight })), [whole, whole])
    }
  }
})

test('minutes that share a cache slot keep their own texts', () => {
  for (let round = 0; round < 3; round++) {
    for (const [seconds, printed] of [
      [0, '1970-01-01T00:00:00.000000Z'],
      [1024 * 60, '1970-01-01T17:04:00.000000Z'],
      [-1024 * 60, '1969-12-31T06:56:00.000000Z'],
      [2048 * 60 + 59, '1970-01-02T10:08:59.000000Z'],
    ] as const) {
      assert.deepEqual(readBothWays(timestamp(seconds)), [printed, printed])
    }
  }
})

test('a time near a leap day or a New Year is printed in every year as Date prints it', () => {
  for (let year = -2; year <= 10_002; year += year > 1850 && year < 2150 ? 1 : 13) {
    for (const [month, day] of [
      [0, 1],
      [1, 28],
      [1, 29],
      [2, 1],
      [11, 31],
    ] as const) {
      const date = new Date(Date.UTC(2000, month, day, 23, 59, 30))
      date.setUTCFullYear(year)
      const expected = date.toISOString().replace('.000Z', '.000001Z')
      assert.equal(decoded(timestamp(date.getTime() / 1000, 1), 7), expected)
    }
  }
})

test('second 60 is printed as the source wrote it, and second 61 is refused', () => {
  const leap = { hour: 23, minute: 59, second: 60 }
  assert.deepEqual(readBothWays(dateTime(leap)), ['23:59:60', '23:59:60'])
  const printed = '2026-01-02 23:59:60'
  assert.deepEqual(readBothWays(dateTime({ ...day, ...leap })), [printed, printed])
  assert.equal(decoded(dateTime({ hour: -1, minute: 0, second: -60 })), '-01:00:60')
  refused({ ...day, ...leap, second: 61 }, /a time of day out of range/)
  refused({ ...leap, second: 61 }, /a time out of range/)
  refused({ hour: -1, minute: 0, second: -61 }, /a time out of range/)
})

test('24:00:00 is the last time of a day, and any later time is refused', () => {
  const end = { ...day, hour: 24, minute: 0, second: 0 }
  assert.deepEqual(readBothWays(dateTime(end)), ['2026-01-02 24:00:00', '2026-01-02 24:00:00'])
  assert.equal(decoded(dateTime({ hour: 24, minute: 0, second: 0 })), '24:00:00')
  assert.equal(
    decoded(dateTime({ hour: 24, minute: 1, second: 2 })),
    '24:01:02',
    'a TIME is not a time of day',
  )
  for (const more of [{ hour: 25 }, { minute: 1 }, { second: 1 }, { millis: 1 }]) {
    refused({ ...end, ...more }, /a time of day out of range/)
  }
})

test('a time of day with a negative part is refused, and so is a TIME whose parts differ in sign', () => {
  for (const part of ['hour', 'minute', 'second', 'millis']) {
    refused({ ...day, ...midnight, [part]: -1 }, /a time of day out of range/)
  }
  assert.equal(decoded(dateTime({ ...midnight, millis: -1 })), '-00:00:00.000001')
  assert.equal(decoded(dateTime({ hour: -1, minute: 0, second: 0 })), '-01:00:00')
  assert.equal(decoded(dateTime({ hour: -1, minute: 0, second: 0, millis: -999_999 })), '-01:00:00.999999')
  refused({ hour: -1, minute: 1, second: 0 }, /parts of different sign/)
  refused({ hour: -1, minute: 0, second: 1 }, /parts of different sign/)
  refused({ ...midnight, hour: 1, millis: -1 }, /parts of different sign/)
  refused({ ...midnight, second: -1, millis: 1 }, /parts of different sign/)
  for (const millis of [1_000_000, -1_000_000]) refused({ ...midnight, millis }, /a fraction of a second/)
})

test('a Timestamp whose fraction is a second or more, in either direction, is refused', () => {
  for (const [seconds, micros, printed] of [
    [0, -1, '1969-12-31T23:59:59.999999Z'],
    [0, -999_999, '1969-12-31T23:59:59.000001Z'],
    [-1_795_433_580, 0, '1913-02-08T12:27:00.000000Z'],
    [60, -1, '1970-01-01T00:00:59.999999Z'],
    [1_795_433_580, -1, '2026-11-23T11:32:59.999999Z'],
    [1_795_433_580, 999_999, '2026-11-23T11:33:00.999999Z'],
  ] as const) {
    assert.deepEqual(readBothWays(timestamp(seconds, micros)), [printed, printed])
  }
  for (const micros of [1_000_000, 1_048_575, -1_000_000]) {
    const value = timestamp(1_795_433_580, micros)
    for (const read of [decoded, readQuickly]) {
      assert.throws(() => read(value), isRefusal(/a fraction of a second/))
    }
  }
})

test('months, days and minutes out of range are refused on the fast and on the slow path', () => {
  for (const [parts, problem] of [
    [{ ...day, month: 13 }, /a month or day out of range/],
    [{ ...day, month: -1 }, /a month or day out of range/],
    [{ ...day, day: 32 }, /a month or day out of range/],
    [{ ...day, ...midnight, month: 13 }, /a month or day out of range/],
    [{ ...day, ...midnight, day: 32 }, /a month or day out of range/],
    [{ ...day, ...midnight, minute: 60 }, /a time of day out of range/],
    [{ ...midnight, minute: 60 }, /a time out of range/],
    [{ ...midnight, hour: -1, minute: -60 }, /a time out of range/],
    [{ year: 2026, month: 11, millis: 5 }, /no date or time/],
    [{ ...day, millis: 5 }, /no date or time/],
  ] as const) {
    refused(parts, problem)
  }
})

test('the first and the last day of the range of a Date are printed, and the days beyond it are refused', () => {
  const day = 86_400
  assert.equal(decoded(timestamp(-100_000_000 * day)), '-271821-04-20T00:00:00.000000Z')
  assert.equal(decoded(timestamp(100_000_000 * day - 1)), '+275760-09-12T23:59:59.000000Z')
  for (const seconds of [-100_000_000 * day - 1, 100_000_000 * day]) {
    assert.throws(() => decoded(timestamp(seconds)), isRefusal(/outside the years of ISO 8601/))
  }
  assert.throws(() => decoded(timestamp(-100_000_000 * day, -1)), isRefusal(/outside the years of ISO 8601/))
})

test('a fraction whose encoding takes three bytes is read on the fast and on the slow path', () => {
  const printed = '2026-01-02 00:00:00.016384'
  assert.deepEqual(readBothWays(dateTime({ ...day, ...midnight, millis: 16_384 })), [printed, printed])
})

test('a time with an empty zone is printed without one', () => {
  assert.equal(decoded(zonedDateTime({ ...midnight }, '')), '00:00:00')
})

test('an error names the part of the value that is wrong, or the value if the parts do not fit together', () => {
  for (const [value, place] of [
    [timestamp(1e14), 'afterImages[0].timestamp'],
    [timestamp(0, 1_000_000), 'afterImages[0].millis'],
    [dateTime({ ...midnight, millis: 1_000_000 }), 'afterImages[0].millis'],
    [zonedDateTime({ ...midnight, millis: 1_000_000 }, 'UTC'), 'afterImages[0].value.millis'],
    [dateTime({ year: 2026, day: 1 }), 'afterImages[0]'],
    [dateTime({ ...day, month: 13 }), 'afterImages[0]'],
    [dateTime({ ...day, ...midnight, hour: 25 }), 'afterImages[0]'],
    [dateTime({ ...midnight, minute: 60 }), 'afterImages[0]'],
    [dateTime({ ...midnight, hour: 1, second: -1 }), 'afterImages[0]'],
  ] as const) {
    const names = (error: DtsError) => error.message.includes(`: ${place} at byte `)
    assert.throws(() => decoded(value), names, place)
  }
})

/** A record of a DateTime and a text, and the place of the DateTime in it. */
function recordOf(parts: PlainDateTime, after: string) {
  const bytes = encodeRecord({
    operation: 'INSERT',
    objectName: 'shop.orders',
    fields: [
      ['c', 12],
      ['d', 253],
    ],
    after: [dateTime(parts), text(after)],
  })
  // The year: its branch, then 2026 as a varint of two bytes. Month and day take two bytes each.
  const year = bytes.indexOf(Buffer.from([2, 0xd4, 0x1f]))
  assert.ok(year > 0)
  return { bytes, year, hour: year + 7 }
}

test('a part of a DateTime with an unknown branch is refused, with and without enough bytes after it', () => {
  for (const after of ['', 'long enough for the quick way to be taken']) {
    for (const part of ['year', 'hour'] as const) {
      const { bytes, [part]: place } = recordOf(day, after)
      for (const branch of [1, 4, 6]) {
        bytes[place] = branch
        assert.throws(
          () => decode(bytes),
          isRefusal(new RegExp(`afterImages\\[0\\]\\.${part} at byte ${place} `)),
        )
      }
    }
  }
})

test('a record that ends within a DateTime is refused, even if other bytes follow it in memory', () => {
  const { bytes, year } = recordOf({ ...day, ...midnight, millis: 1 }, '')
  for (let end = year; end < year + 7 * 2 + 1; end++) {
    const memory = Buffer.concat([bytes, Buffer.alloc(100, 2)])
    for (const cut of [bytes.subarray(0, end), Buffer.from(bytes.subarray(0, end)), memory.subarray(0, end)])
      assert.throws(() => decode(cut), { code: 'RECORD_INVALID' }, `${end - year} bytes`)
  }
})

function refused(parts: PlainDateTime, problem: RegExp): void {
  assert.throws(() => decoded(dateTime(parts)), isRefusal(problem), JSON.stringify(parts))
  assert.throws(() => readQuickly(dateTime(parts)), isRefusal(problem), JSON.stringify(parts))
}

function isRefusal(problem: RegExp) {
  return (error: DtsError) => error.code === 'RECORD_INVALID' && problem.test(error.message)
}
