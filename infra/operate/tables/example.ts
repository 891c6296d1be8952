import { readerConfig } from '../../../lib/config.ts'
import { streamOpener } from '../../../lib/connect/clients.ts'
import { DStore } from '../../local/dstore/dstore.ts'
import { Shop } from '../../local/shop.ts'
import type { Source } from './source.ts'

const seconds = 1_790_000_000

/** Some thousand changes of the shop that `npm start` plays, in an emulated DStore. */
export async function openExample(): Promise<Source> {
  const store = new DStore()
  const { host, port } = await store.start()
  const shop = new Shop()
  await store.append(Array.from({ length: 1_500 }, (_, at) => shop.transaction(seconds + at)).flat())
  const config = readerConfig({
    DTS_BROKER_URL: `${host}:${port}`,
    DTS_TOPIC: store.topic,
    DTS_SID: store.sid ?? '',
    DTS_USER: store.user,
    DTS_PASSWORD: store.password,
  })
  const stream = await streamOpener(config)
    .open()
    .catch(async (error: unknown) => {
      await store.stop()
      throw error
    })
  return {
    stream,
    isExample: true,
    async close() {
      await stream.close()
      await store.stop()
    },
  }
}
