import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { newClusterId } from '../../infra/local/dstore/options.ts'
import { freePort } from '../../infra/local/ports.ts'
import '../../lib/kafka/patch-request-queue.ts'
import { scratchDirectory, startProcess, whenReady } from './process.ts'
import { jars, javaCommand } from './tools.ts'
import { sessionMilliseconds, startZooKeeper } from './zookeeper.ts'

/** `era`: 2.8, the age of the protocol that DTS speaks. `current`: 4.x, which dropped the oldest request versions. */
export type KafkaRelease = 'era' | 'current'

export interface KafkaOptions {
  readonly release: KafkaRelease
  /** SASL/PLAIN on the client listener, with the one user `user`; without it, plain text. */
  readonly sasl: boolean
  /** The port in Metadata, for a proxy or an unreachable node. Default: the client port. */
  readonly advertisedPort?: number
  /** Broker settings by Kafka's names. They override the rig's own. */
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
  /**
   * Creates an empty topic through the internal listener and waits until its partitions have leaders. A topic of that name
   * is deleted first, with the commits to it.
   */
  createTopic(name: string, options?: TopicOptions): Promise<void>
  /** Sends a signal to the broker: SIGSTOP freezes it, SIGCONT resumes it, SIGKILL ends it. */
  kill(signal: NodeJS.Signals): void
  /** Ends the broker at once and deletes its data. */
  stop(): Promise<void>
}

const host = '127.0.0.1'
const user = 'dtsuser-sid1'
const password = 'rig-password'

const commonSettings = {
  'inter.broker.listener.name': 'INTERNAL',
  'listener.name.client.sasl.enabled.mechanisms': 'PLAIN',
  'listener.name.client.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required user_${user}="${password}";`,
  // Like DTS: no topic is created automatically.
  'auto.create.topics.enable': 'false',
  // Test records may have any time. None expires, and none is refused because its time is in the future.
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
  const { release, sasl } = options
  const name = `Apache Kafka (${release})`
  const java = javaCommand()
  const libraries = await jars(`maven/kafka-${release}`)
  const port = await freePort()
  const internalPort = await freePort()
  const controllerPort = await freePort()
  // 2.8 without ZooKeeper is an early version without transactions.
  const zooKeeper = release === 'era' ? await startZooKeeper(libraries) : undefined

  const scratch = scratchDirectory(`kafka-${release}`)
  const data = join(scratch, 'data')
  const clientListener = `CLIENT://${host}:${port}`
  const internalListener = `INTERNAL://${host}:${internalPort}`
  const protocols = `CLIENT:${sasl ? 'SASL_PLAINTEXT' : 'PLAINTEXT'},INTERNAL:PLAINTEXT`
  const roleSettings = zooKeeper
    ? {
        'broker.id': '1',
        'zookeeper.connect': zooKeeper.address,
        // ZooKeeper starts at the same time. The broker waits for it.
        'zookeeper.connection.timeout.ms': '90000',
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
    // The file that `kafka-storage format` writes. Writing it here saves the start of another Java process.
    mkdirSync(data)
    writeFileSync(join(data, 'meta.properties'), `version=1\ncluster.id=${newClusterId()}\nnode.id=1\n`)
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

  let clusterId = ''
  try {
    await whenReady(name, broker, async () => {
      // All listeners open together. Through the client listener, kafkajs would follow the advertised port: a test may
      // have no listener there, or a proxy that counts connections.
      const admin = inside.admin({ retry: { retries: 0 } })
      try {
        await admin.connect()
        const cluster = await admin.describeCluster()
        if (cluster.brokers.length !== 1) throw new Error(`it knows ${cluster.brokers.length} brokers`)
        // The first request to a consumer group creates the topic of all commits. Until then commits are refused.
        await admin.fetchOffsets({ groupId: 'rig' })
        clusterId = cluster.clusterId
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
        const topics = [{ topic, numPartitions: partitions, configEntries }]
        // The broker deletes in the background. It refuses a topic of the same name until then.
        const create = () => admin.createTopics({ topics, waitForLeaders: false })
        for (let tries = 0; !(await create()); tries++) {
          if (tries === 200) throw new Error(`The topic ${topic} is still there.`)
          if (tries === 0) await admin.deleteTopics({ topics: [topic] })
          await sleep(50)
        }
        await whenReady(`${name}, ${topic}`, broker, async () => {
          const found = await admin.fetchTopicMetadata({ topics: [topic] })
          const led = found.topics[0]?.partitions.filter(({ leader }) => leader !== -1)
          if (led?.length !== partitions)
            throw new Error(`${led?.length ?? 0} of its partitions have a leader`)
        })
      } finally {
        await admin.disconnect()
      }
    },
    kill: broker.kill,
    stop,
  }
}
