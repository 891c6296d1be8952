import { randomUUID } from 'node:crypto'
import { DStore } from '../../infra/local/dstore/dstore.ts'
import type { DStoreOptions } from '../../infra/local/dstore/options.ts'
import { freePort } from '../../infra/local/ports.ts'
import type { Source } from './parts.ts'

interface Options {
  readonly partitions: number
}

/** The DStore emulator as DTS: times in seconds, and the group is the sid. */
export function startDStoreSource(options: Options): Promise<Source> {
  return startSource(options, {})
}

/** The DStore emulator as a plain Kafka topic in DTS format: times in milliseconds, any group. */
export function startPlainSource(options: Options): Promise<Source> {
  return startSource(options, { sid: null, timeUnit: 'milliseconds' })
}

async function startSource({ partitions }: Options, kind: DStoreOptions): Promise<Source> {
  const dstore = new DStore({ topic: `topic-${randomUUID()}`, proxy: true, partitions, ...kind })
  const bootstrap = await dstore.start()
  const group = dstore.sid ?? 'readers'
  return {
    bootstrap,
    topic: dstore.topic,
    get clusterId() {
      return dstore.clusterId
    },
    environment: {
      DTS_BROKER_URL: `${bootstrap.host}:${bootstrap.port}`,
      DTS_TOPIC: dstore.topic,
      ...(dstore.sid === null ? { DTS_GROUP: group } : { DTS_SID: group }),
      DTS_USER: dstore.user,
      DTS_PASSWORD: dstore.password,
    },
    get nodeConnections() {
      return dstore.counters.connectionsAccepted.node
    },
    async append(records, partition = 0) {
      if (partition !== 0) throw new Error('The emulator has records in partition 0 only.')
      await dstore.append(records)
    },
    async switchCluster(records) {
      await dstore.switchCluster({ firstOffset: 0n, keep: () => false })
      await dstore.append(records)
    },
    async replaceLog(records) {
      await dstore.switchCluster({ clusterId: dstore.clusterId, firstOffset: 0n, keep: () => false })
      await dstore.append(records)
    },
    async trim(beforeOffset) {
      dstore.trim({ beforeOffset })
    },
    range: async () => dstore.range,
    committed: async () => dstore.committed(group) ?? null,
    async hideNode() {
      dstore.advertise({ host: bootstrap.host, port: await freePort() })
    },
    stop: () => dstore.stop(),
  }
}
