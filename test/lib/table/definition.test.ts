import '../../rig/quiet.ts'
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defaultDelivery } from '../../../lib/dispatch/settings.ts'
import { defineTable } from '../../../lib/table.ts'
import { row } from './support.ts'

describe('the delivery that a definition asks for', () => {
  const onChange = () => {}
  const delivery = (definition: object) =>
    defineTable({ table: 'shop.orders', row, ...definition } as Parameters<typeof defineTable<typeof row>>[0])
      .definition.delivery

  test('has a default for everything', () => {
    assert.deepEqual(delivery({ onChange }), defaultDelivery)
  })

  test('a run is shorter unless told: it is repeated as a whole', () => {
    assert.deepEqual(delivery({ onBatch: onChange }), { ...defaultDelivery, batchSize: 100 })
    assert.equal(delivery({ onBatch: onChange, batchSize: 7 }).batchSize, 7)
  })

  test('is what was declared, without the handlers', () => {
    const settings = {
      attempts: 2,
      maxAgeSeconds: 9,
      onFailure: 'halt',
      batchSize: 3,
      concurrency: 4,
    } as const
    const operations = ['DELETE']
    assert.deepEqual(delivery({ onChange, onDdl: onChange, ...settings, operations }), {
      ...settings,
      operations,
    })
  })
})

describe('definitions that are refused where they are written', () => {
  const onChange = () => {}
  const cases: [definition: object, message: RegExp][] = [
    [{ table: 'orders', onChange }, /table must be database\.table/],
    [{ table: 'a.b.c.d', onChange }, /table must be database\.table/],
    [{ table: 'shop. orders', onChange }, /table must be database\.table/],
    [{ table: 'shop.or\nders', onChange }, /table must be database\.table.*not "shop\.or\\nders"/],
    [{ table: ['shop.orders', 'items'], onChange }, /table must be database\.table.*not "items"/],
    [{ table: ['!shop.orders'], onChange }, /table must be database\.table/],
    [{ table: ['shop.orders_*', '!shop.items'], onChange }, /!shop\.items leaves out what none/],
    [{ onChange }, /table must be database\.table/],
    [{ table: 'shop.orders' }, /exactly one of onChange and onBatch/],
    [{ table: 'shop.orders', onChange, onBatch: onChange }, /exactly one of onChange and onBatch/],
    [{ table: 'shop.orders', onBatch: onChange, batchSize: 0 }, /batchSize .*>=1/],
    [{ table: 'shop.orders', onChange, attempts: 0 }, /attempts .*>=1/],
    [{ table: 'shop.orders', onChange, concurrency: 33 }, /concurrency .*<=32/],
    [{ table: 'shop.orders', onChange, onFailure: 'skip' }, /onFailure .*"dead-letter"\|"halt"/],
    [{ table: 'shop.orders', onChange, operations: ['DDL'] }, /operations\.0 /],
    [{ table: 'shop.orders', onChange, operations: [] }, /operations /],
    [{ table: 'shop.orders', onChange, attemps: 3 }, /Unrecognized key: "attemps"/],
    [{ table: 'x', batchSize: 1.5 }, /table must.*exactly one.*batchSize/],
  ]
  for (const [definition, message] of cases) {
    test(String(message), () => {
      const whole = { row, ...definition } as Parameters<typeof defineTable<typeof row>>[0]
      assert.throws(() => defineTable(whole), { code: 'CONFIG_INVALID', message })
    })
  }
})
