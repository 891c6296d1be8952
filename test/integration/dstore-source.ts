import { randomUUID } from 'node:crypto'
import { DStore } from '../../infra/local/dstore/dstore.ts'
import { freePort } from '../../infra/local/ports.ts'
import type { Source } from './parts.ts'

/** The DStore emulator: times in seconds, the group is the sid. */
export async function startDStoreSource({ partitions }: { readonly partitions: number }): Promise<Source> {
  const dstore = new DStore({ topic: `topic-${randomUUID()}`, proxy: true, partitions })
  const bootstrap = await dstore.start()
  const sid = dstore.sid ?? ''
  return {
    bootstrap,
    topic: dstore.topic,
    get clusterId() {
      return dstore.clusterId
    },
    environment: {
      DTS_BROKER_URL: `${bootstrap.host}:${bootstrap.port}`,
      DTS_TOPIC: dstore.topic,
      DTS_SID: sid,
      DTS_USER: dstore.user,
      DTS_PASSWORD: dstore.password,
    },
    get nodeConnections() {
      return dstore.counters.connectionsAccepted.node
    },
    async append(records) {
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
    committed: async () => dstore.committed(sid) ?? null,
    async hideNode() {
      dstore.advertise({ host: bootstrap.host, port: await freePort() })
    },
    stop: () => dstore.stop(),
  }
}
