import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'

/** A proxy to a local HTTP server that a test can watch and cut, request by request. */
export interface HttpLine {
  readonly endpoint: string
  /** The number of requests so far. */
  readonly requests: number
  stop(): Promise<void>
}

/** Before the request is forwarded, or after it took effect and before its answer is returned. */
export type Moment = 'request' | 'answer'

/**
 * Starts a proxy to `target`.
 * @param meet called with the number of the request (from 1) at both moments; false cuts the connection
 */
export async function startHttpLine(
  target: string,
  meet: (request: number, moment: Moment) => boolean | Promise<boolean>,
): Promise<HttpLine> {
  let requests = 0
  const server = createServer((incoming, response) => {
    pass(incoming, response).catch((error: Error) => response.destroy(error))
  })

  async function pass(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = Buffer.concat(await incoming.toArray())
    requests += 1
    const number = requests
    if (!(await meet(number, 'request'))) return void response.destroy()
    const { method, url = '/', headers } = incoming
    const outgoing = request(new URL(url, target), { method, headers, agent: false }).end(body)
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage]
    const payload = Buffer.concat(await answer.toArray())
    if (!(await meet(number, 'answer'))) return void response.destroy()
    response.writeHead(answer.statusCode ?? 502, answer.headers).end(payload)
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The line has no TCP address.')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    get requests() {
      return requests
    },
    async stop() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
