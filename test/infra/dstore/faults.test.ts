import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  consume,
  numbered,
  startDStore,
  stockClient,
  stockConsumer,
  until,
} from '../../support/dstore-clients.ts'

const text = (records: readonly { value: Buffer | null }[]) => records.map(({ value }) => String(value))

describe('cluster change', () => {
  test('keeps the records at other offsets under another cluster id, and drops commits', async (t) => {
    const { store, address } = await startDStore(t, { clusterId: 'old' })
    await store.append(numbered(600))
    await store.append(numbered(600, 600), { compression: 'gzip' })
    const before = store.records
    const group = store.sid ?? ''
    const consumer = stockConsumer(store, address)
    await consumer.connect()
    t.after(() => consumer.disconnect())
    await consumer.subscribe({ topic: store.topic, fromBeginning: true })
    const seen = new Set<string>()
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ message }) => {
        seen.add(message.offset)
      },
    })
    await until(() => seen.size === 1200)
    await consumer.commitOffsets([{ topic: store.topic, partition: 0, offset: '1200', metadata: '1119' }])
    assert.ok(store.committed(group))
    const open = store.connections
    assert.ok(open > 0)

    await store.switchCluster({ clusterId: 'new', fromTimestamp: 1075, firstOffset: 40n })
    assert.equal(store.counters.clusterSwitches, 1)
    assert.equal(store.counters.connectionsDropped, open)
    const admin = stockClient(store, address).admin()
    await admin.connect()
    t.after(() => admin.disconnect())
    assert.equal((await admin.describeCluster()).clusterId, 'new')
    assert.deepEqual(store.range, { earliest: 40n, end: 490n })
    assert.deepEqual(text(store.records), text(before.slice(750)))
    assert.equal(store.records[0]?.offset, 40n)
    assert.equal(store.committed(group), undefined)
    assert.deepEqual(await admin.fetchTopicOffsetsByTimestamp(store.topic, 1080), [
      { partition: 0, offset: '90' },
    ])
  })

  test('leaves batches that a stock client can read', async (t) => {
    const { store, address } = await startDStore(t)
    await store.append(numbered(1200))
    await store.switchCluster({ keep: ({ offset }) => offset % 3n === 0n })
    assert.deepEqual(store.range, { earliest: 2200n, end: 2600n })
    const consumer = stockConsumer(store, address)
    const seen = await consume(
      t,
      consumer,
      store.topic,
      400,
      (message) => `${message.offset} ${message.value}`,
    )
    assert.deepEqual(
      seen,
      store.records.map(({ offset, value }) => `${offset} ${value}`),
    )
    assert.equal(seen[1], '2201 value 3')
  })

  test('can change only the cluster id', async (t) => {
    const { store, address } = await startDStore(t)
    await store.append(numbered(3))
    store.setClusterId('another')
    const admin = stockClient(store, address).admin()
    await admin.connect()
    t.after(() => admin.disconnect())
    assert.equal((await admin.describeCluster()).clusterId, 'another')
    assert.deepEqual(store.range, { earliest: 0n, end: 3n })
  })
})

describe('data range', () => {
  test('is trimmed by offset and by time', async (t) => {
    const { store, address } = await startDStore(t)
    await store.append(numbered(1200))
    const admin = stockClient(store, address).admin()
    await admin.connect()
    t.after(() => admin.disconnect())
    const low = async () => (await admin.fetchTopicOffsets(store.topic))[0]?.low

    store.trim({ beforeOffset: 7n })
    assert.equal(await low(), '7')
    assert.equal(String(store.records[0]?.value), 'value 7')
    store.trim({ beforeTimestamp: 1060 })
    assert.equal(await low(), '600')
    store.trim({ beforeOffset: 3n })
    assert.equal(await low(), '600')
    store.trim({ beforeTimestamp: 9999 })
    assert.equal(await low(), '1200')
    assert.deepEqual(store.records, [])
    assert.equal(await store.append(numbered(1)), 1200n)
  })

  test('grows by filler records with values of at most two bytes', async (t) => {
    const { store } = await startDStore(t)
    await store.append(numbered(1))
    assert.equal(await store.filler(1001), 1n)
    assert.deepEqual(store.range, { earliest: 0n, end: 1002n })
    const filler = store.records.slice(1)
    assert.ok(filler.every(({ value, timestamp }) => (value?.length ?? 0) <= 2 && timestamp === 1000))
    assert.ok(filler.some(({ value }) => value === null))
    assert.ok(filler.some(({ value }) => value?.length === 2))
  })

  test('keeps the order of appends that are not awaited', async (t) => {
    const { store } = await startDStore(t)
    const offsets = await Promise.all([
      store.append(numbered(900), { compression: 'gzip' }),
      store.append(numbered(1, 900)),
      store.filler(1),
      store.append([]),
    ])
    assert.deepEqual(offsets, [0n, 900n, 901n, 902n])
    assert.equal(String(store.records[900]?.value), 'value 900')
  })
})

describe('connections', () => {
  test('the stock consumer reconnects after dropped connections and misses nothing', async (t) => {
    const { store, address } = await startDStore(t)
    await store.append(numbered(10))
    const consumer = stockConsumer(store, address)
    await consumer.connect()
    t.after(() => consumer.disconnect())
    await consumer.subscribe({ topic: store.topic, fromBeginning: true })
    const seen = new Set<string>()
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ message }) => {
        seen.add(String(message.value))
      },
    })
    await until(() => seen.size === 10)
    const open = store.connections
    store.dropConnections()
    assert.ok(open > 0)
    assert.equal(store.counters.connectionsDropped, open)
    await store.append(numbered(10, 10))
    await until(() => seen.size === 20)
  })

  test('the bootstrap address answers while its node is unreachable', async (t) => {
    const { store, address } = await startDStore(t, { proxy: true })
    const gone = await startDStore(t)
    await gone.store.stop()
    store.advertise(gone.address)
    const admin = stockClient(store, address).admin({ retry: { retries: 0 } })
    await admin.connect()
    t.after(() => admin.disconnect())
    await assert.rejects(
      admin.fetchTopicOffsets(store.topic),
      new RegExp(`ECONNREFUSED ${gone.address.host}:${gone.address.port}`),
    )
    assert.ok(store.counters.connectionsAccepted.proxy > 0)
    assert.equal(store.counters.connectionsAccepted.node, 0)
    assert.ok(store.requests.Metadata > 0)
  })

  test('a delay applies to every answer until it is removed', async (t) => {
    const { store, address } = await startDStore(t)
    store.delay(20)
    const admin = stockClient(store, address).admin()
    await admin.connect()
    t.after(() => admin.disconnect())
    await admin.listTopics()
    const delayed = store.counters.answersDelayed
    assert.ok(delayed > 0)
    store.delay(0)
    await admin.listTopics()
    assert.equal(store.counters.answersDelayed, delayed)
  })

  test('Metadata shows several partitions', async (t) => {
    const { store, address } = await startDStore(t, { partitions: 3 })
    const admin = stockClient(store, address).admin()
    await admin.connect()
    t.after(() => admin.disconnect())
    assert.equal((await admin.fetchTopicOffsets(store.topic)).length, 3)
  })

  test('stop closes the listeners', async (t) => {
    const { store, address } = await startDStore(t)
    await store.stop()
    const admin = stockClient(store, address).admin({ retry: { retries: 0 } })
    await assert.rejects(admin.connect(), /ECONNREFUSED|Connection error/)
  })
})
