import { createServer } from 'node:net'

const first = 15_000
const last = 32_000
let next = first + Math.floor(Math.random() * (last - first))

/**
 * A TCP port on 127.0.0.1 that nothing listens on. It lies below the range that Linux hands out to outgoing
 * connections, so that it is still free when a second server takes it over later.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = next
    next = next >= last ? first : next + 1
    if (await isFree(port)) return port
  }
  throw new Error(`No free TCP port among 200 tried between ${first} and ${last} on 127.0.0.1.`)
}

/** True when 127.0.0.1:`port` can be listened on now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
