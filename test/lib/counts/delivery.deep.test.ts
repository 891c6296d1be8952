import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ReadWindow } from '../../../lib/log/read-window.ts'
import { deliver } from './deliver.ts'

test('a function that gets one record of ten is not invoked for a handful each time', async () => {
  const records = 20_000
  const delivered = await deliver({ tables: 1, oneRoutedOf: 10, records, handlerMs: 1 })
  assert.ok(delivered.invocations <= 4, `${delivered.invocations}`)
})

test('a change at the end of the stream waits for nothing but the broker and its handler', async () => {
  const changes = 60
  const { delays } = await deliver({ tables: 1, records: 1_000, trickle: changes })
  assert.equal(delays.length, changes)
  // The handler takes 10 ms, and the broker has sent the change by the time that it counts as appended.
  assert.ok(Math.max(...delays) <= 12, `${Math.max(...delays)} ms`)
})

test('a backlog four times as long needs no more memory for records', async () => {
  const short = await deliver({ tables: 3, records: 20_000 })
  const long = await deliver({ tables: 3, records: 80_000 })
  assert.ok(
    short.heldBytes > 2 ** 20 && long.heldBytes <= short.heldBytes * 1.05,
    `${short.heldBytes}, ${long.heldBytes}`,
  )
})

test('200 functions that share a stream are invoked with large batches', async () => {
  const { invocations, heldBytes } = await deliver({ tables: 200, records: 100_000 })
  assert.ok(invocations <= 1_000, `${invocations} invocations`)
  assert.ok(heldBytes <= 40 * 2 ** 20, `${heldBytes} bytes`)
})

test('the position in memory moves with the commits and with the memory that is free, not with each batch', async (t) => {
  const advance = t.mock.method(ReadWindow.prototype, 'advanceTo').mock
  const { invocations, summary } = await deliver({ tables: 200, records: 100_000 })
  const slices = Math.ceil(summary.bytes / (2 * 2 ** 20))
  assert.ok(invocations > 500, `${invocations} invocations`)
  // The end of the run moves it as well.
  const most = 2 * slices + summary.commits + 2
  assert.ok(advance.callCount() <= most, `${advance.callCount()} of ${most}`)
})

test('a table without a key is not slower with lanes', async () => {
  const work = { tables: 1, records: 30_000, key: 'none', handlerMs: 50 } as const
  const [one, eight] = [await deliver(work), await deliver({ ...work, concurrency: 8 })]
  assert.deepEqual([eight.invocations, eight.tookMs], [one.invocations, one.tookMs])
})

test('keys of text are spread over the lanes, also beyond ASCII', async () => {
  for (const key of ['ascii', 'beyond-ascii'] as const) {
    const work = { tables: 1, records: 60_000, key, handlerMs: 200 } as const
    const [one, eight] = [await deliver(work), await deliver({ ...work, concurrency: 8 })]
    assert.ok(
      eight.tookMs * 4 <= one.tookMs,
      `${key}: ${eight.tookMs} ms, and ${one.tookMs} ms with one lane`,
    )
  }
})

test('eight lanes of a function that takes 200 ms reach 80 % of what they can', async () => {
  const records = 160_000
  const { tookMs } = await deliver({ tables: 1, records, concurrency: 8, handlerMs: 200 })
  const rate = (records * 1_000) / tookMs
  assert.ok(rate >= 0.8 * 40_000, `${rate} records a second of 40,000`)
})
