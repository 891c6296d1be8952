import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export interface ProxyTarget {
  readonly host: string
  readonly port: number
}

export interface Proxy {
  readonly host: string
  readonly port: number
  /** Open connections from clients. */
  readonly connections: number
  /** Connections from clients since the start. */
  readonly accepted: number
  /** Bytes from the target that were dropped. */
  readonly swallowed: number
  /** Resets all connections and accepts new ones. @returns the number of connections that were reset */
  drop(): number
  /** Holds all bytes in both directions until `resume()`. Connections stay open, and no byte is lost. */
  pause(): void
  resume(): void
  /**
   * While true, requests reach the target and its replies are dropped.
   * @param from recognises the first chunk to drop; all later ones are dropped too. Default: the next chunk
   */
  blackholeReplies(on: boolean, from?: (bytes: Buffer) => boolean): void
  stop(): Promise<void>
}

/** Starts a TCP proxy on loopback in front of `target`, on `port` or a free one. */
export async function startProxy(target: ProxyTarget, port = 0): Promise<Proxy> {
  const pairs = new Set<{ client: Socket; server: Socket }>()
  let accepted = 0
  let swallowed = 0
  let paused = false
  let blackhole = false
  let blackholeFrom: ((bytes: Buffer) => boolean) | null = null

  const listener = createServer((client) => {
    accepted++
    const server = connect(target.port, target.host)
    const pair = { client, server }
    pairs.add(pair)
    client.on('data', (chunk) => {
      if (!server.write(chunk)) client.pause()
    })
    server.on('data', (chunk) => {
      blackhole ||= blackholeFrom?.(chunk) ?? false
      if (blackhole) swallowed += chunk.length
      else if (!client.write(chunk)) server.pause()
    })
    client.on('drain', () => paused || server.resume())
    server.on('drain', () => paused || client.resume())
    client.on('end', () => server.end())
    server.on('end', () => client.end())
    const close = () => {
      pairs.delete(pair)
      client.destroy()
      server.destroy()
    }
    for (const socket of [client, server]) socket.on('error', close).on('close', close)
    if (paused) hold(pair)
  })
  listener.listen(port, '127.0.0.1')
  await once(listener, 'listening')
  const address = listener.address()
  if (address === null || typeof address === 'string') throw new Error('The proxy has no TCP address.')

  function hold({ client, server }: { client: Socket; server: Socket }) {
    client.pause()
    server.pause()
  }
  function drop() {
    const cut = pairs.size
    for (const { client, server } of pairs) {
      // Node leaks a socket that is reset while its end is still being sent: the peer never notices, and this process
      // never ends.
      if (client.writableEnded) client.destroy()
      else client.resetAndDestroy()
      server.destroy()
    }
    pairs.clear()
    return cut
  }

  return {
    host: '127.0.0.1',
    port: address.port,
    get connections() {
      return pairs.size
    },
    get accepted() {
      return accepted
    },
    get swallowed() {
      return swallowed
    },
    drop,
    pause() {
      paused = true
      for (const pair of pairs) hold(pair)
    },
    resume() {
      paused = false
      for (const { client, server } of pairs) {
        client.resume()
        server.resume()
      }
    },
    blackholeReplies(on, from = () => true) {
      blackhole = false
      blackholeFrom = on ? from : null
    },
    async stop() {
      const closed = once(listener, 'close')
      listener.close()
      drop()
      await closed
    },
  }
}
