import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Kafka, logLevel } from 'kafkajs'
import { range, Writer } from '../integration/records.ts'
import { integrationSuite } from '../integration/suite.ts'
import { startRig } from '../integration/world.ts'
import { startDynamoDbLocal } from '../rig/dynamodb-local.ts'
import { kafkaSources } from '../rig/kafka-source.ts'

for (const release of ['era', 'current'] as const) {
  const sources = kafkaSources(release)
  integrationSuite({
    name: `Apache Kafka (${release}) and DynamoDB Local`,
    startDynamo: startDynamoDbLocal,
    startSource: sources.start,
    stop: sources.stop,
  })
}

test('records of an open transaction wait for it; a run does not', async (t) => {
  const sources = kafkaSources('current')
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
  const transaction = await producer.transaction()
  const messages = write.inserts('shop.orders', 3, 4).map(({ value, timestamp }) => ({
    value,
    timestamp: String(timestamp * 1000),
  }))
  await transaction.send({ topic: world.source.topic, messages })

  const waiting = await world.poll()
  assert.deepEqual([waiting.ended, waiting.to, waiting.lagRecords], ['end-of-stream', '3', '2'])
  assert.deepEqual(world.ids('orders'), range(0, 2))
  await transaction.commit()
  await world.poll()
  assert.deepEqual(world.ids('orders'), range(0, 4))
})
