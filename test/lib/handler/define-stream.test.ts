import '../../rig/quiet.ts'
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { declaredTables } from '../../../lib/dispatch/pattern.ts'
import { Router } from '../../../lib/dispatch/routes.ts'
import { routeJson, routesSchema, toRoutes } from '../../../lib/dispatch/settings.ts'
import { defineStream, type StreamDefinition } from '../../../lib/handler/define-stream.ts'
import { changesOf, deliver } from '../../../lib/handler/testing/index.ts'
import { t0 } from '../../support/records.ts'
import { batchOf, send, write } from './define-table/support.ts'

describe('defineStream', () => {
  test('gives one function the changes of all tables with all columns, and statements, in the order of the stream', async () => {
    const seen: unknown[] = []
    const handler = defineStream({
      onChange: (change) => {
        const { status } = change.operation === 'DELETE' ? change.before : change.after
        seen.push([change.table, change.operation, status])
      },
      onDdl: ({ statement }) => void seen.push(statement),
    })
    const values = [
      write.insert('shop.orders', 1, t0).value,
      write.insert('billing.invoices', 1, t0).value,
      write.ddl('shop.orders', 'ALTER TABLE orders ADD note TEXT', t0).value,
      write.update('shop.orders', 1, t0).value,
    ]
    await send(handler, batchOf(values))
    assert.deepEqual(seen, [
      ['shop.orders', 'INSERT', 'new'],
      ['billing.invoices', 'INSERT', 'new'],
      'ALTER TABLE orders ADD note TEXT',
      ['shop.orders', 'UPDATE', 'paid'],
    ])
  })

  test('gets the tables that no other file handles, without the excepted ones', () => {
    const { table, delivery } = defineStream({ except: ['shop.tmp_*'], onChange() {} }).definition
    const { patterns, except } = declaredTables(table)
    const routes = { 'shop.orders': 'orders', [patterns[0] ?? '']: routeJson('all', delivery, except) }
    const router = new Router(toRoutes(routesSchema.parse(JSON.parse(JSON.stringify(routes))), ''))
    assert.deepEqual(
      ['shop.orders', 'shop.items', 'shop.tmp_1'].map((name) =>
        router
          .routesFor(name, () => null)
          .routes.map(({ functionName, concurrency }) => [functionName, concurrency]),
      ),
      [[['orders', 1]], [['all', 1]], []],
    )
  })

  test('is tested with changes of any table', async () => {
    const seen: string[] = []
    const handler = defineStream({ onChange: ({ table }) => void seen.push(table) })
    const changes = ['shop.orders', 'shop.items'].map((table) =>
      changesOf(handler, { table }).insert({ id: 1n }),
    )
    assert.deepEqual(await deliver(handler, changes), { handled: 2, filtered: 0, error: null })
    assert.deepEqual(seen, ['shop.orders', 'shop.items'])
  })

  const cases: [definition: object | undefined, message: RegExp][] = [
    [undefined, /onChange, onBatch, onTransaction, or one of/],
    [{}, /onChange, onBatch, onTransaction, or one of/],
    [{ onChange() {}, table: 'shop.orders' }, /defineStream takes no table: .*except, or use defineTable/],
    [{ onChange() {}, concurrency: 2 }, /defineStream takes no concurrency: .*in the order of the stream/],
    [{ onChange() {}, except: 'orders' }, /not "!orders"/],
    [{ onChange() {}, except: ['*'] }, /not "!\*"/],
    [{ onChange() {}, exept: ['shop.orders'] }, /Unrecognized key: "exept"/],
  ]
  for (const [definition, message] of cases) {
    test(`refuses ${JSON.stringify(definition)}`, () => {
      assert.throws(() => defineStream(definition as StreamDefinition), { code: 'CONFIG_INVALID', message })
    })
  }
})
