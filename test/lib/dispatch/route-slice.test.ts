import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encodeRecord, integer } from '../../../infra/local/encode.ts'
import { routeSlice } from '../../../lib/dispatch/route-slice.ts'
import { Router } from '../../../lib/dispatch/routes.ts'
import { readHeader } from '../../../lib/dts/header.ts'
import { LogRecords } from '../../../lib/kafka/records.ts'
import { route } from '../../support/dispatch.ts'
import type { NewRecord } from '../../support/parts.ts'
import { filler, t0, Writer } from '../../support/records.ts'

const router = new Router({ 'shop.orders': route('orders'), 'shop.customers': route('customers') })
const write = new Writer()

function slice(records: readonly NewRecord[], from = 0n) {
  const numbered = LogRecords.of(records.map(({ value }, i) => ({ offset: from + BigInt(i), value })))
  return { records: numbered, from: 0, to: numbered.length, nextOffset: from + BigInt(records.length) }
}

/** `[function, offset]` of each event, in order. */
const eventsOf = ({ events }: ReturnType<typeof routeSlice>) =>
  events.map(({ route: { functionName }, offset }) => [functionName, offset])

describe('a slice of the stream', () => {
  test('is sorted by function in stream order, and changes without a function are counted', () => {
    const routed = routeSlice(
      slice([
        write.mark('BEGIN', t0),
        write.insert('shop.orders', 1, t0),
        write.insert('shop.customers', 2, t0),
        write.insert('shop.other', 3, t0),
        ...filler(t0),
        write.delete('shop.orders', 1, t0),
        write.insert('shop.other', 4, t0),
      ]),
      router,
      'skip',
    )
    assert.deepEqual(eventsOf(routed), [
      ['orders', 1n],
      ['customers', 2n],
      ['orders', 7n],
    ])
    assert.deepEqual(routed.skipped, new Map([['shop.other', 2]]))
    assert.deepEqual([routed.end, routed.halt, routed.unreadable, routed.read.length], [9n, null, [], 9])
  })

  test('a statement that may concern any table of a database goes to each function of that database', () => {
    const more = new Router({
      'shop.orders': route('orders'),
      'shop.customers': route('customers', { operations: ['DELETE'] }),
      'erp.*': route('erp'),
      '*': route('rest'),
    })
    const ofDatabase = (name: string | null) =>
      eventsOf(routeSlice(slice([write.ddl(name, 'FLUSH TABLES', t0)]), more, 'skip')).map(
        ([functionName]) => functionName,
      )
    assert.deepEqual(ofDatabase('shop'), ['orders', 'customers', 'rest'])
    assert.deepEqual(ofDatabase('erp'), ['erp', 'rest'])
    assert.deepEqual(ofDatabase('crm'), ['rest'])
    assert.deepEqual(ofDatabase(''), ['orders', 'customers', 'erp', 'rest'])
    assert.deepEqual(ofDatabase(null), ['orders', 'customers', 'erp', 'rest'])
    const { events } = routeSlice(slice([write.ddl(null, 'FLUSH TABLES', t0)]), more, 'skip')
    assert.deepEqual(new Set(events.map(({ table }) => table)), new Set(['']))
    assert.deepEqual(ofDatabase('shop.orders'), ['orders', 'customers', 'rest'])
  })

  test('a statement goes to each function that its text concerns, whatever operations they take', () => {
    const some = new Router({
      'shop.orders': route('orders', { operations: ['INSERT'] }),
      'shop.customers': route('customers', { concurrency: 4 }),
    })
    const routed = routeSlice(
      slice([
        write.insert('shop.customers', 1, t0),
        write.ddl('shop.orders', 'DROP TABLE orders, customers', t0),
        write.insert('shop.customers', 1, t0),
      ]),
      some,
      'halt',
    )
    assert.deepEqual(
      routed.events.map(({ route: { functionName }, offset, key }) => [functionName, offset, key === null]),
      [
        ['customers', 0n, false],
        ['orders', 1n, true],
        ['customers', 1n, true],
        ['customers', 2n, false],
      ],
    )
  })

  test('ghost tables of an online schema change are counted separately and do not halt the stream', () => {
    const pattern = new Router({ 'shop.*': route('all'), 'shop.orders': route('orders') })
    const routed = routeSlice(
      slice([
        write.ddl('shop._orders_gho', 'CREATE TABLE _orders_gho LIKE orders', t0),
        write.insert('shop._orders_gho', 1, t0),
        write.insert('elsewhere._t_new', 1, t0),
        write.ddl(
          'shop._orders_gho',
          'rename /* gh-ost */ table `shop`.`orders` to `shop`.`_orders_del`, `shop`.`_orders_gho` to `shop`.`orders`',
          t0,
        ),
        write.ddl('shop._orders_del', 'DROP TABLE IF EXISTS `shop`.`_orders_del`', t0),
      ]),
      pattern,
      'halt',
    )
    assert.deepEqual(eventsOf(routed), [['orders', 3n]])
    assert.deepEqual(
      routed.ghosts,
      new Map([
        ['shop._orders_gho', 2],
        ['elsewhere._t_new', 1],
        ['shop._orders_del', 1],
      ]),
    )
    assert.deepEqual([routed.skipped, routed.halt], [new Map(), null])
  })

  test('a table that a handler leaves out is counted as skipped and does not halt the stream', () => {
    const except = ['shop.orders_tmp']
    const some = new Router({ 'shop.orders_*': { ...route('orders'), except } })
    const routed = routeSlice(slice([write.insert('shop.orders_tmp', 1, t0)]), some, 'halt')
    assert.deepEqual(
      [eventsOf(routed), routed.skipped, routed.halt],
      [[], new Map([['shop.orders_tmp', 1]]), null],
    )
  })

  test('changes that operations or filter leave out are counted as filtered, but statements never are', () => {
    const some = new Router({
      'shop.orders': route('orders', { operations: ['DELETE', 'INIT'] }),
      'shop.items': route('items', { filter: { where: "status = 'paid'" } }),
    })
    const routed = routeSlice(
      slice([
        write.insert('shop.orders', 1, t0),
        write.update('shop.orders', 1, t0),
        write.delete('shop.orders', 1, t0),
        write.ddl('shop.orders', 'ALTER TABLE x', t0),
        write.insert('shop.items', 1, t0),
        write.update('shop.items', 1, t0),
        write.ddl('shop.items', 'ALTER TABLE y', t0),
      ]),
      some,
      'halt',
    )
    assert.deepEqual(eventsOf(routed), [
      ['orders', 2n],
      ['orders', 3n],
      ['items', 5n],
      ['items', 6n],
    ])
    const filtered = new Map([
      ['shop.orders', 2],
      ['shop.items', 1],
    ])
    assert.deepEqual([routed.filtered, routed.skipped, routed.halt], [filtered, new Map(), null])
  })

  test('a change that the filter cannot judge keeps its place and carries the error', () => {
    const typo = new Router({ 'shop.orders': route('orders', { filter: { changed: ['stats'] } }) })
    const { events, filtered } = routeSlice(slice([write.update('shop.orders', 1, t0)]), typo, 'halt')
    assert.deepEqual(
      events.map(({ offset, fault }) => [offset, fault?.code]),
      [[0n, 'COLUMN_UNKNOWN']],
    )
    assert.equal(filtered.size, 0)
  })

  test('ends before a table without a route if UNROUTED_TABLES is halt', () => {
    const records = ['shop.orders', 'shop.customers', 'shop.a\\u002Eb', 'shop.orders'].map((table, id) =>
      write.insert(table, id, t0),
    )
    const routed = routeSlice(slice(records, 10n), router, 'halt')
    assert.deepEqual(
      [routed.halt?.code, routed.halt?.facts.offset, routed.end],
      ['TABLE_UNROUTED', '12', 12n],
    )
    assert.match(
      routed.halt?.message ?? '',
      /offset 12 is of the table shop\.a\.b, .*UNROUTED_TABLES is halt/,
    )
    assert.equal(routed.halt?.retryable, false)
    assert.deepEqual(routed.halt?.next, [
      { action: 'deploy', change: 'Add a handler or set UNROUTED_TABLES to skip' },
      { action: 'resume', purpose: 'let the stream continue then' },
    ])
    assert.deepEqual(eventsOf(routed), [
      ['orders', 10n],
      ['customers', 11n],
    ])
  })

  test('the catch-all handler gets every table without another route', () => {
    const every = new Router({ 'shop.orders': route('orders'), '*': route('rest') })
    const records = ['shop.orders', 'shop.other', 'x.y.z'].map((table, id) => write.insert(table, id, t0))
    assert.deepEqual(eventsOf(routeSlice(slice(records), every, 'halt')), [
      ['orders', 0n],
      ['rest', 1n],
      ['rest', 2n],
    ])
  })

  test('unreadable records are listed with their bytes, and the slice continues', () => {
    const broken = (write.insert('shop.orders', 2, t0).value ?? Buffer.alloc(0)).subarray(0, 5)
    const records = [
      write.insert('shop.orders', 1, t0),
      { value: broken, timestamp: t0 },
      { value: Buffer.alloc(3, 0xff), timestamp: t0 },
      { value: Buffer.alloc(2, 0xff), timestamp: t0 },
      write.insert('shop.orders', 3, t0),
    ]
    const routed = routeSlice(slice(records), router, 'halt')
    assert.deepEqual(
      routed.unreadable.map(({ event, error }) => [
        event.offset,
        event.value,
        error.code,
        error.facts.offset,
        error.retryable,
        event.table,
      ]),
      [
        [1n, broken, 'RECORD_INVALID', '1', false, ''],
        [2n, Buffer.alloc(3, 0xff), 'RECORD_INVALID', '2', false, ''],
      ],
    )
    assert.deepEqual(eventsOf(routed), [
      ['orders', 0n],
      ['orders', 4n],
    ])
    assert.deepEqual([routed.end, routed.halt, routed.read.length], [5n, null, 5])
  })

  const nameless = [null, '', 'shop', '.', 'shop.', '.orders', 'shop..orders', 'a.b.c.d', 'a.b.c.'] as const
  for (const operation of ['INSERT', 'UPDATE', 'DELETE', 'INIT', 'DDL'] as const) {
    for (const objectName of nameless) {
      // A statement may be about a database, or may have no name.
      if (operation === 'DDL' && !objectName?.includes('.')) continue
      test(`a change ${operation} of the table ${JSON.stringify(objectName)} is an unreadable record`, () => {
        const image = [integer(1)]
        const value = encodeRecord({
          operation,
          objectName,
          ...(operation === 'DDL'
            ? { after: 'DROP TABLE a' }
            : {
                fields: [['id', 8]] as const,
                ...(operation === 'INSERT' || operation === 'INIT' ? {} : { before: image }),
                ...(operation === 'DELETE' ? {} : { after: image }),
              }),
        })
        for (const unroutedTables of ['skip', 'halt'] as const) {
          const every = new Router({ 'shop.orders': route('orders'), '*': route('rest') })
          const records = [{ value, timestamp: t0 }, write.insert('shop.orders', 1, t0)]
          const routed = routeSlice(slice(records), every, unroutedTables)
          assert.deepEqual(eventsOf(routed), [['orders', 1n]])
          assert.deepEqual([routed.skipped, routed.halt, routed.end], [new Map(), null, 2n])
          const [unreadable] = routed.unreadable
          assert.deepEqual([unreadable?.error.code, unreadable?.event.value], ['RECORD_INVALID', value])
          assert.match(unreadable?.error.message ?? '', /objectName/)
        }
      })
    }
  }

  test('a change that is damaged after its header reaches its function, which has a policy for it', () => {
    const keyed = new Router({ 'shop.orders': route('orders', { concurrency: 4 }) })
    const value = write.insert('shop.orders', 1, t0).value ?? Buffer.alloc(0)
    const broken = value.subarray(0, readHeader(value).bodyStart + 4)
    const routed = routeSlice(slice([{ value: broken, timestamp: t0 }]), keyed, 'halt')
    assert.deepEqual(
      routed.events.map(({ key }) => key),
      [null],
    )
    assert.equal(routed.unreadable.length, 0)
  })

  test('keys are read only for functions with concurrency above 1', () => {
    const hashes = (concurrency: number) =>
      routeSlice(
        slice([1, 2, 1].map((id) => write.insert('shop.orders', id, t0))),
        new Router({ 'shop.orders': route('orders', { concurrency }) }),
        'skip',
      ).events.map(({ key }) => key?.hash ?? null)
    assert.deepEqual(hashes(1), [null, null, null])
    const [one, two, again] = hashes(2)
    assert.notEqual(one, null)
    assert.notEqual(one, two)
    assert.equal(one, again)
  })
})

describe('a sharded source', () => {
  const shard = (logical: Record<string, string>, operation: 'INSERT' | 'DDL' = 'INSERT'): NewRecord => ({
    value: encodeRecord({
      operation,
      objectName: 'shop_7.orders_7',
      tags: logical,
      ...(operation === 'DDL'
        ? { after: 'ALTER TABLE orders_7 ADD c INT' }
        : { fields: [['id', 8]], after: [integer(1)] }),
    }),
    timestamp: t0,
  })
  const named = { l_db_name: 'shop', l_tb_name: 'orders' }

  test('its tables are routed by their logical name if the physical one has no route', () => {
    assert.deepEqual(eventsOf(routeSlice(slice([shard(named)]), router, 'halt')), [['orders', 0n]])
    const own = new Router({ 'shop.orders': route('orders'), 'shop_7.*': route('seven') })
    assert.deepEqual(eventsOf(routeSlice(slice([shard(named)]), own, 'halt')), [['seven', 0n]])
    const fresh = new Router({ 'shop.orders': route('orders') })
    const other = routeSlice(slice([shard({ l_db_name: 'shop', l_tb_name: 'items' })]), fresh, 'halt')
    assert.equal(other.halt?.code, 'TABLE_UNROUTED')
  })

  test('a dot inside a logical name does not separate parts', () => {
    const dotted = new Router({ 'shop.a\\u002Eb': route('dotted') })
    const record = shard({ l_db_name: 'shop', l_tb_name: 'a.b' })
    assert.deepEqual(eventsOf(routeSlice(slice([record]), dotted, 'skip')), [['dotted', 0n]])
  })

  const routes = {
    'shop.orders': route('orders', { concurrency: 4 }),
    'shop.items': route('items'),
    '*': route('rest'),
  }
  const functionsOf = (records: readonly NewRecord[], offset: bigint) =>
    routeSlice(slice(records), new Router(routes), 'halt')
      .events.filter((event) => event.offset === offset)
      .map((event) => [event.route.functionName, event.key])

  test('a statement without the logical name has no route and does not halt the stream', () => {
    assert.deepEqual(functionsOf([shard({}, 'DDL')], 0n), [['rest', null]])
    assert.deepEqual(functionsOf([shard(named), shard({}, 'DDL')], 1n), [['rest', null]])
    const one = new Router({ 'shop.orders': route('orders') })
    for (const [records, rows] of [
      [[shard({}, 'DDL'), shard(named)], 1n],
      [[shard(named), shard({}, 'DDL')], 0n],
    ] as const) {
      const routed = routeSlice(slice(records), one, 'halt')
      assert.deepEqual(eventsOf(routed), [['orders', rows]])
      assert.deepEqual([routed.halt, [...routed.skipped.values()]], [null, [1]])
    }
  })

  test('a statement with the logical name, or about a table with a route of its own, goes where the rows go', () => {
    assert.deepEqual(functionsOf([shard(named, 'DDL')], 0n), [['orders', null]])
    assert.deepEqual(functionsOf([shard({ l_db_name: 'shop', l_tb_name: 'x' }, 'DDL')], 0n), [['rest', null]])
    const own = new Router({ ...routes, 'shop_7.*': route('seven') })
    for (const tags of [{}, named]) {
      assert.deepEqual(eventsOf(routeSlice(slice([shard(tags, 'DDL')]), own, 'halt')), [['seven', 0n]])
    }
    const none = new Router({ 'shop.orders': route('orders') })
    const other = routeSlice(slice([shard({ l_db_name: 'shop', l_tb_name: 'x' }, 'DDL')]), none, 'halt')
    assert.equal(other.halt?.code, 'TABLE_UNROUTED')
  })

  test('an unreadable row decides no route', () => {
    const fresh = new Router({ 'shop.orders': route('orders') })
    const broken = { value: (shard(named).value ?? Buffer.alloc(0)).subarray(0, 60), timestamp: t0 }
    const routed = routeSlice(slice([broken, shard(named)]), fresh, 'skip')
    assert.deepEqual([routed.unreadable.length, routed.skipped.get('shop_7.orders_7')], [0, 1])
    assert.deepEqual(eventsOf(routed), [['orders', 1n]])
  })
})
