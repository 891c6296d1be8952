import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { range, t0, Writer } from '../support/records.ts'
import type { Start } from '../support/world.ts'

export function recoveryPlaceTests(start: Start): void {
  describe('recovery to a named place', () => {
    test('after a reset to a named place the next poll begins there, and marks replays', async (t) => {
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
        assert.ok(done.to.generation > Number(before?.generation?.N))
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

    test("a reset to committed goes to the consumer group's offset at the broker", async (t) => {
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
      [
        { offset: '21' },
        /offset 21 is not one where reading can begin: .* has offsets 0 to 19; the next record gets 20/,
      ],
    ]

    test('a rollback undoes the last move, also after pauses and resumes', async (t) => {
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

    test('inspect and reset work although a record has a time that is no date', async (t) => {
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

    test('a reset that ends a pause says so, in the dry run and after the move', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 9))
      await world.poll()
      assert.doesNotMatch((await world.reset({ to: { offset: '8' }, dryRun: true })).note, /paused/)
      const paused = await world.recover({ action: 'pause' })
      assert.match(paused.action === 'pause' ? paused.note : '', /until resume. A reset ends the pause, too/)
      const dry = await world.reset({ to: { offset: '6' }, dryRun: true })
      assert.match(dry.note, /is paused, and the reset ends the pause/)
      const done = await world.reset({ token: dry.token })
      assert.match(done.note, /was paused, and the reset ended the pause: .*pause again/)
      assert.doesNotMatch((await world.reset()).note, /paused/)
      await world.poll()
      assert.deepEqual(world.ids('orders'), [...range(0, 9), ...range(6, 9)])
    })

    test('a replay of an impossible part is refused, and a replay beyond the end of the log says so', async (t) => {
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
          message: /it holds offsets 2 to 9; the next record gets 10\. Nothing was sent/,
        })
      const known = world.received.length
      const beyond = await world.recover({ ...event, from: { offset: 7 }, to: { offset: 20 } })
      assert.ok(beyond.action === 'replay')
      assert.deepEqual([beyond.replayed, beyond.next, beyond.complete], [3, '10', false])
      assert.match(beyond.note, /The log ends before offset 20: the next record gets 10/)
      assert.match(beyond.note, /fence .* seen.*reset .* new generation/)
      assert.equal(world.received.length, known + 3)
      const all = await world.recover({ ...event, from: { offset: 7 } })
      assert.ok(all.action === 'replay')
      assert.deepEqual([all.replayed, all.complete], [3, true])
      assert.doesNotMatch(all.note, /The log ends/)
    })

    test("replay sends every statement that concerns a table to that table's function, and to no other", async (t) => {
      const world = await start(t)
      const write = new Writer()
      const drop = 'DROP TABLE customers, orders'
      const swap = 'RENAME TABLE orders TO _orders_del, _orders_gho TO orders'
      await world.source.append([
        write.insert('shop.orders', 1, t0),
        write.insert('shop.customers', 2, t0),
        write.ddl('shop.customers', drop, t0),
        write.ddl('shop.customers', 'ALTER TABLE customers ADD c INT', t0),
        write.ddl('shop._orders_gho', swap, t0),
        write.ddl(null, 'FLUSH PRIVILEGES', t0),
        write.insert('shop.orders', 3, t0),
      ])
      await world.poll()
      const [orders, customers] = [world.ids('orders').length, world.ids('customers').length]
      const done = await world.recover({ action: 'replay', table: 'shop.orders', from: { offset: 0 } })
      assert.ok(done.action === 'replay')
      assert.deepEqual(world.ids('orders').slice(orders), [1, drop, swap, 'FLUSH PRIVILEGES', 3])
      assert.deepEqual([world.ids('customers').length, done.replayed, done.complete], [customers, 5, true])
    })

    test('a replay whose answer is lost sends nothing again, and names the invocation that may still run', async (t) => {
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
        /may still be running\. .*not sent again.*Wait 16 s.*log.*run this again/,
      )
    })

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
      assert.match(
        done.note,
        /no commit of ours, so this stream was probably never read\. If it was read before/,
      )
      await world.poll()
      assert.deepEqual(world.ids('orders'), range(4, 9))
      assert.ok(world.received.every(({ replay }) => !replay))
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
