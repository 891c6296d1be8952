import '../../../rig/quiet.ts'
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import * as mini from 'zod/mini'
import {
  encodeRecord,
  integer,
  type PlainRecord,
  type PlainValue,
  text,
} from '../../../../infra/local/encode.ts'
import { dateColumn, geometryColumn, jsonColumn } from '../../../../lib/handler/columns/index.ts'
import { defineTable } from '../../../../lib/handler/define-table.ts'
import { batchOf, functionContext, send } from './support.ts'

function recordOf(columns: Readonly<Record<string, PlainValue>>, plain: Partial<PlainRecord> = {}): Buffer {
  return encodeRecord({
    operation: 'INSERT',
    objectName: 'shop.orders',
    fields: Object.keys(columns).map((name) => [name, name === 'id' ? 8 : 253] as const),
    after: Object.values(columns),
    ...plain,
  })
}

async function refusal(row: z.core.$ZodObject, record: Buffer): Promise<string> {
  const handler = defineTable({ table: 'shop.orders', row, onChange: () => assert.fail('not as declared') })
  const { failure } = await send(handler, batchOf([record]))
  assert.equal(failure?.code, 'ROW_INVALID')
  return failure?.message ?? ''
}

describe('a declared column that the image does not have', () => {
  const record = recordOf({ id: integer(1), Status: text('canary'), 'e\nmail': text('canary') })

  const declared: [reason: string, column: z.ZodType][] = [
    ['a text', z.string()],
    ['one that can be NULL', z.string().nullable()],
    ['an enumeration', z.enum(['new', 'paid'])],
    ['a union', z.union([z.string(), z.number()])],
    ['bytes', z.instanceof(Buffer)],
    ['any type', z.unknown()],
    ['a geometry', geometryColumn()],
    ['a document', jsonColumn()],
    ['a date', dateColumn()],
    ['one with a transformation', z.string().transform((text) => text.length)],
  ]
  for (const [reason, column] of declared) {
    test(`${reason}: is reported as missing, with the columns of the image`, async () => {
      const message = await refusal(z.object({ id: z.bigint(), status: column }), record)
      assert.match(message, /\(status: is missing( \(expected \w+\))?\)\./)
      assert.match(message, / The image has the columns id, Status, e\?mail\. /)
      assert.doesNotMatch(message, /canary|undefined|nonoptional/)
    })
  }

  test('is reported in the same words by a row in the mini form of zod', async () => {
    const usual = await refusal(z.object({ id: z.string(), status: z.string().nullable() }), record)
    const row = mini.object({ id: mini.string(), status: mini.nullable(mini.string()) })
    assert.equal(await refusal(row, record), usual)
    assert.match(
      usual,
      /id: has another type than declared \(expected string, received bigint\); status: is missing/,
    )
  })

  test('is reported differently from a wrong value and from NULL', async () => {
    const row = z.object({ id: z.string(), status: z.string(), Status: z.number() })
    const message = await refusal(row, record)
    assert.match(message, /id: has another type than declared \(expected string, received bigint\)/)
    assert.match(message, /; status: is missing \(expected string\); Status: has another type/)
    const nulled = await refusal(z.object({ id: z.bigint() }), recordOf({ id: null }))
    assert.match(nulled, /id: has another type than declared \(expected bigint, received null\)/)
    assert.doesNotMatch(nulled, /missing|has the columns/)
  })

  test('is reported for the incomplete image only, if the other image is complete', async () => {
    const update = recordOf(
      { id: integer(1), status: text('new') },
      {
        operation: 'UPDATE',
        before: [integer(1), { EmptyObject: 'NONE' }],
        after: [integer(1), text('new')],
      },
    )
    const message = await refusal(z.object({ id: z.bigint(), status: z.string() }), update)
    assert.match(message, /The before image of the UPDATE .*\(status: is missing .* has the columns id\. /)
  })

  test('is reported in a short message, even if the image has many columns', async () => {
    const wide = Object.fromEntries(
      Array.from({ length: 300 }, (_, at) => [`c${at}`.padEnd(100, 'x'), text('a')]),
    )
    const message = await refusal(z.object({ status: z.string() }), recordOf(wide))
    assert.match(message, /c1x+, .* and 291 more\. Correct the row schema/)
  })

  test('is reported with the columns of the JSON, if the change was sent by hand', async () => {
    const handler = defineTable({
      table: 'shop.orders',
      row: z.object({ status: z.string() }),
      onChange() {},
    })
    const byHand = { operation: 'INSERT', table: 'shop.orders', after: { state: 'new' } }
    await assert.rejects(handler(byHand, functionContext()), {
      code: 'ROW_INVALID',
      message: /status: is missing \(expected string\)\)\. The image has the columns state\./,
    })
  })
})

describe('a column named __proto__', () => {
  async function rowOf(row: z.ZodObject, record: Buffer): Promise<object> {
    const rows: object[] = []
    const handler = defineTable({
      table: 'shop.orders',
      row,
      onChange: (change) => void rows.push('after' in change ? change.after : {}),
    })
    const { acknowledgedThrough } = await send(handler, batchOf([record]))
    assert.equal(acknowledgedThrough, '100')
    return rows[0] ?? {}
  }
  const record = recordOf({ id: integer(1), ['__proto__']: text('x'), constructor: text('y') })

  test('reaches the handler of a loose row like any other column', async () => {
    for (const row of [
      z.looseObject({}),
      z.looseObject({ id: z.bigint() }),
      z.object({}).catchall(z.unknown()),
    ]) {
      const entries = new Map(Object.entries(await rowOf(row, record)))
      assert.deepEqual(
        [entries.get('__proto__'), entries.get('constructor'), entries.get('id')],
        ['x', 'y', 1n],
      )
    }
  })

  test('does not change the prototype of the row', async () => {
    const row = z.object({ id: z.bigint() }).catchall(z.string().transform((text) => ({ text, admin: true })))
    const received = await rowOf(row, record)
    assert.deepEqual(Object.getOwnPropertyDescriptor(received, '__proto__')?.value, {
      text: 'x',
      admin: true,
    })
    assert.equal('admin' in received, false)
  })

  test('is checked by the catchall type, and refused by a strict row', async () => {
    const numbers = z.object({ id: z.bigint(), constructor: z.string() }).catchall(z.number())
    assert.match(await refusal(numbers, record), /expected number, received string/)
    await refusal(z.strictObject({ id: z.bigint(), constructor: z.string() }), record)
  })
})
