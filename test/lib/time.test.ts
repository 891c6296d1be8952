import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatTime, parseTime, timeHint, toSeconds } from '../../lib/time.ts'

test('a time is read in seconds, milliseconds or ISO 8601, and all else is refused', () => {
  const cases: [text: string | number, expected: number | null, reason: string][] = [
    [1_795_433_580, 1_795_433_580, 'seconds'],
    [1_795_433_580_999, 1_795_433_580, 'milliseconds'],
    ['0', 0, 'the epoch'],
    ['2026-11-23T11:33Z', 1_795_433_580, 'ISO 8601 to the minute'],
    ['2026-11-23T06:33:00-0500', 1_795_433_580, 'a zone without a colon'],
    ['2026-02-31T00:00:00Z', null, 'a day that does not exist'],
    ['1960-01-01T00:00:00Z', null, 'before the epoch'],
    ['', null, 'an empty string'],
    [-1, null, 'negative'],
    [1.5, null, 'a fraction'],
    [Number.NaN, null, 'not a number'],
    ['99999999999999999999', null, 'beyond exact numbers'],
    [Number.MAX_SAFE_INTEGER, null, 'milliseconds beyond the last date'],
    [10_000_000_000_000, 10_000_000_000, 'the largest number that counts as milliseconds'],
    [10_000_000_000_001, null, 'one more than that'],
    ['1795433580999999', null, 'microseconds'],
    ['1795433580999999999', null, 'nanoseconds'],
    ['1e9', null, 'an exponent'],
    ['0x6b036f2c', null, 'hexadecimal digits'],
    ['+1795433580', null, 'a sign'],
    ['-0', null, 'a sign before zero'],
    [' ', null, 'a blank'],
    ['１７９５４３３５８０', null, 'digits of another script'],
    [Number.POSITIVE_INFINITY, null, 'infinite'],
  ]
  for (const [text, expected, reason] of cases) assert.equal(parseTime(text), expected, reason)
})

test('minus zero is read as 0', () => {
  assert.ok(Object.is(parseTime(-0), 0))
})

test('only a number beyond milliseconds gets a hint that it may be microseconds', () => {
  assert.match(timeHint('1795433580999999'), /^; 1795433580999999 is beyond the year 2286.*microseconds/)
  for (const other of ['yesterday', '', '1795433580', 1_795_433_580_999, '1e30'])
    assert.equal(timeHint(other), '')
})

test("a record's time in milliseconds becomes seconds", () => {
  assert.equal(toSeconds(1_795_433_580), 1_795_433_580)
  assert.equal(toSeconds(1_795_433_580_001), 1_795_433_580)
})

test('a message shows a time as ISO 8601 and as seconds', () => {
  assert.equal(formatTime(1_795_433_580), '2026-11-23T11:33:00Z (1795433580)')
  assert.equal(formatTime(8_640_000_000_000), '+275760-09-13T00:00:00Z (8640000000000)')
  assert.equal(formatTime(8_640_000_000_001), 'no date (8640000000001)')
  assert.equal(formatTime(-9_007_199_254_740), 'no date (-9007199254740)')
})
