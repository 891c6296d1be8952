import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DtsError } from '../../lib/errors.ts'
import type { NewRecord } from './parts.ts'
import { filler, range, t0, Writer } from './records.ts'
import type { Start } from './suite.ts'
import type { World } from './world.ts'

const dryRunCommand = `npx serverless invoke -f recovery --data '{"action":"reset","dryRun":true}'`
const resetCommand = `npx serverless invoke -f recovery --data '{"action":"reset"}'`

/** Records that only the new cluster has in front, so that the same changes stand at other offsets. */
function shift(): NewRecord[] {
  const write = new Writer('shift')
  return [...filler(t0 - 60), write.mark('HEARTBEAT', t0 - 60), write.insert('shop.sessions', 1, t0 - 59)]
}

/** Halts with `code`, invokes nobody, and stays where it is until somebody asks for a reset. */
async function assertHalts(world: World, code: string, message: RegExp): Promise<void> {
  const invocations = world.lambda.total
  const before = await world.item()
  await assert.rejects(world.poll(), (error) => {
    assert.ok(error instanceof DtsError)
    assert.equal(error.code, code)
    assert.match(error.message, message)
    assert.ok(error.message.includes(resetCommand), error.message)
    return true
  })
  await assert.rejects(world.poll(), { code: 'STREAM_HALTED', message: new RegExp(code) })
  assert.equal(world.lambda.total, invocations)
  const after = await world.item()
  assert.deepEqual(after?.state, { S: 'HALTED' })
  for (const name of ['offset', 'timestamp', 'anchor', 'generation', 'clusterId', 'ledger']) {
    assert.deepEqual(after?.[name], before?.[name], name)
  }
}

export function recoveryTests(start: Start): void {
  describe('recovery', () => {
    test('the cluster changes in the middle of a run: halt, inspect, reset, and on without loss or repeat', async (t) => {
      const world = await start(t)
      const write = new Writer()
      const batches = [0, 10, 20, 30].map((from) => write.inserts('shop.orders', from, from + 9))
      for (const batch of batches) await world.source.append(batch)
      const oldCluster = world.source.clusterId
      world.onChange = async ({ what }) => {
        if (what === 15) await world.source.switchCluster([...shift(), ...batches.flat()])
      }
      // The handler waits while the other cluster starts, which takes real brokers a while.
      const environment = { POLL_FETCH_BYTES: '1024', HANDLER_TIMEOUT_SECONDS: '60' }
      world.lambda.limit('test-orders', 60_000)
      const poll = world.poll({ environment, remainingMs: () => 300_000 })
      await assert.rejects(poll, { code: 'BROKER_FAILED', retryable: true })
      world.onChange = () => {}
      const newCluster = world.source.clusterId
      assert.notEqual(newCluster, oldCluster)
      assert.deepEqual(world.ids('orders'), range(0, 19))
      assert.deepEqual((await world.item())?.offset, { N: '20' })

      await assertHalts(
        world,
        'CLUSTER_CHANGED',
        new RegExp(`^Cluster changed from ${oldCluster} to ${newCluster}, consumer require restart`),
      )
      const halted = await world.item()
      const inspection = await world.inspect()
      assert.equal(inspection.command, dryRunCommand)
      assert.match(inspection.advice, /^Cluster changed from/)
      assert.deepEqual(
        [inspection.stored?.clusterId, inspection.stored?.offset, inspection.stored?.state],
        [oldCluster, '20', 'HALTED'],
      )
      assert.equal(inspection.stored?.halt?.code, 'CLUSTER_CHANGED')
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
      assert.deepEqual({ ...dry, applied: true }, done)
      assert.deepEqual(done.to, { clusterId: newCluster, offset: '25', generation: 2 })
      const [entry] = (await world.inspect()).ledger.slice(-1)
      assert.deepEqual(
        [entry?.by, entry?.how, entry?.from, entry?.to],
        ['night shift', 'reset by anchor: failover of DTS', done.from, done.to],
      )

      const [summary] = await world.pollToEnd()
      assert.deepEqual([summary?.from, summary?.to, summary?.generation], ['25', '45', 2])
      assert.deepEqual(world.ids('orders'), range(0, 39))
      assert.ok(world.received.every(({ replay }) => !replay))
      assert.deepEqual(new Set(world.received.slice(20).map(({ generation }) => generation)), new Set([2]))
    })

    test('a new cluster that writes the changes differently: by time, replays marked, nothing lost', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 29))
      await world.poll()
      await world.source.switchCluster([...shift(), ...new Writer('rewritten').inserts('shop.orders', 0, 39)])
      await assertHalts(world, 'CLUSTER_CHANGED', /^Cluster changed from/)
      const done = await world.reset()
      assert.equal(done.how, 'time')
      assert.match(done.note, /may repeat and are marked as replay/)
      await world.pollToEnd()
      // The last change before was of second 29, and the look-up begins ten seconds before it.
      assert.deepEqual(world.ids('orders'), [...range(0, 29), ...range(19, 39)])
      const second = world.received.slice(30)
      assert.deepEqual(
        second.filter(({ replay }) => replay).map(({ what }) => what),
        range(19, 29),
      )
    })

    test('a new cluster that begins later is a gap, which only a person can accept', async (t) => {
      const world = await start(t)
      const write = new Writer()
      const changes = write.inserts('shop.orders', 0, 39)
      await world.source.append(changes.slice(0, 20))
      await world.poll()
      await world.source.switchCluster(changes.slice(25))
      await assertHalts(world, 'CLUSTER_CHANGED', /^Cluster changed from/)
      const halted = await world.item()
      for (const dryRun of [true, false]) {
        await assert.rejects(world.reset({ dryRun }), {
          code: 'DATA_GAP',
          message: new RegExp(
            `\\(${t0 + 25}\\), not before the checkpoint's .*\\(${t0 + 19}\\).*"to":"earliest"`,
          ),
        })
      }
      assert.deepEqual(await world.item(), halted)
      const accepted = await world.reset({ to: 'earliest', reason: 'rows copied by hand' })
      assert.equal(accepted.how, 'earliest')
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), [...range(0, 19), ...range(25, 39)])
      assert.match(JSON.stringify((await world.inspect()).ledger), /reset by earliest: rows copied by hand/)
    })

    test('a new cluster that begins within the second of the checkpoint may lack a change of it', async (t) => {
      const world = await start(t)
      const write = new Writer()
      const changes = [1, 2, 3].map((id) => write.insert('shop.orders', id, t0))
      await world.source.append(changes.slice(0, 1))
      await world.poll()
      await world.source.replaceLog([...changes.slice(2), ...filler(t0)])
      await assertHalts(world, 'LOG_CHANGED', /Another record, or none, stands at offset 0/)
      await assert.rejects(world.reset(), { code: 'DATA_GAP' })
      await world.reset({ to: 'earliest' })
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), [1, 3])
    })

    test('a new cluster that DTS has not filled yet: wait', async (t) => {
      const world = await start(t)
      const write = new Writer()
      const changes = write.inserts('shop.orders', 0, 39)
      await world.source.append(changes)
      await world.poll()
      await world.source.replaceLog(changes.slice(0, 10))
      await assertHalts(world, 'LOG_CHANGED', /offset 40 lies above the end of the log, 10/)
      await assert.rejects(world.reset(), {
        code: 'CHECKPOINT_OUT_OF_RANGE',
        retryable: true,
        message: new RegExp(`ends at .*\\(${t0 + 9}\\).*wait, and run the same again`),
      })
    })

    test('the same cluster id over another log: the record that was committed last gives it away', async (t) => {
      const world = await start(t)
      const write = new Writer()
      const changes = write.inserts('shop.orders', 0, 19)
      await world.source.append(changes.slice(0, 10))
      await world.poll()
      const { clusterId } = world.source
      await world.source.replaceLog([...shift(), ...changes])
      assert.equal(world.source.clusterId, clusterId)
      await assertHalts(world, 'LOG_CHANGED', /Another record, or none, stands at offset 9/)
      assert.equal((await world.inspect()).command, dryRunCommand)
      assert.deepEqual((await world.reset()).to, { clusterId, offset: '15', generation: 2 })
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), range(0, 19))
    })

    test('records that expired before they were read are a gap', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append(write.inserts('shop.orders', 0, 9))
      await world.poll()
      await world.source.append(write.inserts('shop.orders', 10, 29))
      await world.source.trim(15n)
      assert.equal((await world.source.range()).earliest, 15n)
      await assertHalts(world, 'DATA_GAP', /from offset 10 to 15 are no longer in the data range/)
      await assert.rejects(world.reset(), { code: 'DATA_GAP' })
      await world.reset({ to: 'earliest' })
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), [...range(0, 9), ...range(15, 29)])
    })

    test('a log that expired right up to the checkpoint is read on', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append(write.inserts('shop.orders', 0, 9))
      await world.poll()
      await world.source.append(write.inserts('shop.orders', 10, 19))
      await world.source.trim(10n)
      await world.poll()
      assert.deepEqual(world.ids('orders'), range(0, 19))
    })

    test('a reset to a place of choice; the next poll begins there', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 19))
      await world.poll()
      const places: [to: unknown, how: string, offset: number][] = [
        [{ timestamp: t0 + 12 }, 'time', 12],
        [{ timestamp: (t0 + 13) * 1000 }, 'time', 13],
        [{ timestamp: new Date((t0 + 14) * 1000).toISOString() }, 'time', 14],
        [{ offset: '17' }, 'offset', 17],
        [{ offset: 18 }, 'offset', 18],
        ['earliest', 'earliest', 0],
        ['latest', 'latest', 20],
      ]
      for (const [index, [to, how, offset]] of places.entries()) {
        const before = await world.item()
        assert.equal((await world.reset({ to, dryRun: true })).to.offset, String(offset))
        assert.deepEqual(await world.item(), before)
        const done = await world.reset({ to })
        assert.deepEqual([done.how, done.to.offset, done.to.generation], [how, String(offset), index + 2])
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

    test('inspect of a healthy stream has nothing to do, and tells the lag', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append(write.inserts('shop.orders', 0, 9))
      await world.poll()
      await world.source.append(write.inserts('shop.orders', 10, 14))
      const before = await world.item()
      const inspection = await world.inspect()
      assert.deepEqual(await world.item(), before)
      assert.deepEqual([inspection.command, inspection.lagRecords], [null, '5'])
      assert.match(inspection.advice, /nothing to do/)
      assert.deepEqual([inspection.stored?.offset, inspection.stored?.timestamp], ['10', t0 + 9])
    })
  })
}
