import { createServer } from 'node:net'

const first = 15_000
const last = 32_000
let next = first + Math.floor(Math.random() * (last - first))

/**
 * A free TCP port on 127.0.0.1. It lies below the range that Linux uses for outgoing connections, so that it stays free for
 * a server that takes it later.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = next
    next = next >= last ? first : next + 1
    if (await isFree(port)) return port
  }
  throw new Error(`No free TCP port among 200 tried between ${first} and ${last} on 127.0.0.1.`)
}

/** Whether a server can listen on 127.0.0.1:`port` now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
