import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { until } from '../rig/context.ts'
import type { NewRecord } from '../support/parts.ts'
import { range, shift, t0, Writer } from '../support/records.ts'
import type { Start, World } from '../support/world.ts'
import { assertHalts } from './recovery-support.ts'

/** Every other number. */
function even(from: number, to: number): number[] {
  return range(from, to).filter((id) => (id - from) % 2 === 0)
}

export function recoveryAnchorTests(start: Start): void {
  describe('recovery after the last change of each function', () => {
    /** Orders have even ids, customers odd ones. The first customer fails until `heal` is called. */
    async function orderAhead(world: World): Promise<{ changes: NewRecord[]; heal: () => void }> {
      const write = new Writer()
      const changes = range(0, 19).map((id) =>
        write.insert(id % 2 === 0 ? 'shop.orders' : 'shop.customers', id, t0 + id),
      )
      await world.source.append(changes)
      world.onChange = (change) => {
        if (change.function === 'customers') throw new Error('not yet')
      }
      await world.poll({ remainingMs: until(() => world.ids('orders').length === 10) })
      assert.deepEqual(world.ids('orders'), even(0, 18))
      assert.deepEqual((await world.item())?.offset, { N: '1' })
      return {
        changes,
        heal: () => {
          world.onChange = () => {}
        },
      }
    }

    test('a function that is ahead when the cluster changes stays ahead', async (t) => {
      const world = await start(t)
      const { changes, heal } = await orderAhead(world)
      await world.source.switchCluster([...shift(), ...changes])
      await assertHalts(world, 'CLUSTER_CHANGED', /^Cluster changed from/)
      assert.match((await world.inspect()).advice, /a reset loses and repeats nothing/)
      const done = await world.reset()
      assert.deepEqual([done.how, done.to.offset, { ...done.repeats }], ['anchor', '6', {}])
      assert.match((await world.inspect()).stored?.lanes['test-orders'] ?? '', /done through 23/)
      heal()
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), even(0, 18))
      assert.deepEqual(world.ids('customers'), even(1, 19))
      assert.ok(world.received.every(({ replay }) => !replay))
    })

    test('a function whose last change is not in the new log repeats its lead, marked as replay', async (t) => {
      const world = await start(t)
      const { changes, heal } = await orderAhead(world)
      const write = new Writer('rewritten')
      await world.source.switchCluster([
        ...shift(),
        ...changes.slice(0, 18),
        write.insert('shop.orders', 18, t0 + 18),
        write.insert('shop.customers', 19, t0 + 19),
        write.insert('shop.orders', 40, t0 + 40),
      ])
      await assertHalts(world, 'CLUSTER_CHANGED', /^Cluster changed from/)
      assert.match((await world.inspect()).advice, /a reset loses nothing; some changes repeat/)
      const done = await world.reset()
      assert.deepEqual([done.how, done.to.offset], ['anchor', '6'])
      assert.match(done.note, /Some changes repeat, marked as replay/)
      // The log has nine of the ten delivered orders. The customers between them cannot be told apart, so they count too.
      assert.deepEqual({ ...done.repeats }, { 'shop.orders': 9, 'shop.customers': 10 })
      heal()
      const known = world.received.length
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), [...even(0, 18), ...even(2, 18), 40])
      assert.deepEqual(world.ids('customers'), even(1, 19))
      const again = world.received.slice(known).filter(({ function: name }) => name === 'orders')
      assert.deepEqual(
        again.map(({ replay }) => replay),
        again.map(({ what }) => what !== 40),
      )
    })

    test('a function that has only an offset of the old log repeats its lead marked, also changes that come later', async (t) => {
      const world = await start(t)
      const { changes, heal } = await orderAhead(world)
      // Items of older versions, and items with very many lanes ahead, store no anchor.
      const lanes = JSON.parse((await world.item())?.lanes?.S ?? '{}')
      assert.equal(lanes['test-orders'].through, '18')
      lanes['test-orders'].anchor = null
      await world.setAttribute('lanes', { S: JSON.stringify(lanes) })
      await world.source.switchCluster([...shift(), ...changes.slice(0, 6)])
      await assertHalts(world, 'CLUSTER_CHANGED', /^Cluster changed from/)
      assert.equal((await world.reset()).how, 'anchor')
      await world.source.append(changes.slice(6))
      heal()
      const known = world.received.length
      await world.pollToEnd()
      const again = world.received.slice(known).filter(({ function: name }) => name === 'orders')
      assert.deepEqual(
        again.map(({ what, replay }) => [what, replay]),
        even(2, 18).map((what) => [what, true]),
      )
    })

    test('of equal rows of one statement, only those after the checkpoint are delivered', async (t) => {
      const world = await start(t)
      const write = new Writer()
      const equal = range(0, 9).map(() => write.equalInsert('shop.orders', 1, t0 + 20))
      const changes = [...write.inserts('shop.orders', 10, 19, t0), ...equal]
      await world.source.append(changes.slice(0, 14))
      await world.poll()
      await world.source.switchCluster([...shift(), ...changes])
      await assertHalts(world, 'CLUSTER_CHANGED', /^Cluster changed from/)
      assert.equal((await world.reset()).how, 'anchor')
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), [...range(10, 19), ...equal.map(() => 1)])
    })

    test('a log that begins within equal rows is a gap, because the last committed one is not recognisable', async (t) => {
      const world = await start(t)
      const write = new Writer()
      const equal = range(0, 9).map(() => write.equalInsert('shop.orders', 1, t0 + 20))
      const changes = [...write.inserts('shop.orders', 10, 19, t0), ...equal]
      await world.source.append(changes.slice(0, 12))
      await world.poll()
      await world.source.switchCluster([...changes.slice(15), write.mark('HEARTBEAT', t0 + 40)])
      await assertHalts(world, 'CLUSTER_CHANGED', /^Cluster changed from/)
      await assert.rejects(world.reset(), { code: 'DATA_GAP' })
    })

    test('a reset is refused until the log has reached the last of equal rows', async (t) => {
      const world = await start(t)
      const write = new Writer()
      const equal = range(0, 9).map(() => write.equalInsert('shop.orders', 1, t0 + 20))
      const before = write.inserts('shop.orders', 10, 19, t0)
      await world.source.append([...before, ...equal.slice(0, 6)])
      await world.poll()
      await world.source.switchCluster([...shift(), ...before, ...equal.slice(0, 4)])
      await assertHalts(world, 'CLUSTER_CHANGED', /^Cluster changed from/)
      await assert.rejects(world.reset(), {
        code: 'CHECKPOINT_OUT_OF_RANGE',
        retryable: true,
        message: /wait/,
      })
      await world.source.append(equal.slice(4))
      assert.equal((await world.reset()).how, 'anchor')
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), [...range(10, 19), ...equal.map(() => 1)])
    })
  })
}
