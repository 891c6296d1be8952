import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DtsError } from '../../lib/errors.ts'
import { formatTime } from '../../lib/time.ts'
import { filler, range, shift, t0, Writer } from '../support/records.ts'
import type { Start } from '../support/world.ts'
import { assertHalts } from './recovery-support.ts'

export function recoveryLossTests(start: Start): void {
  describe('recovery if changes may be lost', () => {
    test('a new cluster that begins after the checkpoint is a gap, and only a person can accept it', async (t) => {
      const world = await start(t)
      const write = new Writer()
      const changes = write.inserts('shop.orders', 0, 39)
      await world.source.append(changes.slice(0, 20))
      await world.poll()
      await world.source.switchCluster(changes.slice(25))
      await assertHalts(world, 'CLUSTER_CHANGED', /^Cluster changed from/)
      const halted = await world.item()
      const dry = await world.reset({ dryRun: true })
      // The last committed change has second 19, and the highest of the first three readable ones has second 27.
      assert.match(dry.lost?.from ?? '', new RegExp(`\\(${t0 + 19 - 10}\\)`))
      assert.match(dry.lost?.to ?? '', new RegExp(`\\(${t0 + 27 + 10}\\)`))
      for (const to of [{}, { to: 'earliest' }, { to: 'latest' }, { token: dry.token }]) {
        const accepting = JSON.stringify({ action: 'reset', ...to, acceptLoss: true })
        await assert.rejects(world.reset(to), (error) => {
          assert.ok(error instanceof DtsError && error.code === 'DATA_GAP')
          assert.ok(error.message.endsWith(` -f recovery --data '${accepting}'`), error.message)
          return true
        })
      }
      assert.deepEqual(await world.item(), halted)
      const accepted = await world.reset({ acceptLoss: true, reason: 'rows copied by hand' })
      assert.equal(accepted.how, 'gap')
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), [...range(0, 19), ...range(25, 39)])
      assert.match(
        JSON.stringify((await world.inspect()).ledger),
        /reset by gap: lost .* to .*: rows copied by hand/,
      )
    })

    test('a log that lacks the changes around the checkpoint is a gap, although it begins long before', async (t) => {
      const world = await start(t)
      const changes = new Writer().inserts('shop.orders', 0, 59)
      await world.source.append(changes.slice(0, 20))
      await world.poll()
      await world.source.switchCluster([...shift(), ...changes.slice(0, 5), ...changes.slice(40)])
      await assertHalts(world, 'CLUSTER_CHANGED', /^Cluster changed from/)
      const dry = await world.reset({ dryRun: true })
      assert.equal(dry.how, 'gap')
      assert.match(dry.lost?.to ?? '', new RegExp(`\\(${t0 + 40 + 10}\\)`))
      await assert.rejects(world.reset(), { code: 'DATA_GAP' })
      await world.reset({ acceptLoss: true })
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), [...range(0, 19), ...range(40, 59)])
    })

    test("a new cluster that begins within the checkpoint's second is a gap, because it may lack a change", async (t) => {
      const world = await start(t)
      const write = new Writer()
      const changes = [1, 2, 3].map((id) => write.insert('shop.orders', id, t0))
      await world.source.append(changes.slice(0, 1))
      await world.poll()
      await world.source.replaceLog([...changes.slice(2), ...filler(t0)])
      await assertHalts(world, 'LOG_CHANGED', /Another record, or none, is at offset 0/)
      await assert.rejects(world.reset(), { code: 'DATA_GAP' })
      await world.reset({ to: 'earliest', acceptLoss: true })
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), [1, 3])
    })

    test('a reset on a cluster that DTS has not filled yet is refused, and says to wait', async (t) => {
      const world = await start(t)
      const write = new Writer()
      const changes = write.inserts('shop.orders', 0, 39)
      await world.source.append(changes)
      await world.poll()
      await world.source.replaceLog(changes.slice(0, 10))
      await assertHalts(
        world,
        'LOG_CHANGED',
        /offset 40 lies above the end of the log, whose next record gets offset 10/,
      )
      await assert.rejects(world.reset(), {
        code: 'CHECKPOINT_OUT_OF_RANGE',
        retryable: true,
        message: new RegExp(`ends at .*\\(${t0 + 8}\\).*wait, and run the same again`),
      })
    })

    test('a reset does not wait for a last change dated in the future if the log holds that change', async (t) => {
      const world = await start(t)
      const future = Math.ceil(Date.now() / 1000) + 86_400
      const changes = (write: Writer) => [
        ...write.inserts('shop.orders', 0, 9),
        { ...write.insert('shop.orders', 10, future), timestamp: future },
        ...write.inserts('shop.orders', 11, 19),
      ]
      await world.source.append(changes(new Writer()).slice(0, 11))
      await world.poll()
      await world.source.switchCluster([...shift(), ...changes(new Writer('rewritten'))])
      await assertHalts(world, 'CLUSTER_CHANGED', /^Cluster changed from/)
      const done = await world.reset()
      // Ten seconds before the last change with a right date, not before the other one.
      assert.deepEqual([done.how, done.to.time, done.lost], ['time', formatTime(t0 - 1), null])
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), [...range(0, 10), ...range(0, 19)])
    })

    test('a log without a last change dated in the future is a gap, and a person must accept it', async (t) => {
      const world = await start(t)
      const write = new Writer()
      const future = Math.ceil(Date.now() / 1000) + 86_400
      await world.source.append([
        ...write.inserts('shop.orders', 0, 9),
        { ...write.insert('shop.orders', 10, future), timestamp: future },
      ])
      await world.poll()
      await world.source.switchCluster([...shift(), ...new Writer('rewritten').inserts('shop.orders', 0, 19)])
      await assertHalts(world, 'CLUSTER_CHANGED', /^Cluster changed from/)
      await assert.rejects(world.reset(), { code: 'DATA_GAP' })
      const done = await world.reset({ to: { timestamp: t0 + 5 }, acceptLoss: true })
      assert.deepEqual([done.how, done.to.time], ['timestamp', formatTime(t0 + 5)])
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), [...range(0, 10), ...range(5, 19)])
    })

    test('records that expired before they were read are a gap', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append(write.inserts('shop.orders', 0, 9))
      await world.poll()
      await world.source.append(write.inserts('shop.orders', 10, 29))
      await world.source.trim(15n)
      assert.equal((await world.source.range()).earliest, 15n)
      await assertHalts(
        world,
        'DATA_GAP',
        /from offset 10 to 14 are no longer in the data range, which begins at 15/,
      )
      await assert.rejects(world.reset(), { code: 'DATA_GAP' })
      await world.reset({ to: 'earliest', acceptLoss: true })
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), [...range(0, 9), ...range(15, 29)])
    })

    test('a log that expired exactly up to the checkpoint is read without a halt', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append(write.inserts('shop.orders', 0, 9))
      await world.poll()
      await world.source.append(write.inserts('shop.orders', 10, 19))
      await world.source.trim(10n)
      await world.poll()
      assert.deepEqual(world.ids('orders'), range(0, 19))
    })

    test('a reset over changes that were not delivered needs acceptLoss, and the ledger can undo it', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append(write.inserts('shop.orders', 0, 9))
      await world.poll()
      await world.source.append(write.inserts('shop.orders', 10, 19))
      const before = await world.item()
      await assert.rejects(world.reset({ to: 'latest' }), { code: 'DATA_GAP', message: /"acceptLoss":true/ })
      assert.deepEqual(await world.item(), before)
      const done = await world.reset({ to: 'latest', acceptLoss: true })
      assert.match(done.lost?.from ?? '', new RegExp(`\\(${t0 + 9 - 10}\\)`))
      assert.match(JSON.stringify((await world.inspect()).ledger), /reset by latest: lost /)
      await world.poll()
      assert.deepEqual(world.ids('orders'), range(0, 9))
      const back = await world.reset({ to: { ledger: 0 } })
      assert.deepEqual([back.how, back.to.offset, back.lost], ['ledger', '10', null])
      await world.poll()
      assert.deepEqual(world.ids('orders'), range(0, 19))
    })
  })
}
