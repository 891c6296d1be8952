import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { findCoordinator } from '../../../infra/local/dstore/apis/find-coordinator.ts'
import { DStore, type DStoreOptions } from '../../../infra/local/dstore/dstore.ts'
import { freePort } from '../../../infra/local/ports.ts'
import type { DtsError } from '../../../lib/errors.ts'
import { startProxy } from '../../rig/proxy.ts'
import { until } from '../../support/dstore-clients.ts'
import { open } from '../../support/open-stream.ts'
import { bounds, records } from './support.ts'

const coordinatorNotAvailable = 15
/** A stream whose connections pass through a TCP proxy. */
async function openBehindProxy(t: TestContext) {
  const port = await freePort()
  const proxy = await startProxy({ host: '127.0.0.1', port })
  t.after(() => proxy.stop())
  const bootstrap = { DTS_BROKER_URL: `${proxy.host}:${proxy.port}` }
  return { ...(await open(t, [], { port }, bootstrap, proxy)), proxy }
}

describe('a stream', () => {
  const units: [unit: string, options: DStoreOptions][] = [
    ['seconds on DTS', { timeUnit: 'seconds' }],
    ['milliseconds on plain Kafka', { timeUnit: 'milliseconds', sid: null }],
  ]
  for (const [unit, options] of units) {
    test(`looks times up in ${unit}`, async (t) => {
      const { stream } = await open(t, records(10), { ...options, firstOffset: 50n })
      assert.equal(await stream.offsetForTime(1000), 50n)
      assert.equal(await stream.offsetForTime(1007), 57n)
      // "None" must not become the start or the end of the log.
      assert.equal(await stream.offsetForTime(1010), null)
    })
  }

  test('reports its cluster id and its data range, also of an empty log', async (t) => {
    const { store, stream } = await open(t, [], { clusterId: 'this-one', firstOffset: 7n })
    assert.equal(stream.clusterId, 'this-one')
    assert.deepEqual(await stream.range(), { earliest: 7n, end: 7n })
    await store.append(records(5))
    store.trim({ beforeOffset: 9n })
    assert.deepEqual(await stream.range(), { earliest: 9n, end: 12n })
  })

  test('reports the cluster id of its node, not that of the bootstrap address', async (t) => {
    const next = await open(t, [], { clusterId: 'next', firstOffset: 5_000n })
    const asked = next.store.requests.Metadata
    const { store, stream } = await open(
      t,
      [],
      { clusterId: 'previous', proxy: true },
      {},
      next.store.advertised,
    )
    assert.equal(stream.clusterId, 'next')
    assert.deepEqual(await stream.range(), { earliest: 5_000n, end: 5_000n })
    assert.deepEqual([store.requests.Metadata, next.store.requests.Metadata - asked], [1, 1])
    assert.deepEqual(store.counters.connectionsAccepted, { proxy: 1, node: 0 })
  })

  test('a node that no longer knows the topic is a retryable fault, and its connection is closed', async (t) => {
    const other = new DStore({ topic: 'another' })
    const node = await other.start()
    t.after(() => other.stop())
    await assert.rejects(open(t, [], { proxy: true }, {}, node), { code: 'BROKER_FAILED', retryable: true })
    assert.equal(other.requests.Metadata, 1)
    await other.disconnected()
  })

  test('a time before the range for which DTS finds no offset is null', async (t) => {
    const { stream } = await open(t, records(5))
    assert.equal(await stream.offsetForTime(999), null)
  })

  test('fetches every record in bounded steps, wherever batches are cut', async (t) => {
    const { store, stream } = await open(t)
    for (let i = 0; i < 8; i++) await store.append(records(20, 100, i * 20))
    const offsets: bigint[] = []
    for (let next = 0n; next < 160n; ) {
      const { records: found, nextOffset, end } = await stream.fetch(next, { maxBytes: 3000, maxWaitMs: 0 })
      assert.ok(nextOffset > next && end === 160n)
      offsets.push(...found.map(({ offset }) => offset))
      next = nextOffset
    }
    assert.deepEqual(
      offsets,
      Array.from({ length: 160 }, (_, i) => BigInt(i)),
    )
    assert.ok(store.counters.truncatedFetches > 0)
  })

  test('an answer of some thousand records is complete', async (t) => {
    const { stream } = await open(t, records(2_500))
    const { records: found, nextOffset } = await stream.fetch(0n, bounds)
    assert.deepEqual([found.length, nextOffset], [2_500, 2_500n])
  })

  test('a fetch from inside a batch yields the records from that offset', async (t) => {
    const { stream } = await open(t, records(10))
    const { records: found } = await stream.fetch(6n, bounds)
    assert.deepEqual(
      found.map(({ offset }) => offset),
      [6n, 7n, 8n, 9n],
    )
  })

  test('a fetch at the end yields no records and no error', async (t) => {
    const { store, stream } = await open(t, records(3))
    const { records: found, nextOffset, end } = await stream.fetch(3n, bounds)
    assert.deepEqual([found.length, nextOffset, end], [0, 3n, 3n])
    assert.ok(store.counters.emptyFetches > 0)
  })

  test('freed records become unreadable, and other records stay readable', async (t) => {
    const { stream } = await open(t, records(200, 1000))
    const [first, second] = [await stream.fetch(0n, bounds), await stream.fetch(0n, bounds)]
    const values = second.records.map(({ value }) => value?.toString())
    first.free()
    first.free()
    assert.throws(() => first.records.at(0)?.value, /records were freed/)
    assert.throws(() => first.records.at(0)?.copyTo(Buffer.alloc(1000), 0), /records were freed/)
    assert.deepEqual(
      second.records.map(({ value }) => value?.toString()),
      values,
    )
  })

  test('a fetch outside the data range is DATA_GAP and reports the range', async (t) => {
    const { store, stream } = await open(t, records(10))
    store.trim({ beforeOffset: 5n })
    for (const offset of [4n, 11n]) {
      await assert.rejects(stream.fetch(offset, bounds), {
        code: 'DATA_GAP',
        message: new RegExp(
          `refused offset ${offset} as out of its data range\\. .* has offsets 5 to 9; the next record gets 10\\.$`,
        ),
        next: [{ action: 'inspect', purpose: 'see what can be read and what is lost' }],
      })
    }
    assert.equal(store.counters.outOfRange, 2)
  })

  test('commits to the group with the time first, and reads the commit back', async (t) => {
    const { store, stream } = await open(t, records(3))
    assert.equal(await stream.committed(), null)
    await stream.commit(3n, 1002, 7)
    const { offset, metadata, mark } = (await stream.committed()) ?? assert.fail('no commit')
    assert.deepEqual([offset, metadata], [3n, `1002|shop|prod|unused|7|3|${stream.clusterId}`])
    const { clusterId } = stream
    assert.deepEqual(mark, {
      whose: 'ours',
      timestamp: 1002,
      place: { generation: 7, offset: 3n, clusterId },
    })
    assert.deepEqual([store.counters.commits, store.counters.commitsRefused], [1, 0])
  })

  test('a group other than the sid is GROUP_REFUSED, with the remedy', async (t) => {
    // The login uses the user name, and the commit uses the group.
    const { store, stream } = await open(t, [], {}, { DTS_SID: 'another' })
    for (const action of [() => stream.commit(0n, 1000, 7), () => stream.committed()]) {
      await assert.rejects(action(), {
        code: 'GROUP_REFUSED',
        retryable: false,
        message: /refuses the consumer group another .*must be the sid/,
      })
    }
    assert.ok(store.counters.groupsRefused > 0)
  })

  test('a cut connection ends the stream, and a new stream works', async (t) => {
    const { store, stream } = await open(t, records(3))
    await stream.fetch(0n, bounds)
    store.dropConnections()
    assert.ok(store.counters.connectionsDropped > 0)
    await assert.rejects(stream.fetch(0n, bounds), { code: 'BROKER_FAILED', retryable: true })
    await assert.rejects(stream.range(), { code: 'BROKER_FAILED', retryable: true })
  })

  test('close fails requests at once, even if the broker is silent', async (t) => {
    const { store, stream, proxy } = await openBehindProxy(t)
    proxy.blackholeReplies(true)
    const events: string[] = []
    const requests = [stream.fetch(0n, bounds), stream.range(), stream.commit(0n, 1000, 7)].map((request) =>
      request.catch((error: DtsError) => events.push(error.code)),
    )
    await until(() => proxy.swallowed > 0)
    const closing = stream.close().then(() => events.push('closed'))
    // Long before the request times out.
    await store.disconnected()
    await Promise.all([...requests, closing])
    assert.deepEqual(events.slice(0, 3), ['BROKER_FAILED', 'BROKER_FAILED', 'BROKER_FAILED'])
    assert.deepEqual(events.slice(3), ['closed'])
  })

  test('close fails a request in every phase of the request', async (t) => {
    for (let steps = 0; steps < 12; steps++) {
      const { store, stream, proxy } = await openBehindProxy(t)
      proxy.blackholeReplies(true)
      const codes: string[] = []
      const fail = ({ code }: DtsError) => codes.push(code)
      stream.fetch(0n, bounds).catch(fail)
      for (let step = 0; step < steps; step++) await null
      const closing = stream.close()
      stream.fetch(0n, bounds).catch(fail)
      await closing
      stream.fetch(0n, bounds).catch(fail)
      await store.disconnected()
      assert.deepEqual(codes, ['BROKER_FAILED', 'BROKER_FAILED', 'BROKER_FAILED'], `${steps} steps`)
    }
  })

  test('a group that its coordinator is still loading is requested again', async (t) => {
    const { stream } = await open(t, records(5))
    const handle = findCoordinator.handle
    let refused = 0
    t.mock.method(findCoordinator, 'handle', (...call: Parameters<typeof handle>) => {
      if (refused === 3) return handle(...call)
      const [request, answer] = call
      refused += 1
      if (request.version >= 1) answer.writeInt32(0)
      answer.writeInt16(coordinatorNotAvailable)
      if (request.version >= 1) answer.writeString(null)
      answer.writeInt32(-1).writeString('').writeInt32(-1)
      return undefined
    })
    await stream.commit(3n, 1002, 7)
    assert.deepEqual([refused, (await stream.committed())?.offset], [3, 3n])
  })

  test('a fetch that is dropped at close does not end the process', async (t) => {
    const { store, stream, proxy } = await openBehindProxy(t)
    const unhandled: unknown[] = []
    const note = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', note)
    t.after(() => process.off('unhandledRejection', note))
    proxy.blackholeReplies(true)
    void stream.fetch(0n, bounds)
    await until(() => proxy.swallowed > 0)
    await stream.close()
    await store.disconnected()
    assert.deepEqual(unhandled, [])
  })

  test('a coordinator that answers after close leaves no connection open', async (t) => {
    const { store, stream } = await open(t)
    const proxy = await startProxy(store.advertised)
    t.after(() => proxy.stop())
    proxy.pause()
    store.advertise(proxy)
    const commit = stream.commit(0n, 1000, 7).then(
      () => 'committed',
      ({ code }: DtsError) => code,
    )
    await until(() => proxy.accepted > 0)
    await stream.close()
    proxy.resume()
    assert.equal(await commit, 'BROKER_FAILED')
    await store.disconnected()
    assert.equal(store.counters.commits, 0)
  })

  test('connects to the node that the proxy names, and leaves no connection open', async (t) => {
    const { store, stream } = await open(t, records(3), { proxy: true })
    assert.equal((await stream.fetch(0n, bounds)).records.length, 3)
    assert.deepEqual(store.counters.connectionsAccepted, { proxy: 1, node: 1 })
    await stream.commit(3n, 1002, 7)
    await stream.close()
    await store.disconnected()
    assert.equal(store.connections, 0)
  })
})
