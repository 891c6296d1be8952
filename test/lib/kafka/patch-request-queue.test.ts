import assert from 'node:assert/strict'
import { test } from 'node:test'
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js'
import { open } from '../../support/open-stream.ts'
import '../../../lib/kafka/patch-request-queue.ts'

test('a connection without a throttled request sets only the timers of its requests', async (t) => {
  const set = t.mock.method(globalThis, 'setTimeout')
  const { stream } = await open(t, [{ value: Buffer.from('a record'), timestamp: 1000 }])
  const delays = () => set.mock.calls.map(({ arguments: [, delay] }) => delay ?? 0)
  // The timeout of the connect is one of the timers.
  assert.ok(delays().length > 0)
  set.mock.resetCalls()
  await stream.fetch(0n, { maxBytes: 1024, maxWaitMs: 0 })
  await stream.range()
  assert.deepEqual(delays(), [])
})

test('throttled requests are sent when the throttle ends, by one timer', (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 })
  const timers: { run: () => void; delay: number }[] = []
  t.mock.method(globalThis, 'setTimeout', (run: () => void, delay: number) => timers.push({ run, delay }))
  const silent = { namespace: () => silent, debug() {}, info() {}, warn() {}, error() {} }
  const queue = new RequestQueue({
    requestTimeout: 30_000,
    enforceRequestTimeout: false,
    clientId: 'test',
    broker: 'test',
    logger: silent,
  })
  let sent = 0
  const push = (correlationId: number) =>
    queue.push({
      entry: { correlationId, resolve: () => {}, reject: assert.fail },
      expectResponse: true,
      sendRequest: () => {
        sent += 1
      },
    })
  queue.maybeThrottle(1_000)
  push(1)
  push(2)
  assert.deepEqual([sent, queue.pending.length, timers.map(({ delay }) => delay)], [0, 2, [1_000]])
  t.mock.timers.tick(1_000)
  timers[0]?.run()
  assert.deepEqual([sent, queue.pending.length, timers.length], [2, 0, 1])
})
