import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { DeadLetterInput } from '../../../lib/dispatch/dead-letter.ts'
import type { Invoke } from '../../../lib/dispatch/invoke.ts'
import { groupPosition, writeMark } from '../../../lib/kafka/commit-mark.ts'
import type { Fetched, Stream } from '../../../lib/kafka/stream.ts'
import { poll } from '../../../lib/poll/poll.ts'
import { emptySummary } from '../../../lib/poll/summary.ts'
import { runMeasures } from '../../../lib/poll/telemetry.ts'
import { t0, Writer } from '../../support/records.ts'
import {
  acknowledge,
  codeOf,
  dependencies,
  failure,
  freshStore,
  haltCode,
  quiet,
  readUpTo,
  run,
  slice,
  startedAt,
  streamOf,
} from './support.ts'

const write = new Writer()

describe('a run of the poller', () => {
  describe('a broker that fails', () => {
    test('before the end of the log is known: the run reports no lag, rather than a lag of 0', async () => {
      const given = write.inserts('shop.orders', 0, 9)
      const store = await readUpTo(5n, given)
      const stream = streamOf(given, {
        fetch: async (from) => {
          if (from < 5n) return slice(given, from, 10n)
          throw failure('BROKER_FAILED')
        },
      })
      const summary = emptySummary()
      await assert.rejects(poll(dependencies(store, stream), summary), { code: 'BROKER_FAILED' })
      assert.deepEqual([summary.lagSeconds, summary.lagRecords], [null, null])
      const names = runMeasures(summary, failure('BROKER_FAILED')).map(([name]) => name)
      assert.ok(names.length > 0 && !names.some((name) => name.startsWith('Lag')), names.join(' '))
    })

    test('by never answering: the run ends in time, commits what was done and releases the lease', async () => {
      const given = write.inserts('shop.orders', 0, 9)
      const closed = Promise.withResolvers<never>()
      closed.promise.catch(() => {})
      let handled = 0
      const store = await readUpTo(1n, given)
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
      assert.deepEqual([item?.offset, item?.leaseUntil], [10n, null])
    })

    test('to say what the group has: a first start waits, because the checkpoint may have been deleted', async () => {
      const given = write.inserts('shop.orders', 0, 0)
      const store = freshStore()
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

    test('to say what the group has: a run with a checkpoint continues', async () => {
      const given = write.inserts('shop.orders', 0, 9)
      const never = new Promise<never>(() => {})
      const failing = async () => {
        throw failure('BROKER_FAILED')
      }
      for (const committed of [() => never, failing]) {
        const store = await readUpTo(5n, given)
        const stream = streamOf(given, { committed })
        const summary = await poll(dependencies(store, stream))
        assert.deepEqual([summary.ended, summary.to], ['end-of-stream', '10'])
      }
    })

    test('during the search for the next position: the run releases the lease', async () => {
      const given = write.inserts('shop.orders', 0, 9)
      const store = await readUpTo(5n, given)
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
      assert.deepEqual([item?.state, item?.epoch, item?.leaseUntil], ['RUNNING', 2, null])
    })
  })

  test('without time for one invocation is refused before it takes the lease', async () => {
    // One second for the function, ten for its cold start, five for the commit.
    for (const [remainingMs, code] of [
      [16_000, 'CONFIG_INVALID'],
      [16_001, undefined],
    ] as const) {
      const { thrown, item } = await run({ own: { remainingMs: () => remainingMs } })
      assert.deepEqual([codeOf(thrown), item?.epoch], [code, code === undefined ? 2 : 1])
    }
  })

  test('of a halted stream reads nothing, and reports the age of the position', async () => {
    const store = await readUpTo(1n, write.inserts('shop.orders', 0, 9))
    const read = await store.read()
    assert.ok(read !== null)
    const lease = await store.acquire(read, 'before', startedAt, startedAt + 1_000, ['RUNNING'])
    await store.halt(
      lease,
      { code: 'CLUSTER_CHANGED', message: 'm', facts: {}, next: [], at: startedAt },
      null,
    )
    const summary = emptySummary()
    const openStream = () => assert.fail('the stream is opened')
    const parts = { ...dependencies(store, streamOf([])), openStream }
    await assert.rejects(poll(parts, summary), { code: 'STREAM_HALTED' })
    assert.deepEqual([summary.halted, summary.lagSeconds], ['CLUSTER_CHANGED', 60])
  })

  test('takes no lease if its process is invoked again while it connects', async () => {
    const newer = new AbortController()
    const given = write.inserts('shop.orders', 0, 9)
    let closed = 0
    const openStream = async () => {
      newer.abort()
      return streamOf(given, { close: async () => void closed++ })
    }
    const { summary, item } = await run({ given, own: { openStream, signal: newer.signal } })
    assert.deepEqual([summary.ended, item?.epoch, closed], ['superseded', 1, 1])
  })

  describe('the consumer group', () => {
    /** A run and a group. `happened` lists invocations, writes and group commits in order. */
    async function working(own: Partial<Stream> = {}) {
      const given = write.inserts('shop.orders', 0, 9)
      const store = await readUpTo(5n, given)
      const happened: string[] = []
      const stream = streamOf(given, {
        commit: async (offset, _timestamp, generation) => {
          happened.push(`group ${offset}`)
          assert.equal(generation, (await store.read())?.generation)
          assert.ok(offset <= ((await store.read())?.offset ?? 0n))
        },
        ...own,
      })
      const invoke: Invoke = async (...args) => {
        happened.push('invoke')
        return await acknowledge(...args)
      }
      return { store, happened, parts: dependencies(store, stream, { invoke }) }
    }

    test('gets the generation before a handler is invoked in it, and the position after the item has it', async () => {
      const { happened, parts } = await working()
      await poll(parts)
      assert.deepEqual(happened, ['group 5', 'invoke', 'group 10'])
    })

    test('does not get a generation twice', async () => {
      const { store, happened, parts } = await working()
      const generation = (await store.read())?.generation ?? 0
      const self = parts.config.deployment
      const known = groupPosition(5n, writeMark(self, t0, { generation, offset: 5n }), self)
      const stream = { ...(await parts.openStream()), committed: async () => known }
      await poll({ ...parts, openStream: async () => stream })
      assert.deepEqual(happened, ['invoke', 'group 10'])
    })

    test('never gets a position that the item did not get', async () => {
      const { store, happened, parts } = await working()
      store.commit = async () => {
        throw failure('CHECKPOINT_TABLE_UNAVAILABLE')
      }
      await assert.rejects(poll(parts), { code: 'CHECKPOINT_TABLE_UNAVAILABLE' })
      assert.deepEqual(happened, ['group 5', 'invoke'])
    })

    test('does not prove a restore if DTS moved its commit to another offset', async () => {
      const { store, parts } = await working()
      const generation = (await store.read())?.generation ?? 0
      const self = parts.config.deployment
      for (const [offset, place] of [
        [900n, { generation, offset: 5n }],
        [900n, { generation: generation - 1, offset: 900n }],
      ] as const) {
        const moved = groupPosition(offset, writeMark(self, t0, place), self)
        const stream = { ...(await parts.openStream()), committed: async () => moved }
        assert.equal((await poll({ ...parts, openStream: async () => stream })).to, '10')
      }
    })

    test('shows a restored item even if the log is another one and ON_CLUSTER_CHANGE is recover', async () => {
      const { store, happened, parts } = await working({ clusterId: 'another' })
      const generation = (await store.read())?.generation ?? 0
      const { config } = parts
      const place = { generation: generation + 1, offset: 2n }
      const ahead = groupPosition(2n, writeMark(config.deployment, t0, place), config.deployment)
      const stream = { ...(await parts.openStream()), committed: async () => ahead }
      const recovering = { ...config, onClusterChange: 'recover' as const }
      await assert.rejects(poll({ ...parts, config: recovering, openStream: async () => stream }), {
        code: 'CHECKPOINT_RESTORED',
      })
      assert.deepEqual(happened, [])
      const item = await store.read()
      assert.deepEqual(
        [item?.state, haltCode(item), item?.generation, item?.leaseUntil],
        ['HALTED', 'CHECKPOINT_RESTORED', generation, null],
      )
    })
  })

  test('a record below the checkpoint that stays damaged halts the stream at the fifth fetch', async () => {
    const given = write.inserts('shop.orders', 0, 9)
    const store = await readUpTo(5n, given)
    let fetches = 0
    const stream = streamOf(given, {
      fetch: async () => {
        fetches += 1
        throw failure('BATCH_CORRUPT')
      },
    })
    await assert.rejects(poll(dependencies(store, stream)), { code: 'BATCH_CORRUPT' })
    assert.equal(fetches, 5)
    const item = await store.read()
    assert.deepEqual([item?.state, haltCode(item), item?.leaseUntil], ['HALTED', 'BATCH_CORRUPT', null])
  })

  test('a batch below the checkpoint that is too large halts the stream at once', async () => {
    const given = write.inserts('shop.orders', 0, 9)
    const store = await readUpTo(5n, given)
    let fetches = 0
    const stream = streamOf(given, {
      fetch: async () => {
        fetches += 1
        throw failure('BATCH_TOO_LARGE')
      },
    })
    await assert.rejects(poll(dependencies(store, stream)), { code: 'BATCH_TOO_LARGE' })
    const item = await store.read()
    assert.deepEqual([fetches, item?.state, haltCode(item)], [1, 'HALTED', 'BATCH_TOO_LARGE'])
  })

  test('records that arrive after the halt are neither sent nor become dead letters', async () => {
    const given = [
      ...write.inserts('shop.orders', 0, 1),
      { value: Buffer.from('this is no record'), timestamp: t0 },
    ]
    const late = Promise.withResolvers<Fetched>()
    const letters: DeadLetterInput[] = []
    const sent: bigint[] = []
    const store = await readUpTo(1n, given)
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
    await quiet()
    assert.deepEqual([letters, sent], [[], [1n]])
  })

  test('an unexpected error during an invocation is rethrown, and the lease stays until the function must have ended', async () => {
    const given = write.inserts('shop.orders', 0, 1)
    const store = await readUpTo(1n, given)
    const fault = new TypeError('unexpected')
    const invoke: Invoke = async () => {
      throw fault
    }
    await assert.rejects(poll(dependencies(store, streamOf(given), { invoke })), fault)
    const item = await store.read()
    assert.deepEqual([item?.state, item?.offset], ['RUNNING', 1n])
    assert.ok((item?.leaseUntil ?? 0) > startedAt)
  })

  test('a first start that another run overtakes ends like one that meets a lease', async () => {
    const given = write.inserts('shop.orders', 0, 0)
    const store = freshStore()
    const other = dependencies(store, streamOf(given))
    const self = other.config.deployment
    let overtaken = false
    const committed = async () => {
      assert.equal((await poll(other)).to, '1')
      overtaken = true
      return groupPosition(0n, writeMark(self, t0, { generation: 1, offset: 0n }), self)
    }
    const summary = await poll(dependencies(store, streamOf(given, { committed })))
    assert.deepEqual([overtaken, summary.ended], [true, 'lease-held'])
  })

  test('a first start that froze after it created the item delivers nothing once others have continued from it', async () => {
    const given = write.inserts('shop.orders', 0, 0)
    const store = freshStore()
    const self = dependencies(store, streamOf(given)).config.deployment
    let continued = false
    const committed = async () => {
      const item = await store.read()
      if (item === null) return null
      // The clock of the other run is so far ahead that the lease has run out.
      const later = (item.leaseUntil ?? 0) + 60_000
      const lease = await store.acquire(item, 'other', later, later + 60_000, ['RUNNING'])
      await store.commit(lease, { ...item, offset: 1n }, later + 60_001)
      continued = true
      return groupPosition(1n, writeMark(self, t0, { generation: item.generation, offset: 1n }), self)
    }
    const invoke: Invoke = () => assert.fail('a handler is invoked')
    const summary = await poll(dependencies(store, streamOf(given, { committed }), { invoke }))
    assert.deepEqual([continued, summary.ended], [true, 'lease-lost'])
  })

  test('the run pauses between commits that DynamoDB refuses', async () => {
    const given = write.inserts('shop.orders', 0, 99)
    const store = freshStore()
    let tries = 0
    store.commit = async () => {
      tries += 1
      throw failure('CHECKPOINT_TABLE_UNAVAILABLE')
    }
    const { config, ...rest } = dependencies(store, streamOf(given))
    // A hundred batches, one second each.
    const invoke: Invoke = async (...parameters) => {
      await rest.sleep(1_000, rest.signal)
      return await acknowledge(...parameters)
    }
    const routes = { 'shop.orders': { ...config.routes['shop.orders'], batchSize: 1 } as never }
    await assert.rejects(poll({ ...rest, invoke, config: { ...config, routes } }), {
      code: 'CHECKPOINT_TABLE_UNAVAILABLE',
    })
    assert.ok(tries > 5 && tries < 60, `${tries} tries in two minutes`)
  })

  test('while one function is unavailable, others get ahead of it only by the size of the read window', async () => {
    const [order] = write.inserts('shop.orders', 0, 0)
    const value = Buffer.alloc(1024 * 1024)
    write.inserts('shop.nobody', 0, 0)[0]?.value?.copy(value)
    assert.ok(order !== undefined)
    const given = [order, ...Array.from({ length: 150 }, () => ({ value, timestamp: t0 }))]
    const store = freshStore()
    const stream = streamOf(given, {
      fetch: async (from) => slice(given, from, from + 5n < 151n ? from + 5n : 151n),
    })
    const summary = await poll(
      dependencies(store, stream, {
        invoke: async () => ({ kind: 'unavailable', error: failure('HANDLER_UNAVAILABLE') }),
      }),
    )
    assert.deepEqual([summary.to, (await store.read())?.offset], ['0', 0n])
    assert.ok(summary.fetched > 30 && summary.fetched < 100, `${summary.fetched} MB fetched`)
  })
})
