import type { TestContext } from 'node:test'
import { type Address, DStore, type DStoreOptions } from '../../../infra/local/dstore/dstore.ts'
import { pollConfig } from '../../../lib/config.ts'
import { openStream } from '../../../lib/kafka/open-stream.ts'

export const bounds = { maxBytes: 1 << 20, maxWaitMs: 0 }

/**
 * An emulator, and a function that opens a stream on it.
 * @param node the address that Metadata names instead of the emulator's own node
 */
export async function startStore(
  t: TestContext,
  options: DStoreOptions = {},
  variables: Record<string, string> = {},
  node?: Address,
) {
  const store = new DStore(options)
  const { host, port } = await store.start()
  t.after(() => store.stop())
  if (node !== undefined) store.advertise(node)
  const config = pollConfig({
    ROUTES: '{}',
    DTS_BROKER_URL: `${host}:${port}`,
    DTS_TOPIC: store.topic,
    ...(store.sid === null ? { DTS_GROUP: 'readers' } : { DTS_SID: store.sid }),
    DTS_USER: store.user,
    DTS_PASSWORD: store.password,
    CHECKPOINT_TABLE: 'unused',
    DEPLOYMENT_SERVICE: 'shop',
    DEPLOYMENT_STAGE: 'prod',
    ...variables,
  })
  const connect = async () => {
    const stream = await openStream(config, { username: store.userName, password: store.password })
    t.after(() => stream.close())
    return stream
  }
  return { store, connect }
}

export async function open(
  t: TestContext,
  ...how: Parameters<typeof startStore> extends [unknown, ...infer Rest] ? Rest : never
) {
  const { store, connect } = await startStore(t, ...how)
  return { store, stream: await connect() }
}

/** One record per second, from second 1000. */
export const records = (count: number, bytes = 10, from = 0) =>
  Array.from({ length: count }, (_, i) => ({
    value: Buffer.alloc(bytes, from + i),
    timestamp: 1000 + from + i,
  }))
