import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CompressionTypes } from 'kafkajs'
import { kafka011Ceilings } from '../../../infra/local/dstore/dstore.ts'
import {
  consume,
  isProtocolError,
  numbered,
  startDStore,
  stockClient,
  stockConsumer,
  until,
} from '../../support/dstore-clients.ts'

const protocols = [
  ['Kafka 2.x', {}],
  ['Kafka 0.11', { versionCeilings: kafka011Ceilings }],
] as const

for (const [age, options] of protocols) {
  describe(`kafkajs' stock clients, protocol of ${age}`, () => {
    test('the admin client reads cluster id, node, offsets and the offset for a time in seconds', async (t) => {
      const { store, address } = await startDStore(t, { ...options, proxy: true, firstOffset: 500n })
      await store.append(numbered(1200))
      const admin = stockClient(store, address).admin()
      await admin.connect()
      t.after(() => admin.disconnect())

      const cluster = await admin.describeCluster()
      assert.equal(cluster.clusterId, store.clusterId)
      assert.deepEqual(cluster.brokers, [{ nodeId: 0, ...store.advertised }])
      assert.notEqual(store.advertised.port, address.port)
      assert.deepEqual(await admin.listTopics(), [store.topic])
      assert.deepEqual(await admin.fetchTopicOffsets(store.topic), [
        { partition: 0, offset: '1700', high: '1700', low: '500' },
      ])
      assert.deepEqual(await admin.fetchTopicOffsetsByTimestamp(store.topic, 1060), [
        { partition: 0, offset: '1100' },
      ])
      assert.ok(store.counters.connectionsAccepted.proxy > 0)
      assert.ok(store.counters.connectionsAccepted.node > 0)
    })

    test('the consumer reads every record in order and commits with a timestamp as metadata', async (t) => {
      const { store, address } = await startDStore(t, options)
      await store.append(numbered(1200))
      await store.append(numbered(300, 1200), { compression: 'gzip' })
      const consumer = stockConsumer(store, address)
      const seen = await consume(
        t,
        consumer,
        store.topic,
        1500,
        (message) => `${message.offset} ${message.timestamp} ${message.value}`,
      )
      assert.deepEqual(
        seen,
        store.records.map((r) => `${r.offset} ${r.timestamp * 1000} ${r.value}`),
      )

      await consumer.commitOffsets([{ topic: store.topic, partition: 0, offset: '1500', metadata: '1149|x' }])
      assert.deepEqual(store.committed(store.sid ?? ''), { offset: 1500n, metadata: '1149|x' })
      const refused = consumer.commitOffsets([{ topic: store.topic, partition: 0, offset: '1400' }])
      await assert.rejects(refused, isProtocolError('INVALID_REQUEST'))
      assert.equal(store.counters.commitsRefused, 1)
      assert.equal(store.committed(store.sid ?? '')?.offset, 1500n)
    })

    test('the consumer starts again at its committed offset', async (t) => {
      const { store, address } = await startDStore(t, options)
      await store.append(numbered(20))
      for (const expected of ['0', '15']) {
        const consumer = stockConsumer(store, address)
        await consumer.connect()
        await consumer.subscribe({ topic: store.topic, fromBeginning: true })
        const seen: string[] = []
        await consumer.run({
          autoCommit: false,
          eachMessage: async ({ message }) => {
            seen.push(message.offset)
          },
        })
        await until(() => seen.length > 0)
        assert.equal(seen[0], expected)
        await consumer.commitOffsets([{ topic: store.topic, partition: 0, offset: '15', metadata: '1001' }])
        await consumer.disconnect()
      }
    })

    test('the producer appends after the existing records, plain and compressed', async (t) => {
      const { store, address } = await startDStore(t, { ...options, firstOffset: 7n })
      await store.append(numbered(3))
      const producer = stockClient(store, address).producer()
      await producer.connect()
      t.after(() => producer.disconnect())
      for (const compression of [CompressionTypes.None, CompressionTypes.GZIP]) {
        await producer.send({
          topic: store.topic,
          compression,
          messages: [
            { value: 'a', key: 'k', timestamp: '2000500' },
            { value: null, timestamp: '2001000' },
          ],
        })
      }
      const produced = [
        { timestamp: 2000.5, key: Buffer.from('k'), value: Buffer.from('a') },
        { timestamp: 2001, key: null, value: null },
      ]
      assert.deepEqual(
        store.records.slice(3),
        [...produced, ...produced].map((record, i) => ({ offset: 10n + BigInt(i), ...record })),
      )
      assert.equal(store.range.end, 14n)
    })
  })
}

test('records that were appended several times come each time, at offsets of their own', async (t) => {
  const { store, address } = await startDStore(t)
  await store.append(numbered(4), { times: 3, recordsPerBatch: 2 })
  const consumer = stockConsumer(store, address)
  const seen = await consume(t, consumer, store.topic, 12, (message) => `${message.offset} ${message.value}`)
  assert.deepEqual(
    seen,
    Array.from({ length: 12 }, (_, offset) => `${offset} value ${offset % 4}`),
  )
})

test('a group other than the sid is refused', async (t) => {
  const { store, address } = await startDStore(t)
  const consumer = stockClient(store, address).consumer({ groupId: 'other', retry: { retries: 0 } })
  t.after(() => consumer.disconnect())
  await consumer.connect()
  await consumer.subscribe({ topic: store.topic })
  const crashed = new Promise<Error>((resolve) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => resolve(payload.error))
  })
  await consumer.run({ eachMessage: async () => {} })
  assert.match(String(await crashed), /group/i)
  assert.ok(store.counters.groupsRefused > 0)
})

test('plain Kafka: any group, the bare user name, times in milliseconds', async (t) => {
  const { store, address } = await startDStore(t, { sid: null, timeUnit: 'milliseconds' })
  await store.append(numbered(100))
  assert.equal(store.userName, store.user)
  const admin = stockClient(store, address).admin()
  await admin.connect()
  t.after(() => admin.disconnect())
  assert.deepEqual(await admin.fetchTopicOffsetsByTimestamp(store.topic, 1_005_000), [
    { partition: 0, offset: '50' },
  ])
  assert.deepEqual(await admin.fetchTopicOffsetsByTimestamp(store.topic, 1_000), [
    { partition: 0, offset: '0' },
  ])
  const offsets = await admin.fetchOffsets({ groupId: 'anybody', topics: [store.topic] })
  assert.equal(offsets[0]?.partitions[0]?.offset, '-1')
  assert.equal(store.counters.groupsRefused, 0)
})

test('an unknown topic is UNKNOWN_TOPIC_OR_PARTITION', async (t) => {
  const { store, address } = await startDStore(t)
  const admin = stockClient(store, address).admin({ retry: { retries: 0 } })
  await admin.connect()
  t.after(() => admin.disconnect())
  await assert.rejects(
    admin.fetchTopicOffsets('no-such-topic'),
    isProtocolError('UNKNOWN_TOPIC_OR_PARTITION'),
  )
  assert.ok(store.requests.Metadata > 0)
})

test('a second member of the group is refused until the first has left', async (t) => {
  const { store, address } = await startDStore(t)
  await store.append(numbered(1))
  const run = async (seen: string[]) => {
    const consumer = stockConsumer(store, address)
    t.after(() => consumer.disconnect())
    await consumer.connect()
    await consumer.subscribe({ topic: store.topic, fromBeginning: true })
    const crashed = new Promise<Error>((resolve) => {
      consumer.on(consumer.events.CRASH, ({ payload }) => resolve(payload.error))
    })
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ message }) => {
        seen.push(message.offset)
      },
    })
    return { consumer, crashed }
  }
  const [first, second, third]: string[][] = [[], [], []]
  assert.ok(first && second && third)
  const holder = await run(first)
  await until(() => first.length === 1)
  const late = await run(second)
  assert.ok(isProtocolError('GROUP_MAX_SIZE_REACHED')(await late.crashed))
  assert.deepEqual(second, [])
  await holder.consumer.disconnect()
  await run(third)
  await until(() => third.length === 1)
})
