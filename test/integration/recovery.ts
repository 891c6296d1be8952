import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { until } from '../rig/context.ts'
import { recommended } from '../support/recommended.ts'
import { filler, now, range, shift, t0, Writer } from '../support/records.ts'
import type { Start } from '../support/world.ts'
import { assertHalts } from './recovery-support.ts'

export function recoveryTests(start: Start): void {
  describe('recovery', () => {
    test('after a cluster change in the middle of a run, inspect and reset continue without loss or repeat', async (t) => {
      const world = await start(t)
      const write = new Writer()
      const batches = [0, 10, 20, 30].map((from) => write.inserts('shop.orders', from, from + 9))
      for (const batch of batches) await world.source.append(batch)
      const oldCluster = world.source.clusterId
      world.onChange = async ({ what }) => {
        if (what === 15) await world.source.switchCluster([...shift(), ...batches.flat()])
      }
      world.lambda.limit('test-orders', 120_000)
      // The handler waits for the other cluster's topic, however slow the machine is.
      const environment = { POLL_FETCH_BYTES: '1024', HANDLER_TIMEOUT_SECONDS: '120' }
      await assert.rejects(world.poll({ environment, remainingMs: () => 600_000 }), {
        code: 'BROKER_FAILED',
        retryable: true,
      })
      world.onChange = () => {}
      const newCluster = world.source.clusterId
      assert.notEqual(newCluster, oldCluster)
      // The run delivers and commits everything that it fetched before the old cluster disappeared.
      const handled = world.received.length
      assert.ok(handled >= 20, String(handled))
      assert.deepEqual(world.ids('orders'), range(0, handled - 1))
      assert.deepEqual((await world.item())?.offset, { N: String(handled) })

      await assertHalts(
        world,
        'CLUSTER_CHANGED',
        new RegExp(`^Cluster changed from ${oldCluster} to ${newCluster}, consumer require restart`),
      )
      const halted = await world.item()
      const inspection = await world.inspect()
      assert.deepEqual(recommended(inspection), { action: 'reset' })
      assert.match(inspection.advice, /a reset loses and repeats nothing/)
      assert.deepEqual(
        [inspection.stored?.clusterId, inspection.stored?.offset, inspection.stored?.state],
        [oldCluster, String(handled), 'HALTED'],
      )
      assert.equal(inspection.stored?.halt?.code, 'CLUSTER_CHANGED')
      assert.deepEqual(inspection.stored.halt.facts, {
        from: oldCluster,
        to: newCluster,
        offset: String(handled),
      })
      assert.deepEqual(inspection.found, {
        clusterId: newCluster,
        earliest: '0',
        end: '45',
        times: { first: t0 - 60, last: t0 + 39 },
      })
      assert.equal(inspection.lagRecords, null)

      const dry = await world.reset({ dryRun: true })
      assert.deepEqual([dry.applied, dry.how], [false, 'anchor'])
      assert.deepEqual(await world.item(), halted)

      const done = await world.reset({ by: 'night shift', reason: 'failover of DTS' })
      // The generation is the second in which the reset is applied.
      const announced = { ...dry, to: { ...dry.to, generation: done.to.generation } }
      assert.deepEqual({ ...announced, applied: true, token: null, note: done.note }, done)
      const first = done.from?.generation ?? assert.fail('no generation')
      const { generation } = done.to
      assert.ok(generation > first, `${generation} after ${first}`)
      assert.deepEqual([done.to.clusterId, done.to.offset], [newCluster, String(handled + 5)])
      const [entry] = (await world.inspect()).ledger.slice(-1)
      assert.deepEqual(
        [entry?.by, entry?.how, entry?.from, entry?.to],
        [
          'night shift',
          'reset by anchor: failover of DTS',
          done.from,
          { clusterId: newCluster, offset: String(handled + 5), generation },
        ],
      )

      const [summary] = await world.pollToEnd()
      assert.deepEqual(
        [summary?.from, summary?.to, summary?.generation],
        [String(handled + 5), '45', generation],
      )
      assert.deepEqual(world.ids('orders'), range(0, 39))
      assert.ok(world.received.every(({ replay }) => !replay))
      assert.deepEqual(
        new Set(world.received.map((change) => change.generation)),
        new Set(handled < 40 ? [first, generation] : [first]),
      )
    })

    test('another log with the same cluster id halts the stream, because the last committed record differs', async (t) => {
      const world = await start(t)
      const write = new Writer()
      const changes = write.inserts('shop.orders', 0, 19)
      await world.source.append(changes.slice(0, 10))
      await world.poll()
      const { clusterId } = world.source
      await world.source.replaceLog([...shift(), ...changes])
      assert.equal(world.source.clusterId, clusterId)
      await assertHalts(world, 'LOG_CHANGED', /Another record, or none, is at offset 9/)
      assert.deepEqual(recommended(await world.inspect()), { action: 'reset' })
      const { from, to } = await world.reset()
      assert.deepEqual([to.clusterId, to.offset], [clusterId, '15'])
      assert.ok(to.generation > (from?.generation ?? Number.NaN))
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), range(0, 19))
    })

    test('after filler, another log is recognised by the change before the filler', async (t) => {
      const world = await start(t)
      const changes = new Writer().inserts('shop.orders', 0, 19)
      await world.source.append([...changes.slice(0, 10), ...filler(t0 + 9)])
      await world.poll()
      // The new log has filler at the same offset, after other changes.
      await world.source.replaceLog([...changes.slice(3, 13), ...filler(t0 + 12), ...changes.slice(13)])
      await assertHalts(world, 'LOG_CHANGED', /Another record, or none, is at offset 9/)
      assert.equal((await world.reset()).how, 'anchor')
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), range(0, 19))
    })

    test('on a cluster that writes changes differently, a reset continues by time, loses nothing and marks replays', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 29))
      await world.poll()
      await world.source.switchCluster([...shift(), ...new Writer('rewritten').inserts('shop.orders', 0, 39)])
      await assertHalts(world, 'CLUSTER_CHANGED', /^Cluster changed from/)
      const done = await world.reset()
      assert.equal(done.how, 'time')
      assert.match(done.note, /repeat, marked as replay/)
      assert.deepEqual({ ...done.repeats }, { 'shop.orders': 11 })
      await world.pollToEnd()
      // The last change before had second 29, and the stream continues ten seconds before it.
      assert.deepEqual(world.ids('orders'), [...range(0, 29), ...range(19, 39)])
      const second = world.received.slice(30)
      assert.deepEqual(
        second.filter(({ replay }) => replay).map(({ what }) => what),
        range(19, 29),
      )
    })

    test('repeats of a move stay marked as replay when the cluster changes again', async (t) => {
      const world = await start(t)
      const rewritten = new Writer('rewritten').inserts('shop.orders', 0, 39)
      await world.source.append(new Writer().inserts('shop.orders', 0, 29))
      await world.poll()
      await world.source.switchCluster([...shift(), ...rewritten])
      await assertHalts(world, 'CLUSTER_CHANGED', /^Cluster changed from/)
      assert.equal((await world.reset()).how, 'time')
      world.onChange = ({ what }) => {
        if (Number(what) > 22) throw new Error('not yet')
      }
      await world.poll({ remainingMs: until(() => world.received.length === 34) })
      assert.deepEqual(world.ids('orders').slice(30), range(19, 22))
      world.onChange = () => {}
      await world.source.switchCluster([...filler(t0), ...shift(), ...rewritten])
      await assertHalts(world, 'CLUSTER_CHANGED', /^Cluster changed from/)
      const done = await world.reset()
      assert.deepEqual([done.how, { ...done.repeats }], ['anchor', { 'shop.orders': 7 }])
      assert.match(done.note, /Some changes repeat, marked as replay/)
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders').slice(30), range(19, 39))
      assert.deepEqual(
        world.received.filter(({ replay }) => replay).map(({ what }) => what),
        range(19, 29),
      )
    })

    test('with ON_CLUSTER_CHANGE=recover the poller continues if nothing is lost, and halts on a gap', async (t) => {
      const world = await start(t)
      const write = new Writer()
      const changes = write.inserts('shop.orders', 0, 59)
      const environment = { ON_CLUSTER_CHANGE: 'recover' }
      await world.source.append(changes.slice(0, 20))
      await world.poll({ environment })
      await world.source.switchCluster([...shift(), ...changes.slice(0, 40)])
      const recovered = await world.poll({ environment })
      assert.deepEqual([recovered.ended, recovered.to], ['recovered', '25'])
      await world.pollToEnd({ environment })
      assert.deepEqual(world.ids('orders'), range(0, 39))
      await world.source.switchCluster(changes.slice(45))
      await assertHalts(world, 'CLUSTER_CHANGED', /^Cluster changed from/, environment)
    })

    test('with ON_CLUSTER_CHANGE=recover the poller waits while DTS fills the new log, and then continues', async (t) => {
      const world = await start(t)
      const changes = new Writer().inserts('shop.orders', 0, 39)
      const environment = { ON_CLUSTER_CHANGE: 'recover' }
      await world.source.append(changes.slice(0, 20))
      await world.poll({ environment })
      await world.source.switchCluster([])
      const invocations = world.lambda.total
      const { epoch: _, owner: __, ...before } = (await world.item()) ?? {}
      for (const filled of [[], [...shift(), ...changes.slice(0, 10)]]) {
        await world.source.append(filled)
        await assert.rejects(world.poll({ environment }), {
          code: 'CHECKPOINT_OUT_OF_RANGE',
          retryable: true,
          message: /DTS may still be filling it: wait/,
        })
        // The checkpoint is neither halted nor moved, and the lease is released.
        const { epoch: ___, owner: ____, ...after } = (await world.item()) ?? {}
        assert.deepEqual(after, before)
      }
      assert.equal(world.lambda.total, invocations)
      await world.source.append(changes.slice(10))
      assert.equal((await world.poll({ environment })).ended, 'recovered')
      await world.pollToEnd({ environment })
      assert.deepEqual(world.ids('orders'), range(0, 39))
    })

    test('inspect of a healthy stream recommends nothing, and reports the lag', async (t) => {
      const world = await start(t)
      const write = new Writer()
      const beat = now()
      await world.source.append([...write.inserts('shop.orders', 0, 9), write.mark('HEARTBEAT', beat)])
      await world.poll()
      await world.source.append(write.inserts('shop.orders', 10, 14, beat))
      const before = await world.item()
      const inspection = await world.inspect()
      assert.deepEqual(await world.item(), before)
      assert.deepEqual([recommended(inspection), inspection.lagRecords], [null, '5'])
      assert.match(inspection.advice, /nothing to do/)
      assert.deepEqual([inspection.stored?.offset, inspection.stored?.timestamp], ['11', beat])
    })
  })
}
