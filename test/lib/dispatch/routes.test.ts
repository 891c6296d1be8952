import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Router } from '../../../lib/dispatch/routes.ts'

const router = new Router({
  'shop.orders': 'orders',
  'shop_*.orders_*': 'sharded',
  'erp.*': 'erp',
  'pg.public.users': 'users',
  'a+b.t$': 'special',
})

test('which function handles a table', () => {
  const cases: [table: string, expected: string | null, reason: string][] = [
    ['shop.orders', 'orders', 'exact'],
    ['shop.Orders', null, 'names know their case'],
    ['shop.orders2', null, 'no prefix match'],
    ['xshop.orders', null, 'no suffix match'],
    ['shop_7.orders_2026', 'sharded', 'a star in each part'],
    ['shop_.orders_', 'sharded', 'a star may stand for nothing'],
    ['shop_7.orders', null, 'the rest of the pattern counts'],
    ['erp.anything', 'erp', 'a whole database'],
    ['erp.public.t', null, 'a star does not cross a dot'],
    ['erp.a\\u002Eb', 'erp', 'an escaped dot is no dot'],
    ['pg.public.users', 'users', 'with a schema'],
    ['pg.users', null, 'without the schema it is another table'],
    ['a+b.t$', 'special', 'characters that mean something in a regular expression'],
    ['aab.t', null, 'they mean themselves'],
    ['__proto__.constructor', null, 'names that JavaScript knows'],
    ['shop.orders\n', null, 'a line break at the end'],
  ]
  for (const [table, expected, reason] of cases) assert.equal(router.functionFor(table), expected, reason)
  for (const [table, expected, reason] of cases) {
    assert.equal(router.functionFor(table), expected, `${reason}, asked again`)
  }
})

test('an exact name wins over a pattern; two patterns are a fault of the deployment', () => {
  const overlapping = new Router({ 'shop.*': 'all', 'shop.orders': 'orders', '*.items': 'items' })
  assert.equal(overlapping.functionFor('shop.orders'), 'orders')
  assert.equal(overlapping.functionFor('shop.customers'), 'all')
  assert.throws(() => overlapping.functionFor('shop.items'), {
    code: 'CONFIG_INVALID',
    message: /shop\.\* and \*\.items both match the table shop\.items/,
  })
})

test('which functions a statement on a database concerns', () => {
  const cases: [database: string | null, expected: string[]][] = [
    ['shop', ['orders']],
    ['shop_1', ['sharded']],
    ['erp', ['erp']],
    ['pg', ['users']],
    ['nobody', []],
    ['sho', []],
    [null, ['orders', 'users', 'special', 'sharded', 'erp']],
  ]
  for (const [database, expected] of cases) assert.deepEqual(router.functionsForDatabase(database), expected)
})

test('many tables do not make the router forget or mix up', () => {
  for (let i = 0; i < 25_000; i++) assert.equal(router.functionFor(`erp.t${i}`), 'erp')
  assert.equal(router.functionFor('shop.orders'), 'orders')
})
