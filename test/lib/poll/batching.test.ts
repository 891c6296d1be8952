import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Invoke } from '../../../lib/dispatch/invoke.ts'
import type { Stream } from '../../../lib/kafka/stream.ts'
import { LastRead } from '../../../lib/poll/last-read.ts'
import { t0, Writer } from '../../support/records.ts'
import { acknowledge, run, slice, startedAt, virtualTime } from './support.ts'

const write = new Writer()

/** A stream of which each fetch brings so many records. */
const inSlices = (given: Parameters<typeof slice>[0], count: bigint): Partial<Stream> => ({
  fetch: async (from) => {
    const to = from + count
    return slice(given, from, to < BigInt(given.length) ? to : BigInt(given.length))
  },
})

describe('the batches of a run', () => {
  const functions = 20
  const names = Array.from({ length: functions }, (_, at) => `t${at}`)
  const routes = JSON.stringify(Object.fromEntries(names.map((name) => [`shop.${name}`, name])))
  const spread = Array.from({ length: 50 }, (_, round) =>
    names.map((name) => write.insert(`shop.${name}`, round, t0)),
  ).flat()

  test('are large though many functions share the stream: one for each function, not one for each slice', async () => {
    const { sent, summary } = await run({
      given: spread,
      stream: inSlices(spread, 20n),
      environment: { ROUTES: routes },
    })
    assert.equal(summary.ended, 'end-of-stream')
    assert.deepEqual(
      sent.map((batch) => batch.length).sort((one, other) => one - other),
      [49, ...Array.from({ length: functions - 1 }, () => 50)],
    )
  })

  test('wait for a part of the time that the run has left, so that the next run need not read their changes again', async () => {
    const time = virtualTime(24_000)
    const slow = inSlices(spread, 20n)
    const { sent, summary } = await run({
      given: spread,
      stream: {
        fetch: async (...asked) => {
          await time.sleep(500, new AbortController().signal)
          return (await slow.fetch?.(...asked)) ?? assert.fail()
        },
      },
      environment: { ROUTES: routes },
      own: time,
    })
    assert.equal(summary.ended, 'time')
    assert.ok(sent.length < 8 * functions, `${sent.length} batches`)
    const unread = summary.fetched - sent.flat().length
    assert.ok(unread <= 2 * functions, `${unread} of ${summary.fetched} changes were not sent`)
  })

  test('do not wait while nothing is read', async () => {
    const time = virtualTime()
    const from: number[] = []
    const { tookMs } = await run({
      given: spread,
      stream: {
        fetch: async (offset) => {
          if (offset > 20n) await time.sleep(20_000, new AbortController().signal)
          return slice(spread, offset, offset > 20n ? BigInt(spread.length) : 21n)
        },
      },
      environment: { ROUTES: routes },
      own: time,
      invoke:
        () =>
        async (...call) => {
          from.push(time.now())
          return await acknowledge(...call)
        },
    })
    assert.ok(tookMs >= 20_000)
    assert.ok((from[functions - 1] ?? 0) - startedAt <= 4_000, `${from[functions - 1]}`)
  })

  test('do not wait for records that the run will not read', async () => {
    const { sent, summary, tookMs } = await run({
      given: spread,
      stream: inSlices(spread, 20n),
      environment: { ROUTES: routes, POLL_MAX_RECORDS: '400' },
    })
    assert.deepEqual([summary.ended, summary.fetched, sent.flat().length], ['records', 400, 400])
    assert.ok(tookMs < 1_000, `${tookMs} ms`)
  })

  test('wait over at most 16 MB of the log', async () => {
    const [other] = write.inserts('shop.nobody', 0, 0)
    const value = Buffer.alloc(256 * 1024)
    other?.value?.copy(value)
    const given = [
      ...write.inserts('shop.orders', 0, 1),
      ...Array.from({ length: 200 }, () => ({ value, timestamp: t0 })),
    ]
    for (const [random, mostMegabytes] of [
      [0, 16],
      [0.5, 8],
    ] as const) {
      let read = 0n
      let readBefore = 0n
      const invoke: Invoke = async (...call) => {
        readBefore = read
        return await acknowledge(...call)
      }
      const fetch: Stream['fetch'] = async (from) => {
        read = from
        return slice(given, from, from + 1n)
      }
      await run({ given, stream: { fetch }, invoke: () => invoke, own: { random: () => random } })
      const megabytes = Number(readBefore) / 4
      assert.ok(megabytes > mostMegabytes - 1 && megabytes < mostMegabytes + 2, `${megabytes} MB`)
    }
  })

  test('at the end of the stream, a change is sent at the moment when it comes', async () => {
    const time = virtualTime()
    const given = write.inserts('shop.orders', 0, 9)
    const came = new Map<bigint, number>()
    // Each second brings one change.
    const fetch: Stream['fetch'] = async (from, { maxWaitMs }) => {
      if (from > 1n) await time.sleep(Math.min(maxWaitMs, 1_000), new AbortController().signal)
      came.set(from, time.now())
      const to = from < 10n ? from + 1n : from
      return { ...slice(given, from, to), end: to }
    }
    const delays: number[] = []
    const invoke: Invoke = async (name, batch, events) => {
      for (const { offset } of events) delays.push(time.now() - (came.get(offset) ?? 0))
      return await acknowledge(name, batch, events)
    }
    const { summary } = await run({
      given,
      stream: { fetch },
      invoke: () => invoke,
      environment: { POLL_LINGER_SECONDS: '3' },
      own: time,
    })
    assert.equal(summary.to, '10')
    assert.deepEqual(delays, [0, 0, 0, 0, 0, 0, 0, 0, 0])
  })
})

test('the last bytes that were read begin with the part that holds the first of them', () => {
  const last = new LastRead(100)
  assert.equal(last.from(1), 0n)
  for (const [from, bytes] of [
    [10n, 60],
    [20n, 30],
    [30n, 30],
  ] as const)
    last.add(from, bytes)
  assert.deepEqual([last.from(1), last.from(0.5), last.from(0.3)], [10n, 20n, 30n])
  last.add(40n, 40)
  assert.deepEqual([last.from(1), last.from(0.5)], [20n, 30n])
})

describe('a batch window', () => {
  const orders = write.inserts('shop.orders', 0, 3)

  /** The first change is done before the run, the second is there at its start, and the others come later. */
  async function withWindow(seconds: number, laterMs: number) {
    const time = virtualTime()
    const from: number[] = []
    const { sent, summary } = await run({
      given: orders,
      stream: {
        range: async () => ({ earliest: 0n, end: 2n }),
        fetch: async (offset, { maxWaitMs }) => {
          const end = () => (time.now() >= startedAt + laterMs ? 4n : 2n)
          if (offset >= end()) await time.sleep(maxWaitMs, new AbortController().signal)
          return { ...slice(orders, offset, end()), end: end() }
        },
      },
      environment: {
        ROUTES: JSON.stringify({ 'shop.orders': { function: 'orders', batchWindowSeconds: seconds } }),
      },
      own: time,
      invoke:
        () =>
        async (...call) => {
          from.push(time.now() - startedAt)
          return await acknowledge(...call)
        },
    })
    return { sent, from, ended: summary.ended }
  }

  test('collects the changes that come while a batch waits at the end of the stream', async () => {
    const { sent, from, ended } = await withWindow(5, 3_000)
    assert.deepEqual([sent, ended], [[[1n, 2n, 3n]], 'end-of-stream'])
    assert.ok(
      from.every((at) => at >= 5_000 && at < 5_500),
      String(from),
    )
  })

  test('of zero sends a change at once', async () => {
    const { sent, from } = await withWindow(0, 3_000)
    assert.deepEqual([sent, from[0]], [[[1n]], 0])
  })
})
