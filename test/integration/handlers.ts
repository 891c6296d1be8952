import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { binaryObject, encodeRecord, integer } from '../../infra/local/encode.ts'
import { until } from '../rig/context.ts'
import type { Fault } from '../rig/invoke-server.ts'
import { recommended } from '../support/recommended.ts'
import { range, t0, Writer } from '../support/records.ts'
import type { Start } from '../support/world.ts'

export function handlerTests(start: Start): void {
  describe('handlers that fail', () => {
    test('the commit stops before a failed change, while another table continues and is not sent twice', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append([
        ...write.inserts('shop.orders', 0, 4),
        ...write.inserts('shop.customers', 0, 4),
        ...write.inserts('shop.orders', 5, 9),
        ...write.inserts('shop.customers', 5, 9),
      ])
      let refused = 0
      world.onChange = (change) => {
        if (change.function !== 'orders' || change.what !== 7) return
        refused += 1
        throw new TypeError('the warehouse is closed')
      }
      for (const _run of [1, 2]) {
        const before = refused
        const summary = await world.poll({ remainingMs: until(() => refused > before) })
        assert.deepEqual([summary.ended, summary.to], ['time', '12'])
        assert.deepEqual(
          summary.failures.map(({ lane, code }) => [lane, code]),
          [['test-orders', 'HANDLER_FAILED']],
        )
        assert.match(
          summary.failures[0]?.message ?? '',
          /at offset 12 it failed with HANDLER_FAILED: TypeError/,
        )
        // The message of a handler's own error may contain row values.
        assert.doesNotMatch(JSON.stringify(summary), /warehouse/)
        assert.deepEqual(world.ids('orders'), range(0, 6))
        assert.deepEqual(world.ids('customers'), range(0, 9))
        assert.deepEqual((await world.item())?.offset, { N: '12' })
      }
      await world.source.append(write.inserts('shop.customers', 10, 10))
      world.onChange = () => {}
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), range(0, 9))
      assert.deepEqual(world.ids('customers'), range(0, 10))
      assert.deepEqual((await world.item())?.lanes, { S: '{}' })
    })

    test('a row that does not match its schema is reported without its values', async (t) => {
      const world = await start(t)
      const write = new Writer()
      const wrong = write.insert('shop.orders', 2, t0)
      // The same row with a binary status.
      const value = encodeRecord({
        operation: 'INSERT',
        objectName: 'shop.orders',
        fields: [
          ['id', 8],
          ['status', 252],
        ],
        after: [integer(2), binaryObject(Buffer.from('secret status'))],
        sourceTimestamp: t0,
      })
      await world.source.append([write.insert('shop.orders', 1, t0), { ...wrong, value }])
      const invoked = () => world.lambda.invocations('test-orders') > 0
      const summary = await world.poll({ remainingMs: until(invoked) })
      assert.deepEqual([summary.ended, summary.to], ['time', '1'])
      const message = summary.failures[0]?.message ?? ''
      assert.match(message, /ROW_INVALID/)
      assert.match(message, /after image of the INSERT at offset 1 in shop\.orders/)
      assert.match(message, /status: .*expected string, received/)
      assert.doesNotMatch(message, /secret/)
      assert.deepEqual(world.ids('orders'), [1])
    })

    const faults: [what: string, fault: Fault, code: string, message: RegExp][] = [
      [
        'throttling',
        { kind: 'service', status: 429, type: 'TooManyRequestsException' },
        'HANDLER_UNAVAILABLE',
        /TooManyRequestsException.*concurrency/,
      ],
      [
        'a denied invocation',
        { kind: 'service', status: 403, type: 'AccessDeniedException' },
        'HANDLER_UNAVAILABLE',
        /AccessDeniedException.*role/,
      ],
      ['an answer of null', { kind: 'payload', text: 'null' }, 'HANDLER_FAILED', /not an acknowledgement/],
      ['an answer of {}', { kind: 'payload', text: '{}' }, 'HANDLER_FAILED', /not an acknowledgement/],
      ['an empty answer', { kind: 'payload', text: '' }, 'HANDLER_FAILED', /not JSON/],
      ['an HTML page as answer', { kind: 'payload', text: '<html>' }, 'HANDLER_FAILED', /not JSON/],
      [
        'an acknowledgement of another batch',
        { kind: 'answer', make: () => ({ batchId: 'other', acknowledgedThrough: '4' }) },
        'HANDLER_FAILED',
        /acknowledged another batch/,
      ],
      [
        'an acknowledgement of an offset that was not sent',
        { kind: 'answer', make: ({ batchId }) => ({ batchId, acknowledgedThrough: '5' }) },
        'HANDLER_FAILED',
        /an offset that it was not sent/,
      ],
      [
        'an answer that acknowledges all and names a failure',
        {
          kind: 'answer',
          make: ({ batchId }) => ({
            batchId,
            acknowledgedThrough: '4',
            failure: { offset: '0', code: 'HANDLER_FAILED', message: 'no' },
          }),
        },
        'HANDLER_FAILED',
        /named offset 0 as failed/,
      ],
      [
        'an acknowledgement of nothing, without a reason',
        { kind: 'answer', make: ({ batchId }) => ({ batchId, acknowledgedThrough: null }) },
        'HANDLER_FAILED',
        /did nothing and named no reason/,
      ],
    ]
    for (const [what, fault, code, message] of faults) {
      test(`after ${what}, no commit passes the batch and the next run sends it again`, async (t) => {
        const world = await start(t)
        await world.source.append(new Writer().inserts('shop.orders', 0, 4))
        world.lambda.fail('test-orders', fault, 1_000)
        const fired = () => world.lambda.faultsFired('test-orders') > 0
        const failed = await world.poll({ remainingMs: until(fired) })
        assert.ok(fired())
        assert.deepEqual([failed.ended, failed.to], ['time', '0'])
        assert.deepEqual(
          failed.failures.map((failure) => [failure.lane, failure.code]),
          [['test-orders', code]],
        )
        assert.match(failed.failures[0]?.message ?? '', message)
        assert.deepEqual((await world.item())?.offset, { N: '0' })
        assert.deepEqual((await world.item())?.leaseUntil, { N: '0' })
        world.lambda.clearFaults('test-orders')
        const next = await world.poll()
        assert.equal(next.ended, 'end-of-stream')
        assert.deepEqual(world.ids('orders'), range(0, 4))
      })
    }

    const shortages: [what: string, fault: Fault][] = [
      ['a throttled function', { kind: 'service', status: 429, type: 'TooManyRequestsException' }],
      ['a function of another version', { kind: 'error', type: 'CONFIG_INVALID', message: 'no batch' }],
      [
        'a function that cannot load its code',
        { kind: 'error', type: 'Runtime.ImportModuleError', message: "Cannot find module 'x'" },
      ],
    ]
    for (const [what, fault] of shortages) {
      test(`the same run invokes ${what} again, and no change counts as failed`, async (t) => {
        const world = await start(t)
        await world.source.append(new Writer().inserts('shop.orders', 0, 4))
        world.lambda.fail('test-orders', fault, 2)
        const environment = {
          ROUTES: '{"shop.orders":{"function":"orders","attempts":1,"onFailure":"halt"}}',
        }
        const summary = await world.poll({ environment })
        assert.equal(world.lambda.faultsFired('test-orders'), 2)
        assert.deepEqual([summary.ended, summary.to, summary.retried], ['end-of-stream', '5', 2])
        assert.deepEqual(world.ids('orders'), range(0, 4))
      })
    }

    test('with onFailure halt, a failing change halts the stream, and a resume tries it again', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 4))
      world.onChange = ({ what }) => {
        if (what === 2) throw new TypeError('no')
      }
      const environment = { ROUTES: '{"shop.orders":{"function":"orders","attempts":2,"onFailure":"halt"}}' }
      await assert.rejects(world.poll({ environment }), { code: 'HANDLER_FAILED', message: /at offset 2/ })
      const item = await world.item()
      assert.deepEqual([item?.state, item?.offset], [{ S: 'HALTED' }, { N: '2' }])
      assert.deepEqual(recommended(await world.inspect()), { action: 'resume' })
      world.onChange = () => {}
      await world.recover({ action: 'resume', by: 'night shift' })
      await world.pollToEnd({ environment })
      assert.deepEqual(world.ids('orders'), range(0, 4))
    })

    test('a halt is stored with a shortened message if a failure message is very long', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 0))
      const message = `no room: ${'x'.repeat(500_000)}`
      const failure = { offset: '0', code: 'HANDLER_FAILED', message }
      world.lambda.fail('test-orders', {
        kind: 'answer',
        make: ({ batchId }) => ({ batchId, acknowledgedThrough: null, failure }),
      })
      const environment = { ROUTES: '{"shop.orders":{"function":"orders","attempts":1,"onFailure":"halt"}}' }
      await assert.rejects(world.poll({ environment }), { code: 'HANDLER_FAILED', message: /no room/ })
      assert.equal(world.lambda.faultsFired('test-orders'), 1)
      assert.equal((await world.item())?.state?.S, 'HALTED')
      assert.match((await world.inspect()).stored?.halt?.message ?? '', /at offset 0 it failed .*no room/)
    })

    test('no run delivers from a paused stream until it is resumed', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append(write.inserts('shop.orders', 0, 4))
      await world.poll()
      await world.recover({ action: 'pause', by: 'day shift', reason: 'migration' })
      await world.source.append(write.inserts('shop.orders', 5, 9))
      await assert.rejects(world.poll(), {
        code: 'STREAM_HALTED',
        message: /PAUSED: Paused by day shift: migration/,
      })
      await assert.rejects(world.recover({ action: 'pause' }), { code: 'STREAM_HALTED' })
      const { stored } = await world.inspect()
      assert.deepEqual(stored?.halt?.facts, { by: 'day shift', reason: 'migration' })
      assert.deepEqual(world.ids('orders'), range(0, 4))
      await world.recover({ action: 'resume' })
      await world.poll()
      assert.deepEqual(world.ids('orders'), range(0, 9))
    })

    test('the changes of a function that is not deployed wait for it', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 4))
      const environment = { ROUTES: '{"shop.orders":"forgotten"}' }
      const asked = () => world.lambda.invocations('test-forgotten') > 0
      const failed = await world.poll({ environment, remainingMs: until(asked) })
      assert.ok(asked())
      assert.deepEqual([failed.ended, failed.to], ['time', '0'])
      assert.match(failed.failures[0]?.message ?? '', /ResourceNotFoundException.*deploy it/)
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), range(0, 4))
    })

    test('a handler that times out receives its batch again', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 4))
      // The time is so short that the function handles one change per invocation.
      world.lambda.limit('test-orders', 50)
      const never = new Promise<void>(() => {})
      world.onChange = ({ what }) => (what === 2 ? never : undefined)
      const timedOut = () => world.lambda.timeouts('test-orders') > 0
      const failed = await world.poll({ remainingMs: until(timedOut) })
      assert.ok(timedOut())
      assert.deepEqual([failed.ended, failed.to], ['time', '2'])
      assert.match(failed.failures[0]?.message ?? '', /Task timed out/)
      world.lambda.limit('test-orders', 30_000)
      world.onChange = () => {}
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), range(0, 4))
    })

    test('after a lost answer the lease is kept until the handler must have ended', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 4))
      world.lambda.fail('test-orders', { kind: 'reply-lost' })
      const failed = await world.poll()
      assert.equal(world.lambda.faultsFired('test-orders'), 1)
      assert.deepEqual([failed.ended, failed.to], ['handler-failed', '0'])
      assert.match(failed.failures[0]?.message ?? '', /may still be running/)
      const invocations = world.lambda.invocations('test-orders')
      assert.equal((await world.poll()).ended, 'lease-held')
      assert.equal(world.lambda.invocations('test-orders'), invocations)

      await world.expireLease()
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), [...range(0, 4), ...range(0, 4)])
    })

    test('after a 5xx answer of Lambda the lease is kept, because the handler may have started', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 4))
      world.lambda.fail('test-orders', { kind: 'service', status: 500, type: 'ServiceException' })
      assert.equal((await world.poll()).ended, 'handler-failed')
      assert.equal(world.lambda.faultsFired('test-orders'), 1)
      assert.equal((await world.poll()).ended, 'lease-held')
      await world.expireLease()
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), range(0, 4))
    })

    test('with UNROUTED_TABLES=halt, a table without a handler halts the stream before its change', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append([
        write.insert('shop.orders', 1, t0),
        write.insert('shop.sessions', 2, t0),
        write.insert('shop.orders', 3, t0),
      ])
      const environment = { UNROUTED_TABLES: 'halt' }
      await assert.rejects(world.poll({ environment }), {
        code: 'TABLE_UNROUTED',
        message: /offset 1 is of the table shop\.sessions/,
      })
      assert.deepEqual(world.ids('orders'), [1])
      const item = await world.item()
      assert.deepEqual([item?.state, item?.offset], [{ S: 'HALTED' }, { N: '1' }])
    })

    test('an unreadable record halts the stream before it, and a reset to after it needs acceptLoss', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append([
        write.insert('shop.orders', 1, t0),
        { value: Buffer.from('not a record of DTS'), timestamp: t0 },
        write.insert('shop.orders', 3, t0),
      ])
      await assert.rejects(world.poll(), {
        code: 'RECORD_INVALID',
        message: /at offset 1 .*is not a DTS record/,
      })
      assert.deepEqual(world.ids('orders'), [1])
      // The content of the record is unknown, so skipping it is a loss.
      await assert.rejects(world.reset({ to: { offset: '2' } }), { code: 'DATA_GAP' })
      await world.reset({ to: { offset: '2' }, acceptLoss: true })
      assert.match(JSON.stringify((await world.inspect()).ledger), /reset by offset: lost /)
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), [1, 3])
    })
  })
}
