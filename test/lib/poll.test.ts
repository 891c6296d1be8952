import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate, setTimeout } from 'node:timers/promises'
import type { CheckpointStore } from '../../lib/checkpoint/store.ts'
import { freshPosition } from '../../lib/checkpoint/types.ts'
import { pollConfig } from '../../lib/config.ts'
import type { DeadLetterInput } from '../../lib/dispatch/dead-letter.ts'
import type { Invoke } from '../../lib/dispatch/invoke.ts'
import { digestOf } from '../../lib/dts/digest.ts'
import { DtsError, type ErrorCode } from '../../lib/errors.ts'
import { LogRecords } from '../../lib/kafka/records.ts'
import type { Fetched, Stream } from '../../lib/kafka/stream.ts'
import { type PollDependencies, poll } from '../../lib/poll.ts'
import { emptySummary } from '../../lib/summary.ts'
import { runMeasures } from '../../lib/telemetry.ts'
import type { NewRecord } from '../integration/parts.ts'
import { t0, Writer } from '../integration/records.ts'
import { CheckpointTable } from './checkpoint/support.ts'

const write = new Writer()
const acknowledge: Invoke = async (_name, _batch, events) => ({
  kind: 'acknowledged',
  through: events.at(-1)?.offset ?? null,
  error: null,
})

const failure = (code: ErrorCode, retryable = true) =>
  new DtsError(code, 'as the test wants it', { retryable })

/** A log of these records; what a test overrides goes wrong. */
function streamOf(given: readonly NewRecord[], own: Partial<Stream> = {}): Stream {
  const end = BigInt(given.length)
  return {
    topic: 'topic',
    partition: 0,
    clusterId: 'c',
    range: async () => ({ earliest: 0n, end }),
    offsetForTime: async () => 0n,
    fetch: async (from) => slice(given, from, end),
    committed: async () => null,
    commit: async () => {},
    close: async () => {},
    ...own,
  }
}

function slice(given: readonly NewRecord[], from: bigint, nextOffset: bigint): Fetched {
  const records = LogRecords.of(
    given
      .map(({ value }, index) => ({ offset: BigInt(index), value }))
      .filter(({ offset }) => offset >= from && offset < nextOffset),
  )
  return { records, nextOffset, end: BigInt(given.length), free: () => {} }
}

function dependencies(store: CheckpointStore, stream: Stream, own: Partial<PollDependencies> = {}) {
  return {
    config: pollConfig({
      DTS_BROKER_URL: 'broker:1',
      DTS_TOPIC: 'topic',
      DTS_GROUP: 'group',
      DTS_CHECKPOINT: String(t0),
      CHECKPOINT_TABLE: 'table',
      HANDLER_TIMEOUT_SECONDS: '1',
      ROUTES: '{"shop.orders":{"function":"orders","attempts":1,"onFailure":"halt"}}',
    }),
    store,
    openStream: async () => stream,
    invoke: acknowledge,
    putAside: async () => {},
    now: Date.now,
    random: Math.random,
    sleep: (milliseconds: number, signal: AbortSignal) =>
      setTimeout(milliseconds, undefined, { signal }).catch(() => {}),
    remainingMs: () => 60_000,
    owner: 'me',
    signal: new AbortController().signal,
    ...own,
  } satisfies PollDependencies
}

/** Time that passes only where somebody waits. */
function virtualTime() {
  let now = Date.now()
  const startedAt = now
  return {
    now: () => now,
    sleep: async (milliseconds: number) => {
      now += milliseconds
      await setImmediate()
    },
    remainingMs: () => startedAt + 120_000 - now,
  }
}

/** A store with a checkpoint that has read `given` up to `offset`. */
async function readUpTo(
  table: CheckpointTable,
  offset: bigint,
  given: readonly NewRecord[],
): Promise<CheckpointStore> {
  const store = table.fresh()
  const tail = { offset: offset - 1n, digest: digestOf(given[Number(offset) - 1]?.value ?? null) }
  const start = {
    clusterId: 'c',
    position: freshPosition(offset, t0, null, tail),
    replayUntil: -1,
    entry: { at: Date.now(), by: 'test', how: 'start' },
  }
  await store.release(await store.create(start, 'first', Date.now() + 1_000))
  return store
}

describe('a run of the poller', () => {
  const table = new CheckpointTable()
  describe('a broker that fails', () => {
    test('before the end of the log is known: no lag is told, rather than none', async () => {
      const given = write.inserts('shop.orders', 0, 9)
      const store = await readUpTo(table, 5n, given)
      const stream = streamOf(given, {
        fetch: async (from) => {
          if (from < 5n) return slice(given, from, 10n)
          throw failure('BROKER_FAILED')
        },
      })
      const summary = emptySummary()
      await assert.rejects(poll(dependencies(store, stream), summary), { code: 'BROKER_FAILED' })
      assert.deepEqual([summary.lagSeconds, summary.lagRecords], [null, null])
      const told = runMeasures(summary, failure('BROKER_FAILED')).map(([name]) => name)
      assert.ok(told.length > 0 && !told.some((name) => name.startsWith('Lag')), told.join(' '))
    })

    test('by never answering: the run ends in time, with what was done committed and the lease given back', async () => {
      const given = write.inserts('shop.orders', 0, 9)
      const closed = Promise.withResolvers<never>()
      closed.promise.catch(() => {})
      let handled = 0
      const store = await readUpTo(table, 1n, given)
      const stream = streamOf(given, {
        range: async () => ({ earliest: 0n, end: 20n }),
        fetch: async (from) => (from < 10n ? { ...slice(given, from, 10n), end: 20n } : await closed.promise),
        commit: () => closed.promise,
        close: async () => closed.reject(failure('BROKER_FAILED')),
      })
      const summary = await poll(
        dependencies(store, stream, {
          invoke: async (name, batch, events) => {
            handled += events.length
            return await acknowledge(name, batch, events)
          },
          remainingMs: () => (handled < 9 ? 60_000 : 10_000),
        }),
      )
      assert.deepEqual([summary.ended, summary.to, handled], ['time', '10', 9])
      const item = await store.read()
      assert.deepEqual([item?.offset, item?.leaseUntil], [10n, 0])
    })

    test('when it is asked for the group: a first start waits, since the checkpoint may only be gone', async () => {
      const given = write.inserts('shop.orders', 0, 0)
      const store = table.fresh()
      const committed = async () => {
        throw failure('BROKER_FAILED')
      }
      await assert.rejects(poll(dependencies(store, streamOf(given, { committed }))), {
        code: 'BROKER_FAILED',
      })
      assert.equal(await store.read(), null)
      const refused = async () => {
        throw failure('GROUP_REFUSED', false)
      }
      assert.equal((await poll(dependencies(store, streamOf(given, { committed: refused })))).to, '1')
    })

    test('while the next place is looked for: the lease is given back', async () => {
      const given = write.inserts('shop.orders', 0, 9)
      const store = await readUpTo(table, 5n, given)
      const stream = streamOf(given, {
        clusterId: 'another',
        fetch: async () => {
          throw failure('BROKER_FAILED')
        },
      })
      const { config, ...rest } = dependencies(store, stream)
      const recovering = { ...rest, config: { ...config, onClusterChange: 'recover' as const } }
      await assert.rejects(poll(recovering), { code: 'BROKER_FAILED' })
      const item = await store.read()
      assert.deepEqual([item?.state, item?.epoch, item?.leaseUntil], ['RUNNING', 2, 0])
    })
  })

  test('a record below the checkpoint that stays damaged halts the stream at the fifth fetch', async () => {
    const given = write.inserts('shop.orders', 0, 9)
    const store = await readUpTo(table, 5n, given)
    let fetches = 0
    const stream = streamOf(given, {
      fetch: async () => {
        fetches += 1
        throw failure('BATCH_CORRUPT')
      },
    })
    const { now, sleep } = virtualTime()
    await assert.rejects(poll(dependencies(store, stream, { now, sleep })), { code: 'BATCH_CORRUPT' })
    assert.equal(fetches, 5)
    const item = await store.read()
    assert.deepEqual([item?.state, item?.halt?.code, item?.leaseUntil], ['HALTED', 'BATCH_CORRUPT', 0])
  })

  test('what a fetch brings after the stream has halted is neither put aside nor sent', async () => {
    const given = [
      ...write.inserts('shop.orders', 0, 1),
      { value: Buffer.from('this is no record'), timestamp: t0 },
    ]
    const late = Promise.withResolvers<Fetched>()
    const letters: DeadLetterInput[] = []
    const sent: bigint[] = []
    const store = await readUpTo(table, 1n, given)
    const stream = streamOf(given, {
      fetch: async (from) => (from < 2n ? slice(given, from, 2n) : await late.promise),
    })
    const running = poll(
      dependencies(store, stream, {
        invoke: async (_name, _batch, events) => {
          sent.push(...events.map(({ offset }) => offset))
          return { kind: 'failed', error: failure('HANDLER_FAILED') }
        },
        putAside: async (letter) => {
          letters.push(letter)
        },
      }),
    )
    await assert.rejects(running, { code: 'HANDLER_FAILED' })
    assert.equal((await store.read())?.state, 'HALTED')
    late.resolve(slice(given, 2n, 3n))
    // Everything that hangs on the fetch has run when the event loop has come round a few times.
    for (let round = 0; round < 5; round++) await setImmediate()
    assert.deepEqual([letters, sent], [[], [1n]])
  })

  test('a fault of ours while something is with a function is thrown, and its lease is kept for it', async () => {
    const given = write.inserts('shop.orders', 0, 1)
    const store = await readUpTo(table, 1n, given)
    const fault = new TypeError('nobody expects this')
    const invoke: Invoke = async () => {
      throw fault
    }
    await assert.rejects(poll(dependencies(store, streamOf(given), { invoke })), fault)
    const item = await store.read()
    assert.deepEqual([item?.state, item?.offset], ['RUNNING', 1n])
    assert.ok((item?.leaseUntil ?? 0) > Date.now())
  })

  test('commits that DynamoDB refuses are not tried again as fast as it refuses them', async () => {
    const given = write.inserts('shop.orders', 0, 99)
    const store = table.fresh()
    let tries = 0
    store.commit = async () => {
      tries += 1
      throw failure('CHECKPOINT_TABLE_UNAVAILABLE')
    }
    const { now, sleep, remainingMs } = virtualTime()
    const { config, ...rest } = dependencies(store, streamOf(given), { now, sleep, remainingMs })
    const routes = { 'shop.orders': { ...config.routes['shop.orders'], batchSize: 1 } as never }
    await assert.rejects(poll({ ...rest, config: { ...config, routes } }), {
      code: 'CHECKPOINT_TABLE_UNAVAILABLE',
    })
    assert.ok(tries > 5 && tries < 60, `${tries} tries in two minutes`)
  })

  test('while a function is away, others get ahead of it by what fits into memory', async () => {
    const [order] = write.inserts('shop.orders', 0, 0)
    const value = Buffer.alloc(1024 * 1024)
    write.inserts('shop.nobody', 0, 0)[0]?.value?.copy(value)
    assert.ok(order !== undefined)
    const given = [order, ...Array.from({ length: 150 }, () => ({ value, timestamp: t0 }))]
    const { now, sleep, remainingMs } = virtualTime()
    const store = table.fresh()
    const stream = streamOf(given, {
      fetch: async (from) => slice(given, from, from + 5n < 151n ? from + 5n : 151n),
    })
    const summary = await poll(
      dependencies(store, stream, {
        now,
        sleep,
        remainingMs,
        invoke: async () => ({ kind: 'held', error: failure('HANDLER_UNAVAILABLE') }),
      }),
    )
    assert.deepEqual([summary.to, (await store.read())?.offset], ['0', 0n])
    assert.ok(summary.fetched > 30 && summary.fetched < 100, `${summary.fetched} MB fetched`)
  })
})
