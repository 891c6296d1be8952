import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { NewRecord } from '../support/parts.ts'
import { range, t0, Writer } from '../support/records.ts'
import { pollUntil, type Start, type World } from '../support/world.ts'

export function recoveryPlanTests(start: Start): void {
  describe('tokens of a dry run', () => {
    test('a token applies exactly what the dry run announced, and only once', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append(write.inserts('shop.orders', 0, 9))
      await world.poll()
      const dry = await world.reset({ to: { offset: '4' }, dryRun: true })
      assert.deepEqual({ ...dry.repeats }, { 'shop.orders': 6 })
      // Changes that come after the dry run are not part of it.
      await world.source.append(write.inserts('shop.orders', 10, 14))
      const done = await world.reset({ token: dry.token })
      // The generation is the second in which the reset is applied.
      const announced = { ...dry, to: { ...dry.to, generation: done.to.generation } }
      assert.deepEqual({ ...announced, applied: true, token: null, repeats: { ...dry.repeats } }, done)
      for (const token of [dry.token, 'nonsense']) {
        await assert.rejects(world.reset({ token }), { code: 'PLAN_OUTDATED', message: /dry run again/ })
      }
      await world.poll()
      assert.deepEqual(world.ids('orders'), [...range(0, 9), ...range(4, 14)])
    })

    test('a dry run of a token announces the same again, and its token works too', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 9))
      await world.poll()
      await world.source.append(new Writer('more').inserts('shop.orders', 10, 12))
      const first = await world.reset({ to: 'latest', dryRun: true })
      const again = await world.reset({ token: first.token, dryRun: true })
      const announced = { ...first, to: { ...first.to, generation: again.to.generation } }
      assert.deepEqual(again, { ...announced, repeats: { ...first.repeats } })
      assert.notEqual(again.lost, null)
      assert.equal((await world.reset({ token: again.token, acceptLoss: true })).to.offset, '13')
    })

    const moves: [what: string, move: (world: World, changes: NewRecord[]) => Promise<unknown>][] = [
      ['the poller ran', (world) => world.poll()],
      ['the stream was paused', (world) => world.recover({ action: 'pause' })],
      ['the checkpoint was moved', (world) => world.reset({ to: { offset: '4' } })],
      [
        'another record is below the place',
        ({ source }, changes) =>
          source.replaceLog(changes.with(3, new Writer('x').insert('shop.orders', 3, t0 + 3))),
      ],
      [
        'another record is at the place',
        ({ source }, changes) =>
          source.replaceLog(changes.with(4, new Writer('x').insert('shop.orders', 4, t0 + 4))),
      ],
      ['the place is no longer in the log', ({ source }) => source.trim(5n)],
      ['another cluster answers', ({ source }, changes) => source.switchCluster(changes)],
    ]

    for (const [what, move] of moves) {
      test(`a token is refused after a change: ${what}`, async (t) => {
        const world = await start(t)
        const changes = new Writer().inserts('shop.orders', 0, 9)
        await world.source.append(changes)
        await world.poll()
        const dry = await world.reset({ to: { offset: '4' }, dryRun: true })
        await move(world, changes)
        const before = await world.item()
        await assert.rejects(world.reset({ token: dry.token }), {
          code: 'PLAN_OUTDATED',
          message: /since the dry run\. Nothing was done/,
        })
        assert.deepEqual(await world.item(), before)
      })
    }

    test('a token is refused if a run committed since the dry run, although the lease is the same', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 9))
      const running = await pollUntil(world, 4)
      const dry = await world.reset({ to: { offset: '2' }, dryRun: true })
      const { epoch } = (await world.item()) ?? {}
      running.goOn()
      await running.ended
      const before = await world.item()
      assert.deepEqual([before?.epoch, before?.offset], [epoch, { N: '10' }])
      await assert.rejects(world.reset({ token: dry.token }), { code: 'PLAN_OUTDATED' })
      assert.deepEqual(await world.item(), before)
    })
  })
}
