import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Images, parseCondition } from '../../../lib/condition/condition.ts'
import type { DtsError } from '../../../lib/errors.ts'

const row = {
  id: 9007199254740993n,
  count: 7,
  total: '120.50',
  tax: '9.5',
  code: '007',
  status: 'paid',
  note: null,
  data: Buffer.from('0aff', 'hex'),
  ratio: 0.1,
  nan: 'NaN',
  'strange name': 'x',
  changed: 1,
  from: 'a',
  low: '-12.5',
  zip: '0200',
  share: '10%',
  path: 'a\\',
  infinite: 'Infinity',
  lowest: '-infinity',
  big: 1e21,
  tiny: 1e-7,
  half: 0.5,
  empty: '',
  word: 'infinity and beyond',
  zip2: 'D-12',
}
const insert: Images = { before: null, after: row }
const update: Images = { before: { ...row, status: 'open', note: null }, after: row }
const deletion: Images = { before: row, after: null }

const verdicts: [condition: string, images: Images, selected: boolean][] = [
  ["status = 'paid' and total > 100", insert, true],
  ["status = 'paid' AND total > 120.5", insert, false],
  ['total = 120.5000', insert, true],
  ['total > 1.2e2', insert, true],
  ['total > tax', insert, true],
  ['id = 9007199254740993', insert, true],
  ['id = 9007199254740992', insert, false],
  ['id > count', insert, true],
  ["count = '7'", insert, true],
  ['ratio = 0.1', insert, true],
  ["code = '007'", insert, true],
  ["code = '7'", insert, false],
  ['code = 7', insert, true],
  ["status <> 'open'", insert, true],
  ["status != 'paid'", insert, false],
  ["status in ('open', 'paid')", insert, true],
  ["status not in ('open', 'paid')", insert, false],
  ['count between 7 and 8', insert, true],
  ['count not between 7 and 8', insert, false],
  ["status like 'p%d'", insert, true],
  ["status like 'p_d'", insert, false],
  ["status like 'p__d'", insert, true],
  ["status like '%a%a%'", insert, false],
  ["status not like '\\p%'", insert, false],
  ['note is null', insert, true],
  ['note is not null', insert, false],
  ["note = 'x'", insert, false],
  ["not note = 'x'", insert, false],
  ["note = 'x' or count = 7", insert, true],
  ["note = 'x' and count = 8", insert, false],
  ['absent is null', insert, false],
  ['absent is not null', insert, false],
  ['nan > 1', insert, false],
  ['nan <= 1', insert, false],
  ["data = x'0AFF'", insert, true],
  ["data > x'0a'", insert, true],
  ['changed = true', insert, true],
  ['changed(status)', update, true],
  ['changed(total)', update, false],
  ['changed(data)', update, false],
  ['changed(status)', insert, false],
  ["before.status = 'open' and after.status = 'paid'", update, true],
  ["before.status = 'paid'", insert, false],
  ["status = 'paid'", deletion, true],
  ["after.status = 'paid'", deletion, false],
  ['"strange name" = \'x\'', insert, true],
  ["`strange name` = 'x'", insert, true],
  ["from = 'a'", insert, true],
  ["status = 'it''s'", insert, false],
  ["not (status = 'open' or status = 'new') and not not count = 7", insert, true],
  ["status = 'open' or status = 'paid' and count = 8", insert, false],
  // Order, at and beside the border.
  ...(['<', '<=', '=', '<>', '>=', '>'] as const).flatMap((sign) =>
    [6, 7, 8].map((value): [string, Images, boolean] => {
      const order = Math.sign(7 - value)
      const fitting = { '<': [-1], '<=': [-1, 0], '=': [0], '<>': [-1, 1], '>=': [0, 1], '>': [1] }[sign]
      return [`count ${sign} ${value}`, insert, fitting.includes(order)]
    }),
  ),
  ["status != 'open'", insert, true],
  ["status > 'open'", insert, true],
  ["status < 'paid'", insert, false],
  ["status < 'zero'", insert, true],
  ["status > 'zero'", insert, false],
  // Two columns with decimals compare as numbers, a quoted text or a code as a text.
  ['tax < total', insert, true],
  ['low < tax', insert, true],
  ["total = '120.5'", insert, false],
  ["'120.5' = total", insert, false],
  ['zip < total', insert, true],
  ['total < zip', insert, false],
  // Numbers of every form.
  ["id = '9007199254740993.0'", insert, true],
  ['count = 70e-1', insert, true],
  ['count = 0.7e+1', insert, true],
  ['count = +7', insert, true],
  ['half = .5', insert, true],
  ['low = -12.5', insert, true],
  ['low > -12', insert, false],
  ['low < 0', insert, true],
  ['big = 1e21', insert, true],
  ['big > 999e18', insert, true],
  ['tiny = 0.0000001', insert, true],
  ['total < 1e400', insert, true],
  ['infinite > 1e400', insert, true],
  ['infinite < 1', insert, false],
  ['1 < infinite', insert, true],
  ['infinite = 1', insert, false],
  ['lowest < -1e400', insert, true],
  ['lowest > 1', insert, false],
  // Patterns.
  ["status like 'paid%'", insert, true],
  ["status like 'paid%%'", insert, true],
  ["status like 'paid_'", insert, false],
  ["status like 'pai'", insert, false],
  ["status like 'aid'", insert, false],
  ["status like '%d'", insert, true],
  ["share like '10\\%'", insert, true],
  ["share like '1\\%'", insert, false],
  ["path like 'a\\'", insert, true],
  ["note like '%'", insert, false],
  ["not note like '%'", insert, false],
  ["absent like '%'", insert, false],
  // Unknown stays unknown, unless the other side decides.
  ["not (note = 'x' and count = 7)", insert, false],
  ["not (count = 7 and note = 'x')", insert, false],
  ["not (note = 'x' and count = 8)", insert, true],
  ["not (count = 8 and note = 'x')", insert, true],
  ["not (note = 'x' or count = 8)", insert, false],
  ["not (count = 8 or note = 'x')", insert, false],
  ['not absent = 1', insert, false],
  ['changed(status)', deletion, false],
  ['changed(absent)', update, false],
]
describe('a condition', () => {
  for (const [condition, images, selected] of verdicts) {
    test(`${condition} is ${selected ? '' : 'not '}true`, () => {
      assert.equal(parseCondition(condition).matches(images), selected)
    })
  }

  test('lists the columns that it reads', () => {
    const { columns } = parseCondition("before.a = 1 and changed(b) or `c d` in (e) and changed = 'x'")
    assert.deepEqual(columns, ['a', 'b', 'c d', 'e', 'changed'])
  })
})

const refused: [condition: string, reason: RegExp][] = [
  ['', /character 1: expected a column or a value, not the end/],
  ['status', /character 7: expected a comparison/],
  ['status =', /character 9: expected a column or a value/],
  ["status = 'paid", /character 10: a quote without its end/],
  ["status = 'paid' total", /character 17: expected AND, OR or the end, not total/],
  ['status == 1', /character 9: expected a column or a value, not =/],
  ['(a = 1', /expected \), not the end/],
  ['a in ()', /expected a column or a value, not \)/],
  ['a is 1', /expected NULL, not 1/],
  ['a like b', /expected a text such as 'a%', not b/],
  ['a between 1 or 2', /expected AND, not or/],
  ['a = 12abc', /12|character 5/],
  ['a ~ 1', /~ is unknown here/],
  ["a = x'abc'", /expected/],
  [`${'('.repeat(200)}a = 1${')'.repeat(200)}`, /more than 100 levels/],
  ...['and', 'or', 'is', 'in', 'like', 'between'].map((word): [string, RegExp] => [
    `${word} = 1`,
    new RegExp(`expected a column or a value, not ${word}`),
  ]),
]
describe('a condition that cannot be read', () => {
  for (const [condition, reason] of refused) {
    test(`is refused with the place of the mistake: ${condition.slice(0, 40)}`, () => {
      assert.throws(() => parseCondition(condition), { code: 'CONDITION_INVALID', message: reason })
    })
  }

  test('has more than 100 levels; parentheses beside each other do not count', () => {
    const deep = (levels: number) => `${'('.repeat(levels)}count = 7${')'.repeat(levels)}`
    assert.equal(parseCondition(deep(99)).matches(insert), true)
    assert.throws(() => parseCondition(deep(100)), { message: /more than 100 levels/ })
    const long = Array.from({ length: 150 }, () => deep(1)).join(' and ')
    assert.equal(parseCondition(long).matches(insert), true)
  })

  test('is shown with a mark below the place', () => {
    assert.throws(() => parseCondition("a = 'b' or ~"), { message: /\n {2}a = 'b' or ~\n {13}\^$/ })
  })
})

const mismatches: [condition: string, reason: RegExp][] = [
  ['status > 5', /compares a text that is no number with a number/],
  ['data = 5', /anything but bytes/],
  ["data = 'text'", /anything but bytes/],
  ["data like 'x%'", /a binary column with a pattern/],
  ["count > 'many'", /a text that is no number/],
  ['total > 1e999999', /a number/],
  ['total > 1e401', /a number/],
  ['empty = 5', /a text that is no number with a number/],
  ['word > 1', /a text that is no number with a number/],
  ["count > 'xnan'", /a text that is no number with a number/],
  ['zip2 > 1', /a text that is no number with a number/],
]
for (const [condition, reason] of mismatches) {
  test(`a condition whose types do not fit the row is refused, and quotes no value: ${condition}`, () => {
    assert.throws(
      () => parseCondition(condition).matches(insert),
      (error: DtsError) => {
        assert.match(error.message, reason)
        assert.deepEqual([error.code, error.retryable], ['CONDITION_INVALID', false])
        assert.match(error.message, /Write the other value as the column has it: .*digits for a number\.$/)
        assert.doesNotMatch(error.message, /paid|120/)
        return true
      },
    )
  })
}

test('a pattern of many stars is judged in linear steps', () => {
  const images = { before: null, after: { text: 'a'.repeat(50_000) } }
  assert.equal(parseCondition(`text like '${'%a'.repeat(50)}%b'`).matches(images), false)
})
