import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Kafka, logLevel } from 'kafkajs'
import { openStream } from '../../lib/kafka/open-stream.ts'
import { startDynamoDbLocal } from '../rig/dynamodb-local.ts'
import type { KafkaRelease } from '../rig/kafka.ts'
import { kafkaSources } from '../rig/kafka-source.ts'
import { range, Writer } from '../support/records.ts'
import { testConfig } from '../support/test-config.ts'
import { startRig } from '../support/world.ts'

/** A world with two orders in its stream, and a producer of transactions. */
async function startTransactions(t: TestContext, release: KafkaRelease) {
  const sources = kafkaSources(release, 1)
  const rig = await startRig({
    name: 'Apache Kafka',
    startDynamo: startDynamoDbLocal,
    startSource: sources.start,
    stop: sources.stop,
  })
  t.after(() => rig.stop())
  const world = await rig.start(t)
  const write = new Writer()
  await world.source.append(write.inserts('shop.orders', 0, 2))
  const { DTS_BROKER_URL = '', DTS_USER = '', DTS_PASSWORD = '' } = world.source.environment
  const kafka = new Kafka({
    brokers: [DTS_BROKER_URL],
    sasl: { mechanism: 'plain', username: DTS_USER, password: DTS_PASSWORD },
    ssl: false,
    logLevel: logLevel.NOTHING,
  })
  const producer = kafka.producer({ transactionalId: 'one', idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  t.after(() => producer.disconnect())
  const begin = async (from: number, to: number) => {
    const transaction = await producer.transaction()
    const messages = write.inserts('shop.orders', from, to).map(({ value, timestamp }) => ({
      value,
      timestamp: String(timestamp * 1000),
    }))
    await transaction.send({ topic: world.source.topic, messages })
    return transaction
  }
  return { world, begin }
}

test('records of an open transaction are not delivered yet, and the run ends without waiting for it', async (t) => {
  const { world, begin } = await startTransactions(t, 'current')
  const transaction = await begin(3, 4)
  const waiting = await world.poll()
  assert.deepEqual([waiting.ended, waiting.to, waiting.lagRecords], ['end-of-stream', '3', '2'])
  assert.deepEqual(world.ids('orders'), range(0, 2))
  await transaction.commit()
  await world.poll()
  assert.deepEqual(world.ids('orders'), range(0, 4))
})

for (const release of ['era', 'current'] as const) {
  test(`records of an aborted transaction are skipped (${release})`, async (t) => {
    const { world, begin } = await startTransactions(t, release)
    await (await begin(100, 101)).abort()
    await (await begin(3, 4)).commit()
    await (await begin(102, 102)).abort()
    // The broker keeps the aborted records: three records and two markers for two transactions.
    const { end } = await world.source.range()
    assert.equal(end, 3n + 3n + 3n + 2n)
    const { environment } = world.source
    const config = testConfig({ ROUTES: '{}', CHECKPOINT_TABLE: 'unused', ...environment })
    const { DTS_USER: username = '', DTS_PASSWORD: password = '' } = environment
    const stream = await openStream(config, { username, password })
    t.after(() => stream.close())
    // Fetch single batches and many at once, from outside a transaction and from inside an aborted one.
    for (const maxBytes of [1, 1 << 20]) {
      for (const from of [0n, 4n]) {
        const read: bigint[] = []
        for (let next = from; next < end; ) {
          const { records, nextOffset } = await stream.fetch(next, { maxBytes, maxWaitMs: 1_000 })
          assert.ok(nextOffset > next)
          read.push(...records.map(({ offset }) => offset))
          next = nextOffset
        }
        assert.deepEqual(
          read,
          [0n, 1n, 2n, 6n, 7n].filter((offset) => offset >= from),
        )
      }
    }
    const ran = await world.poll()
    assert.deepEqual([ran.ended, ran.to], ['end-of-stream', String(end)])
    assert.deepEqual(world.ids('orders'), range(0, 4))
  })
}
