import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DtsError, type Facts } from '../../lib/errors.ts'
import { formatTime } from '../../lib/time.ts'
import { pollUntil } from './lease.ts'
import type { NewRecord } from './parts.ts'
import { filler, range, t0, Writer } from './records.ts'
import type { Start } from './suite.ts'
import { until, type World } from './world.ts'

const resetCommand = `npx serverless invoke -f recovery --data '{"action":"reset"}'`

/** Records that only the new cluster has in front, so that the same changes stand at other offsets. */
function shift(): NewRecord[] {
  const write = new Writer('shift')
  return [...filler(t0 - 60), write.mark('HEARTBEAT', t0 - 60), write.insert('shop.sessions', 1, t0 - 59)]
}

/** Every other number. */
function even(from: number, to: number): number[] {
  return range(from, to).filter((id) => (id - from) % 2 === 0)
}

/** Halts with `code`, invokes nobody, and stays where it is until somebody asks for a reset. */
async function assertHalts(
  world: World,
  code: string,
  message: RegExp,
  environment: Readonly<Record<string, string>> = {},
): Promise<void> {
  const invocations = world.lambda.total
  const before = await world.item()
  let facts: Facts = {}
  await assert.rejects(world.poll({ environment }), (error) => {
    assert.ok(error instanceof DtsError)
    facts = error.facts
    assert.equal(error.code, code)
    assert.match(error.message, message)
    assert.ok(error.message.includes(resetCommand), error.message)
    return true
  })
  const after = await world.item()
  await assert.rejects(world.poll(), (error) => {
    assert.ok(error instanceof DtsError)
    assert.equal(error.code, 'STREAM_HALTED')
    assert.match(error.message, new RegExp(code))
    assert.deepEqual(error.facts, { ...facts, halt: code })
    return true
  })
  assert.equal(world.lambda.total, invocations)
  assert.deepEqual(await world.item(), after)
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
      world.lambda.limit('test-orders', 120_000)
      // The handler waits for another broker to start, however slow the machine is.
      const environment = { POLL_FETCH_BYTES: '1024', HANDLER_TIMEOUT_SECONDS: '120' }
      await assert.rejects(world.poll({ environment, remainingMs: () => 600_000 }), {
        code: 'BROKER_FAILED',
        retryable: true,
      })
      world.onChange = () => {}
      const newCluster = world.source.clusterId
      assert.notEqual(newCluster, oldCluster)
      // What was fetched before the old cluster went away is handled to its end, and committed.
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
      assert.equal(inspection.command, resetCommand)
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
      assert.deepEqual({ ...dry, applied: true, token: null, note: done.note }, done)
      const first = done.from?.generation ?? assert.fail('no generation')
      const generation = first + 1
      assert.deepEqual(
        [done.to.clusterId, done.to.offset, done.to.generation],
        [newCluster, String(handled + 5), generation],
      )
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

    /** Orders with even, customers with odd ids, of which the first customer fails until `heal` is called. */
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
      // All nine that are there of the ten that were done, and nobody is told apart from the customers between them.
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

    test('a function of which only an old offset is known repeats its lead marked, also what the log does not have yet', async (t) => {
      const world = await start(t)
      const { changes, heal } = await orderAhead(world)
      // As items of older versions have it, and those with very many functions ahead.
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

    test('of equal rows of one statement, those behind the checkpoint come once, and those before not again', async (t) => {
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

    test('a log that begins within equal rows is a gap: the last committed one cannot be told from the others', async (t) => {
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

    test('a new cluster that writes the changes differently: by time, replays marked, nothing lost', async (t) => {
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
      // The last change before was of second 29, and the look-up begins ten seconds before it.
      assert.deepEqual(world.ids('orders'), [...range(0, 29), ...range(19, 39)])
      const second = world.received.slice(30)
      assert.deepEqual(
        second.filter(({ replay }) => replay).map(({ what }) => what),
        range(19, 29),
      )
    })

    test('what a move made repeat stays marked when the cluster changes once more', async (t) => {
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

    test('a log that ends within equal rows is waited for', async (t) => {
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

    test('a new cluster that begins later is a gap, which only a person can accept', async (t) => {
      const world = await start(t)
      const write = new Writer()
      const changes = write.inserts('shop.orders', 0, 39)
      await world.source.append(changes.slice(0, 20))
      await world.poll()
      await world.source.switchCluster(changes.slice(25))
      await assertHalts(world, 'CLUSTER_CHANGED', /^Cluster changed from/)
      const halted = await world.item()
      const dry = await world.reset({ dryRun: true })
      // The last committed change is of second 19, the first that can be read of 25; source times go back a little.
      assert.match(dry.lost?.from ?? '', new RegExp(`\\(${t0 + 19 - 10}\\)`))
      assert.match(dry.lost?.to ?? '', new RegExp(`\\(${t0 + 25 + 10}\\)`))
      for (const to of [{}, { to: 'earliest' }, { to: 'latest' }, { token: dry.token }]) {
        await assert.rejects(world.reset(to), { code: 'DATA_GAP', message: /"acceptLoss": true/ })
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

    test('a log with a hole where the checkpoint stood is a gap, though it begins long before', async (t) => {
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

    test('a new cluster that begins within the second of the checkpoint may lack a change of it', async (t) => {
      const world = await start(t)
      const write = new Writer()
      const changes = [1, 2, 3].map((id) => write.insert('shop.orders', id, t0))
      await world.source.append(changes.slice(0, 1))
      await world.poll()
      await world.source.replaceLog([...changes.slice(2), ...filler(t0)])
      await assertHalts(world, 'LOG_CHANGED', /Another record, or none, stands at offset 0/)
      await assert.rejects(world.reset(), { code: 'DATA_GAP' })
      await world.reset({ to: 'earliest', acceptLoss: true })
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

    test('a checkpoint whose time lies in the future is not waited for: the message names the way out, which works', async (t) => {
      const world = await start(t)
      const write = new Writer()
      const future = Math.ceil(Date.now() / 1000) + 86_400
      const changes = write.inserts('shop.orders', 0, 9)
      await world.source.append([
        ...changes,
        { ...write.insert('shop.orders', 10, future), timestamp: t0 + 10 },
      ])
      await world.poll()
      await world.source.switchCluster([...shift(), ...new Writer('rewritten').inserts('shop.orders', 0, 19)])
      await assertHalts(world, 'CLUSTER_CHANGED', /^Cluster changed from/)
      await assert.rejects(world.reset(), {
        code: 'CHECKPOINT_OUT_OF_RANGE',
        message:
          /lies in the future, .*`reset --to <time> --accept-loss` \(in an event \{"timestamp":…\} and "acceptLoss": true\)/,
      })
      const done = await world.reset({ to: { timestamp: t0 + 5 }, acceptLoss: true })
      assert.deepEqual([done.how, done.to.time], ['timestamp', formatTime(t0 + 5)])
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), [...range(0, 10), ...range(5, 19)])
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
      assert.equal((await world.inspect()).command, resetCommand)
      const { from, to } = await world.reset()
      assert.deepEqual(
        [to.clusterId, to.offset, to.generation - (from?.generation ?? 0)],
        [clusterId, '15', 1],
      )
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), range(0, 19))
    })

    test('filler is the same in every log: behind it, the change before gives another log away', async (t) => {
      const world = await start(t)
      const changes = new Writer().inserts('shop.orders', 0, 19)
      await world.source.append([...changes.slice(0, 10), ...filler(t0 + 9)])
      await world.poll()
      // Where the filler stood there is filler again, with other changes in front.
      await world.source.replaceLog([...changes.slice(3, 13), ...filler(t0 + 12), ...changes.slice(13)])
      await assertHalts(world, 'LOG_CHANGED', /Another record, or none, stands at offset 9/)
      assert.equal((await world.reset()).how, 'anchor')
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
      await world.reset({ to: 'earliest', acceptLoss: true })
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

    test('going forward over changes that nobody handled needs a word of its own', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append(write.inserts('shop.orders', 0, 9))
      await world.poll()
      await world.source.append(write.inserts('shop.orders', 10, 19))
      const before = await world.item()
      await assert.rejects(world.reset({ to: 'latest' }), { code: 'DATA_GAP', message: /"acceptLoss": true/ })
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

    test('a rollback undoes the last move, whatever was paused and resumed since', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 9))
      await world.poll()
      await world.reset({ to: { offset: '6' } })
      await world.reset({ to: { offset: '3' } })
      for (const action of ['pause', 'resume', 'pause', 'resume']) await world.recover({ action })
      for (const [ledger, offset] of ['6', '10'].entries())
        assert.equal((await world.reset({ to: { ledger }, dryRun: true })).to.offset, offset)
      // The first start came from nowhere.
      await assert.rejects(world.reset({ to: { ledger: 2 } }), { code: 'CHECKPOINT_OUT_OF_RANGE' })
    })

    test('a record whose time is no date keeps nobody from looking, or from moving', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append([
        ...write.inserts('shop.orders', 0, 4),
        { ...write.insert('shop.orders', 5, Number.MAX_SAFE_INTEGER), timestamp: t0 + 5 },
      ])
      await world.poll()
      assert.deepEqual(world.ids('orders'), range(0, 5))
      const { stored } = await world.inspect()
      assert.deepEqual([stored?.timestamp, stored?.time], [9_007_199_254_740, 'no date (9007199254740)'])
      assert.equal((await world.reset()).how, 'stored')
      assert.equal((await world.reset({ to: { offset: '6' } })).to.time, 'no date (9007199254740)')
    })

    test('a reset that ends a pause says so, before and after', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 9))
      await world.poll()
      assert.doesNotMatch((await world.reset({ to: { offset: '8' }, dryRun: true })).note, /paused/)
      const paused = await world.recover({ action: 'pause' })
      assert.match(paused.action === 'pause' ? paused.note : '', /until resume. A reset ends the pause, too/)
      const dry = await world.reset({ to: { offset: '6' }, dryRun: true })
      assert.match(dry.note, /is paused, and the reset ends that/)
      const done = await world.reset({ token: dry.token })
      assert.match(done.note, /was paused, and is no longer: .*pause again/)
      assert.doesNotMatch((await world.reset()).note, /paused/)
      await world.poll()
      assert.deepEqual(world.ids('orders'), [...range(0, 9), ...range(6, 9)])
    })

    test('a plan is applied as it was shown, once', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append(write.inserts('shop.orders', 0, 9))
      await world.poll()
      const dry = await world.reset({ to: { offset: '4' }, dryRun: true })
      assert.deepEqual({ ...dry.repeats }, { 'shop.orders': 6 })
      // What comes behind the plan is no part of it.
      await world.source.append(write.inserts('shop.orders', 10, 14))
      const done = await world.reset({ token: dry.token })
      assert.deepEqual({ ...dry, applied: true, token: null, repeats: { ...dry.repeats } }, done)
      for (const token of [dry.token, 'nonsense']) {
        await assert.rejects(world.reset({ token }), { code: 'PLAN_OUTDATED', message: /dry run again/ })
      }
      await world.poll()
      assert.deepEqual(world.ids('orders'), [...range(0, 9), ...range(4, 14)])
    })

    const moves: [what: string, move: (world: World, changes: NewRecord[]) => Promise<unknown>][] = [
      ['the poller ran', (world) => world.poll()],
      ['the stream was paused', (world) => world.recover({ action: 'pause' })],
      ['the checkpoint was moved', (world) => world.reset({ to: { offset: '4' } })],
      [
        'another record stands below the place',
        ({ source }, changes) =>
          source.replaceLog(changes.with(3, new Writer('x').insert('shop.orders', 3, t0 + 3))),
      ],
      [
        'another record stands at the place',
        ({ source }, changes) =>
          source.replaceLog(changes.with(4, new Writer('x').insert('shop.orders', 4, t0 + 4))),
      ],
      ['the place is no longer in the log', ({ source }) => source.trim(5n)],
      ['another cluster answers', ({ source }, changes) => source.switchCluster(changes)],
    ]
    for (const [what, move] of moves) {
      test(`a plan is refused because the world moved: ${what}`, async (t) => {
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

    test('a plan made beside a run that commits is refused, although its lease is the same', async (t) => {
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

    test('committed: where the consumer group stands at the broker', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append(write.inserts('shop.orders', 0, 9))
      await world.poll()
      const done = await world.reset({ to: 'committed' })
      assert.deepEqual([done.how, done.to.offset], ['committed', '10'])
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
      const event = { action: 'replay', table: 'shop.orders', from: { offset: 3 }, to: { offset: '6' } }
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

    test('replay of a part that is none is refused, and one that the log has not got to the end of says so', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 9))
      await world.poll()
      await world.source.trim(2n)
      const event = { action: 'replay', table: 'shop.orders' }
      for (const [from, to] of [
        [5, 3],
        [11, 12],
        [0, 4],
      ])
        await assert.rejects(world.recover({ ...event, from: { offset: from }, to: { offset: to } }), {
          code: 'CHECKPOINT_OUT_OF_RANGE',
          message: /it holds 2 to 10\. Nothing was sent/,
        })
      const known = world.received.length
      const beyond = await world.recover({ ...event, from: { offset: 7 }, to: { offset: 20 } })
      assert.ok(beyond.action === 'replay')
      assert.deepEqual([beyond.replayed, beyond.next, beyond.complete], [3, '10', false])
      assert.match(beyond.note, /The log ends at offset 10, before 20/)
      assert.match(beyond.note, /fence .* seen.*reset .* new generation/)
      assert.equal(world.received.length, known + 3)
      const all = await world.recover({ ...event, from: { offset: 7 } })
      assert.ok(all.action === 'replay')
      assert.deepEqual([all.replayed, all.complete], [3, true])
      assert.doesNotMatch(all.note, /The log ends/)
    })

    test('replay whose answer is lost sends nothing again, and says what may still run', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 4))
      await world.poll()
      const invocations = world.lambda.invocations('test-orders')
      world.lambda.fail('test-orders', { kind: 'reply-lost' })
      const lost = await world.recover({ action: 'replay', table: 'shop.orders', from: { offset: 0 } })
      assert.ok(lost.action === 'replay')
      assert.equal(world.lambda.faultsFired('test-orders'), 1)
      assert.equal(world.lambda.invocations('test-orders'), invocations + 1)
      assert.deepEqual([lost.replayed, lost.next, lost.complete], [0, '0', false])
      // The time-out of the function is a second.
      assert.match(
        lost.error ?? '',
        /may still be running\. .*not sent again.*wait 16 s.*log.*run this again/,
      )
    })

    test('a poller that may recover goes on by itself where nothing is lost, and halts where something is', async (t) => {
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

    test('a poller that may recover waits while DTS fills the new log, and goes on when it is there', async (t) => {
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
        // Neither halted nor moved, and its lease is given back.
        const { epoch: ___, owner: ____, ...after } = (await world.item()) ?? {}
        assert.deepEqual(after, before)
      }
      assert.equal(world.lambda.total, invocations)
      await world.source.append(changes.slice(10))
      assert.equal((await world.poll({ environment })).ended, 'recovered')
      await world.pollToEnd({ environment })
      assert.deepEqual(world.ids('orders'), range(0, 39))
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
      const done = await world.reset({ to: { offset: '4' } })
      assert.deepEqual([done.lost, { ...done.repeats }], [null, {}])
      assert.match(done.note, /Nothing is lost: this stream was never read/)
      await world.poll()
      assert.deepEqual(world.ids('orders'), range(4, 9))
      assert.ok(world.received.every(({ replay }) => !replay))
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
