import type { TestContext } from 'node:test'
import { type Address, DStore, type DStoreOptions } from '../../infra/local/dstore/dstore.ts'
import { openStream } from '../../lib/kafka/open-stream.ts'
import type { NewRecord } from './parts.ts'
import { testConfig } from './test-config.ts'

/**
 * An emulator, and a function that opens a stream on it. Both end with the test.
 * @param variables change the configuration of the stream
 * @param node the address that Metadata names instead of the emulator's own node
 */
export async function startStore(
  t: TestContext,
  options: DStoreOptions = {},
  variables: Readonly<Record<string, string>> = {},
  node?: Address,
) {
  const store = new DStore(options)
  const { host, port } = await store.start()
  t.after(() => store.stop())
  if (node !== undefined) store.advertise(node)
  const config = testConfig({
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

/** A stream of these records. @param how as for `startStore` */
export async function open(
  t: TestContext,
  records: readonly NewRecord[] = [],
  ...how: Parameters<typeof startStore> extends [unknown, ...infer Rest] ? Rest : never
) {
  const { store, connect } = await startStore(t, ...how)
  await store.append(records)
  return { store, stream: await connect() }
}
