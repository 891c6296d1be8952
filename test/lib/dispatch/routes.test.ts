import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { bySpecificity, Pattern } from '../../../lib/dispatch/pattern.ts'
import { Router } from '../../../lib/dispatch/routes.ts'
import { seededRuns } from '../../rig/property.ts'
import { route } from '../../support/dispatch.ts'

const unnamed = () => null
const functionFor = (from: Router, table: string, logical = unnamed as () => string | null) =>
  from.routesFor(table, logical).routes[0]?.functionName ?? null

const router = new Router({
  'shop.orders': route('orders'),
  'shop_*.orders_*': route('sharded'),
  'erp.*': route('erp'),
  'pg.public.users': route('users'),
  'a+b.t$': route('special'),
  'crm.a*b*c': route('several stars'),
})

test('a table goes to the function whose name or pattern matches', () => {
  const cases: [table: string, expected: string | null, reason: string][] = [
    ['shop.orders', 'orders', 'exact'],
    ['shop.Orders', null, 'names are case-sensitive'],
    ['shop.orders2', null, 'no prefix match'],
    ['xshop.orders', null, 'no suffix match'],
    ['shop_7.orders_2026', 'sharded', 'a star in each part'],
    ['shop_.orders_', 'sharded', 'a star may match the empty text'],
    ['shop_7.orders', null, 'the rest of the pattern counts'],
    ['erp.anything', 'erp', 'a whole database'],
    ['erp.public.t', null, 'a star does not cross a dot'],
    ['erp.a\\u002Eb', 'erp', 'an escaped dot does not separate parts'],
    ['pg.public.users', 'users', 'with a schema'],
    ['pg.users', null, 'without the schema it is another table'],
    ['a+b.t$', 'special', 'characters that mean something in a regular expression'],
    ['aab.t', null, 'these characters match only themselves'],
    ['__proto__.constructor', null, 'names that JavaScript knows'],
    ['shop.orders\n', null, 'a line break at the end'],
    ['crm.a1b2c', 'several stars', 'several stars in a part'],
    ['crm.abc', 'several stars', 'each of which may match the empty text'],
    ['crm.ac', null, 'the text between two stars is needed'],
    ['crm.ab', null, 'and so is the text after the last star'],
    ['crm.ab1', null, 'at the end'],
  ]
  for (const [table, expected, reason] of cases) assert.equal(functionFor(router, table), expected, reason)
  for (const [table, expected, reason] of cases) {
    assert.equal(functionFor(router, table), expected, `${reason}, asked again`)
  }
})

describe('of several names that match a table', () => {
  const declared = {
    'shop.*': route('all of shop'),
    'shop.orders_*': route('shards'),
    'shop.orders_2026*': route('this year'),
    'shop.orders_2026_01': route('january'),
    '*.items': route('items'),
    '*': route('rest'),
  }
  const cases: [table: string, expected: string, reason: string][] = [
    ['shop.orders_2026_01', 'january', 'an exact name wins'],
    ['shop.orders_2026_02', 'this year', 'the narrowest pattern wins'],
    ['shop.orders_2025_02', 'shards', 'the next narrower pattern gets the rest'],
    ['shop.customers', 'all of shop', 'then the widest pattern'],
    ['shop.items', 'items', 'more letters win if neither pattern contains the other'],
    ['erp.customers', 'rest', 'the catch-all comes last'],
  ]
  for (const [table, expected, reason] of cases) {
    test(`${table} goes to ${expected}: ${reason}, in whatever order they are declared`, () => {
      assert.equal(functionFor(new Router(declared), table), expected)
      const turned = Object.fromEntries(Object.entries(declared).reverse())
      assert.equal(functionFor(new Router(turned), table), expected)
    })
  }

  test('a pattern that another one contains comes first', () => {
    const part = fc.array(fc.constantFrom('a', 'b', '*'), { minLength: 1, maxLength: 5 })
    const name = fc.tuple(part, part).map((parts) => parts.map((letters) => letters.join('')).join('.'))
    fc.assert(
      fc.property(name, name, (one, other) => {
        const [left, right] = [new Pattern(one), new Pattern(other)]
        if (left.contains(right) && !right.contains(left)) assert.ok(bySpecificity(left, right) > 0)
        if (left.contains(right)) assert.ok(left.meets(right))
        assert.equal(left.meets(right), right.meets(left))
      }),
      seededRuns(2_000),
    )
  })

  test('patterns are sorted by their letters, then by their stars, then by name, and the catch-all comes last', () => {
    const sorted = ['a.bcd', 'a.b*c', 'a.bc*', 'a.x*y', 'a.*b*c*', 'a.*c', '*.c', 'x.*', '*.*', '*']
    for (const order of [sorted, [...sorted].reverse()]) {
      const patterns = order.map((text) => new Pattern(text)).sort(bySpecificity)
      assert.deepEqual(
        patterns.map(({ text }) => text),
        sorted,
      )
    }
  })

  test('several stars in a row mean the same as one', () => {
    for (const [text, same] of [
      ['**', '*'],
      ['shop.**', 'shop.*'],
      ['shop.a***b', 'shop.a*b'],
    ] as const)
      assert.equal(new Pattern(text).text, same)
    assert.equal(functionFor(new Router({ '**': route('rest') }), 'a.b.c'), 'rest')
  })

  const pairs: [one: string, other: string, contains: boolean, isContained: boolean, meets: boolean][] = [
    ['*', '*', true, true, true],
    ['*', 'a.b', true, false, true],
    ['*', 'a.*.c', true, false, true],
    ['a.*', 'a.b', true, false, true],
    ['a.*', 'a.b*', true, false, true],
    ['a.*', '*.b', false, false, true],
    ['a.*', 'a.b.c', false, false, false],
    ['a.*.c', 'a.*', false, false, false],
    ['a.*', 'b.*', false, false, false],
    ['*.a', '*.b', false, false, false],
    ['a*.x', 'a*.y', false, false, false],
    ['a.b*', 'a.*c', false, false, true],
    ['a.*b', 'a.*c', false, false, false],
    ['a.*b*', 'a.*c*', false, false, true],
    ['a.b', 'a.b', true, true, true],
  ]
  for (const [one, other, contains, isContained, meets] of pairs) {
    test(`the tables of ${one} and ${other} are compared by all their parts`, () => {
      const [left, right] = [new Pattern(one), new Pattern(other)]
      assert.deepEqual(
        [left.contains(right), right.contains(left), left.meets(right), right.meets(left)],
        [contains, isContained, meets, meets],
      )
    })
  }

  const coverings: [around: string, one: string, other: string, covers: boolean][] = [
    ['*', 'a.*', '*.b', true],
    ['*', '*', '*', true],
    ['a.*', '*', 'a.b', true],
    ['a.*', 'a.b', '*', true],
    ['a.b', '*', 'a.*', false],
    ['a.b', 'a.*', '*', false],
    ['a.b*', 'a.bc', 'a.*', true],
    ['a.b*', 'a.*', 'a.bc', true],
    ['a.b*', 'a.*', 'a.*c', false],
    ['a.b', 'a.*', '*.b', true],
    ['a.*', 'a.b.c', 'a.b.*', false],
    ['a.*.*', 'a.b', 'a.*', false],
  ]
  for (const [around, one, other, covers] of coverings) {
    test(`${around} ${covers ? 'surely has' : 'may lack'} a table that both ${one} and ${other} match`, () => {
      assert.equal(new Pattern(around).coversMeeting(new Pattern(one), new Pattern(other)), covers)
    })
  }

  test('meets and coversMeeting agree with a comparison of all names', () => {
    const names = [...'abc'].flatMap((x) =>
      ['', ...'abc'].flatMap((y) => ['', ...'abc'].map((z) => x + y + z)),
    )
    const part = fc.array(fc.constantFrom('a', 'b', '*'), { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(part, part, part, (one, other, third) => {
        const [left, right, around] = [one, other, third].map(
          (letters) => new Pattern(`d.${letters.join('')}`),
        )
        assert.ok(left && right && around)
        const both = names.filter((name) => left.matches(`d.${name}`) && right.matches(`d.${name}`))
        if (both.length > 0) assert.ok(left.meets(right), `${left.text} ${right.text}`)
        if (around.coversMeeting(left, right)) {
          for (const name of both) assert.ok(around.matches(`d.${name}`), `${around.text} ${name}`)
        }
        if (left.contains(right)) {
          for (const name of names) assert.ok(left.matches(`d.${name}`) || !right.matches(`d.${name}`))
        }
      }),
      seededRuns(2_000),
    )
  })
})

test('the time to match a pattern does not grow with its number of stars', () => {
  const many = new Router({ [`shop.${'*a'.repeat(40)}`]: route('stars') })
  assert.equal(functionFor(many, `shop.${'a'.repeat(100_000)}b`), null)
  assert.equal(functionFor(many, `shop.${'ab'.repeat(50_000)}a`), 'stars')
})

describe('a table that a handler leaves out', () => {
  const except = ['shop.orders_tmp', 'shop.*_bak']
  const routesWithout = { 'shop.orders_*': { ...route('orders'), except } }

  test('goes to another handler that takes it, or is excluded', () => {
    const one = new Router(routesWithout)
    assert.equal(functionFor(one, 'shop.orders_1'), 'orders')
    for (const table of ['shop.orders_tmp', 'shop.orders_1_bak']) {
      const { routes: none, leftOut } = one.routesFor(table, unnamed)
      assert.deepEqual([none, leftOut], [[], 'excluded'])
    }
    assert.equal(one.routesFor('shop.customers', unnamed).leftOut, 'unrouted')
    const more = new Router({ ...routesWithout, 'shop.*': route('all'), '*': route('rest') })
    assert.equal(functionFor(more, 'shop.orders_tmp'), 'all')
    assert.equal(functionFor(new Router({ ...routesWithout, '*': route('rest') }), 'shop.orders_tmp'), 'rest')
  })

  test('may be excluded by its logical name if that name was matched', () => {
    const sharded = new Router({
      'shop.orders_*': { ...route('orders'), except },
      '*': { ...route('rest'), except },
    })
    const routing = sharded.routesFor('shop_7.tmp_7', () => 'shop.orders_tmp')
    assert.deepEqual([routing.routes, routing.leftOut], [[], 'excluded'])
  })
})

describe('a ghost table of an online schema change', () => {
  const ghosts = ['_orders_gho', '_orders_new', '__orders_new', '_orders_ghc', '_orders_del', '_orders_old']
  ghosts.push('_orders_20260131080000_del', 'tp_123_ogt_orders', 'tp_123_ogl_orders', 'tp_123_del_orders')
  const others = [
    'orders_gho',
    '_gho',
    '__del',
    'tp_x_ogt_orders',
    'tp_1_ogx_orders',
    'tp_1_ogt_',
    '_orders_ghost',
    // Real tables whose names only contain such a name.
    'my_orders_gho',
    'my_orders_old',
    '_orders_old_2',
    'http_1_del_orders',
  ]
  const all = { 'shop.*': route('all'), '*': route('rest') }

  test('is left out if only a pattern or the catch-all matches', () => {
    for (const routes of [all, { '*': route('rest') }, {}]) {
      for (const table of ghosts) {
        const routing = new Router(routes).routesFor(`shop.${table}`, unnamed)
        assert.deepEqual([routing.routes, routing.leftOut], [[], 'ghost'], table)
      }
    }
    for (const table of others) assert.equal(functionFor(new Router(all), `shop.${table}`), 'all', table)
  })

  test('goes to the handler that names it exactly, also by its logical name', () => {
    const named = new Router({ ...all, 'shop._orders_new': route('exact') })
    assert.equal(functionFor(named, 'shop._orders_new'), 'exact')
    assert.equal(
      functionFor(named, 'shop_1._orders_7_new', () => 'shop._orders_new'),
      'exact',
    )
    assert.equal(
      functionFor(named, 'shop_1.orders_gho_7', () => 'shop._orders_gho'),
      null,
    )
  })

  test('is a table like any other with GHOST_TABLES=deliver', () => {
    for (const table of ghosts) assert.equal(functionFor(new Router(all, 'deliver'), `shop.${table}`), 'all')
  })
})

const functionsFor = (from: Router, database: string | null) =>
  from.routesForDatabase(database).routes.map(({ functionName }) => functionName)

test('a statement about a database concerns every function that may have a table in it', () => {
  const cases: [database: string | null, expected: string[]][] = [
    ['shop', ['orders']],
    ['shop_1', ['sharded']],
    ['erp', ['erp']],
    ['pg', ['users']],
    ['nobody', []],
    ['sho', []],
    [null, ['orders', 'users', 'special', 'sharded', 'several stars', 'erp']],
  ]
  for (const [database, expected] of cases) assert.deepEqual(functionsFor(router, database), expected)
})

test('the router finds the right route for more tables than it caches', () => {
  for (let i = 0; i < 25_000; i++) assert.equal(functionFor(router, `erp.t${i}`), 'erp')
  assert.equal(functionFor(router, 'shop.orders'), 'orders')
})

test('a function with several tables, or the catch-all, gets a statement about their database once', () => {
  const many = new Router({
    'shop.orders': route('sales'),
    'shop.items': route('sales'),
    '*': route('rest'),
  })
  assert.deepEqual(functionsFor(many, 'shop'), ['sales', 'rest'])
  assert.deepEqual(functionsFor(many, 'erp'), ['rest'])
  assert.deepEqual(functionsFor(many, null), ['sales', 'rest'])
})

test('the physical name wins over the logical one, and any name wins over the catch-all', () => {
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

test('a pattern also matches by the logical name, after every pattern that matches the physical one', () => {
  const sharded = new Router({ 'shop.*': route('logical'), 'erp.*': route('erp'), '*': route('rest') })
  const find = (physical: string, logical: string) => functionFor(sharded, physical, () => logical)
  assert.equal(find('shop_7.orders_7', 'shop.orders'), 'logical')
  assert.equal(find('erp.orders_7', 'shop.orders'), 'erp')
  assert.equal(find('crm_7.orders_7', 'crm.orders'), 'rest')
})

test('the router reads the logical name from only one record of a table', () => {
  const sharded = new Router({ 'shop.orders': route('logical') })
  let asked = 0
  const logical = () => {
    asked += 1
    return 'shop.orders'
  }
  for (let i = 0; i < 3; i++) assert.equal(functionFor(sharded, 'shop_8.orders_8', logical), 'logical')
  assert.equal(asked, 1)
})

test('a record without a readable logical name does not decide the route of later records', () => {
  const sharded = new Router({ 'shop.orders': route('logical'), '*': route('rest') })
  const name = (logical: string | null | undefined) =>
    sharded.routesFor('shop_8.orders_8', () => logical).routes[0]?.functionName
  assert.deepEqual([name(undefined), name('shop.orders'), name(undefined)], ['rest', 'logical', 'logical'])
})
