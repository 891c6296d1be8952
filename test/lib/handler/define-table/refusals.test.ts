import '../../../rig/quiet.ts'
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import {
  binaryObject,
  encodeRecord,
  integer,
  type PlainRecord,
  text,
} from '../../../../infra/local/encode.ts'
import { defineTable } from '../../../../lib/handler/define-table.ts'
import { filler, t0 } from '../../../support/records.ts'
import { batchOf, functionContext, insertsOf, row, send, write } from './support.ts'

describe('a row that does not match its schema', () => {
  const documentOf = (text: string) => ({ [text]: 1 })
  const record = (plain: Partial<PlainRecord>) =>
    encodeRecord({
      operation: 'INSERT',
      objectName: 'shop.orders',
      fields: [
        ['id', 8],
        ['status', 253],
      ],
      after: [integer(1), text('canary')],
      sourceTimestamp: t0,
      ...plain,
    })
  const cases: [reason: string, record: Buffer, schema: z.ZodObject, message: RegExp][] = [
    [
      'another type',
      record({ after: [integer(1), binaryObject(Buffer.from('canary'))] }),
      row,
      /status: .*expected string/,
    ],
    [
      'a number for a bigint',
      record({}),
      z.object({ status: z.number() }),
      /status: .*expected number, received string/,
    ],
    [
      'a column that is gone',
      record({ fields: [['id', 8]], after: [integer(1)] }),
      row,
      /\(status: is missing \(expected string\)\)\. The image has the columns id\./,
    ],
    [
      'NULL in a column that is not nullable',
      record({ after: [integer(1), null] }),
      row,
      /status: .*expected string, received null/,
    ],
    [
      'a value outside an enumeration',
      record({}),
      z.object({ status: z.enum(['new', 'paid']) }),
      /status: is not one of the declared values/,
    ],
    [
      'a value of the wrong form',
      record({}),
      z.object({ status: z.email() }),
      /status: has not the declared format/,
    ],
    [
      'a member of a document that is not declared',
      record({}),
      z.object({ status: z.string().transform(documentOf).pipe(z.strictObject({})) }),
      /\(status: has members that are not declared\)/,
    ],
    [
      'a key of a document that is not as declared',
      record({}),
      z.object({
        status: z
          .string()
          .transform(documentOf)
          .pipe(z.record(z.string().max(1), z.number())),
      }),
      /\(status: has a key that is not as declared\)/,
    ],
    [
      'a check of the handler whose message contains the value',
      record({}),
      z.object({
        status: z.string().superRefine((message, { addIssue }) => {
          addIssue({ code: 'custom', message, path: [message] })
        }),
      }),
      /\(status: is refused by a check of its schema\).*The function's own log has the messages/,
    ],
    [
      'a check of the handler whose path contains the value',
      record({}),
      z.object({ status: z.string() }).superRefine(({ status }, { addIssue }) => {
        addIssue({ code: 'custom', message: 'no', path: [status] })
      }),
      /\(\*: is refused by a check of its schema\)/,
    ],
    [
      'a check of the handler for the whole row',
      record({}),
      z.object({ status: z.string() }).refine(() => false),
      /\(row: is refused by a check of its schema\)/,
    ],
  ]
  for (const [reason, value, schema, message] of cases) {
    test(`${reason}: the message names table, offset and column, and no value`, async () => {
      const handler = defineTable({
        table: 'shop.orders',
        row: schema,
        onChange: () => assert.fail('invalid'),
      })
      const { acknowledgedThrough, failure } = await send(handler, batchOf([value]))
      assert.equal(acknowledgedThrough, null)
      assert.equal(failure?.code, 'ROW_INVALID')
      assert.match(failure?.message ?? '', /The after image of the INSERT at offset 100 in shop\.orders/)
      assert.match(failure?.message ?? '', message)
      assert.doesNotMatch(JSON.stringify(failure), /canary/)
    })
  }
})

describe('events that are not a batch', () => {
  const handler = defineTable({ table: 'shop.orders', row, onChange: () => assert.fail('no batch') })
  const good = batchOf(insertsOf(1))
  const { data: _data, ...incomplete } = good
  const cases: [event: unknown, reason: string][] = [
    [null, 'nothing'],
    [{}, 'an empty object'],
    [[good], 'a list'],
    [{ ...good, version: 1 }, 'an earlier version'],
    [{ ...good, version: 9 }, 'a later version'],
    [{ ...good, source: 'aws:sqs' }, 'another source'],
    [{ ...good, data: '' }, 'no records'],
    [{ ...good, more: 1 }, 'an unknown key'],
    [{ ...good, generation: '1' }, 'a generation that is a string'],
    [incomplete, 'no data'],
    [{ changes: [] }, 'a list of no changes'],
    [{ changes: [{ table: 'shop.orders' }] }, 'a change without an operation'],
  ]
  for (const [event, reason] of cases) {
    test(reason, async () => {
      await assert.rejects(handler(event, functionContext()), {
        code: 'CONFIG_INVALID',
        message: /neither a batch of the poller nor a change in its JSON form/,
      })
    })
  }

  test('a batch that arrives too late is refused, and none of its changes is handled', async () => {
    const late = await send(handler, { ...good, startBefore: Date.now() })
    assert.deepEqual(late, { batchId: 'batch-1', acknowledgedThrough: null, refused: 'late' })
    let handled = 0
    const willing = defineTable({ table: 'shop.orders', row, onChange: () => void handled++ })
    const early = await send(willing, { ...good, startBefore: Date.now() + 600_000 })
    assert.deepEqual([early.acknowledgedThrough, handled], ['100', 1])
  })

  test('a batch with damaged data fails as a whole, and none of its changes is handled', async () => {
    for (const damaged of [
      { ...good, data: good.data.slice(0, -8) },
      { ...good, data: '***' },
    ]) {
      await assert.rejects(handler(damaged, functionContext()))
    }
  })

  test('filler and transaction marks that reach a table function by mistake are not handled as changes', async () => {
    for (const value of [filler(t0)[1]?.value ?? null, write.mark('HEARTBEAT', t0).value]) {
      const answer = await send(handler, batchOf([value]))
      assert.equal(answer.acknowledgedThrough, null)
      assert.equal(answer.failure?.code, 'RECORD_INVALID')
    }
  })
})
