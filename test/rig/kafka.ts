import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { newClusterId } from '../../infra/local/dstore/options.ts'
import { freePort } from '../../infra/local/ports.ts'
import '../../lib/kafka/request-queue.ts'
import { scratchDirectory, startProcess, whenReady } from './process.ts'
import { jars, javaCommand } from './tools.ts'
import { sessionMilliseconds, startZooKeeper } from './zookeeper.ts'

/** `era`: 2.8, as old as what DTS speaks. `current`: 4.x, which has dropped the oldest request versions. */
export type KafkaRelease = 'era' | 'current'

export interface KafkaOptions {
  readonly release: KafkaRelease
  /** SASL/PLAIN on the client listener, with the one user `user`; without it, plain text. */
  readonly sasl: boolean
  /** The port that clients use, for a broker that takes over another one's address; any free one by default. */
  readonly port?: number
  /** The port that Metadata names, for a proxy or a node that cannot be reached; by default `port`. */
  readonly advertisedPort?: number
  /** As made by `newClusterId()`, which is the default. */
  readonly clusterId?: string
  /** Broker settings by Kafka's names, in the place of the rig's own. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface TopicOptions {
  /** 1 by default. */
  readonly partitions?: number
  /** Topic settings by Kafka's names, such as `max.message.bytes`. */
  readonly config?: Readonly<Record<string, string>>
}

export interface KafkaBroker {
  /** `host:port` of the client listener. */
  readonly bootstrap: string
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly clusterId: string
  readonly release: KafkaRelease
  readonly pid: number
  /** Creates a topic, not through the client listener or a proxy, and waits until its partitions have leaders. */
  createTopic(name: string, options?: TopicOptions): Promise<void>
  /** Sends a signal to the broker: SIGSTOP freezes it, SIGCONT wakes it up, SIGKILL ends it. */
  kill(signal: NodeJS.Signals): void
  /** Ends the broker at once and throws its data away. */
  stop(): Promise<void>
}

const host = '127.0.0.1'
const user = 'dtsuser-sid1'
const password = 'rig-password'

const commonSettings = {
  'inter.broker.listener.name': 'INTERNAL',
  'listener.name.client.sasl.enabled.mechanisms': 'PLAIN',
  'listener.name.client.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required user_${user}="${password}";`,
  // Like DTS: a topic exists or it does not.
  'auto.create.topics.enable': 'false',
  // Records of a test may carry any time: none expires, and none is refused for lying in the future.
  'log.retention.ms': '-1',
  'log.message.timestamp.after.max.ms': '9223372036854775807',
  'offsets.topic.num.partitions': '1',
  'offsets.topic.replication.factor': '1',
  'transaction.state.log.num.partitions': '1',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'group.initial.rebalance.delay.ms': '0',
}

/** Starts one Apache Kafka broker with an empty log. */
export async function startKafka(options: KafkaOptions): Promise<KafkaBroker> {
  const { release, sasl, clusterId = newClusterId() } = options
  const name = `Apache Kafka (${release})`
  const java = javaCommand()
  const libraries = await jars(`maven/kafka-${release}`)
  const port = options.port ?? (await freePort())
  const internalPort = await freePort()
  const controllerPort = await freePort()
  // 2.8 without ZooKeeper is an early version that knows no transactions.
  const zooKeeper = release === 'era' ? await startZooKeeper(libraries, clusterId) : undefined

  const scratch = scratchDirectory(`kafka-${release}`)
  const data = join(scratch, 'data')
  const clientListener = `CLIENT://${host}:${port}`
  const internalListener = `INTERNAL://${host}:${internalPort}`
  const protocols = `CLIENT:${sasl ? 'SASL_PLAINTEXT' : 'PLAINTEXT'},INTERNAL:PLAINTEXT`
  const roleSettings = zooKeeper
    ? {
        'broker.id': '1',
        'zookeeper.connect': zooKeeper.address,
        'zookeeper.session.timeout.ms': String(sessionMilliseconds),
        listeners: `${clientListener},${internalListener}`,
        'listener.security.protocol.map': protocols,
      }
    : {
        'node.id': '1',
        'process.roles': 'broker,controller',
        'controller.quorum.voters': `1@${host}:${controllerPort}`,
        'controller.listener.names': 'CONTROLLER',
        'broker.session.timeout.ms': String(sessionMilliseconds),
        listeners: `${clientListener},${internalListener},CONTROLLER://${host}:${controllerPort}`,
        'listener.security.protocol.map': `${protocols},CONTROLLER:PLAINTEXT`,
      }
  const settings = {
    ...commonSettings,
    ...roleSettings,
    'log.dirs': data,
    'advertised.listeners': `CLIENT://${host}:${options.advertisedPort ?? port},${internalListener}`,
    ...options.settings,
  }
  const file = join(scratch, 'server.properties')
  writeFileSync(
    file,
    Object.entries(settings)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  )
  if (zooKeeper === undefined) {
    // What `kafka-storage format` writes; writing it here saves the start of one more Java process.
    mkdirSync(data)
    writeFileSync(join(data, 'meta.properties'), `version=1\ncluster.id=${clusterId}\nnode.id=1\n`)
  }

  const flags = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
  const logging = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'
  const args = [...flags, logging, '-cp', join(libraries, '*'), 'kafka.Kafka', file]
  const broker = startProcess({ name, command: java, args, scratch })
  const stop = async () => {
    await broker.stop()
    await zooKeeper?.stop()
  }

  const quiet = { logLevel: logLevel.NOTHING, connectionTimeout: 2_000 }
  const inside = new Kafka({ ...quiet, brokers: [`${host}:${internalPort}`] })

  try {
    await whenReady(name, broker, async () => {
      // All listeners open together. On the client listener kafkajs would follow the advertised port, where a
      // test may have nothing, or a proxy whose connections it counts.
      const admin = inside.admin({ retry: { retries: 0 } })
      try {
        await admin.connect()
        const cluster = await admin.describeCluster()
        if (cluster.clusterId !== clusterId || cluster.brokers.length !== 1) {
          throw new Error(`cluster ${cluster.clusterId} with ${cluster.brokers.length} brokers answers`)
        }
      } finally {
        await admin.disconnect()
      }
    })
  } catch (error) {
    await stop()
    throw error
  }

  return {
    bootstrap: `${host}:${port}`,
    host,
    port,
    user,
    password,
    clusterId,
    release,
    pid: broker.pid,
    async createTopic(topic, { partitions = 1, config = {} } = {}) {
      const admin = inside.admin()
      await admin.connect()
      try {
        const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
        await admin.createTopics({ topics: [{ topic, numPartitions: partitions, configEntries }] })
      } finally {
        await admin.disconnect()
      }
    },
    kill: broker.kill,
    stop,
  }
}
