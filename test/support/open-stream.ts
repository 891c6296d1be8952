import type { TestContext } from 'node:test'
import { DStore, type DStoreOptions } from '../../infra/local/dstore/dstore.ts'
import { pollConfig } from '../../lib/config.ts'
import { openStream } from '../../lib/kafka/open-stream.ts'
import type { NewRecord } from './parts.ts'

/** A stream of these records from an emulator. Both end with the test. */
export async function open(t: TestContext, records: readonly NewRecord[], options: DStoreOptions = {}) {
  const store = new DStore(options)
  const { host, port } = await store.start()
  t.after(() => store.stop())
  await store.append(records)
  const config = pollConfig({
    ROUTES: '{}',
    DTS_BROKER_URL: `${host}:${port}`,
    DTS_TOPIC: store.topic,
    ...(store.sid === null ? { DTS_GROUP: 'readers' } : { DTS_SID: store.sid }),
    DTS_USER: store.user,
    DTS_PASSWORD: store.password,
    CHECKPOINT_TABLE: 'unused',
  })
  const stream = await openStream(config, { username: store.userName, password: store.password })
  t.after(() => stream.close())
  return { store, stream }
}
