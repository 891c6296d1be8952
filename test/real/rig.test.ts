import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { suite, type TestContext, test } from 'node:test'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'
import { Kafka, logLevel } from 'kafkajs'
import { createCheckpointTable, startDynalite } from '../../infra/local/dynalite.ts'
import { freePort, isFree } from '../../infra/local/ports.ts'
import { openStream } from '../../lib/kafka/open-stream.ts'
import { startDynamoDbLocal } from '../rig/dynamodb-local.ts'
import { type KafkaBroker, startKafka } from '../rig/kafka.ts'
import { kafkaSources } from '../rig/kafka-source.ts'
import { startMoto } from '../rig/moto.ts'
import { startProxy } from '../rig/proxy.ts'
import { testConfig } from '../support/test-config.ts'

const account = { region: 'us-east-1', credentials: { accessKeyId: 'rig', secretAccessKey: 'rig' } }

function client(broker: KafkaBroker, password = broker.password): Kafka {
  return new Kafka({
    brokers: [broker.bootstrap],
    logLevel: logLevel.NOTHING,
    retry: { retries: 3 },
    sasl: { mechanism: 'plain', username: broker.user, password },
  })
}

async function clusterIdAt(broker: KafkaBroker): Promise<string> {
  const admin = client(broker).admin()
  await admin.connect()
  try {
    return (await admin.describeCluster()).clusterId
  } finally {
    await admin.disconnect()
  }
}

async function produce(kafka: Kafka, topic: string, values: readonly string[]): Promise<void> {
  const producer = kafka.producer()
  await producer.connect()
  try {
    const messages = values.map((value, i) => ({ value, timestamp: String(1_700_000_000_000 + i) }))
    await producer.send({ topic, messages })
  } finally {
    await producer.disconnect()
  }
}

/** True while the process exists. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

for (const release of ['era', 'current'] as const) {
  suite(`Apache Kafka, ${release}`, () => {
    test('answers the right password, refuses a wrong one, and leaves no process or file', async () => {
      const broker = await startKafka({ release, sasl: true })
      try {
        assert.equal(await clusterIdAt(broker), broker.clusterId)
        const stranger = client(broker, 'wrong').admin()
        await assert.rejects(stranger.connect(), { name: 'KafkaJSSASLAuthenticationError' })
        await stranger.disconnect()

        await broker.createTopic('changes', { config: { 'max.message.bytes': '4000000' } })
        await produce(client(broker), 'changes', ['a', 'b', 'c'])
        const admin = client(broker).admin()
        await admin.connect()
        try {
          const [range] = await admin.fetchTopicOffsets('changes')
          assert.deepEqual({ low: range?.low, high: range?.high }, { low: '0', high: '3' })
          const [found] = await admin.fetchTopicOffsetsByTimestamp('changes', 1_700_000_000_001)
          assert.equal(found?.offset, '1')
        } finally {
          await admin.disconnect()
        }
      } finally {
        await broker.stop()
      }
      assert.equal(isAlive(broker.pid), false)
      assert.equal(await isFree(broker.port), true)
    })

    test('sources switch between clusters at the same addresses, and a cluster that comes back has an empty topic', async (t) => {
      const sources = kafkaSources(release, 2)
      t.after(() => sources.stop())
      const source = await sources.start({ partitions: 1 })
      const { environment, clusterId } = source
      const records = [{ value: Buffer.from('one'), timestamp: 1_700_000_000 }]
      await source.append(records)
      const { DTS_USER: username = '', DTS_PASSWORD: password = '' } = environment
      const config = testConfig({ ROUTES: '{}', CHECKPOINT_TABLE: 'unused', ...environment })
      const stream = await openStream(config, { username, password })
      assert.equal(stream.clusterId, clusterId)
      await stream.commit(1n, 1_700_000_000, 1)
      await stream.close()
      assert.equal((await source.committed())?.offset, 1n)

      await source.switchCluster([...records, ...records])
      assert.notEqual(source.clusterId, clusterId)
      assert.deepEqual(await source.range(), { earliest: 0n, end: 2n })
      assert.equal(await source.committed(), null)

      await source.switchCluster(records)
      assert.equal(source.clusterId, clusterId)
      assert.deepEqual(source.environment, environment)
      assert.deepEqual(await source.range(), { earliest: 0n, end: 1n })
      assert.equal(await source.committed(), null)
    })

    test('directs clients to the port that it advertises', async () => {
      const advertisedPort = await freePort()
      const broker = await startKafka({ release, sasl: true, advertisedPort })
      const proxy = await startProxy(broker, advertisedPort)
      try {
        await broker.createTopic('changes')
        assert.equal(proxy.accepted, 0)
        await produce(client(broker), 'changes', ['a'])
        assert.ok(proxy.accepted > 0)
      } finally {
        await broker.stop()
        await proxy.stop()
      }
    })
  })
}

for (const [name, start] of [
  ['DynamoDB Local', startDynamoDbLocal],
  ['dynalite', startDynalite],
] as const) {
  test(`${name} applies a conditional write once and frees its port`, async () => {
    const { endpoint, stop } = await start()
    const dynamo = new DynamoDBClient({ ...account, endpoint, maxAttempts: 1 })
    try {
      await createCheckpointTable(dynamo, 'checkpoint')
      const acquire = () =>
        dynamo.send(
          new UpdateItemCommand({
            TableName: 'checkpoint',
            Key: { pk: { S: 'topic/0' } },
            ConditionExpression: 'attribute_not_exists(epoch)',
            UpdateExpression: 'SET epoch = :one',
            ExpressionAttributeValues: { ':one': { N: '1' } },
            ReturnValues: 'ALL_NEW',
          }),
        )
      assert.equal((await acquire()).Attributes?.epoch?.N, '1')
      await assert.rejects(acquire(), { name: 'ConditionalCheckFailedException' })
    } finally {
      dynamo.destroy()
      await stop()
    }
    assert.equal(await isFree(Number(new URL(endpoint).port)), true)
  })
}

test('moto keeps a secret and frees its port', async () => {
  const { endpoint, stop } = await startMoto()
  const secrets = new SecretsManagerClient({ ...account, endpoint })
  try {
    await secrets.send(new CreateSecretCommand({ Name: 'dts', SecretString: 'rig' }))
    const { SecretString } = await secrets.send(new GetSecretValueCommand({ SecretId: 'dts' }))
    assert.equal(SecretString, 'rig')
  } finally {
    secrets.destroy()
    await stop()
  }
  assert.equal(await isFree(Number(new URL(endpoint).port)), true)
})

test('a part ends with the process that started it, even if that is killed', async () => {
  const script = `
    import { startMoto } from ${JSON.stringify(new URL('../rig/moto.ts', import.meta.url).href)}
    console.log((await startMoto()).endpoint)
    setInterval(() => {}, 1000)`
  const starter = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const failed = once(starter, 'exit').then(([code]) => assert.fail(`The starter ended with code ${code}.`))
  const [line] = await Promise.race([once(createInterface(starter.stdout), 'line'), failed])
  const port = Number(new URL(String(line)).port)
  assert.equal(await isFree(port), false)
  const ended = once(starter, 'exit')
  starter.kill('SIGKILL')
  await ended
  while (!(await isFree(port))) await sleep(100)
})

suite('the proxy', () => {
  /** A connection through a proxy to an echo server. It ends with the test or on request. */
  async function echo(t: TestContext) {
    let received = ''
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', (chunk) => {
        received += chunk
        socket.write(chunk)
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const proxy = await startProxy({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
    const socket = connect(proxy.port, proxy.host)
    let replies = ''
    socket.on('data', (chunk) => {
      replies += chunk
    })
    await once(socket, 'connect')
    let ended: Promise<void> | undefined
    const end = () => {
      ended ??= proxy.stop().finally(() => server.close())
      socket.destroy()
      return ended
    }
    t.after(end)
    return {
      proxy,
      socket,
      received: () => received,
      replies: () => replies,
      end,
    }
  }

  async function until(condition: () => boolean) {
    // After a timeout of the test, this wait must not keep the process alive.
    while (!condition()) await sleep(10, undefined, { ref: false })
  }

  test('forwards bytes in both directions', async (t) => {
    const line = await echo(t)
    line.socket.write('a')
    await until(() => line.replies() === 'a')
    assert.equal(line.proxy.connections, 1)
    await line.end()
    assert.equal(await isFree(line.proxy.port), true)
  })

  test('drop cuts open connections and accepts new ones', async (t) => {
    const line = await echo(t)
    line.socket.write('a')
    await until(() => line.replies() === 'a')
    const failed = once(line.socket, 'error')
    assert.equal(line.proxy.drop(), 1)
    const [error] = await failed
    assert.equal(error.code, 'ECONNRESET')
    const again = connect(line.proxy.port, line.proxy.host)
    again.write('b')
    await once(again, 'data')
    again.destroy()
  })

  test('drop also cuts a connection whose end waits for a client that does not read', async () => {
    const served = Promise.withResolvers<Socket>()
    let written = 0
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {})
      const chunk = Buffer.alloc(64 << 10)
      // It ends in a write that waits, because all buffers in between are full.
      const next = () => {
        written += 1
        socket.write(chunk, (error) => error ?? next())
      }
      next()
      served.resolve(socket)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const proxy = await startProxy({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
    const socket = connect(proxy.port, proxy.host)
    socket.on('error', () => {})
    const target = await served.promise
    // All ends of both connections are in this process. If none of its turns moves a byte any more, the buffers are full.
    for (let seen = 0, still = 0; still < 100; await turn()) {
      still = seen === written ? still + 1 : 0
      seen = written
    }
    const ended = once(target.resume(), 'end')
    socket.end()
    await ended
    assert.equal(proxy.drop(), 1)
    const closed = once(socket, 'close')
    socket.resume()
    await closed
    await proxy.stop()
    target.destroy()
    server.close()
  })

  test('pause holds everything back and resume loses nothing', async (t) => {
    const line = await echo(t)
    line.socket.write('a')
    await until(() => line.replies() === 'a')
    const open = await echo(t)
    line.proxy.pause()
    line.socket.write('b')
    // A second proxy has already forwarded bytes that were written later.
    open.socket.write('c')
    await until(() => open.replies() === 'c')
    assert.equal(line.received(), 'a')
    line.proxy.resume()
    await until(() => line.replies() === 'ab')
  })

  test('blackholeReplies forwards requests and drops the replies', async (t) => {
    const line = await echo(t)
    line.proxy.blackholeReplies(true)
    line.socket.write('lost')
    await until(() => line.proxy.swallowed === 4)
    assert.equal(line.received(), 'lost')
    line.proxy.blackholeReplies(false)
    line.socket.write('back')
    await until(() => line.replies() === 'back')
  })
})
