import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Router } from '../../../lib/dispatch/routes.ts'
import { route } from './support.ts'

const unnamed = () => null
const functionFor = (from: Router, table: string, logical = unnamed as () => string | null) =>
  from.routesFor(table, logical)[0]?.functionName ?? null

const router = new Router({
  'shop.orders': route('orders'),
  'shop_*.orders_*': route('sharded'),
  'erp.*': route('erp'),
  'pg.public.users': route('users'),
  'a+b.t$': route('special'),
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
  for (const [table, expected, reason] of cases) assert.equal(functionFor(router, table), expected, reason)
  for (const [table, expected, reason] of cases) {
    assert.equal(functionFor(router, table), expected, `${reason}, asked again`)
  }
})

test('an exact name wins over a pattern; two patterns are a fault of the deployment', () => {
  const overlapping = new Router({
    'shop.*': route('all'),
    'shop.orders': route('orders'),
    '*.items': route('items'),
  })
  assert.equal(functionFor(overlapping, 'shop.orders'), 'orders')
  assert.equal(functionFor(overlapping, 'shop.customers'), 'all')
  assert.throws(() => functionFor(overlapping, 'shop.items'), {
    code: 'CONFIG_INVALID',
    message: /shop\.\* and \*\.items both match the table shop\.items/,
  })
})

const functionsFor = (from: Router, database: string | null) =>
  from.routesForDatabase(database).map(({ functionName }) => functionName)

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
  for (const [database, expected] of cases) assert.deepEqual(functionsFor(router, database), expected)
})

test('many tables do not make the router forget or mix up', () => {
  for (let i = 0; i < 25_000; i++) assert.equal(functionFor(router, `erp.t${i}`), 'erp')
  assert.equal(functionFor(router, 'shop.orders'), 'orders')
})

test('a function with several tables gets a statement on their database once, as does the catch-all', () => {
  const many = new Router({
    'shop.orders': route('sales'),
    'shop.items': route('sales'),
    '*': route('rest'),
  })
  assert.deepEqual(functionsFor(many, 'shop'), ['sales', 'rest'])
  assert.deepEqual(functionsFor(many, 'erp'), ['rest'])
  assert.deepEqual(functionsFor(many, null), ['sales', 'rest'])
})

test('the physical name wins over the logical one, any name over the catch-all', () => {
  const sharded = new Router({
    'shop.orders': route('logical'),
    'shop_7.orders_7': route('one shard'),
    '*': route('rest'),
  })
  const logical = () => 'shop.orders'
  assert.equal(functionFor(sharded, 'shop_7.orders_7', logical), 'one shard')
  assert.equal(functionFor(sharded, 'shop_8.orders_8', logical), 'logical')
  assert.equal(functionFor(sharded, 'shop_8.items_8'), 'rest')
  assert.equal(functionFor(new Router({ 'shop.orders': route('logical') }), 'shop_8.items_8'), null)
})

test('the logical name is read from one record of a table, not from each', () => {
  const sharded = new Router({ 'shop.orders': route('logical') })
  let asked = 0
  const logical = () => {
    asked += 1
    return 'shop.orders'
  }
  for (let i = 0; i < 3; i++) assert.equal(functionFor(sharded, 'shop_8.orders_8', logical), 'logical')
  assert.equal(asked, 1)
})

test('a record that cannot tell its logical name decides nothing for those behind it', () => {
  const sharded = new Router({ 'shop.orders': route('logical'), '*': route('rest') })
  const name = (logical: string | null | undefined) =>
    sharded.routesFor('shop_8.orders_8', () => logical)[0]?.functionName
  assert.deepEqual([name(undefined), name('shop.orders'), name(undefined)], ['rest', 'logical', 'logical'])
})
