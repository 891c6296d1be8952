import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Admin, Kafka, logLevel } from 'kafkajs'
import { freePort } from '../../infra/local/ports.ts'
import type { NewRecord, Source } from '../support/parts.ts'
import { type KafkaBroker, type KafkaRelease, startKafka } from './kafka.ts'
import { startProxy, type Proxy as TcpProxy } from './proxy.ts'

/** A real Apache Kafka with two addresses: its own as bootstrap, a TCP proxy's as the node. */
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

export function kafkaSources(release: KafkaRelease): KafkaSources {
  let running: Promise<Running> | undefined
  return {
    async start({ partitions }) {
      running ??= startFirst(release)
      const current = await running
      const topic = `topic-${randomUUID()}`
      await current.broker.createTopic(topic, { partitions, config: largeMessages })
      return new KafkaSource(current, topic)
    },
    async stop() {
      const current = await running
      await current?.proxy.stop()
      await current?.broker.stop()
    },
  }
}

/** State that all topics share. A cluster switch replaces it in place. */
interface Running {
  broker: KafkaBroker
  proxy: TcpProxy
  readonly nodePort: number
  /** The proxy is stopped, so the node in Metadata is unreachable. */
  nodeHidden: boolean
}

async function startFirst(release: KafkaRelease): Promise<Running> {
  const nodePort = await freePort()
  const broker = await startKafka({ release, sasl: true, advertisedPort: nodePort })
  return { broker, proxy: await startProxy(broker, nodePort), nodePort, nodeHidden: false }
}

class KafkaSource implements Source {
  readonly #running: Running
  readonly topic: string

  constructor(running: Running, topic: string) {
    this.#running = running
    this.topic = topic
  }

  get bootstrap() {
    const { host, port } = this.#running.broker
    return { host, port }
  }

  get clusterId() {
    return this.#running.broker.clusterId
  }

  get environment() {
    const { broker } = this.#running
    return {
      DTS_BROKER_URL: broker.bootstrap,
      DTS_TOPIC: this.topic,
      DTS_GROUP: group,
      DTS_USER: broker.user,
      DTS_PASSWORD: broker.password,
    }
  }

  get nodeConnections() {
    return this.#running.proxy.accepted
  }

  async append(records: readonly NewRecord[]): Promise<void> {
    const producer = this.#client().producer()
    await producer.connect()
    try {
      const messages = records.map(({ value, timestamp }) => ({
        value,
        timestamp: String(timestamp * 1000),
        partition: 0,
      }))
      for (let at = 0; at < messages.length; at += mostInBatch) {
        await producer.send({ topic: this.topic, messages: messages.slice(at, at + mostInBatch) })
      }
    } finally {
      await producer.disconnect()
    }
  }

  async switchCluster(records: readonly NewRecord[]): Promise<void> {
    const { broker, nodePort } = this.#running
    const { release, port } = broker
    await broker.stop()
    this.#running.proxy.drop()
    this.#running.broker = await startKafka({ release, sasl: true, port, advertisedPort: nodePort })
    await this.#running.broker.createTopic(this.topic, { config: largeMessages })
    await this.append(records)
  }

  async replaceLog(records: readonly NewRecord[]): Promise<void> {
    await this.#admin(async (admin) => {
      await admin.deleteTopics({ topics: [this.topic] })
      // The broker deletes in the background. It refuses a topic of the same name until then.
      for (
        let tries = 0;
        !(await admin.createTopics({ topics: [{ topic: this.topic }], waitForLeaders: false }));
        tries++
      ) {
        if (tries === 200) throw new Error(`The topic ${this.topic} is still there.`)
        await sleep(50)
      }
    })
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
    await this.#running.proxy.stop()
  }

  /** Keeps the broker for the next topic and makes its node reachable again. */
  async stop(): Promise<void> {
    const running = this.#running
    if (!running.nodeHidden) return
    running.proxy = await startProxy(running.broker, running.nodePort)
    running.nodeHidden = false
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
    const { bootstrap, user: username, password } = this.#running.broker
    return new Kafka({
      brokers: [bootstrap],
      clientId: 'test',
      sasl: { mechanism: 'plain', username, password },
      ssl: false,
      logLevel: logLevel.NOTHING,
      retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 20 },
    })
  }
}
