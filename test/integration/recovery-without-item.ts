import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { range, t0, Writer } from './records.ts'
import type { Start, World } from './world.ts'

export function recoveryWithoutItemTests(start: Start): void {
  describe('recovery of a stream whose checkpoint is gone', () => {
    /** Fifteen changes were done, and the group has that; then the item goes, and five more come. */
    async function lose(world: World): Promise<void> {
      const write = new Writer()
      await world.source.append(write.inserts('shop.orders', 0, 14))
      await world.poll()
      assert.equal((await world.source.committed())?.offset, 15n)
      await world.deleteItem()
      await world.source.append(write.inserts('shop.orders', 15, 19))
    }

    test('a place behind what the group has committed loses what lies between, and the ledger says so', async (t) => {
      const world = await start(t)
      await lose(world)
      const dry = await world.reset({ to: 'latest', dryRun: true })
      assert.match(dry.lost?.from ?? '', new RegExp(`\\(${t0 + 14 - 10}\\)`))
      assert.match(dry.note, /are lost .*consumer group stands for it/)
      for (const event of [{ to: 'latest' }, { to: { offset: '16' } }, { token: dry.token }]) {
        await assert.rejects(world.reset(event), { code: 'DATA_GAP', message: /"acceptLoss":true/ })
      }
      assert.equal(await world.item(), undefined)
      await world.reset({ to: 'latest', acceptLoss: true })
      assert.match((await world.inspect()).ledger[0]?.how ?? '', /^reset by latest: lost .* to /)
      await world.poll()
      assert.deepEqual(world.ids('orders'), range(0, 14))
    })

    test('a place before it loses nothing, and what may have been done before is counted and marked', async (t) => {
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

    test('where the group stands is where nothing is lost', async (t) => {
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
