import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { toEvent } from '../../infra/operate/arguments.ts'
import { DtsError } from '../../lib/errors.ts'
import type { DoctorResult } from '../../lib/recovery/examine/inspect.ts'
import { recommended } from '../support/recommended.ts'
import { alive, range, t0, Writer } from '../support/records.ts'
import type { Start, World } from '../support/world.ts'

/** The row that a handler with the fence of lib/handler/fence.ts keeps. */
interface FencedRow {
  readonly generation: number
  readonly offset: bigint
}

/** Makes the handlers use the fence. @returns the rows by id, and the ids that were written since the last call */
function fenced(world: World) {
  const rows = new Map<unknown, FencedRow>()
  let written: unknown[] = []
  world.onChange = ({ what, generation, offset }) => {
    const row = rows.get(what)
    const isNewer =
      row === undefined ||
      row.generation < generation ||
      (row.generation === generation && row.offset < BigInt(offset))
    if (!isNewer) return
    rows.set(what, { generation, offset: BigInt(offset) })
    written.push(what)
  }
  return {
    rows,
    written: () => {
      const since = written
      written = []
      return since
    },
  }
}

const doctor = async (world: World, environment: Record<string, string> = {}) =>
  (await world.recover({ action: 'doctor' }, environment)) as DoctorResult

export function recoveryRestoredTests(start: Start): void {
  describe('a checkpoint item that was restored from a backup', () => {
    /** Ten changes, a backup, a reset to the start, and the ten changes again. Then the backup is restored. */
    async function restored(t: TestContext) {
      const world = await start(t)
      const fence = fenced(world)
      await world.source.append(new Writer().inserts('shop.orders', 0, 9))
      await world.poll()
      const backup = await world.item()
      await world.reset({ to: 'earliest' })
      await world.poll()
      assert.ok(backup !== undefined)
      await world.restore(backup)
      // The same rows change again.
      await world.source.append([...new Writer('later').inserts('shop.orders', 0, 4), alive()])
      fence.written()
      return { world, fence, generation: Number(backup.generation?.N) }
    }

    test('halts the stream before a delivery in the older generation, and says what to run', async (t) => {
      const { world, generation } = await restored(t)
      const invocations = world.lambda.total
      await assert.rejects(world.poll(), (error: Error & { facts?: Record<string, unknown> }) => {
        assert.match(error.message, /an older item was restored.*"reset","to":"committed"/)
        assert.equal(error.name, 'CHECKPOINT_RESTORED')
        assert.deepEqual([error.facts?.offset, error.facts?.generation], ['10', generation])
        return true
      })
      assert.equal(world.lambda.total, invocations)
      await assert.rejects(world.poll(), { code: 'STREAM_HALTED', message: /CHECKPOINT_RESTORED/ })
      const inspection = await world.inspect()
      assert.match(inspection.advice, /an older item was restored/)
      assert.deepEqual(recommended(inspection), { action: 'reset', to: 'committed' })
      assert.equal(inspection.group?.by, 'by this deployment')
      const { checks } = await doctor(world)
      const line = checks.find(({ name }) => name === 'consumer group')
      assert.deepEqual([line?.result, line?.detail.split(':')[0]], ['failed', 'CHECKPOINT_RESTORED'])
      // Neither resume nor reset goes back to the older generation.
      for (const event of [{ action: 'resume' }, { action: 'reset' }, { action: 'reset', dryRun: true }])
        await assert.rejects(world.recover(event), { code: 'CHECKPOINT_RESTORED' }, JSON.stringify(event))
    })

    test('a reset to committed uses a new generation, so fenced handlers miss nothing', async (t) => {
      const { world, fence, generation } = await restored(t)
      await assert.rejects(world.poll(), { code: 'CHECKPOINT_RESTORED' })
      const used = Number(((await world.inspect()).group?.metadata ?? '').split('|')[4])
      assert.ok(used > generation)
      const done = await world.reset({ to: 'committed' })
      assert.deepEqual([done.to.offset, done.lost, { ...done.repeats }], ['10', null, { 'shop.orders': 5 }])
      assert.match(done.note, /was restored from a backup.*marked as replay/)
      assert.ok(done.to.generation > used, `${done.to.generation} after ${used}`)
      await world.pollToEnd()
      assert.deepEqual(fence.written(), range(0, 4))
      assert.equal((await doctor(world)).healthy, true)
    })

    test("a reset to the backup's time delivers everything since then again, marked as replay", async (t) => {
      const { world, fence } = await restored(t)
      await assert.rejects(world.poll(), { code: 'CHECKPOINT_RESTORED' })
      const call = toEvent(['reset', '--to', String(t0)])
      const known = world.received.length
      assert.equal((await world.recover(call?.event)).action, 'reset')
      await world.pollToEnd()
      assert.deepEqual(
        world.received.slice(known).map(({ what, replay }) => [what, replay]),
        [...range(0, 9), ...range(0, 4)].map((id) => [id, true]),
      )
      assert.deepEqual(fence.written(), [...range(0, 9), ...range(0, 4)])
    })

    test("an item of the same generation halts too, and a place after the group's commit is a loss", async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append(write.inserts('shop.orders', 0, 4))
      await world.poll()
      const backup = await world.item()
      await world.source.append(write.inserts('shop.orders', 5, 9))
      await world.poll()
      await world.source.append(write.inserts('shop.orders', 10, 14))
      await world.restore(backup ?? {})
      await assert.rejects(world.poll(), { code: 'CHECKPOINT_RESTORED' })
      await assert.rejects(world.reset({ to: 'latest' }), { code: 'DATA_GAP' })
      assert.equal((await world.reset({ to: 'committed' })).to.offset, '10')
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), range(0, 14))
    })

    test('a reset backwards and a late group commit are not taken for a restore', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 9))
      await world.poll()
      await world.reset({ to: { offset: '3' } })
      assert.equal((await world.poll()).to, '10')
      const before = await world.source.committed()
      await world.source.append(new Writer('later').inserts('shop.orders', 10, 12))
      await world.poll()
      assert.notDeepEqual(await world.source.committed(), before)
      assert.equal((await world.poll()).ended, 'end-of-stream')
    })

    test('the poller commits a generation to the group before it invokes a handler in it', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 9))
      await world.poll()
      const { to } = await world.reset({ to: { offset: '3' } })
      const known: unknown[] = []
      world.onChange = async () => void known.push((await world.source.committed())?.metadata?.split('|')[4])
      await world.poll()
      assert.deepEqual(new Set(known), new Set([String(to.generation)]))
    })
  })

  describe('two deployments on one sid', () => {
    const prod = { DEPLOYMENT_SERVICE: 'shop', DEPLOYMENT_STAGE: 'prod' }
    const dev = { DEPLOYMENT_SERVICE: 'shop', DEPLOYMENT_STAGE: 'dev' }
    const isNamed = /another deployment \(service "shop", stage "dev", table "[^"]*checkpoints[^"]*"\)/

    /** Prod has delivered five changes, and dev all ten. Both items are deleted; `own` is prod's. */
    async function shared(t: TestContext) {
      const world = await start(t)
      const write = new Writer()
      await world.source.append(write.inserts('shop.orders', 0, 4))
      await world.poll({ environment: prod })
      const own = await world.item()
      await world.deleteItem()
      await world.source.append(write.inserts('shop.orders', 5, 9))
      await world.reset({ to: { timestamp: t0 } }, dev)
      await world.pollToEnd({ environment: dev })
      await world.deleteItem()
      return { world, own: own ?? {} }
    }

    test('the commit of another deployment does not replace a lost item', async (t) => {
      const { world } = await shared(t)
      await assert.rejects(world.poll({ environment: prod }), { code: 'GROUP_SHARED', message: isNamed })
      for (const dryRun of [true, false])
        await assert.rejects(world.reset({ to: 'committed', dryRun }, prod), {
          code: 'GROUP_SHARED',
          message: isNamed,
        })
      assert.equal(await world.item(), undefined)
      const { advice } = await world.inspect(prod)
      assert.match(advice, isNamed)
      const done = await world.reset({ to: { timestamp: t0 + 5 } }, prod)
      assert.match(done.note, /Whether changes are lost is not known.*another deployment/)
      assert.match((await world.inspect(prod)).ledger.at(-1)?.how ?? '', /what was read before is not known/)
      await world.pollToEnd({ environment: prod })
      assert.deepEqual(world.ids('orders').slice(-5), range(5, 9))
    })

    test('the deployment of another region, without the item of the lost one, continues at the commit of the group', async (t) => {
      const world = await start(t)
      const write = new Writer()
      const lost = { ...prod, AWS_REGION: 'eu-central-1' }
      const fresh = { ...prod, AWS_REGION: 'eu-west-1', DTS_CHECKPOINT: String(t0) }
      await world.source.append(write.inserts('shop.orders', 0, 4))
      await world.poll({ environment: lost })
      // The clock of the lost region was ahead.
      const generation = Number((await world.item())?.generation?.N) + 1000
      await world.setAttribute('generation', { N: String(generation) })
      await world.poll({ environment: lost })
      await world.deleteItem()
      await world.source.append(write.inserts('shop.orders', 5, 9))
      const delivered = world.received.length
      await assert.rejects(world.poll({ environment: fresh }), (error) => {
        assert.ok(error instanceof DtsError)
        assert.deepEqual([error.code, error.next[0]?.action], ['GROUP_SHARED', 'reset'])
        assert.deepEqual(Reflect.get(error.next[0] ?? {}, 'to'), { offset: '5' })
        return true
      })
      assert.equal((await world.inspect(fresh)).group?.offset, '5')
      await world.reset({ to: { offset: '5' } }, fresh)
      await world.pollToEnd({ environment: fresh })
      assert.equal(world.received.length - delivered, 5)
      assert.deepEqual(world.ids('orders'), range(0, 9))
      // Handlers with the fence take the changes of the new deployment for newer than all before.
      assert.ok(Number((await world.item())?.generation?.N) > generation)
    })

    test('a stream with a checkpoint continues; poller, inspect, reset and doctor name the other deployment', async (t) => {
      const { world, own } = await shared(t)
      await world.restore(own)
      const { checks } = await doctor(world, prod)
      const line = checks.find(({ name }) => name === 'consumer group')
      assert.equal(line?.result, 'failed')
      assert.match(line.detail, isNamed)
      const { advice, group } = await world.inspect(prod)
      assert.match(`by ${group?.by}`, isNamed)
      assert.match(advice, isNamed)
      assert.match((await world.reset({ dryRun: true }, prod)).note, isNamed)
      const summary = await world.poll({ environment: prod })
      assert.match(summary.otherDeployment ?? '', /stage "dev"/)
      assert.deepEqual(world.ids('orders').slice(-5), range(5, 9))
      // The group has our commit now, and dev sees it.
      assert.equal((await world.poll({ environment: prod })).otherDeployment, null)
      assert.match((await world.inspect(dev)).group?.by ?? '', /stage "prod"/)
    })
  })
}
