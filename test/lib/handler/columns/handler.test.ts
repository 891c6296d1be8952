import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as z from 'zod'
import {
  dateTime,
  decimal,
  encodeRecord,
  integer,
  type PlainRecord,
  type PlainValue,
  textGeometry,
  textObject,
  timestamp,
} from '../../../../infra/local/encode.ts'
import { acknowledgementSchema, packEvents, toBatch } from '../../../../lib/dispatch/batch-format.ts'
import {
  dateColumn,
  decimalColumn,
  geometryColumn,
  jsonColumn,
} from '../../../../lib/handler/columns/index.ts'
import { defineTable, type RowChange } from '../../../../lib/handler/define-table.ts'
import { context } from '../../../rig/context.ts'
import { eventOf } from '../../../support/dispatch.ts'

const row = z.object({
  id: z.bigint(),
  cart: jsonColumn(z.object({ items: z.array(z.string()) })),
  total: decimalColumn(),
  placed_at: dateColumn({ zone: 'Asia/Shanghai' }),
  updated_at: dateColumn(),
  place: geometryColumn().nullable(),
})

const fields = [
  ['id', 8],
  ['cart', 245],
  ['total', 246],
  ['placed_at', 12],
  ['updated_at', 7],
  ['place', 255],
] as const

const image = (cart: string, place: PlainValue): PlainValue[] => [
  integer(1),
  textObject(cart),
  decimal('12.30'),
  dateTime({ year: 2026, month: 11, day: 23, hour: 8, minute: 0, second: 0 }),
  timestamp(1_795_433_580, 1),
  place,
]

/** Sends records to a handler as the poller does. @returns the changes that the handler got, and the acknowledgement */
async function deliver(...records: readonly PlainRecord[]) {
  const changes: RowChange<z.output<typeof row>>[] = []
  const handler = defineTable({ table: 'shop.orders', row, onChange: (change) => void changes.push(change) })
  const events = records.map((record, at) => eventOf(BigInt(at), encodeRecord(record)))
  const origin = { topic: 't', partition: 0, clusterId: 'c', generation: 0, replayUntil: 0 }
  const acknowledgement = acknowledgementSchema.parse(
    await handler(
      toBatch(packEvents(events), origin),
      context('orders', () => 60_000),
    ),
  )
  return { changes, acknowledgement }
}

test('a handler gets the declared types in inserts and in both images of updates', async () => {
  const base = { objectName: 'shop.orders', fields }
  const first = image('{"items":["a"]}', textGeometry('POINT(1 2)'))
  const second = image('{"items":["a","b"]}', null)
  const { changes } = await deliver(
    { ...base, operation: 'INSERT', after: first },
    { ...base, operation: 'UPDATE', before: first, after: second },
  )
  const expected = {
    id: 1n,
    cart: { items: ['a'] },
    total: '12.30',
    placed_at: new Date('2026-11-23T00:00:00Z'),
    updated_at: new Date('2026-11-23T11:33:00Z'),
    place: { type: 'Point', coordinates: [1, 2] },
  }
  const [insert, update] = changes
  assert.ok(insert?.operation === 'INSERT' && update?.operation === 'UPDATE')
  assert.deepEqual({ ...insert.after }, expected)
  assert.deepEqual({ ...update.before }, expected)
  assert.deepEqual({ ...update.after }, { ...expected, cart: { items: ['a', 'b'] }, place: null })
})

test('a value of another type than declared fails the change with column and reason, without the value', async () => {
  const { changes, acknowledgement } = await deliver({
    objectName: 'shop.orders',
    fields,
    operation: 'INSERT',
    after: image('{"items":["secret", 5]}', textGeometry('POINT(77)')),
  })
  assert.deepEqual(changes, [])
  assert.equal(acknowledgement.acknowledgedThrough, null)
  const message = acknowledgement.failure?.message ?? ''
  assert.equal(acknowledgement.failure?.code, 'ROW_INVALID')
  assert.match(message, /cart: JSON \$\.items\[1\] has another type than declared \(string\)/)
  assert.match(message, /place: WKT has a position with too few or too many numbers/)
  assert.doesNotMatch(message, /secret|77/)
})
