import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { filler, range, t0, Writer } from '../support/records.ts'
import type { Start } from '../support/world.ts'

export function deliveryTests(start: Start): void {
  describe('delivery', () => {
    test('each table is delivered to its own function in order, and unrouted tables are counted and skipped', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append([
        write.mark('BEGIN', t0),
        write.insert('shop.orders', 1, t0),
        write.insert('shop.customers', 10, t0),
        write.insert('shop.sessions', 100, t0),
        write.update('shop.orders', 1, t0 + 1),
        write.insert('shop.customers', 11, t0 + 1),
        write.mark('COMMIT', t0 + 1),
        write.delete('shop.orders', 1, t0 + 2),
        write.insert('shop.orders_old', 5, t0 + 2),
      ])
      const summary = await world.poll()
      assert.equal(summary.ended, 'end-of-stream')
      const orders = world.received.filter((change) => change.function === 'orders')
      assert.deepEqual(
        orders.map(({ operation, what, offset }) => [operation, what, offset]),
        [
          ['INSERT', 1, 1n],
          ['UPDATE', 1, 4n],
          ['DELETE', 1, 7n],
        ],
      )
      assert.deepEqual(world.ids('customers'), [10, 11])
      assert.deepEqual({ ...summary.handled }, { 'shop.orders': 3, 'shop.customers': 2 })
      assert.deepEqual({ ...summary.skipped }, { 'shop.sessions': 1, 'shop.orders_old': 1 })
      assert.deepEqual([summary.from, summary.to, summary.fetched], ['0', '9', 9])
      assert.deepEqual([summary.lagSeconds, summary.lagRecords], [0, '0'])
      assert.equal(summary.clusterId, world.source.clusterId)
    })

    test('a catch-all function gets the changes of 500 tables in the order of the stream', async (t) => {
      const world = await start(t)
      const write = new Writer()
      // Each table changes twice, and all tables change before the first one changes again.
      const records = range(0, 999).map((index) =>
        write.insert(`erp.table_${index % 500}`, index, t0 + index),
      )
      await world.source.append(records)
      const environment = { ROUTES: '{"*":{"function":"orders","attempts":100}}' }
      const [summary] = await world.pollToEnd({ environment })
      assert.deepEqual(world.ids('orders'), range(0, 999))
      assert.deepEqual(new Set(Object.values(summary?.handled ?? {})), new Set([2]))
      assert.equal(Object.keys(summary?.handled ?? {}).length, 500)
    })

    test('the next run sends only the changes that came later', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append(write.inserts('shop.orders', 0, 4))
      await world.poll()
      assert.equal((await world.poll()).fetched, 0)
      await world.source.append(write.inserts('shop.orders', 5, 9))
      await world.poll()
      assert.deepEqual(world.ids('orders'), range(0, 9))
      assert.equal(world.lambda.invocations('test-orders'), 2)
    })

    test('a statement reaches the function of each table that it names, in order with their changes', async (t) => {
      const drop = 'DROP TABLE orders, customers'
      const swap = 'RENAME TABLE orders TO _orders_del, _orders_gho TO orders'
      const world = await start(t)
      const write = new Writer()
      await world.source.append([
        write.insert('shop.orders', 1, t0),
        write.ddl('shop.orders', 'ALTER TABLE orders ADD COLUMN note text', t0),
        write.insert('shop.orders', 2, t0),
        write.insert('shop.customers', 3, t0),
        write.ddl('shop', 'CREATE TABLE invoices (id int)', t0),
        write.ddl('elsewhere', 'DROP DATABASE elsewhere', t0),
        write.ddl('shop', 'ALTER DATABASE shop CHARACTER SET utf8mb4', t0),
        write.ddl(null, 'FLUSH PRIVILEGES', t0),
        write.ddl('shop.customers', drop, t0),
        write.insert('shop._orders_gho', 5, t0),
        write.ddl('shop._orders_gho', swap, t0),
        write.insert('shop.orders', 4, t0),
        write.insert('shop.customers', 6, t0),
      ])
      const summary = await world.poll()
      const alter = 'ALTER TABLE orders ADD COLUMN note text'
      const [charset, flush] = ['ALTER DATABASE shop CHARACTER SET utf8mb4', 'FLUSH PRIVILEGES']
      assert.deepEqual(world.ids('orders'), [1, alter, 2, charset, flush, drop, swap, 4])
      assert.deepEqual(world.ids('customers'), [3, charset, flush, drop, 6])
      assert.deepEqual({ ...summary.skipped }, { shop: 1, elsewhere: 1 })
      assert.deepEqual({ ...summary.ghosts }, { 'shop._orders_gho': 1 })
    })

    test('filler, heartbeats and empty transactions move the checkpoint and reach no function', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append([write.insert('shop.orders', 1, t0), write.mark('HEARTBEAT', t0 + 1)])
      await world.poll()
      const invocations = world.lambda.total
      await world.source.append([
        ...filler(t0 + 2),
        write.mark('BEGIN', t0 + 3),
        write.mark('NOOP', t0 + 3),
        write.mark('COMMIT', t0 + 3),
        write.mark('HEARTBEAT', t0 + 60),
        ...filler(t0 + 60),
      ])
      const summary = await world.poll()
      assert.equal(world.lambda.total, invocations)
      assert.deepEqual([summary.fetched, summary.to, summary.ended], [10, '12', 'end-of-stream'])
      const item = await world.item()
      assert.deepEqual([item?.offset, item?.timestamp], [{ N: '12' }, { N: String(t0 + 60) }])
    })

    test('a warm poller keeps no connection between runs, because none survives a freeze', async (t) => {
      const world = await start(t)
      const write = new Writer()
      const poller = await world.coldPoller()
      for (const id of [1, 2]) {
        await world.source.append([write.insert('shop.orders', id, t0)])
        await world.poll({ poller })
        await world.lambda.disconnected()
      }
      assert.deepEqual(world.ids('orders'), [1, 2])
    })

    test('a run on an idle stream ends without an error and changes nothing', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 1))
      await world.poll()
      const before = await world.item()
      const summary = await world.poll({ environment: { POLL_LINGER_SECONDS: '1' } })
      assert.deepEqual([summary.ended, summary.fetched, summary.groupCommit], ['end-of-stream', 0, 'none'])
      const after = await world.item()
      assert.deepEqual([after?.offset, after?.anchor], [before?.offset, before?.anchor])
    })

    const bounds: [bound: string, environment: Record<string, string>][] = [
      ['records', { POLL_MAX_RECORDS: '10' }],
      ['bytes', { POLL_MAX_BYTES: '1024' }],
    ]
    for (const [ended, bound] of bounds) {
      test(`a run stops at its bound of ${ended}, and the next runs continue`, async (t) => {
        const world = await start(t)
        const write = new Writer()
        for (const from of [0, 10, 20, 30]) {
          await world.source.append(write.inserts('shop.orders', from, from + 9))
        }
        const environment = { ...bound, POLL_FETCH_BYTES: '1024' }
        const first = await world.poll({ environment })
        assert.equal(first.ended, ended)
        assert.deepEqual([first.to, first.lagRecords], ['10', '30'])
        assert.deepEqual(world.ids('orders'), range(0, 9))
        const rest = await world.pollToEnd({ environment })
        assert.deepEqual(
          rest.map(({ from, to }) => [from, to]),
          [
            ['10', '20'],
            ['20', '30'],
            ['30', '40'],
            ['40', '40'],
          ],
        )
        assert.deepEqual(world.ids('orders'), range(0, 39))
      })
    }

    test('a run without time for another invocation stops, and the next run continues', async (t) => {
      const world = await start(t)
      const write = new Writer()
      for (const from of [0, 10, 20]) {
        await world.source.append(write.inserts('shop.orders', from, from + 9))
      }
      // The worst case of an invocation is 16 seconds here: handler, cold start and commit.
      const remainingMs = () => (world.lambda.invocations('test-orders') === 0 ? 60_000 : 15_999)
      const environment = {
        POLL_FETCH_BYTES: '1024',
        ROUTES: '{"shop.orders":{"function":"orders","batchSize":10}}',
      }
      const first = await world.poll({ environment, remainingMs })
      assert.deepEqual([first.ended, first.to], ['time', '10'])
      await assert.rejects(world.poll({ remainingMs: () => 15_999 }), {
        code: 'CONFIG_INVALID',
        message: /has 15 s, and an invocation .* may take 16 s.*Raise custom\.stream\.poller\.timeout/,
      })
      assert.deepEqual((await world.item())?.offset, { N: '10' })
      assert.equal(world.lambda.invocations('test-orders'), 1)
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), range(0, 29))
    })

    test('a run commits its offset and the time of the record before it to the consumer group', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 4))
      assert.equal(await world.source.committed(), null)
      const { groupCommit } = await world.poll()
      assert.equal(groupCommit, 'done')
      const committed = await world.source.committed()
      assert.equal(committed?.offset, 5n)
      assert.match(committed?.metadata ?? '', new RegExp(`^${t0 + 4}\\|`))
      assert.deepEqual((await world.inspect()).group, {
        offset: '5',
        metadata: committed?.metadata,
        by: 'by this deployment',
      })
    })
  })
}
