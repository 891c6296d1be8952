import '../../../rig/quiet.ts'
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { defaultDelivery } from '../../../../lib/dispatch/settings.ts'
import { defineTable } from '../../../../lib/handler/define-table.ts'
import { row } from './support.ts'

describe('the delivery settings of a definition', () => {
  const onChange = () => {}
  const delivery = (definition: object) =>
    defineTable({ table: 'shop.orders', row, ...definition } as Parameters<typeof defineTable<typeof row>>[0])
      .definition.delivery

  test('all have defaults', () => {
    assert.deepEqual(delivery({ onChange }), defaultDelivery)
  })

  test('have a smaller default batch for onBatch, because a run repeats as a whole', () => {
    assert.deepEqual(delivery({ onBatch: onChange }), { ...defaultDelivery, batchSize: 100 })
    assert.equal(delivery({ onBatch: onChange, batchSize: 7 }).batchSize, 7)
  })

  test('ask for whole transactions only with onTransaction', () => {
    assert.deepEqual(delivery({ onTransaction: onChange }), { ...defaultDelivery, transactions: true })
    assert.equal(delivery({ onChange }).transactions, undefined)
  })

  test('are the declared ones, without the handlers', () => {
    const settings = {
      attempts: 2,
      maxAgeSeconds: 9,
      onFailure: 'halt',
      batchSize: 3,
      batchBytes: 2_000,
      batchWindowSeconds: 1,
      concurrency: 4,
      onDrift: 'ignore',
    } as const
    const operations = ['DELETE']
    assert.deepEqual(delivery({ onChange, onDdl: onChange, ...settings, operations }), {
      ...settings,
      operations,
    })
  })
})

describe('an invalid definition is refused by defineTable', () => {
  const onChange = () => {}
  const cases: [definition: object, message: RegExp][] = [
    [{ table: 'orders', onChange }, /table must be database\.table/],
    [{ table: 'a.b.c.d', onChange }, /table must be database\.table/],
    [{ table: 'shop. orders', onChange }, /table must be database\.table/],
    [{ table: 'shop.orders ', onChange }, /table must be .*blank at its end/],
    [{ table: 'shop.or\nders', onChange }, /table must be .*control character/],
    [{ table: 'shop.', onChange }, /table must be database\.table/],
    [{ table: 7, onChange }, /table must be database\.table/],
    [{ table: undefined, onChange }, /defineTable for a table: table must be database\.table/],
    [
      { row: z.object({ id: z.bigint() }).transform(({ id }) => id), onChange },
      /row .*\.transform\(\).* inside/,
    ],
    [
      { row: z.object({ id: z.bigint() }).pipe(z.object({ id: z.bigint() })), onChange },
      /row .*\.pipe\(\).* inside/,
    ],
    [{ row: z.preprocess((value) => value, z.object({})), onChange }, /row .*z\.preprocess.* inside/],
    [{ row: { id: z.bigint() }, onChange }, /row must be a schema of zod: write row: z\.object\(\{ … \}\)/],
    [{ row: undefined, onChange }, /row is missing: write row: z\.object/],
    [{ row: null, onChange }, /row is missing/],
    [{ row: 'id', onChange }, /row is missing/],
    [{ row: z.record(z.string(), z.string()), onChange }, /row must be a z\.object .*not one of type record/],
    [{ row: z.object({}).optional(), onChange }, /not one of type optional/],
    [
      { row: z.object({ ['__proto__']: z.string() }), onChange },
      /column named __proto__: use z\.looseObject/,
    ],
    [{ onChange: 'log' }, /onChange must be a function/],
    [{ onChange, onDdl: true }, /onDdl must be a function/],
    [{ async *onChange() {} }, /onChange must not be a generator function/],
    [{ *onBatch() {} }, /onBatch must not be a generator function/],
    [{ table: 'shop.or\nders', onChange }, /table must be database\.table.*not "shop\.or\\nders"/],
    [{ table: ['shop.orders', 'items'], onChange }, /table must be database\.table.*not "items"/],
    [{ table: ['!shop.orders'], onChange }, /table must be database\.table/],
    [{ table: ['shop.orders_*', '!shop.items'], onChange }, /!shop\.items leaves out what none/],
    [
      { table: 'shop.orders' },
      /onChange, onBatch, onTransaction, or one of onInsert, onUpdate and onDelete must be given/,
    ],
    [{ onDdl: onChange }, /onChange, onBatch, onTransaction, or one of/],
    [{ onChange, onBatch: onChange }, /onBatch gets all changes, so onChange would get none/],
    [
      { onInsert: onChange, onDelete: onChange, onBatch: onChange },
      /onBatch gets all changes, so onInsert and onDelete would get none/,
    ],
    [{ onTransaction: onChange, onChange }, /onTransaction gets all changes, so onChange would get none/],
    [
      { onTransaction: onChange, onBatch: onChange },
      /onTransaction gets all changes, so onBatch would get none/,
    ],
    [
      { onTransaction: onChange, concurrency: 2 },
      /onTransaction needs concurrency 1, because lanes would split/,
    ],
    [{ async *onTransaction() {} }, /onTransaction must not be a generator function/],
    [{ onChange, transactions: true }, /Unrecognized key: "transactions"/],
    [{ onDelete: 'log' }, /onDelete must be a function/],
    [{ async *onUpdate() {} }, /onUpdate must not be a generator function/],
    [
      { onChange, onDelete: onChange, operations: ['INSERT'] },
      /onDelete would get no change, because operations leaves out DELETE/,
    ],
    [{ onInsert: onChange, operations: ['UPDATE'] }, /operations leaves out INSERT and INIT/],
    [{ table: 'shop.orders', onBatch: onChange, batchSize: 0 }, /batchSize .*>=1/],
    [{ onChange, batchBytes: 5_000_000 }, /batchBytes .*<=4300000/],
    [{ onChange, batchWindowSeconds: 60 }, /batchWindowSeconds .*<=30/],
    [{ table: 'shop.orders', onChange, attempts: 0 }, /attempts .*>=1/],
    [{ table: 'shop.orders', onChange, concurrency: 33 }, /concurrency .*<=32/],
    [{ table: 'shop.orders', onChange, onFailure: 'skip' }, /onFailure .*"dead-letter"\|"halt"/],
    [{ table: 'shop.orders', onChange, operations: ['DDL'] }, /operations\.0 /],
    [{ table: 'shop.orders', onChange, operations: [] }, /operations /],
    [{ onChange, mask: {} }, /mask names no column/],
    [{ onChange, mask: { status: 'blur' } }, /mask\.status .*"hash"\|"drop"/],
    [{ onChange, mask: { status: 'drop' } }, /row declares status, which mask drops: remove it from row/],
    [{ onChange, mask: { status: 'drop-if-present' } }, /row declares status, which mask drops/],
    [{ onChange, mask: { id: 'hash-if-present' } }, /row refuses the pseudonym of id/],
    [{ onChange, mask: { id: 'hash' } }, /row refuses the pseudonym of id, .*declare z\.string\(\)/],
    [{ onChange, filter: {} }, /filter needs changed or where/],
    [{ onChange, filter: { changed: [] } }, /filter\.changed /],
    [{ onChange, filter: { were: 'x = 1' } }, /filter Unrecognized key: "were"/],
    [
      { onChange, filter: { where: 'status =' } },
      /filter\.where The condition cannot be read at character 9: .*not the end/,
    ],
    [{ table: 'shop.orders', onChange, attemps: 3 }, /Unrecognized key: "attemps"/],
    [{ table: 'x', batchSize: 1.5 }, /table must.*onChange, onBatch, onTransaction, or one of.*batchSize/],
  ]
  for (const [definition, message] of cases) {
    test(String(message), () => {
      const whole = { table: 'shop.orders', row, ...definition } as Parameters<
        typeof defineTable<typeof row>
      >[0]
      assert.throws(() => defineTable(whole), { code: 'CONFIG_INVALID', message })
    })
  }
})

test('a definition that is not an object is refused by defineTable', () => {
  for (const definition of [undefined, null, 'shop.orders']) {
    const call = () => Reflect.apply(defineTable, undefined, [definition])
    assert.throws(call, {
      code: 'CONFIG_INVALID',
      message: /it takes one object: \{ table, row, onChange, onBatch or onTransaction \}/,
    })
  }
})

describe('a definition is accepted', () => {
  const onChange = () => {}
  for (const table of [
    'shop.order items',
    'my shop.dbo.order  items',
    'shop_*.orders *',
    'shop.a\\u002Eb',
    'магазин.заказы',
  ] as const) {
    test(`for the table ${table}`, () => {
      assert.equal(defineTable({ table, row, onChange }).definition.table, table)
    })
  }
  test('with a callback for one of the operations that it takes', () => {
    defineTable({ table: 'shop.orders', row, onInsert: onChange, operations: ['INIT'] })
  })
  test('with masked columns that row declares as texts or not at all', () => {
    const { delivery } = defineTable({
      table: 'shop.orders',
      row,
      onChange,
      mask: { status: 'hash', phone: 'drop' },
    }).definition
    assert.deepEqual(delivery.mask, { status: 'hash', phone: 'drop' })
  })
  test('with a masked column whose schema cannot be asked without a change', () => {
    const asynchronous = z.object({ id: z.bigint(), status: z.string().refine(async () => true) })
    defineTable({ table: 'shop.orders', row: asynchronous, onChange, mask: { status: 'hash' } })
  })
  test('with a row that has its own checks', () => {
    const checked = z.object({ id: z.bigint() }).refine(({ id }) => id > 0n)
    defineTable({ table: 'shop.orders', row: checked, onChange })
  })
})
