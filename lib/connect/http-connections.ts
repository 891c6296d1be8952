import type { Agent, IncomingHttpHeaders } from 'node:http'

// An import of node:http reads all its exports. Some of them load undici, which takes 25 ms of a cold start.
const plain = process.getBuiltinModule('node:http')
const tls = process.getBuiltinModule('node:https')

export interface Destination {
  readonly protocol: 'http:' | 'https:'
  readonly hostname: string
  /** Undefined: the protocol's own. */
  readonly port: number | undefined
}

export interface PostRequest {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/**
 * A request that waits for a free connection would use up its time and end with an unknown outcome. So there is no limit
 * here: the lanes limit the number of parallel invocations.
 */
const agentOptions = { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY }

/** No answer came within the limit of time. The request may have been received. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError'
  readonly code = 'ETIMEDOUT'
}

/** Sends requests to one destination over connections that stay open. Sends each request once. */
export class HttpConnections {
  readonly #destination: Destination
  readonly #limitMs: number
  readonly #agent: Agent

  /** @param limitMs from the start of a request to the end of its answer */
  constructor(destination: Destination, limitMs: number) {
    this.#destination = destination
    this.#limitMs = limitMs
    const { Agent } = destination.protocol === 'https:' ? tls : plain
    this.#agent = new Agent(agentOptions)
  }

  /**
   * @throws TimeoutError, or the error of the connection. If it was cut within an answer, the error has the answer's
   *   status as the SDK's errors have it.
   */
  post({ path, headers, body }: PostRequest): Promise<HttpAnswer> {
    const { protocol, hostname, port } = this.#destination
    const { request } = protocol === 'https:' ? tls : plain
    const options = { host: hostname, port, method: 'POST', path, headers, agent: this.#agent }
    return new Promise((resolve, reject) => {
      const sent = request(options, (response) => {
        const { statusCode: status = 0 } = response
        const parts: Buffer[] = []
        response.on('data', (part) => parts.push(part))
        response.on('end', () => resolve({ status, headers: response.headers, body: Buffer.concat(parts) }))
        response.on('error', (error) =>
          reject(Object.assign(error, { $metadata: { httpStatusCode: status } })),
        )
      })
      const timer = setTimeout(() => {
        reject(new TimeoutError(`no answer within ${this.#limitMs} ms`))
        sent.destroy()
      }, this.#limitMs)
      sent.on('error', reject)
      sent.on('close', () => clearTimeout(timer))
      sent.end(body)
    })
  }

  /** Closes all connections. Requests under way fail. */
  close(): void {
    this.#agent.destroy()
  }
}
