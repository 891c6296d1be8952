import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { range, t0, Writer } from '../support/records.ts'
import type { Start, World } from '../support/world.ts'

export function recoveryWithoutItemTests(start: Start): void {
  describe('recovery of a stream whose checkpoint item was deleted', () => {
    /** Fifteen changes are delivered and committed to the group. Then the item is deleted, and five more changes come. */
    async function lose(world: World): Promise<void> {
      const write = new Writer()
      await world.source.append(write.inserts('shop.orders', 0, 14))
      await world.poll()
      assert.equal((await world.source.committed())?.offset, 15n)
      await world.deleteItem()
      await world.source.append(write.inserts('shop.orders', 15, 19))
    }

    test("a place after the group's commit loses the changes in between, and the ledger records that", async (t) => {
      const world = await start(t)
      await lose(world)
      const dry = await world.reset({ to: 'latest', dryRun: true })
      assert.match(dry.lost?.from ?? '', new RegExp(`\\(${t0 + 14 - 10}\\)`))
      assert.match(dry.note, /are lost .*commit to its consumer group takes its place/)
      for (const event of [{ to: 'latest' }, { to: { offset: '16' } }, { token: dry.token }]) {
        await assert.rejects(world.reset(event), { code: 'DATA_GAP', message: /"acceptLoss":true/ })
      }
      assert.equal(await world.item(), undefined)
      await world.reset({ to: 'latest', acceptLoss: true })
      assert.match((await world.inspect()).ledger[0]?.how ?? '', /^reset by latest: lost .* to /)
      await world.poll()
      assert.deepEqual(world.ids('orders'), range(0, 14))
    })

    test("a place before the group's commit loses nothing, and possible repeats are counted and marked", async (t) => {
      const world = await start(t)
      await lose(world)
      const done = await world.reset({ to: 'earliest' })
      assert.deepEqual([done.lost, { ...done.repeats }], [null, { 'shop.orders': 20 }])
      const known = world.received.length
      await world.poll()
      assert.deepEqual(
        world.received.slice(known).map(({ what, replay }) => [what, replay]),
        range(0, 19).map((id) => [id, true]),
      )
    })

    test("a reset to the group's commit loses nothing", async (t) => {
      const world = await start(t)
      await lose(world)
      const done = await world.reset({ to: 'committed' })
      assert.deepEqual([done.to.offset, done.lost], ['15', null])
      assert.match(done.note, /Nothing is lost/)
      await world.poll()
      assert.deepEqual(world.ids('orders'), range(0, 19))
    })
  })
}
