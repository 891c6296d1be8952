import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Router } from '../../../lib/dispatch/routes.ts'
import { routesOfStatement } from '../../../lib/dispatch/statement-routes.ts'
import type { SourceType } from '../../../lib/dts/types.ts'
import { route } from '../../support/dispatch.ts'

const mySql = new Router({
  'shop.orders': route('orders'),
  'shop.items': route('items'),
  'shop.tmp_*': { ...route('tmp'), except: ['shop.tmp_x'] },
  'erp.orders': route('erp'),
  '*': route('rest'),
})
const postgres = new Router({
  'db.public.orders': route('orders'),
  'db.sales.orders': route('sales'),
  'db.sales.*': route('all of sales'),
  'other.public.orders': route('other'),
})

/** The functions that get a statement. */
function heard(
  router: Router,
  objectName: string | null,
  statement: string | null,
  source: SourceType = 'MySQL',
) {
  const filed = { objectName, logicalName: null, statement, sourceType: source }
  return routesOfStatement(filed, router)
    .routes.map(({ functionName }) => functionName)
    .sort()
}

describe('a statement goes to the handlers of every table that it names', () => {
  const cases: [objectName: string | null, statement: string, expected: string[]][] = [
    ['shop.orders', 'DROP TABLE orders, items', ['items', 'orders']],
    ['shop.items', 'DROP TABLE orders, items', ['items', 'orders']],
    ['shop', 'DROP TABLE orders, items', ['items', 'orders']],
    [null, 'DROP TABLE shop.orders', ['orders']],
    ['shop.orders', 'DROP TABLE shop.orders, erp.orders', ['erp', 'orders']],
    ['shop.orders', 'ALTER TABLE orders ADD c INT', ['orders']],
    ['shop', 'CREATE TABLE invoices (id int)', ['rest']],
    ['shop._orders_gho', 'RENAME TABLE orders TO _orders_del, _orders_gho TO orders', ['orders']],
    ['shop.tp_1_ogt_orders', 'RENAME TABLE orders TO tp_1_del_orders, tp_1_ogt_orders TO orders', ['orders']],
    ['shop._tmp_1_gho', 'RENAME TABLE tmp_1 TO _tmp_1_del, _tmp_1_gho TO tmp_1', ['tmp']],
    ['shop._x_gho', 'CREATE TABLE _x_gho LIKE orders', []],
    ['shop.a', 'RENAME TABLE a TO items', ['items', 'rest']],
    ['shop.tmp_1', 'DROP TABLE tmp_1, tmp_x', ['rest', 'tmp']],
    ['erp', 'DROP DATABASE erp', ['erp', 'rest']],
    ['shop.orders', 'DROP TABLE ITEMS, Orders', ['items', 'orders', 'rest']],
  ]
  for (const [objectName, statement, expected] of cases) {
    test(`${statement}, filed under ${objectName}: ${expected}`, () => {
      assert.deepEqual(heard(mySql, objectName, statement), expected)
    })
  }

  const withSchemas: typeof cases = [
    ['db.public.orders', 'ALTER TABLE orders ADD c int', ['orders']],
    ['db.public.x', 'ALTER TABLE sales.orders ADD c int', ['sales']],
    ['db.public.x', 'DROP TABLE orders; DROP TABLE sales.x', ['all of sales', 'orders']],
    ['db', 'ALTER TABLE orders ADD c int', ['all of sales', 'orders', 'sales']],
    ['db', 'ALTER TABLE public.orders ADD c int', ['orders']],
    ['db', 'DROP SCHEMA sales CASCADE', ['all of sales', 'sales']],
    ['db.public.orders', 'ALTER TABLE orders SET SCHEMA sales', ['orders', 'sales']],
    ['db.public.orders', 'DROP TABLE "ORDERS"', ['orders']],
    [null, 'DROP TABLE sales.x', ['all of sales']],
    ['db.public.x', 'ALTER TABLE db.sales.orders ADD c int', ['sales']],
  ]
  for (const [objectName, statement, expected] of withSchemas) {
    test(`with schemas: ${statement}, filed under ${objectName}: ${expected}`, () => {
      assert.deepEqual(heard(postgres, objectName, statement, 'PostgreSQL'), expected)
    })
  }
})

describe('a statement whose tables are not certain', () => {
  const all = ['erp', 'items', 'orders', 'rest', 'tmp']
  const cases: [objectName: string | null, statement: string | null, expected: string[], reason: string][] = [
    [
      'shop.orders',
      'FLUSH x',
      ['items', 'orders', 'rest', 'tmp'],
      'all of the database that it is filed under',
    ],
    ['shop', 'FLUSH x', ['items', 'orders', 'rest', 'tmp'], 'filed under the database itself'],
    [null, 'FLUSH x', all, 'all functions, if it is filed under nothing'],
    ['shop.orders', 'FLUSH erp.x', all, 'also the functions of each database that it names'],
    ['erp.orders', 'DROP TABLE orders, `erp', all, 'all functions, if the text cannot be parsed to its end'],
    [
      null,
      'DROP TABLE orders',
      ['erp', 'orders', 'rest'],
      'all tables of that name, if the database is unknown',
    ],
    [
      'erp.x',
      'DROP TABLE erp.x, orders',
      ['erp', 'orders', 'rest'],
      'or may differ from the database under which it is filed',
    ],
    [
      'shop',
      null,
      ['items', 'orders', 'rest', 'tmp'],
      'an unreadable record goes to the database of its name',
    ],
    [null, 'DROP TABLE _orders_del', [], 'but no function gets a statement about a ghost table alone'],
    ['shop.orders', null, ['orders'], 'an unreadable record goes to the table under which it is filed'],
    [null, null, all, 'an unreadable record without a name goes to all functions'],
  ]
  for (const [objectName, statement, expected, reason] of cases) {
    test(`goes to every handler that it could concern: ${statement}, filed under ${objectName}: ${reason}`, () => {
      assert.deepEqual(heard(mySql, objectName, statement), expected)
    })
  }
})

test('a ghost table whose database is unknown goes to the handler that names it exactly, or to all with GHOST_TABLES=deliver', () => {
  const routes = { 'shop._orders_del': route('exact'), 'shop.*': route('all'), '*': route('rest') }
  const statement = 'DROP TABLE _orders_del'
  assert.deepEqual(heard(new Router(routes), null, statement), ['exact'])
  assert.deepEqual(heard(new Router(routes, 'deliver'), null, statement), ['all', 'exact', 'rest'])
})

test('a statement that no function gets says why', () => {
  const one = new Router({ 'shop.orders_*': { ...route('orders'), except: ['shop.orders_tmp'] } })
  const reason = (objectName: string | null, statement: string) =>
    routesOfStatement({ objectName, logicalName: null, statement, sourceType: 'MySQL' }, one).leftOut
  assert.equal(reason('shop.orders_tmp', 'DROP TABLE orders_tmp'), 'excluded')
  assert.equal(reason('shop._orders_del', 'DROP TABLE _orders_del'), 'ghost')
  assert.equal(reason('shop.items', 'DROP TABLE items'), 'unrouted')
  assert.equal(reason(null, 'DROP TABLE _orders_del'), 'ghost')
  assert.equal(reason('shop.orders_tmp', 'DROP TABLE orders_tmp, items, _x_del'), 'ghost')
})

test('the number of parts of a name depends on the source, and on the name under which the statement is filed', () => {
  const both = new Router({
    'hr.emp': route('two parts'),
    'db.hr.emp': route('three parts'),
    'hr.x.emp': route('x'),
  })
  const statement = 'DROP TABLE emp'
  assert.deepEqual(heard(both, null, statement, 'Oracle'), ['three parts', 'two parts', 'x'])
  for (const source of ['MySQL', 'DRDS'] as const)
    assert.deepEqual(heard(both, null, statement, source), ['two parts'])
  assert.deepEqual(heard(both, 'hr.other', statement, 'Oracle'), ['two parts'])
  assert.deepEqual(heard(both, 'db.hr.other', statement, 'Oracle'), ['three parts'])
})

test('a table that has the name of its database does not make the database unknown', () => {
  const same = new Router({ 'shop.shop': route('shop'), 'erp.shop': route('erp') })
  assert.deepEqual(heard(same, 'shop.shop', 'ALTER TABLE shop ADD c INT'), ['shop'])
})

test('a function with several of the tables gets the statement once', () => {
  const one = new Router({ 'shop.orders': route('sales'), 'shop.items': route('sales') })
  assert.deepEqual(heard(one, 'shop.orders', 'DROP TABLE orders, items'), ['sales'])
})

test('a dot inside a name does not separate parts', () => {
  const dotted = new Router({
    'shop.a\\u002Eb': route('dotted'),
    'a.b': route('other'),
    'e\\u002Ef.t': route('dotted database'),
  })
  assert.deepEqual(heard(dotted, 'shop.x', 'DROP TABLE x, `a.b`'), ['dotted'])
  assert.deepEqual(heard(dotted, 'e\\u002Ef', 'DROP DATABASE `e.f`'), ['dotted database'])
  assert.deepEqual(heard(dotted, 'e\\u002Ef', 'FLUSH TABLES'), ['dotted database'])
})

test('a statement about a shard is routed by the logical name in its record', () => {
  const sharded = new Router({
    'shop.orders': route('orders'),
    'shop.items': route('items'),
    '*': route('rest'),
  })
  const filed = { objectName: 'shop_7.orders_7', logicalName: 'shop.orders', sourceType: 'DRDS' as const }
  const functionsOf = (statement: string) =>
    routesOfStatement({ ...filed, statement }, sharded).routes.map(({ functionName }) => functionName)
  assert.deepEqual(functionsOf('ALTER TABLE orders_7 ADD c INT'), ['orders'])
  assert.deepEqual(functionsOf('ALTER TABLE shop.orders ADD c INT'), ['orders'])
  assert.deepEqual(functionsOf('DROP TABLE shop.orders, shop.items'), ['orders', 'items'])
})
