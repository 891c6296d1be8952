import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as z from 'zod'
import { DtsError } from '../../../../lib/errors.ts'
import {
  type DateOptions,
  dateColumn,
  decimalColumn,
  decimalToBigint,
  jsonColumn,
} from '../../../../lib/handler/columns/index.ts'

/** Compiles only if the two types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Same<A, B>) => undefined

/** The error message for the column's value; fails if the value is accepted. */
function refusal(schema: z.ZodType, value: unknown): string {
  const result = z.object({ c: schema }).safeParse({ c: value })
  assert.ok(!result.success, `accepted: ${JSON.stringify(value)}`)
  assert.equal(result.error.issues.length, 1)
  assert.deepEqual(result.error.issues[0]?.path, ['c'])
  return result.error.issues[0]?.message ?? ''
}

test('the types of a row are the output types of its columns', () => {
  const row = z.object({
    any: jsonColumn(),
    settings: jsonColumn(z.object({ retries: z.number(), tags: z.array(z.string()) })),
    big: jsonColumn(z.object({ n: z.bigint() }), { integers: 'bigint' }).nullable(),
    total: decimalColumn(),
    at: dateColumn(),
    maybe: dateColumn({ zone: 'UTC', zeroDate: 'null' }),
    optional: dateColumn({ zone: 'UTC' }).optional(),
  })
  type Row = z.output<typeof row>
  same<Row['settings'], { retries: number; tags: string[] }>(true)
  same<Row['big'], { n: bigint } | null>(true)
  same<Row['total'], string>(true)
  same<Row['at'], Date>(true)
  same<Row['maybe'], Date | null>(true)
  same<Row['optional'], Date | undefined>(true)
  same<z.input<typeof row>['at'], string>(true)
  const parsed = row.parse({
    any: '[1,null]',
    settings: '{"retries":2,"tags":["a"]}',
    big: null,
    total: '1.50',
    at: '2026-11-23T11:33:00.000001Z',
    maybe: '0000-00-00',
  })
  assert.deepEqual(parsed, {
    any: [1, null],
    settings: { retries: 2, tags: ['a'] },
    big: null,
    total: '1.50',
    at: new Date('2026-11-23T11:33:00Z'),
    maybe: null,
  })
})

test('a JSON column is the parsed text, and integers are never rounded', () => {
  for (const [text, expected, reason] of [
    ['null', null, 'JSON null'],
    ['"a"', 'a', 'a string'],
    [' {"a": [1, 2.50, -0, true]} ', { a: [1, 2.5, -0, true] }, 'numbers'],
    ['9007199254740991', 9007199254740991, 'the largest safe integer'],
    ['{"a":"12345678901234567890"}', { a: '12345678901234567890' }, 'digits in a string'],
    ['1e20', 1e20, 'an exponent makes a double'],
    ['0.12345678901234567', 0.12345678901234566, 'a fraction becomes the nearest double'],
    ['9007199254740993.0', 9007199254740992, 'a point makes a double'],
  ] as const) {
    assert.deepEqual(jsonColumn().parse(text), expected, reason)
  }
  for (const [text, expected, reason] of [
    ['{"a":1,"b":1.0,"c":18446744073709551615}', { a: 1n, b: 1, c: 18446744073709551615n }, 'by notation'],
    ['-0', 0n, 'bigint has one zero'],
    ['1e3', 1000, 'an exponent makes a double'],
  ] as const) {
    assert.deepEqual(jsonColumn(undefined, { integers: 'bigint' }).parse(text), expected, reason)
  }
})

const nested = (depth: number, inside: string) => `${'['.repeat(depth)}${inside}${']'.repeat(depth)}`

test('deeply nested JSON is read, or refused with its depth', () => {
  let depth = 0
  for (let value = jsonColumn().parse(nested(5_000, '7')); Array.isArray(value); value = value[0] ?? null)
    depth++
  assert.equal(depth, 5_000)
  jsonColumn(z.json()).parse(nested(500, '7'))
  jsonColumn(undefined, { integers: 'bigint' }).parse(nested(500, '12345678901234567890'))
})

test('a RangeError from a check inside a document does not count as too deep nesting', () => {
  const schema = z.unknown().transform(() => {
    throw new RangeError('of the author')
  })
  assert.throws(() => jsonColumn(schema).parse('[[1]]'), { name: 'RangeError', message: 'of the author' })
})

test('a JSON error names the place by declared members only, and contains no value', () => {
  const order = z.strictObject({
    lines: z.array(z.object({ sku: z.string().max(3), n: z.number() })),
    byMail: z.record(z.string(), z.number()),
  })
  const deep = nested(200_000, '')
  const longText = `"${'[\\"\\\\'.repeat(1_000_000)}"`
  for (const [schema, text, message, reason] of [
    [jsonColumn(), '{"SECRET', /^is not JSON text \(8 characters\)$/, 'cut off'],
    [jsonColumn(), '', /^is not JSON text \(0 characters\)$/, 'empty'],
    [jsonColumn(), '{a:1}', /^is not JSON text/, 'JavaScript'],
    [jsonColumn(), '9007199254740993', /beyond 2\^53 - 1/, '2^53 + 1'],
    [jsonColumn(), '{"a":[-9007199254740992]}', /beyond 2\^53 - 1/, 'whose neighbours are not exact'],
    [jsonColumn(), '1e400', /beyond the range of a double/, 'overflow'],
    [jsonColumn(), '1E+400', /beyond the range of a double/, 'overflow'],
    [jsonColumn(undefined, { integers: 'bigint' }), '1e400', /beyond the range of a double/, 'overflow'],
    [
      jsonColumn(undefined, { integers: 'bigint' }),
      deep,
      /^is JSON nested 200000 deep/,
      'nesting without end',
    ],
    [
      jsonColumn(),
      nested(5_000, '9007199254740993'),
      /^is JSON nested 5000 deep/,
      'deep, with a long number',
    ],
    [
      jsonColumn(z.json()),
      nested(5_000, '"["'),
      /^is JSON nested 5000 deep/,
      'deeper than its schema can follow',
    ],
    [
      jsonColumn(undefined, { integers: 'bigint' }),
      nested(5_000, longText),
      /^is JSON nested 5000 deep/,
      'a long text',
    ],
    [jsonColumn(), `${'['.repeat(5_000)}1`, /^is not JSON text \(5001 characters\)$/, 'deep and cut off'],
    [jsonColumn(), 7, /expected string/, 'a column that is not text'],
    [
      jsonColumn(order),
      '{"lines":[{"sku":"a","n":1},{"sku":"a","n":"SECRET"}],"byMail":{}}',
      /^JSON \$\.lines\[1\]\.n has another type than declared \(number\)$/,
      'another type',
    ],
    [
      jsonColumn(order),
      '{"lines":[],"byMail":{"SECRET@x":"1"}}',
      /^JSON \$\.byMail\.\* has another type/,
      'a key that is data',
    ],
    [
      jsonColumn(order),
      '{"lines":[{"sku":"SECRET","n":1}],"byMail":{},"SECRET":1}',
      /^JSON \$\.lines\[0\]\.sku is above .*; \$ has members that are not declared$/,
      'two faults',
    ],
    [
      jsonColumn(z.object({ n: z.bigint() })),
      '{"n":1}',
      /\$\.n has another type than declared \(bigint\)/,
      'bigint is not asked for',
    ],
  ] as const) {
    const found = refusal(schema, text)
    assert.match(found, message, reason)
    assert.doesNotMatch(found, /SECRET/, reason)
  }
})

test('a decimal column keeps the text of the source', () => {
  for (const text of ['0', '-12.340', '+1.', '.5', '1E-7', '123456789012345678901234567890.12']) {
    assert.equal(decimalColumn().parse(text), text)
  }
  for (const text of ['', '.', '-', '1,5', ' 1', '1e', '0x1', 'NaN', 'Infinity', '1e99999', '١', '1\n']) {
    assert.equal(refusal(decimalColumn(), text), 'is not a finite decimal', JSON.stringify(text))
  }
  for (const text of ['NaN', 'Infinity', '-Infinity', '1.5']) {
    assert.equal(decimalColumn({ special: true }).parse(text), text)
  }
  assert.equal(refusal(decimalColumn({ special: true }), 'nan'), 'is not a decimal')
})

test('decimalToBigint is exact, or throws', () => {
  for (const [text, scale, expected, reason] of [
    ['12.30', 2, 1230n, 'cents'],
    ['12.3', 2, 1230n, 'fewer digits than the scale'],
    ['12.3000', 2, 1230n, 'more digits, all 0'],
    ['-0.07', 2, -7n, 'negative, below one'],
    ['0.00', 2, 0n, 'zero'],
    ['-0', 0, 0n, 'negative zero'],
    ['.5', 1, 5n, 'no digit before the point'],
    ['5.', 0, 5n, 'no digit after the point'],
    ['1.5E+3', 0, 1500n, 'an exponent'],
    ['1500E-2', 0, 15n, 'a negative exponent'],
    ['0E-9', 2, 0n, 'zero with an exponent'],
    ['92233720368547758.07', 2, 9223372036854775807n, 'beyond 2^53'],
    [`${'9'.repeat(65)}`, 30, BigInt('9'.repeat(65)) * 10n ** 30n, "MySQL's longest"],
  ] as const) {
    assert.equal(decimalToBigint(text, scale), expected, reason)
  }
  for (const [text, scale, code, reason] of [
    ['12.345', 2, 'ROW_INVALID', 'a digit too many'],
    ['1E-9', 2, 'ROW_INVALID', 'lost wholly'],
    ['NaN', 2, 'ROW_INVALID', 'no number'],
    ['', 2, 'ROW_INVALID', 'nothing'],
    ['1', -1, 'CONFIG_INVALID', 'a negative scale'],
    ['1', 0.5, 'CONFIG_INVALID', 'a fractional scale'],
    ['1', 1e9, 'CONFIG_INVALID', 'a scale that fills the memory'],
  ] as const) {
    assert.throws(
      () => decimalToBigint(text, scale),
      (error) => error instanceof DtsError && error.code === code && !/345/.test(error.message),
      reason,
    )
  }
})

test('a date column is the instant of its local time in its zone', () => {
  for (const [options, text, expected, reason] of [
    [{}, '2026-11-23T11:33:00.123999Z', '2026-11-23T11:33:00.123Z', 'TIMESTAMP; microseconds are cut off'],
    [{ zone: '+08:00' }, '2026-11-23T11:33:00.000000Z', '2026-11-23T11:33:00.000Z', 'its own zone counts'],
    [{ zone: 'UTC' }, '2026-11-23 11:33:00', '2026-11-23T11:33:00.000Z', 'DATETIME'],
    [{ zone: 'UTC' }, '1969-12-31 23:59:59.999999', '1969-12-31T23:59:59.999Z', 'cut off before 1970'],
    [{ zone: 'UTC' }, '2026-11-23', '2026-11-23T00:00:00.000Z', 'DATE is midnight'],
    [{ zone: '+08:00' }, '2026-11-23 07:59:59', '2026-11-22T23:59:59.000Z', 'a fixed offset'],
    [{ zone: '-03:30' }, '2026-11-23 00:00:00', '2026-11-23T03:30:00.000Z', 'a negative offset'],
    [{ zone: 'Asia/Shanghai' }, '2026-11-23 08:00:00', '2026-11-23T00:00:00.000Z', 'an IANA name'],
    [{ zone: 'Asia/Shanghai' }, '1986-07-01 09:00:00', '1986-07-01T00:00:00.000Z', 'summer time of 1986'],
    [{ zone: 'Asia/Shanghai' }, '1900-01-01 08:05:43', '1900-01-01T00:00:00.000Z', 'before standard time'],
    [{ zone: 'Europe/London' }, '2026-07-01 01:00:00', '2026-07-01T00:00:00.000Z', 'summer'],
    [
      { zone: 'Europe/London' },
      '2026-12-01 01:00:00',
      '2026-12-01T01:00:00.000Z',
      'winter, whose offset is 0',
    ],
    [{ zone: 'Etc/UTC' }, '2026-12-01 01:00:00', '2026-12-01T01:00:00.000Z', 'UTC by IANA name'],
    [{ zone: 'America/New_York' }, '2026-03-08 03:00:00', '2026-03-08T07:00:00.000Z', 'just after a gap'],
    [{ zone: 'America/New_York' }, '2026-03-08 01:59:59', '2026-03-08T06:59:59.000Z', 'just before a gap'],
    [{}, '2026-11-23 11:33:00 +08:00', '2026-11-23T03:33:00.000Z', 'TIMESTAMP WITH TIME ZONE'],
    [{}, '2026-11-23 11:33:00.5 GMT+8', '2026-11-23T03:33:00.500Z', 'a GMT offset'],
    [{}, '2026-11-23 11:33:00 -0330', '2026-11-23T15:03:00.000Z', 'an offset without colon'],
    [{}, '2026-11-23 11:33:00 Asia/Tokyo', '2026-11-23T02:33:00.000Z', 'a zone name of its own'],
    [{}, '2026-11-23 11:33:00+08', '2026-11-23T03:33:00.000Z', "PostgreSQL's offset"],
    [{}, '2026-11-23 11:33:00.25-03:30', '2026-11-23T15:03:00.250Z', 'with a fraction, and with minutes'],
    [{}, '1900-01-01 00:00:00+08:05:43', '1899-12-31T15:54:17.000Z', 'with seconds'],
    [{}, '2026-11-23T11:33:00-0330', '2026-11-23T15:03:00.000Z', 'a zone after an ISO date, without a colon'],
    [{}, '2026-11-23 11:33:00 +08', '2026-11-23T03:33:00.000Z', 'a zone after a blank'],
    [{}, '2026-11-23 11:33:00 GMT', '2026-11-23T11:33:00.000Z', 'GMT'],
    [{ zone: 'PRC' }, '2026-11-23 08:00:00', '2026-11-23T00:00:00.000Z', 'an older name without a slash'],
    [{ zone: 'EST5EDT' }, '2026-07-01 00:00:00', '2026-07-01T04:00:00.000Z', 'a name that holds its rule'],
    [
      { zone: 'America/Argentina/Ushuaia' },
      '2026-11-23',
      '2026-11-23T03:00:00.000Z',
      'a name of three parts',
    ],
    [{ zone: 'Etc/GMT-8' }, '2026-11-23 08:00:00', '2026-11-23T00:00:00.000Z', "IANA's own sign"],
    [{ zone: 'utc' }, '2026-11-23', '2026-11-23T00:00:00.000Z', 'small letters'],
    [{ zone: 'UTC' }, '0001-01-01', '0001-01-01T00:00:00.000Z', 'the year 1 is not 1901'],
    [{ zone: 'UTC' }, '9999-12-31 23:59:59.999999', '9999-12-31T23:59:59.999Z', "MySQL's last"],
    [{}, '+012026-01-01T00:00:00.000000Z', '+012026-01-01T00:00:00.000Z', 'a year of more digits'],
    [{ zone: 'UTC' }, '2024-02-29', '2024-02-29T00:00:00.000Z', 'a leap day'],
  ] as const) {
    const column: z.ZodType<Date, string> = dateColumn(options)
    assert.equal(column.parse(text).toISOString(), expected, reason)
  }
})

test('a local time that a zone has twice or leaves out is resolved as declared', () => {
  for (const [zone, text, earlier, later, rejected, reason] of [
    [
      'America/New_York',
      '2026-03-08 02:30:00',
      '2026-03-08T06:30:00.000Z',
      '2026-03-08T07:30:00.000Z',
      /leaves out/,
      'gap',
    ],
    [
      'America/New_York',
      '2026-11-01 01:30:00',
      '2026-11-01T05:30:00.000Z',
      '2026-11-01T06:30:00.000Z',
      /twice/,
      'overlap',
    ],
    [
      'Asia/Shanghai',
      '1986-05-04 02:30:00',
      '1986-05-03T17:30:00.000Z',
      '1986-05-03T18:30:00.000Z',
      /leaves out/,
      'gap',
    ],
    [
      'Australia/Lord_Howe',
      '2026-04-05 01:45:00',
      '2026-04-04T14:45:00.000Z',
      '2026-04-04T15:15:00.000Z',
      /twice/,
      'half an hour',
    ],
    [
      'Pacific/Apia',
      '2011-12-30 12:00:00',
      '2011-12-29T22:00:00.000Z',
      '2011-12-30T22:00:00.000Z',
      /leaves out/,
      'a whole day',
    ],
  ] as const) {
    assert.equal(dateColumn({ zone, disambiguation: 'earlier' }).parse(text).toISOString(), earlier, reason)
    assert.equal(dateColumn({ zone, disambiguation: 'later' }).parse(text).toISOString(), later, reason)
    assert.match(refusal(dateColumn({ zone }), text), rejected, reason)
  }
})

test('a date column refuses a text that is not an instant', () => {
  for (const [text, message, reason] of [
    ['0000-00-00', /zero date/, 'zero date'],
    ['0000-00-00 00:00:00', /zero date/, 'zero date and time'],
    ['2026-00-00', /zero date/, 'month and day unknown'],
    ['2026-11-00', /zero date/, 'day unknown'],
    ['2026-02-29', /month does not have/, 'a day that would roll over'],
    ['2026-13-01', /month does not have/, 'month 13'],
    ['2026-11-23 24:00:00', /outside of the day/, 'hour 24'],
    ['2026-11-23 23:59:60', /outside of the day/, 'a leap second'],
    ['-0044-03-15', /before the year 0/, 'BC'],
    ['999999-01-01', /outside of the range of a Date/, 'beyond a Date'],
    ['275760-09-12', /outside of the range of a Date/, 'at the end of a Date'],
    ['11:33:00', /not a date/, 'TIME'],
    ['2026-11', /not a date/, 'year and month'],
    ['2026-11-23 11:33:00 Nowhere/Land', /unknown time zone/, 'a zone that does not exist'],
    ['2026-11-23 11:33:00 +99:00', /unknown time zone/, 'an offset that does not exist'],
    ['2026-11-23 11:33:00 ', /not a date/, 'a space without zone'],
    ['infinity', /not a date/, "PostgreSQL's infinity"],
    ['2026-11-23 11:33:00+', /not a date/, 'a sign alone'],
    ['2026-11-23 11:33:00+19', /unknown time zone/, 'an offset that no zone has'],
    ['2026-11-23 11:33:00+08:60', /unknown time zone/, 'an offset with 60 minutes'],
    ['2026-11-23 11:33:00+08 BC', /not a date/, "PostgreSQL's years before Christ"],
    [2026, /expected string/, 'YEAR'],
  ] as const) {
    assert.match(refusal(dateColumn({ zone: 'Asia/Shanghai' }), text), message, reason)
  }
  assert.match(refusal(dateColumn(), '2026-11-23 11:33:00'), /no zone of its own/)
  assert.equal(dateColumn({ zeroDate: 'null' }).parse('2026-00-00 00:00:00'), null)
  assert.match(refusal(dateColumn({ zeroDate: 'null' }), '2026-02-30'), /month does not have/)
  for (const zone of ['', 'Nowhere/Land', '+99:00', '+08:75', '8', 'constructor', 'SYSTEM', 'SystemV/PST8']) {
    const options: DateOptions & { zeroDate: 'null' } = { zone, zeroDate: 'null' }
    assert.throws(
      () => dateColumn(options),
      { code: 'CONFIG_INVALID', message: /does not name one time zone/ },
      zone,
    )
  }
})

test('the abbreviation of a zone is refused in a declaration and in a text, because it names zones of several countries', () => {
  const abbreviations = (
    'CST BST AST EST MST HST PST CET MET WET EET IST JST KST EDT CDT MDT PDT AKST AEST ACT AET AGT ART BET CAT CNT CTT EAT ' +
    'ECT MIT NET NST PLT PNT PRT SST VST MSK SGT WIB cst Cst CST-8'
  ).split(' ')
  for (const zone of abbreviations) {
    assert.throws(
      () => dateColumn({ zone }),
      {
        code: 'CONFIG_INVALID',
        message: /does not name one time zone.*IANA name such as Asia\/Shanghai/,
      },
      zone,
    )
    const text = `2026-07-01 12:00:00 ${zone}`
    assert.match(
      refusal(dateColumn({ zone: 'UTC' }), text),
      /unknown time zone: UTC, GMT, Z, offsets and IANA names/,
      zone,
    )
  }
})

test('every IANA zone of a place can be declared', () => {
  for (const zone of Intl.supportedValuesOf('timeZone')) {
    if (!zone.includes('/')) continue
    dateColumn({ zone }).parse('2026-11-23 12:00:00')
  }
})
