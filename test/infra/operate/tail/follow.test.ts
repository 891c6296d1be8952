import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { outputTo } from '../../../../infra/operate/tail/output.ts'
import { tail } from '../../../../infra/operate/tail/tail.ts'
import { open } from '../../../support/open-stream.ts'
import { shift, t0 } from '../../../support/records.ts'
import { like } from '../../../support/streams.ts'
import { callOf, offsetsIn, shop, sinkOf, write } from './support.ts'

describe('tail --follow', () => {
  test('waits at the end, and prints each new change', async (t) => {
    const { store, stream } = await open(t, shop)
    const ending = new AbortController()
    const { sink, texts } = sinkOf(false)
    const messages = sinkOf(false)
    sink.on('data', () => ending.abort())
    let appended = false
    const waiting = like(stream, {
      async fetch(from, bounds) {
        const fetched = await stream.fetch(from, bounds)
        if (!appended) await store.append([write.insert('shop.orders', 3, t0 + 9)])
        appended = true
        return fetched
      },
    })
    const following = tail(callOf(['--follow', '--format', 'json']), {
      open: async () => waiting,
      output: outputTo(sink, messages.sink, () => {}),
      now: () => 0,
      wait: async () => {},
      signal: ending.signal,
    })
    assert.ok(await following)
    assert.deepEqual(offsetsIn(texts()), [10])
  })

  test('connects again after a failure, and continues without a gap or a repeat', async (t) => {
    // Two batches, so that the failure is between them.
    const { store, stream } = await open(t, shop.slice(0, 5))
    await store.append(shop.slice(5))
    const ending = new AbortController()
    const { sink, texts } = sinkOf(false)
    const messages = sinkOf(false)
    let failures = 0
    const failing = like(stream, {
      close: async () => {},
      async fetch(from, bounds) {
        if (from > 2n && failures++ === 0) return await (await closedStream(t)).fetch(from, bounds)
        return await stream.fetch(from, { ...bounds, maxBytes: 100 })
      },
    })
    const waits: number[] = []
    sink.on('data', () => texts().includes('ALTER TABLE') && ending.abort())
    await tail(callOf(['--follow', '--from', 'earliest', '--format', 'json']), {
      open: async () => failing,
      output: outputTo(sink, messages.sink, () => {}),
      now: () => 0,
      wait: async (ms) => void waits.push(ms),
      signal: ending.signal,
    })
    assert.ok(failures > 0, 'the failure fired')
    assert.deepEqual(waits, [1_000])
    assert.match(messages.texts(), /Connecting again/)
    assert.deepEqual(offsetsIn(texts()), [0, 2, 3, 7, 8, 9])
  })

  test('ends if another cluster answers, because its offsets are others', async (t) => {
    const { stream } = await open(t, shop)
    const other = await open(t, [...shift(), ...shop])
    const streams = [
      like(stream, { fetch: async (from, bounds) => (await closedStream(t)).fetch(from, bounds) }),
      other.stream,
    ]
    await assert.rejects(
      tail(callOf(['--follow']), {
        open: async () => streams.shift() ?? assert.fail('connected too often'),
        output: outputTo(sinkOf(false).sink, sinkOf(false).sink, () => {}),
        now: () => 0,
        wait: async () => {},
        signal: new AbortController().signal,
      }),
      {
        code: 'CLUSTER_CHANGED',
        message: /^Cluster changed from .* to .*, consumer require restart\. .*--from/,
      },
    )
  })
})

/** A stream whose fetches fail as after a lost connection. */
async function closedStream(t: TestContext) {
  const { stream } = await open(t, shop)
  await stream.close()
  return stream
}
