import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encodeRecord, text } from '../../../infra/local/encode.ts'
import { ColumnLooks, JudgedLists } from '../../../lib/dispatch/column-looks.ts'
import type { Routing } from '../../../lib/dispatch/routes.ts'
import type { DeliveryInput } from '../../../lib/dispatch/settings.ts'
import { route } from '../../support/dispatch.ts'
import { t0 } from '../../support/records.ts'

const megabyte = 1024 * 1024

describe('the lists of columns that a process keeps', () => {
  /** A list that takes so many bytes with the table's name. */
  const list = (table: string, bytes: number) => Buffer.alloc(bytes - table.length)
  const tables = Array.from({ length: 8 }, (_, index) => `shop.t${index}`)
  const full = () => {
    const lists = new JudgedLists()
    for (const table of tables) lists.set(table, list(table, megabyte))
    return lists
  }
  const kept = (lists: JudgedLists) => tables.filter((table) => lists.get(table) !== undefined)

  test('take 8 MB; one more forgets all others, which are then judged once more', () => {
    const lists = full()
    assert.deepEqual(kept(lists), tables)
    lists.set('shop.more', Buffer.alloc(1))
    assert.deepEqual(kept(lists), [])
    assert.equal(lists.get('shop.more')?.length, 1)
    // The memory of the forgotten ones is free.
    for (const table of tables.slice(0, 7)) lists.set(table, list(table, megabyte))
    assert.deepEqual(kept(lists), tables.slice(0, 7))
  })

  test('make room for another one if one is replaced by a shorter one, or deleted', () => {
    for (const makeRoom of [
      (lists: JudgedLists) => lists.set('shop.t0', list('shop.t0', 10)),
      (lists: JudgedLists) => lists.delete('shop.t0'),
    ]) {
      const lists = full()
      makeRoom(lists)
      lists.set('shop.more', list('shop.more', megabyte - 10))
      assert.ok(kept(lists).length >= 7)
      lists.set('shop.again', list('shop.again', megabyte))
      assert.deepEqual(kept(lists), [])
    }
  })

  test('do not count twice if a list is replaced again and again', () => {
    const lists = full()
    for (let times = 0; times < 3; times++) lists.set('shop.t0', list('shop.t0', megabyte))
    assert.deepEqual(kept(lists), tables)
  })

  test('of tables that are deleted twice, or were never kept, change nothing', () => {
    const lists = full()
    lists.delete('shop.unknown')
    assert.deepEqual(kept(lists), tables)
  })
})

describe('a look at the columns of records', () => {
  const record = (columns: readonly string[], operation: 'INSERT' | 'DDL' = 'INSERT') =>
    encodeRecord(
      operation === 'DDL'
        ? { operation, objectName: 'shop.orders', after: 'ALTER TABLE orders', sourceTimestamp: t0 }
        : {
            operation,
            objectName: 'shop.orders',
            fields: columns.map((name) => [name, 253]),
            after: columns.map(() => text('x')),
            sourceTimestamp: t0,
          },
    )
  const looking = (onDrift: DeliveryInput['onDrift'] = 'warn', judged = new JudgedLists()) => {
    const looks = new ColumnLooks(judged, 7)
    const routing: Routing = { routes: [route('orders', { onDrift })], leftOut: null, lookedIn: 0 }
    const look = (bytes: Buffer, offset = 1) => looks.look(bytes, BigInt(offset), offset, routing)
    return { looks, look, routing }
  }

  test('shows each new list of a part once, with the place where it was seen first', () => {
    const { looks, look } = looking()
    looks.begin()
    for (const [index, columns] of [['id'], ['id'], ['id', 'note'], ['id', 'note']].entries())
      look(record(columns), index)
    assert.deepEqual(
      looks.sightings.map(({ table, columns, since, index }) => [table, [...columns.keys()], since, index]),
      [
        ['shop.orders', ['id'], { generation: 7, offset: 0n, time: t0 }, 0],
        ['shop.orders', ['id', 'note'], { generation: 7, offset: 2n, time: t0 }, 2],
      ],
    )
    looks.begin()
    assert.deepEqual(looks.sightings, [])
    look(record(['id']), 5)
    assert.equal(looks.sightings.length, 1)
  })

  test('leaves out a list of more than 32 KiB, and a record that cannot be decoded', () => {
    const { looks, look } = looking()
    looks.begin()
    const columns = (count: number) =>
      Array.from({ length: count }, (_, index) => `column_${100_000 + index}`)
    look(record(columns(3_000)))
    const whole = record(['a_name_that_is_cut'])
    look(whole.subarray(0, whole.indexOf('name_that')))
    assert.deepEqual(looks.sightings, [])
    look(record(columns(1_000)))
    assert.equal(looks.sightings.length, 1)
  })

  test('is due again after ten parts, and after a statement', () => {
    const { looks, look, routing } = looking()
    const rounds = Array.from({ length: 11 }, () => looks.begin())
    assert.equal(new Set(rounds.slice(0, 10)).size, 1)
    assert.notEqual(rounds[10], rounds[9])
    assert.equal(look(record(['id'])), rounds[10])
    assert.equal(routing.lookedIn, rounds[10])
    assert.ok(!rounds.includes(look(record([], 'DDL'))))
  })

  test('happens at every record if the handler halts for a change of columns, and at none if it ignores it', () => {
    const halting = looking('halt')
    halting.looks.begin()
    halting.look(record(['id']))
    assert.equal(halting.routing.lookedIn, 0)
    assert.equal(halting.looks.sightings[0]?.onDrift, 'halt')
    const ignoring = looking('ignore')
    const round = ignoring.looks.begin()
    ignoring.look(record(['id']))
    assert.deepEqual([ignoring.routing.lookedIn, ignoring.looks.sightings], [round, []])
  })
})
