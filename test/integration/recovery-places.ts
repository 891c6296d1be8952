import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { range, t0, Writer } from './records.ts'
import type { Start } from './suite.ts'

export function recoveryPlaceTests(start: Start): void {
  describe('recovery to a place of choice', () => {
    test('a reset to a place of choice; the next poll begins there', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 19))
      await world.poll()
      const places: [to: unknown, how: string, offset: number][] = [
        [{ timestamp: t0 + 12 }, 'timestamp', 12],
        [{ timestamp: (t0 + 13) * 1000 }, 'timestamp', 13],
        [{ timestamp: new Date((t0 + 14) * 1000).toISOString() }, 'timestamp', 14],
        [{ offset: '17' }, 'offset', 17],
        [{ offset: 18 }, 'offset', 18],
        ['earliest', 'earliest', 0],
        ['latest', 'latest', 20],
      ]
      for (const [to, how, offset] of places) {
        const before = await world.item()
        assert.equal((await world.reset({ to, dryRun: true })).to.offset, String(offset))
        assert.deepEqual(await world.item(), before)
        const done = await world.reset({ to })
        assert.deepEqual([done.how, done.to.offset], [how, String(offset)])
        assert.equal(done.to.generation, Number(before?.generation?.N) + 1)
        const known = world.received.length
        const summary = await world.poll()
        assert.equal(summary.from, String(offset))
        const sent = world.received.slice(known)
        const expected = offset > 19 ? [] : range(offset, 19)
        assert.deepEqual(
          sent.map(({ what }) => what),
          expected,
        )
        assert.ok(sent.every(({ replay }) => replay))
      }
    })

    test('committed: where the consumer group stands at the broker', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append(write.inserts('shop.orders', 0, 9))
      await world.poll()
      const done = await world.reset({ to: 'committed' })
      assert.deepEqual([done.how, done.to.offset], ['committed', '10'])
    })

    const outside: [to: unknown, message: RegExp][] = [
      [{ timestamp: t0 - 1 }, /is not in the data range/],
      [{ timestamp: t0 + 100 }, /is not in the data range/],
      [{ offset: '21' }, /offset 21 is not in the data range 0 to 20/],
    ]

    test('a reset to a place outside the data range is refused', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 19))
      await world.poll()
      const before = await world.item()
      for (const [to, message] of outside) {
        await assert.rejects(world.reset({ to }), { code: 'CHECKPOINT_OUT_OF_RANGE', message })
      }
      assert.deepEqual(await world.item(), before)
    })

    test('a reset of a stream that was never read needs a place', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 9))
      await assert.rejects(world.reset(), { code: 'CHECKPOINT_MISSING', message: /Say where to start/ })
      assert.equal(await world.item(), undefined)
      assert.match((await world.inspect()).advice, /starts at DTS_CHECKPOINT/)
      await world.reset({ to: { offset: '4' } })
      await world.poll()
      assert.deepEqual(world.ids('orders'), range(4, 9))
    })

    test('replay sends a part of one table again, marked, and leaves the checkpoint alone', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append([
        ...write.inserts('shop.orders', 0, 9),
        ...write.inserts('shop.customers', 0, 9),
      ])
      await world.poll()
      const before = await world.item()
      const event = { action: 'replay', table: 'shop.orders', from: { offset: '3' }, to: { offset: '6' } }
      const dry = await world.recover({ ...event, dryRun: true })
      assert.ok(dry.action === 'replay')
      assert.deepEqual([dry.replayed, dry.complete], [3, true])
      const known = world.received.length
      const done = await world.recover(event)
      assert.ok(done.action === 'replay')
      assert.deepEqual([done.replayed, done.complete, done.error], [3, true, null])
      assert.deepEqual(
        world.received.slice(known).map(({ what, replay }) => [what, replay]),
        [3, 4, 5].map((what) => [what, true]),
      )
      assert.deepEqual(await world.item(), before)
      await assert.rejects(world.recover({ ...event, table: 'shop.nobody' }), { code: 'TABLE_UNROUTED' })
    })
  })
}
