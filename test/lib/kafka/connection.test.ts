import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { connect, createServer, type Socket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import * as z from 'zod'
import { saslAuthenticate, saslHandshake } from '../../../infra/local/dstore/apis/sasl.ts'
import { DStore, type DStoreOptions, kafka011Ceilings } from '../../../infra/local/dstore/dstore.ts'
import { DtsError } from '../../../lib/errors.ts'
import { protocolErrorType } from '../../../lib/kafka/broker-request.ts'
import { connectNode } from '../../../lib/kafka/connection.ts'

const version = z.object({ version: z.string() })
const exact = z.object({ dependencies: z.object({ kafkajs: z.string() }) })

async function connectTo(t: TestContext, options: DStoreOptions = {}, password?: string) {
  const store = new DStore(options)
  const address = await store.start()
  t.after(() => store.stop())
  const credentials = { username: store.userName, password: password ?? store.password }
  const node = await connectNode(address, { tls: false, credentials, clientId: 'test' }, (cause) => {
    throw new Error('unreachable', { cause })
  })
  t.after(() => node.close())
  return { store, node }
}

/**
 * Connects with the right credentials through a proxy. `fail` gets the client's connection in place of the broker, which
 * never gets the login.
 */
async function connectThrough(t: TestContext, options: DStoreOptions, fail: (socket: Socket) => void) {
  const store = new DStore(options)
  const { host, port } = await store.start()
  const proxy = createServer((client) => {
    const broker = connect(port, host)
    for (const socket of [client, broker]) socket.on('error', () => {})
    client.on('data', (bytes) => {
      if (bytes.includes(store.password)) fail(client)
      else broker.write(bytes)
    })
    broker.on('data', (bytes) => client.write(bytes))
    client.on('close', () => broker.destroy())
  })
  await once(proxy.listen(0, '127.0.0.1'), 'listening')
  t.after(() => Promise.all([store.stop(), proxy.close()]))
  const address = proxy.address()
  assert.ok(typeof address === 'object' && address !== null)
  const credentials = { username: store.userName, password: store.password }
  const to = { host: '127.0.0.1', port: address.port }
  return await connectNode(to, { tls: false, credentials, clientId: 'test' }, (cause) => {
    throw new Error('unreachable', { cause })
  })
}

function networkFailure(reason: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof DtsError)
    assert.deepEqual([error.code, error.retryable], ['BROKER_FAILED', true])
    assert.match(error.message, /failed at authentication: /)
    assert.match(error.message, reason)
    return true
  }
}

test('kafkajs is 2.2.4; check connection.ts and patch-request-queue.ts before you install another version', () => {
  const require = createRequire(import.meta.url)
  assert.equal(version.parse(require('kafkajs/package.json')).version, '2.2.4')
  const file = fileURLToPath(new URL('../../../package.json', import.meta.url))
  assert.equal(exact.parse(JSON.parse(readFileSync(file, 'utf8'))).dependencies.kafkajs, '2.2.4')
})

describe('a connection to a node', () => {
  for (const [age, options] of [
    ['Kafka 2.x', {}],
    ['Kafka 0.11', { versionCeilings: kafka011Ceilings }],
  ] as const) {
    test(`fetches raw batches with the protocol of ${age}`, async (t) => {
      const { store, node } = await connectTo(t, options)
      await store.append([{ value: Buffer.from('one'), timestamp: 1000 }])
      const response = await node.fetch({
        topic: store.topic,
        partition: 0,
        offset: 0n,
        maxBytes: 1024,
        maxWaitMs: 0,
      })
      const [partition] = response.partitions
      assert.deepEqual([partition?.errorCode, partition?.highWatermark], [0, 1n])
      assert.ok(partition?.records.includes('one'))
    })
  }

  test('a cut connection is not replaced, because another cluster may answer at its address', async (t) => {
    const { store, node } = await connectTo(t)
    await node.broker.metadata([store.topic])
    await store.switchCluster({ clusterId: 'another' })
    assert.equal(store.counters.connectionsDropped, 1)
    const accepted = store.counters.connectionsAccepted.node
    await assert.rejects(node.broker.metadata([store.topic]))
    await assert.rejects(
      node.fetch({ topic: store.topic, partition: 0, offset: 0n, maxBytes: 1024, maxWaitMs: 0 }),
    )
    assert.equal(store.counters.connectionsAccepted.node, accepted)
  })

  test('the error for a refused login names the user, never the password', async (t) => {
    await assert.rejects(connectTo(t, {}, 'canary'), (error) => {
      assert.ok(error instanceof DtsError)
      assert.deepEqual([error.code, error.retryable], ['AUTHENTICATION_FAILED', false])
      assert.match(error.message, /refuses the user dts_user-dtsemulated0sid/)
      assert.doesNotMatch(JSON.stringify([error.message, error.facts]), /canary/)
      return true
    })
  })

  for (const [age, options] of [
    ['Kafka 2.x', {}],
    ['Kafka 0.11', { versionCeilings: kafka011Ceilings }],
  ] as const) {
    test(`a login that ${age} refuses is AUTHENTICATION_FAILED`, async (t) => {
      await assert.rejects(connectTo(t, options, 'wrong'), {
        code: 'AUTHENTICATION_FAILED',
        retryable: false,
      })
    })

    test(`a reset during the login to ${age} is a failure of the network`, async (t) => {
      const failed = connectThrough(t, options, (socket) => socket.resetAndDestroy())
      await assert.rejects(failed, networkFailure(/read ECONNRESET/))
    })

    test(`silence during the login to ${age} is a failure of the network`, async (t) => {
      t.mock.timers.enable({ apis: ['setTimeout'] })
      const failed = connectThrough(t, options, () => t.mock.timers.tick(30_000))
      await assert.rejects(failed, networkFailure(/no answer within 30 s|timed out/))
    })
  }

  test('a connection that Kafka 2.x closes during the login is a failure of the network', async (t) => {
    const failed = connectThrough(t, {}, (socket) => socket.end())
    await assert.rejects(failed, networkFailure(/[Cc]losed/))
  })

  test('a broker without the mechanism PLAIN is AUTHENTICATION_FAILED', async (t) => {
    t.mock.method(saslHandshake, 'handle', (...[, answer]: Parameters<typeof saslHandshake.handle>) => {
      answer.writeInt16(0).writeEach(['GSSAPI'], (name) => answer.writeString(name))
      return undefined
    })
    await assert.rejects(connectTo(t), {
      code: 'AUTHENTICATION_FAILED',
      message: /PLAIN mechanism is not supported/,
    })
  })

  test('a frame above 64 KiB is refused before the login', async (t) => {
    const padding = Buffer.alloc(64 * 1024)
    t.mock.method(saslAuthenticate, 'handle', (...[, answer]: Parameters<typeof saslAuthenticate.handle>) => {
      answer.writeInt16(0).writeString(null).writeBytes(padding).writeInt64(0n)
      return undefined
    })
    await assert.rejects(connectTo(t), (error) => {
      assert.ok(error instanceof DtsError)
      assert.equal(error.code, 'BROKER_FAILED')
      assert.match(error.message, /failed at authentication: .*was announced; the limit is 65536/)
      return true
    })
  })

  test('a frame above 64 KiB is accepted after the login', async (t) => {
    const { store, node } = await connectTo(t)
    await store.append([{ value: Buffer.alloc(200 * 1024), timestamp: 1000 }])
    const request = { topic: store.topic, partition: 0, offset: 0n, maxBytes: 1024 * 1024, maxWaitMs: 0 }
    const [partition] = (await node.fetch(request)).partitions
    assert.ok((partition?.records.length ?? 0) > 200 * 1024)
  })

  const announced = (size: number) => {
    const head = Buffer.alloc(4)
    head.writeInt32BE(size)
    return head
  }
  const strangers: [what: string, speak: (socket: Socket) => void][] = [
    ['hangs up', (socket) => socket.end()],
    ['resets', (socket) => socket.resetAndDestroy()],
    ['announces a frame above 64 KiB', (socket) => socket.write(announced(64 * 1024))],
    ['speaks first and hangs up', (socket) => socket.end('220 mail.example.com ESMTP\r\n')],
  ]
  for (const [what, speak] of strangers) {
    test(`a server that ${what} is reported as no Kafka broker`, async (t) => {
      let met = 0
      const server = createServer((socket) => {
        socket.on('error', () => {})
        socket.once('data', () => {
          met += 1
          speak(socket)
        })
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      t.after(() => server.close())
      const address = server.address()
      assert.ok(typeof address === 'object' && address !== null)
      const options = { tls: false, credentials: null, clientId: 'test' }
      await assert.rejects(
        connectNode(
          { host: '127.0.0.1', port: address.port },
          options,
          () => new DtsError('BROKER_UNREACHABLE', '', { retryable: true }),
        ),
        { code: 'PROTOCOL_UNSUPPORTED', message: /does not answer as a Kafka broker/ },
      )
      assert.ok(met > 0)
    })
  }
})

test('protocolErrorType finds the type in the cause of a DtsError', async (t) => {
  const { node } = await connectTo(t)
  const error = await node.broker.metadata(['no-such-topic']).then(
    () => null,
    (thrown: unknown) => thrown,
  )
  assert.equal(protocolErrorType(error), 'UNKNOWN_TOPIC_OR_PARTITION')
  const wrapped = new DtsError('BROKER_FAILED', 'x', { retryable: true, cause: error })
  assert.equal(protocolErrorType(wrapped), 'UNKNOWN_TOPIC_OR_PARTITION')
  assert.equal(protocolErrorType(new Error('x')), null)
})
