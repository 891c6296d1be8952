import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UsageError } from '../../../../infra/operate/report.ts'
import { type TailCall, toTailCall } from '../../../../infra/operate/tail/arguments.ts'

/** Splits at blanks, and keeps texts in double quotes together. */
const words = (line: string) => (line.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replaceAll('"', ''))

test('the example of the Flink connector works as it is written', () => {
  const line =
    '--broker-url dts-cn-hangzhou.aliyuncs.com:18001 --topic cn_hangzhou_rm --sid dtsabc --user reader --password s3cret ' +
    '--checkpoint 1639620090'
  const call = toTailCall(words(line))
  assert.deepEqual(call?.variables, {
    DTS_BROKER_URL: 'dts-cn-hangzhou.aliyuncs.com:18001',
    DTS_TOPIC: 'cn_hangzhou_rm',
    DTS_SID: 'dtsabc',
    DTS_USER: 'reader',
    DTS_PASSWORD: 's3cret',
  })
  assert.deepEqual(call?.from, { kind: 'time', seconds: 1_639_620_090 })
})

test("the names of Flink's Table API mean the same flags, in all their spellings", () => {
  const expected = toTailCall(
    words('--broker-url a:1 --topic t --sid s --user u --password p --table shop.orders'),
  )
  const spellings = [
    'dts.server=a:1 topic=t dts.sid=s dts.user=u dts.password=p dts-cdc.table.name=shop.orders',
    '--dts.server a:1 --topic t --dts.sid s --dts.user u --dts.password p --dts-cdc.table.name shop.orders',
    '--dts.server=a:1 --dts.topic=t --dts.sid=s --dts.user=u --dts.password=p --dts-cdc.table.name=shop.orders',
    "'dts.server'='a:1' 'topic'='t' 'dts.sid'='s' 'dts.user'='u' 'dts.password'='p' 'dts-cdc.table.name'='shop.orders'",
  ]
  for (const line of spellings) assert.deepEqual(toTailCall(words(line)), expected, line)
})

const places: [line: string, part: Partial<TailCall>][] = [
  ['', { from: { kind: 'earliest' }, to: null, follow: false }],
  ['--follow', { from: { kind: 'latest' }, to: null, follow: true }],
  ['--follow --from earliest', { from: { kind: 'earliest' }, follow: true }],
  ['--from latest', { from: { kind: 'latest' } }],
  [
    '--from offset:42 --to-offset 50',
    { from: { kind: 'offset', offset: 42n }, to: { kind: 'offset', offset: 50n } },
  ],
  [
    '--from-offset 42 --to offset:50',
    { from: { kind: 'offset', offset: 42n }, to: { kind: 'offset', offset: 50n } },
  ],
  [
    '--from 2026-01-31T08:00:00Z --to 1769846401000',
    { from: { kind: 'time', seconds: 1_769_846_400 }, to: { kind: 'time', seconds: 1_769_846_401 } },
  ],
  ['--limit 3 --format json', { limit: 3, format: 'json' }],
  ['--stage prod', { stage: 'prod' }],
]
for (const [line, expected] of places) {
  test(`tail ${line} starts and ends where it says`, () => {
    const call = toTailCall(words(line))
    for (const [name, value] of Object.entries(expected))
      assert.deepEqual(call?.[name as keyof TailCall], value)
  })
}

test('lists may be written with commas or as several flags, and ! leaves tables out', () => {
  const { selection } = toTailCall(
    words('--table shop.a_*,!shop.a_b* --table "shop.c d" --operation insert,DDL --columns id,total'),
  ) as TailCall
  assert.deepEqual(selection.tables, { patterns: ['shop.a_*', 'shop.c d'], except: ['shop.a_b*'] })
  assert.deepEqual([...selection.operations], ['INSERT', 'DDL'])
  assert.deepEqual(selection.columns, ['id', 'total'])
  const others = toTailCall(words('--table !shop.audit'))?.selection.tables
  assert.deepEqual(others, { patterns: ['*'], except: ['shop.audit'] })
})

const mistakes: [line: string, message: RegExp][] = [
  ['--tabel shop.orders', /tabel/],
  ['shop.orders', /shop\.orders/],
  ['--table orders', /--table: table must be database\.table/],
  ['--table shop.a --table !shop.*', /leaves out all of shop\.a/],
  ['--operation insert,erase', /--operation is one of insert, update, delete, init, ddl, not "ERASE"/],
  ['--format xml', /--format is one of pretty, json, changelog, csv, not "xml"/],
  ['--format csv', /csv has one header: give --columns, or one --table/],
  ['--format csv --table shop.*', /csv has one header/],
  ['--from yesterday', /--from takes earliest, latest, a time or offset:N, not "yesterday"/],
  ['--to latest', /--to takes a time or offset:N, not "latest"/],
  ['--from 1769846400000000', /microseconds/],
  ['--from offset:-1', /an offset is digits/],
  ['--from latest --from-offset 3', /both places: keep one/],
  ['--from latest --checkpoint 3', /keep one/],
  ['--follow --to 1769846400', /--follow never ends/],
  ['--limit 0', /--limit takes a whole number from 1/],
  ['--columns ""', /--columns needs a value|argument missing/],
]
for (const [line, message] of mistakes) {
  test(`tail ${line} is refused`, () => {
    assert.throws(
      () => toTailCall(words(line)),
      (error: Error) => error instanceof UsageError && message.test(error.message),
    )
  })
}

test('a condition with a mistake is refused with its place', () => {
  assert.throws(() => toTailCall(['--where', 'total >']), { code: 'CONDITION_INVALID', message: /\^/ })
})

test('a condition may begin with a column that has the name of a setting', () => {
  const { selection, variables } = toTailCall(['--where', "topic = 'a'", '--limit', '1']) as TailCall
  assert.deepEqual([selection.condition?.columns, variables], [['topic'], {}])
})

test('--help asks for nothing else', () => {
  assert.equal(toTailCall(['--help']), null)
})
