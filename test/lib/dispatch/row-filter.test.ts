import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  decimal,
  emptyNone,
  encodeRecord,
  integer,
  nothing,
  type PlainValue,
  text,
} from '../../../infra/local/encode.ts'
import { type JudgedChange, judge, judgedRecord } from '../../../lib/dispatch/row-filter.ts'
import { deliverySchema } from '../../../lib/dispatch/settings.ts'
import { DtsError } from '../../../lib/errors.ts'
import { t0 } from '../../support/records.ts'

type Operation = 'INSERT' | 'UPDATE' | 'DELETE' | 'INIT'
type Image = readonly PlainValue[] | undefined

/** A row of the columns id, status, total, note. */
const row = (id: number, status: PlainValue, total = '10.00', note: PlainValue = nothing) => [
  integer(id),
  status,
  decimal(total),
  note,
]
const open = text('open')
const paid = text('paid')

function record(operation: Operation, before: Image, after: Image, keys: readonly string[] = ['id']): Buffer {
  return encodeRecord({
    operation,
    objectName: 'shop.orders',
    sourceTimestamp: t0,
    fields: [
      ['id', 8],
      ['status', 253],
      ['total', 246],
      ['note', 253],
    ],
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
    tags: keys.length === 0 ? {} : { pk_uk_info: JSON.stringify({ PRIMARY: keys }) },
  })
}

function verdict(filter: object, operation: Operation, before: Image, after: Image) {
  const delivery = deliverySchema.parse({ filter })
  return judge(delivery, operation, () => judgedRecord(record(operation, before, after), 7n))
}

const statusPaid = { where: "status = 'paid'" }
const statusChanged = { changed: ['status', 'note'] }

const cases: [
  what: string,
  filter: object,
  operation: Operation,
  before: Image,
  after: Image,
  expected: 'wanted' | 'filtered',
][] = [
  ['an inserted row that matches', statusPaid, 'INSERT', undefined, row(1, paid), 'wanted'],
  ['an inserted row that does not match', statusPaid, 'INSERT', undefined, row(1, open), 'filtered'],
  ['a row of a full copy that does not match', statusPaid, 'INIT', undefined, row(1, open), 'filtered'],
  ['a deleted row that matched', statusPaid, 'DELETE', row(1, paid), undefined, 'wanted'],
  ['a deleted row that did not match', statusPaid, 'DELETE', row(1, open), undefined, 'filtered'],
  ['an update after which the row matches', statusPaid, 'UPDATE', row(1, open), row(1, paid), 'wanted'],
  ['an update before which the row matched', statusPaid, 'UPDATE', row(1, paid), row(1, open), 'wanted'],
  [
    'an update of a row that never matched',
    statusPaid,
    'UPDATE',
    row(1, open),
    row(1, text('x')),
    'filtered',
  ],
  ['NULL, which is not equal to anything', statusPaid, 'INSERT', undefined, row(1, nothing), 'filtered'],
  [
    'a row that matches only before and only in part after the update',
    { where: "status = 'paid' and total > 9.99" },
    'UPDATE',
    row(1, open, '10.00'),
    row(1, paid, '9.00'),
    'filtered',
  ],
  [
    'named images',
    { where: "before.status = 'open' and after.status = 'paid'" },
    'UPDATE',
    row(1, open),
    row(1, paid),
    'wanted',
  ],
  ['an update without a before image', statusPaid, 'UPDATE', undefined, row(1, open), 'wanted'],
  [
    'an update whose before image lacks the column',
    statusPaid,
    'UPDATE',
    [integer(1), emptyNone, emptyNone, emptyNone],
    row(1, open),
    'wanted',
  ],
  [
    'an update that did not write the column, of a row that does not match',
    statusPaid,
    'UPDATE',
    row(1, open),
    [integer(1), emptyNone, decimal('1.00'), emptyNone],
    'filtered',
  ],
  [
    'a delete whose image has only the key',
    statusPaid,
    'DELETE',
    [integer(1), emptyNone, emptyNone, emptyNone],
    undefined,
    'wanted',
  ],
  ['an update of a named column', statusChanged, 'UPDATE', row(1, open), row(1, paid), 'wanted'],
  [
    'an update of the second named column',
    statusChanged,
    'UPDATE',
    row(1, open),
    row(1, open, '10.00', text('n')),
    'wanted',
  ],
  ['an update of another column', statusChanged, 'UPDATE', row(1, open), row(1, open, '11.00'), 'filtered'],
  ['an update of the primary key', statusChanged, 'UPDATE', row(1, open), row(2, open), 'wanted'],
  [
    'an update between two texts that are invalid, and would look the same once they are replaced',
    statusChanged,
    'UPDATE',
    row(1, text(Buffer.from([0x41, 0xff]))),
    row(1, text(Buffer.from([0x41, 0xfe]))),
    'wanted',
  ],
  [
    'an update without a before image, by changed',
    statusChanged,
    'UPDATE',
    undefined,
    row(1, open),
    'wanted',
  ],
  [
    'an update whose after image lacks the named columns',
    statusChanged,
    'UPDATE',
    [integer(1), emptyNone, emptyNone, emptyNone],
    [emptyNone, emptyNone, decimal('1.00'), emptyNone],
    'filtered',
  ],
  ['an insert, by changed', statusChanged, 'INSERT', undefined, row(1, open), 'wanted'],
  ['a delete, by changed', statusChanged, 'DELETE', row(1, open), undefined, 'wanted'],
  [
    'a change that only one of both rules wants',
    { ...statusChanged, ...statusPaid },
    'UPDATE',
    row(1, paid),
    row(1, paid, '11.00'),
    'filtered',
  ],
]

describe('a filter', () => {
  for (const [what, filter, operation, before, after, expected] of cases) {
    test(`${expected === 'wanted' ? 'lets pass' : 'leaves out'} ${what}`, () => {
      assert.equal(verdict(filter, operation, before, after), expected)
    })
  }

  test('that names a column which the table does not have is an error that lists the columns', () => {
    for (const filter of [{ changed: ['id', 'stats'] }, { where: 'id = 1 or stats = 2' }]) {
      for (const operation of ['INSERT', 'UPDATE'] as const) {
        const error = verdict(
          filter,
          operation,
          operation === 'UPDATE' ? row(1, open) : undefined,
          row(1, open),
        )
        assert.ok(error instanceof DtsError)
        assert.deepEqual([error.code, error.retryable], ['COLUMN_UNKNOWN', false])
        assert.match(
          error.message,
          /shop\.orders names the column stats, .* offset 7\. Its columns are id, status, total, note\./,
        )
        assert.deepEqual(error.facts, { column: 'stats', table: 'shop.orders', offset: '7' })
      }
    }
  })

  test('that compares values which cannot be compared is an error without any value of the row', () => {
    const error = verdict({ where: 'status > 7' }, 'INSERT', undefined, row(1, text('canary')))
    assert.ok(error instanceof DtsError)
    assert.equal(error.code, 'CONDITION_INVALID')
    assert.match(error.message, /shop\.orders cannot judge the change at offset 7\. .*text that is no number/)
    assert.doesNotMatch(error.message, /canary/)
  })

  test('that cannot judge a change is an error that says where, what to do, and that no repetition helps', () => {
    const error = verdict({ where: 'status > 7' }, 'INSERT', undefined, row(1, paid))
    assert.ok(error instanceof DtsError)
    assert.equal(error.retryable, false)
    assert.deepEqual(error.facts, { table: 'shop.orders', offset: '7' })
    assert.match(error.message, /counts as failed\. Correct the filter in the handler, then deploy it\.$/)
    assert.equal((error.cause as DtsError).code, 'CONDITION_INVALID')
    const unknown = verdict({ changed: ['stats'] }, 'UPDATE', row(1, open), row(1, open))
    assert.match((unknown as DtsError).message, /Correct the filter in the handler, then deploy it\.$/)
  })

  test('lets pass an update of one of several key columns, and knows no key of a table without one', () => {
    const delivery = deliverySchema.parse({ filter: { changed: ['note'] } })
    const judged = (before: Image, after: Image, keys: readonly string[]) =>
      judge(delivery, 'UPDATE', () => judgedRecord(record('UPDATE', before, after, keys), 7n))
    const keys = ['id', 'status']
    assert.equal(judged(row(1, open), row(1, paid), keys), 'wanted')
    assert.equal(judged(row(1, open), row(2, open), keys), 'wanted')
    assert.equal(judged(row(1, open), row(1, open, '11.00'), keys), 'filtered')
    assert.equal(judged(row(1, open), row(2, open), []), 'filtered')
  })

  test('lets pass a row of which it cannot see all columns', () => {
    const both = { where: "status = 'paid' and total > 100" }
    assert.equal(verdict(both, 'DELETE', [integer(1), open, emptyNone, emptyNone], undefined), 'wanted')
    assert.equal(verdict(both, 'UPDATE', [integer(1), open, emptyNone, emptyNone], row(1, open)), 'wanted')
    assert.equal(verdict(both, 'DELETE', row(1, open), undefined), 'filtered')
  })

  test('never leaves out a statement, nor a change of a handler without rules', () => {
    const unread = () => assert.fail('The record was read.')
    const all = deliverySchema.parse({ operations: ['INSERT'], filter: statusPaid })
    assert.equal(judge(all, 'DDL', unread), 'wanted')
    assert.equal(judge(deliverySchema.parse({}), 'INSERT', unread), 'wanted')
    assert.equal(judge(deliverySchema.parse({ operations: ['INSERT'] }), 'INSERT', unread), 'wanted')
  })

  test('leaves a record that cannot be decoded to the function, which has a policy for it', () => {
    const whole = record('INSERT', undefined, row(1, open))
    const delivery = deliverySchema.parse({ filter: statusPaid })
    const cut = whole.subarray(0, whole.length - 30)
    assert.equal(
      judge(delivery, 'INSERT', () => judgedRecord(cut, 7n)),
      'wanted',
    )
  })

  test('decodes only its own columns, and nothing if the operation decides', () => {
    const delivery = deliverySchema.parse({ operations: ['INSERT'], filter: statusPaid })
    const asked: (readonly string[])[] = []
    const judged = (): JudgedChange => {
      const real = judgedRecord(record('INSERT', undefined, row(1, paid)), 7n)
      return {
        ...real,
        decode(columns) {
          asked.push(columns)
          return real.decode(columns)
        },
      }
    }
    assert.deepEqual(
      [judge(delivery, 'DELETE', judged), judge(delivery, 'INSERT', judged)],
      ['filtered', 'wanted'],
    )
    assert.deepEqual(asked, [['status']])
  })
})
