import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { range, Writer } from '../support/records.ts'
import { pollUntil, type Start } from '../support/world.ts'

const environment = { POLL_HANDOVER: 'true' }
/** A run that ends by itself at the end of the stream. */
const last = { environment: { ...environment, POLL_LINGER_SECONDS: '0' } }
const handOvers = 6

export function handOverTests(start: Start): void {
  describe('hand-over', () => {
    test('six runs in a row take over under load: each change comes once, in order, and none is lost', async (t) => {
      const world = await start(t)
      // Each run is a process of its own. Its start would take long under the load of this one.
      const [first, ...others] = await Promise.all(range(0, handOvers).map(() => world.coldPoller()))
      assert.ok(first !== undefined)
      const write = new Writer()
      let appended = 0
      const append = async (count: number) => {
        const from = appended
        appended += count
        await world.source.append(write.inserts('shop.orders', from, appended - 1))
      }
      // There is always more to do: for each handled change another one comes, until the last run.
      let isOver = false
      t.after(() => (isOver = true))
      let reached = 0
      let arrived: () => void = () => {}
      world.onChange = async () => {
        if (!isOver) await append(1)
        reached += 1
        arrived()
      }
      const more = () =>
        new Promise<void>((resolve) => {
          const from = reached
          arrived = () => {
            if (reached >= from + 20) resolve()
          }
        })
      await append(40)
      const works = more()
      let before = world.poll({ environment, poller: first })
      await Promise.race([works, before])
      for (const poller of others) {
        const next = world.poll({ environment, poller })
        const ended = await before
        const { handled, from, to } = ended
        assert.deepEqual([ended.ended, ended.retried, ended.halted], ['handed-over', 0, null])
        assert.equal(BigInt(to ?? 0) - BigInt(from ?? 0), BigInt(handled['shop.orders'] ?? 0))
        assert.ok((handled['shop.orders'] ?? 0) > 0, 'each run worked')
        await Promise.race([more(), next])
        before = next
      }
      isOver = true
      const final = world.poll(last)
      assert.equal((await before).ended, 'handed-over')
      assert.equal((await final).ended, 'end-of-stream')
      assert.deepEqual(world.ids('orders'), range(0, appended - 1))
      assert.deepEqual((await world.item())?.epoch, { N: String(handOvers + 2) })
    })

    test('a batch in flight ends under its own lease, and the next run starts after it', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 9))
      const first = await pollUntil(world, 2, { environment })
      const second = world.poll(last)
      while ((await world.item())?.wish === undefined);
      const during = await world.item()
      assert.notEqual(during?.leaseUntil?.N, '0')
      assert.deepEqual([during?.epoch, world.lambda.invocations('test-orders')], [{ N: '1' }, 1])
      first.goOn()
      assert.equal((await first.ended).ended, 'handed-over')
      assert.equal((await second).ended, 'end-of-stream')
      assert.deepEqual(world.ids('orders'), range(0, 9))
    })

    test('a pause during a hand-over holds, and the stream continues after a resume', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append(write.inserts('shop.orders', 0, 4))
      const first = await pollUntil(world, 2, { environment })
      const second = world.poll(last)
      const refused = assert.rejects(second, { code: 'STREAM_HALTED' })
      while ((await world.item())?.wish === undefined);
      await world.recover({ action: 'pause', by: 'anna' })
      await refused
      first.goOn()
      assert.equal((await first.ended).ended, 'handed-over')
      await world.recover({ action: 'resume' })
      await world.source.append(write.inserts('shop.orders', 5, 6))
      await world.pollToEnd(last)
      assert.deepEqual(world.ids('orders'), range(0, 6))
    })

    test('a reset during a hand-over is refused like any other while a run holds the lease', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 4))
      const first = await pollUntil(world, 2, { environment })
      const second = world.poll(last)
      while ((await world.item())?.wish === undefined);
      await assert.rejects(world.reset({ to: 'earliest' }), { code: 'LEASE_HELD' })
      first.goOn()
      await Promise.all([first.ended, second])
      assert.deepEqual(world.ids('orders'), range(0, 4))
    })
  })
}
