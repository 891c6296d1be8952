import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { recommended } from '../support/recommended.ts'
import { range, Writer } from '../support/records.ts'
import { pollUntil, type Start } from '../support/world.ts'

export function leaseTests(start: Start): void {
  describe('lease', () => {
    test('a second poller ends without an error while the first one works', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 4))
      const first = await pollUntil(world, 2)
      const second = await world.poll()
      assert.deepEqual([second.ended, second.from, second.fetched], ['lease-held', null, 0])
      assert.equal(world.lambda.invocations('test-orders'), 1)
      first.goOn()
      assert.equal((await first.ended).ended, 'end-of-stream')
      assert.deepEqual(world.ids('orders'), range(0, 4))
    })

    test('of eight pollers that start at once, one works', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 4))
      const summaries = await Promise.all(Array.from({ length: 8 }, () => world.poll()))
      const worked = summaries.filter(({ handled }) => handled['shop.orders'] === 5)
      assert.equal(worked.length, 1)
      // A poller may start after the work was done, and find nothing to do.
      const others = summaries.filter((summary) => !worked.includes(summary))
      assert.ok(others.every(({ ended, fetched }) => ended === 'lease-held' || fetched === 0))
      assert.ok(others.some(({ ended }) => ended === 'lease-held'))
      assert.deepEqual(world.ids('orders'), range(0, 4))
    })

    test('another run takes an expired lease, and the late holder commits nothing and ends', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append(write.inserts('shop.orders', 0, 4))
      const late = await pollUntil(world, 2)
      await world.expireLease()
      const taker = await world.poll()
      assert.deepEqual([taker.ended, taker.to], ['end-of-stream', '5'])
      await world.source.append(write.inserts('shop.orders', 5, 6))
      await world.poll()
      const before = await world.item()
      late.goOn()
      const summary = await late.ended
      assert.equal(summary.ended, 'lease-lost')
      assert.equal(summary.groupCommit, 'none')
      assert.deepEqual(await world.item(), before)
      // The late run had delivered changes 0 and 1. They repeat; every other change comes once.
      const orders = world.ids('orders')
      assert.deepEqual(orders.slice(0, 9), [0, 1, ...range(0, 6)])
      assert.deepEqual(before?.offset, { N: '7' })
    })

    test('a lease that ran out a moment ago is not taken, because clocks differ', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 4))
      const first = await pollUntil(world, 2)
      await world.expireLease(3_000)
      assert.equal((await world.poll()).ended, 'lease-held')
      assert.equal(world.lambda.invocations('test-orders'), 1)
      first.goOn()
      assert.equal((await first.ended).ended, 'end-of-stream')
    })

    test('a run does nothing more after its process was invoked again', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append(write.inserts('shop.orders', 0, 4))
      await world.source.append(write.inserts('shop.orders', 5, 9))
      const poller = await world.coldPoller()
      const old = await pollUntil(world, 7, { poller, environment: { POLL_FETCH_BYTES: '1024' } })
      const during = await world.item()
      const group = await world.source.committed()
      assert.equal((await world.poll({ poller })).ended, 'lease-held')
      old.goOn()
      const summary = await old.ended
      assert.deepEqual([summary.ended, summary.groupCommit], ['superseded', 'none'])
      assert.deepEqual(await world.item(), during)
      assert.deepEqual(await world.source.committed(), group)

      await world.expireLease()
      await world.pollToEnd({ poller })
      const again = range(Number(during?.offset?.N), 9)
      assert.deepEqual(world.ids('orders').slice(-again.length), again)
      assert.deepEqual(new Set(world.ids('orders')), new Set(range(0, 9)))
    })

    test('a lease that ends years ahead fails each run until a person breaks it, and no change is lost', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 4))
      const holder = await pollUntil(world, 2)
      const years = String(Date.UTC(2099, 0, 1))
      await world.setAttribute('leaseUntil', { N: years })
      const isRefused = { code: 'LEASE_TOO_LONG', message: /ends at 2099-01-01.*"action":"release"/ }
      await assert.rejects(world.poll(), isRefused)
      await assert.rejects(world.reset(), isRefused)
      const inspection = await world.inspect()
      assert.match(inspection.advice, /later than any run can hold it/)
      const broken = await world.recover(recommended(inspection))
      assert.ok(broken.action === 'release')
      assert.match(broken.note, /ended at 2099-01-01T00:00:00.000Z, is broken.*next run may start at /)
      // The old holder's invocations may still run, so the broken lease lasts until they must have ended.
      assert.equal((await world.poll()).ended, 'lease-held')
      await assert.rejects(world.recover({ action: 'release' }), { code: 'LEASE_HELD' })
      holder.goOn()
      assert.equal((await holder.ended).ended, 'lease-lost')
      await world.expireLease()
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders').slice(-5), range(0, 4))
      const { ledger } = await world.inspect()
      assert.match(ledger.at(-1)?.how ?? '', /^broke the lease of .* until 2099-01-01/)
      const idle = await world.recover({ action: 'release' })
      assert.ok(idle.action === 'release')
      assert.match(idle.note, /nothing to do/)
    })

    test('a reset is refused while a run holds the lease', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 4))
      const running = await pollUntil(world, 2)
      const before = await world.item()
      await assert.rejects(world.reset({ to: 'earliest' }), {
        code: 'LEASE_HELD',
        message: /Wait until \S+ and run the same again/,
      })
      assert.deepEqual(await world.item(), before)
      assert.ok((await world.inspect()).stored?.leaseUntil)
      running.goOn()
      assert.equal((await running.ended).ended, 'end-of-stream')
      assert.deepEqual(world.ids('orders'), range(0, 4))
      assert.equal((await world.reset({ to: 'earliest' })).applied, true)
    })
  })
}
