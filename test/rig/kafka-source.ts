import { randomUUID } from 'node:crypto'
import { type Admin, Kafka, logLevel } from 'kafkajs'
import { freePort } from '../../infra/local/ports.ts'
import type { NewRecord, Source } from '../support/parts.ts'
import { type KafkaBroker, type KafkaRelease, startKafka } from './kafka.ts'
import { type ProxyTarget, startProxy, type Proxy as TcpProxy } from './proxy.ts'

/** Real brokers at two addresses that stay the same: one as bootstrap, one as the node. Both are TCP proxies. */
export interface KafkaSources {
  /** A new topic on the current broker. */
  start(options: { readonly partitions: number }): Promise<Source>
  stop(): Promise<void>
}

const group = 'dts-functions-test'
/** A broker refuses a batch above a megabyte. Records of these tests have about 200 bytes. */
const mostInBatch = 2_000

/** A topic takes records that are too large for an invocation of Lambda, as the topics of DTS do. */
const largeMessages = { 'max.message.bytes': '8000000' }

/**
 * @param clusters how many brokers start before the first topic. A cluster switch takes the next one: a test does not wait
 * for a Java process. A topic that changes its cluster that often meets a cluster id again, with an empty topic.
 */
export function kafkaSources(release: KafkaRelease, clusters: number): KafkaSources {
  let running: Promise<Running> | undefined
  return {
    async start({ partitions }) {
      running ??= startAll(release, clusters)
      const source = new KafkaSource(await running)
      await source.create(partitions)
      return source
    },
    async stop() {
      const all = await running
      await Promise.all([all?.bootstrap.stop(), all?.node.stop()])
      await Promise.all(all?.brokers.map((broker) => broker.stop()) ?? [])
    },
  }
}

/** What all topics share. */
interface Running {
  /** The first one answers at both addresses. A cluster switch makes it the last one. */
  readonly brokers: KafkaBroker[]
  readonly bootstrap: TcpProxy
  node: TcpProxy
  /** The node's proxy is stopped, so the node in Metadata is unreachable. */
  nodeHidden: boolean
}

async function startAll(release: KafkaRelease, clusters: number): Promise<Running> {
  const nodePort = await freePort()
  const starts = Array.from({ length: clusters }, () =>
    startKafka({ release, sasl: true, advertisedPort: nodePort }),
  )
  const brokers = await Promise.all(starts)
  const target = targetOf(brokers)
  const [bootstrap, node] = await Promise.all([startProxy(target), startProxy(target, nodePort)])
  return { brokers, bootstrap, node, nodeHidden: false }
}

/** The first of the brokers, at the time of each new connection. */
function targetOf(brokers: readonly KafkaBroker[]): ProxyTarget {
  return {
    host: '127.0.0.1',
    get port() {
      return currentOf(brokers).port
    },
  }
}

function currentOf([first]: readonly KafkaBroker[]): KafkaBroker {
  if (first === undefined) throw new Error('No broker was started.')
  return first
}

class KafkaSource implements Source {
  readonly #running: Running
  readonly topic = `topic-${randomUUID()}`

  constructor(running: Running) {
    this.#running = running
  }

  get bootstrap() {
    const { host, port } = this.#running.bootstrap
    return { host, port }
  }

  get clusterId() {
    return this.#broker.clusterId
  }

  get environment() {
    const { host, port } = this.#running.bootstrap
    return {
      DTS_BROKER_URL: `${host}:${port}`,
      DTS_TOPIC: this.topic,
      DTS_GROUP: group,
      DTS_USER: this.#broker.user,
      DTS_PASSWORD: this.#broker.password,
    }
  }

  get nodeConnections() {
    return this.#running.node.accepted
  }

  create(partitions: number): Promise<void> {
    return this.#broker.createTopic(this.topic, { partitions, config: largeMessages })
  }

  async append(records: readonly NewRecord[], partition = 0): Promise<void> {
    const producer = this.#client().producer()
    await producer.connect()
    try {
      const messages = records.map(({ value, timestamp }) => ({
        value,
        timestamp: String(timestamp * 1000),
        partition,
      }))
      for (let at = 0; at < messages.length; at += mostInBatch) {
        await producer.send({ topic: this.topic, messages: messages.slice(at, at + mostInBatch) })
      }
    } finally {
      await producer.disconnect()
    }
  }

  async switchCluster(records: readonly NewRecord[]): Promise<void> {
    const { brokers, bootstrap, node } = this.#running
    if (brokers.length < 2)
      throw new Error('A cluster switch needs a second cluster: kafkaSources(release, 2).')
    brokers.push(...brokers.splice(0, 1))
    bootstrap.drop()
    node.drop()
    await this.create(1)
    await this.append(records)
  }

  async replaceLog(records: readonly NewRecord[]): Promise<void> {
    await this.create(1)
    await this.append(records)
  }

  async trim(beforeOffset: bigint): Promise<void> {
    const partitions = [{ partition: 0, offset: String(beforeOffset) }]
    await this.#admin(async (admin) => {
      // kafkajs deletes records only after it has looked up the topic's leader.
      await admin.fetchTopicOffsets(this.topic)
      await admin.deleteTopicRecords({ topic: this.topic, partitions })
    })
  }

  async range() {
    const [found] = await this.#admin((admin) => admin.fetchTopicOffsets(this.topic))
    if (found === undefined) throw new Error(`The topic ${this.topic} has no partition.`)
    return { earliest: BigInt(found.low), end: BigInt(found.high) }
  }

  async committed() {
    const [found] = await this.#admin((admin) => admin.fetchOffsets({ groupId: group, topics: [this.topic] }))
    const partition = found?.partitions[0]
    if (partition === undefined || partition.offset === '-1') return null
    return { offset: BigInt(partition.offset), metadata: partition.metadata }
  }

  async hideNode(): Promise<void> {
    this.#running.nodeHidden = true
    await this.#running.node.stop()
  }

  /** Keeps the broker for the next topic and makes its node reachable again. */
  async stop(): Promise<void> {
    const running = this.#running
    if (!running.nodeHidden) return
    running.node = await startProxy(targetOf(running.brokers), running.node.port)
    running.nodeHidden = false
  }

  get #broker(): KafkaBroker {
    return currentOf(this.#running.brokers)
  }

  async #admin<Result>(work: (admin: Admin) => Promise<Result>): Promise<Result> {
    const admin = this.#client().admin()
    await admin.connect()
    try {
      return await work(admin)
    } finally {
      await admin.disconnect()
    }
  }

  #client(): Kafka {
    const { user: username, password } = this.#broker
    return new Kafka({
      brokers: [this.environment.DTS_BROKER_URL],
      clientId: 'test',
      sasl: { mechanism: 'plain', username, password },
      ssl: false,
      logLevel: logLevel.NOTHING,
      retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 20 },
    })
  }
}
