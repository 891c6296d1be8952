import assert from 'node:assert/strict'
import { syncBuiltinESMExports } from 'node:module'
import { describe, type TestContext, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { Api, Request } from '../../../infra/local/dstore/apis/api.ts'
import { findCoordinator } from '../../../infra/local/dstore/apis/find-coordinator.ts'
import { metadata } from '../../../infra/local/dstore/apis/metadata.ts'
import { offsetCommit } from '../../../infra/local/dstore/apis/offsets.ts'
import { kafka011Ceilings } from '../../../infra/local/dstore/dstore.ts'
import { freePort } from '../../../infra/local/ports.ts'
import type { DtsError } from '../../../lib/errors.ts'
import { open, startStore } from '../../support/open-stream.ts'
import { bounds, records } from './support.ts'

/** Which nodes a stream connects to, and how it handles the addresses that a broker names. */

const topic = 'cn_hangzhou_rm_emulated_shop_version2'
type Handler = typeof metadata.handle

describe('no credentials are sent to', () => {
  const strangers: [what: string, host: string][] = [
    ['elsewhere', 'evil.example.com'],
    ['a metadata service', '169.254.169.254'],
    ['the metadata service of Alibaba Cloud', '100.100.100.200'],
  ]
  for (const [what, host] of strangers) {
    test(`the node that holds the data, if it is ${what}`, async (t) => {
      const { store, connect } = await startStore(t, {}, {}, { host, port: 18001 })
      await assert.rejects(connect(), {
        code: 'NODE_NOT_ALLOWED',
        retryable: false,
        message: new RegExp(
          `names ${host}:18001 as the node that holds the data.*add ${host} to DTS_ALLOWED_NODES`,
        ),
        facts: { node: `${host}:18001` },
      })
      await store.disconnected()
    })

    test(`the group’s coordinator, if it is ${what}`, async (t) => {
      const { store, stream } = await open(t)
      store.advertise({ host, port: 18001 })
      for (const ask of [() => stream.committed(), () => stream.commit(1n, 1000, 1)]) {
        await assert.rejects(ask(), {
          code: 'NODE_NOT_ALLOWED',
          message: new RegExp(`names ${host}:18001 as the consumer group's coordinator`),
        })
      }
      assert.equal(store.counters.commits, 0)
    })
  }

  const nowhere: [what: string, host: string, port: number, named: string][] = [
    ['no host', '', -1, '":-1"'],
    ['no host and a port', '', 18001, '":18001"'],
    ['a host without a port', '10.0.0.1', 0, '"10.0.0.1:0"'],
    ['a host with control characters', '\u001b[2J', 1, '"\\\\u001b\\[2J:1"'],
  ]
  for (const [what, host, port, named] of nowhere) {
    test(`a broker that names ${what} is a retryable fault`, async (t) => {
      const { store, connect } = await startStore(t)
      const { advertised } = store
      store.advertise({ host, port })
      const message = new RegExp(
        `failed at metadata: it names ${named} as the node that holds the data, which is no address`,
      )
      await assert.rejects(connect(), { code: 'BROKER_FAILED', retryable: true, message })
      await store.disconnected()
      store.advertise(advertised)
      const stream = await connect()
      store.advertise({ host, port })
      await assert.rejects(stream.commit(1n, 1000, 1), {
        code: 'BROKER_FAILED',
        message: new RegExp(`it names ${named} as the consumer group's coordinator`),
      })
    })
  }
})

test('an unreachable bootstrap address and an unreachable node have different errors', async (t) => {
  const port = await freePort()
  const { store, connect } = await startStore(t, {}, {}, { host: '127.0.0.1', port })
  await assert.rejects(connect(), {
    code: 'NODE_UNREACHABLE',
    retryable: true,
    message: new RegExp(`answers and names 127\\.0\\.0\\.1:${port} as the node`),
  })
  await store.disconnected()
  const elsewhere = await startStore(t, {}, { DTS_BROKER_URL: `127.0.0.1:${port}` })
  await assert.rejects(elsewhere.connect(), {
    code: 'BROKER_UNREACHABLE',
    retryable: true,
    message: new RegExp(`127\\.0\\.0\\.1:${port} cannot be reached`),
  })
})

describe('a cluster without an id', () => {
  test('is refused at the bootstrap address', async (t) => {
    const { store, connect } = await startStore(t)
    store.setClusterId('')
    await assert.rejects(connect(), {
      code: 'PROTOCOL_UNSUPPORTED',
      retryable: false,
      message: /does not name its cluster .* the poller could not detect a cluster change/,
    })
    await store.disconnected()
  })

  test('is refused at the node, even if the bootstrap address names one', async (t) => {
    const next = await open(t)
    next.store.setClusterId('')
    const { store, connect } = await startStore(t, { proxy: true }, {}, next.store.advertised)
    await assert.rejects(connect(), {
      code: 'PROTOCOL_UNSUPPORTED',
      message: new RegExp(`127\\.0\\.0\\.1:${next.store.advertised.port} does not name its cluster`),
    })
    await store.disconnected()
    await next.stream.close()
    await next.store.disconnected()
  })
})

interface TopicAnswer {
  readonly name?: string
  readonly errorCode?: number
  readonly partitions: readonly { partition: number; leader: number }[]
}

/** A Metadata response of version 6 that names one node, number 0. */
function answerMetadata(t: TestContext, topics: readonly TopicAnswer[]): void {
  t.mock.method(metadata, 'handle', (...[{ version }, answer, broker]: Parameters<Handler>) => {
    assert.equal(version, 6)
    answer.writeInt32(0)
    answer.writeInt32(1).writeInt32(0).writeString(broker.advertised.host).writeInt32(broker.advertised.port)
    answer.writeString(null).writeString(broker.clusterId).writeInt32(0)
    answer.writeEach(topics, ({ name, errorCode, partitions }) => {
      answer
        .writeInt16(errorCode ?? 0)
        .writeString(name ?? topic)
        .writeBoolean(false)
      answer.writeEach(partitions, ({ partition, leader }) => {
        answer.writeInt16(0).writeInt32(partition).writeInt32(leader)
        answer.writeInt32(0).writeInt32(0).writeInt32(0)
      })
    })
    return undefined
  })
}

describe('the partition', () => {
  const cases: [what: string, partitions: number, wanted: string | null, code: string, message: RegExp][] = [
    [
      'must be configured if the topic has several',
      3,
      null,
      'PARTITION_UNKNOWN',
      /has 3 partitions\. Set DTS_PARTITIONS to that number and deploy/,
    ],
    [
      'must exist',
      3,
      '3',
      'PARTITION_UNKNOWN',
      /has 3 partition\(s\), and no partition 3\. Correct DTS_PARTITION/,
    ],
  ]
  for (const [what, partitions, wanted, code, message] of cases) {
    test(what, async (t) => {
      const variables = wanted === null ? {} : { DTS_PARTITION: wanted }
      const { store, connect } = await startStore(t, { partitions }, variables as Record<string, string>)
      await assert.rejects(connect(), {
        code,
        retryable: false,
        message,
        facts: { topic: store.topic, partitions },
      })
      await store.disconnected()
    })
  }

  test('is the configured one, with its own offsets', async (t) => {
    const { stream } = await open(t, records(5), { partitions: 3 }, { DTS_PARTITION: '2' })
    assert.equal(stream.partition, 2)
    assert.deepEqual(await stream.range(), { earliest: 0n, end: 0n })
    assert.equal((await stream.fetch(0n, bounds)).records.length, 0)
    // The group has no commit of this partition.
    assert.equal(await stream.committed(), null)
  })

  test('of an unknown topic is TOPIC_UNKNOWN', async (t) => {
    const { store, connect } = await startStore(t, {}, { DTS_TOPIC: 'no-such-topic' })
    await assert.rejects(connect(), {
      code: 'TOPIC_UNKNOWN',
      message: /has no topic no-such-topic for this user \(UNKNOWN_TOPIC_OR_PARTITION\)/,
    })
    await store.disconnected()
  })

  test('without a leader is a retryable fault', async (t) => {
    const { store, connect } = await startStore(t)
    answerMetadata(t, [{ partitions: [{ partition: 0, leader: 9 }] }])
    await assert.rejects(connect(), {
      code: 'BROKER_FAILED',
      retryable: true,
      message: /failed at metadata: partition 0 has no leader now/,
    })
    await store.disconnected()
  })

  test('of a topic without partitions is TOPIC_UNKNOWN', async (t) => {
    const { store, connect } = await startStore(t)
    answerMetadata(t, [{ partitions: [] }])
    await assert.rejects(connect(), { code: 'TOPIC_UNKNOWN', message: /\(no partitions\)/ })
    await store.disconnected()
  })
})

const topicErrors: [name: string, errorCode: number, code: string][] = [
  ['TOPIC_AUTHORIZATION_FAILED', 29, 'TOPIC_UNKNOWN'],
  ['INVALID_TOPIC_EXCEPTION', 17, 'TOPIC_UNKNOWN'],
  // During an election of a leader. The next run asks again.
  ['LEADER_NOT_AVAILABLE', 5, 'BROKER_FAILED'],
]
for (const [name, errorCode, code] of topicErrors) {
  test(`the answer ${name} for the topic is ${code}`, async (t) => {
    const { store, connect } = await startStore(t)
    answerMetadata(t, [{ errorCode, partitions: [] }])
    await assert.rejects(connect(), { code, retryable: code === 'BROKER_FAILED' })
    await store.disconnected()
  })
}

test('other topics in the answer are ignored', async (t) => {
  const { store, connect } = await startStore(t)
  answerMetadata(t, [
    { name: 'other', partitions: [{ partition: 3, leader: 0 }] },
    { partitions: [{ partition: 0, leader: 0 }] },
  ])
  const stream = await connect()
  assert.deepEqual([stream.partition, stream.clusterId], [0, store.clusterId])
})

/** Answers FindCoordinator with an error, `times` times. */
function refuseCoordinator(t: TestContext, errorCode: number, times: number, each = () => {}): () => number {
  const handle = findCoordinator.handle
  let asked = 0
  t.mock.method(findCoordinator, 'handle', (...call: Parameters<Handler>) => {
    asked += 1
    if (asked > times) return handle.apply(findCoordinator, call)
    const [request, answer] = call
    if (request.version >= 1) answer.writeInt32(0)
    answer.writeInt16(errorCode)
    if (request.version >= 1) answer.writeString(null)
    answer.writeInt32(-1).writeString('').writeInt32(-1)
    each()
    return undefined
  })
  return () => asked
}

describe('the group’s coordinator', () => {
  test('is GROUP_REFUSED if the user may not read the group', async (t) => {
    const { stream } = await open(t)
    const asked = refuseCoordinator(t, 30, 1)
    await assert.rejects(stream.committed(), {
      code: 'GROUP_REFUSED',
      retryable: false,
      message: /refuses the consumer group dtsemulated0sid \(GROUP_AUTHORIZATION_FAILED\)/,
      facts: { group: 'dtsemulated0sid' },
    })
    assert.equal(asked(), 1)
  })

  test('fails at once with any other error', async (t) => {
    const { stream } = await open(t)
    const asked = refuseCoordinator(t, 42, 9)
    await assert.rejects(stream.committed(), {
      code: 'BROKER_FAILED',
      retryable: true,
      message: /failed at group coordinator/,
    })
    assert.equal(asked(), 1)
  })

  for (const [name, errorCode] of [
    ['GROUP_LOAD_IN_PROGRESS', 14],
    ['GROUP_COORDINATOR_NOT_AVAILABLE', 15],
  ] as const) {
    test(`is requested again for 3.1 seconds after ${name}, and no longer`, async (t) => {
      const { stream } = await open(t)
      const asked = refuseCoordinator(t, errorCode, 1_000)
      t.mock.timers.enable({ apis: ['setTimeout'] })
      // Modules that import a timer by name see the mock only after this call.
      syncBuiltinESMExports()
      let code: string | null = null
      const committed = stream.committed().catch((error: DtsError) => {
        code = error.code
      })
      // The clock advances only here. The pauses are 0.1, 0.2, 0.4, 0.8 and 1.6 seconds.
      for (let step = 0; code === null && step < 20_000; step++) {
        await setImmediate()
        t.mock.timers.tick(5)
      }
      t.mock.timers.reset()
      syncBuiltinESMExports()
      await committed
      assert.deepEqual([code, asked()], ['BROKER_FAILED', 6])
    })
  }

  test('is requested for a group, and gets commits with the broker’s own retention', async (t) => {
    const { stream } = await open(t, [], { versionCeilings: kafka011Ceilings })
    const seen: unknown[] = []
    const look = (api: Api, read: (request: Request) => unknown) => {
      const handle = api.handle
      t.mock.method(api, 'handle', (...[request, ...rest]: Parameters<Handler>) => {
        const at = request.body.offset
        seen.push(read(request))
        request.body.offset = at
        return handle.call(api, request, ...rest)
      })
    }
    look(findCoordinator, ({ body }) => [body.readText(), body.readInt8()])
    look(offsetCommit, ({ body }) => [body.readText(), body.readInt32(), body.readText(), body.readInt64()])
    await stream.commit(1n, 1000, 1)
    assert.deepEqual(seen, [
      ['dtsemulated0sid', 0],
      ['dtsemulated0sid', -1, '', -1n],
    ])
  })

  test('on the node itself uses the node’s connection', async (t) => {
    const { store, stream } = await open(t)
    await stream.commit(1n, 1000, 1)
    await stream.committed()
    assert.deepEqual(store.counters.connectionsAccepted, { proxy: 0, node: 1 })
  })

  test('on another node gets one connection, which closes with the stream', async (t) => {
    const { store, stream } = await open(t)
    const other = await startStore(t)
    store.advertise(other.store.advertised)
    await stream.commit(1n, 1000, 1)
    await stream.commit(2n, 1001, 1)
    assert.equal((await stream.committed())?.offset, 2n)
    assert.deepEqual([store.counters.commits, other.store.counters.commits], [0, 2])
    assert.deepEqual(other.store.counters.connectionsAccepted, { proxy: 0, node: 1 })
    assert.equal(store.requests.FindCoordinator, 1)
    await stream.close()
    await other.store.disconnected()
  })

  test('is not requested again after the stream was closed', async (t) => {
    const { stream } = await open(t)
    const asked = refuseCoordinator(t, 15, 1_000, () => void stream.close())
    await assert.rejects(stream.committed(), { code: 'BROKER_FAILED' })
    assert.equal(asked(), 1)
  })

  test('is NODE_UNREACHABLE if it cannot be reached', async (t) => {
    const { store, stream } = await open(t)
    store.advertise({ host: '127.0.0.1', port: await freePort() })
    await assert.rejects(stream.commit(1n, 1000, 1), {
      code: 'NODE_UNREACHABLE',
      message: /answers and names 127\.0\.0\.1:\d+ as the node/,
    })
  })
})
