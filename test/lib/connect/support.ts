import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Socket } from 'node:net'
import type { TestContext } from 'node:test'

/** A request as it came over the wire. */
export interface Received {
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly socket: Socket
}

export interface Recorder {
  readonly origin: string
  readonly received: readonly Received[]
}

export type Reply = (response: ServerResponse) => void

/** A server that keeps what it receives. The last of the replies answers all further requests too. */
export async function record(t: TestContext, ...replies: Reply[]): Promise<Recorder> {
  return await start(t, false, replies)
}

/** The same with TLS. Nothing trusts its certificate. */
export async function recordTls(t: TestContext, ...replies: Reply[]): Promise<Recorder> {
  return await start(t, true, replies)
}

const tlsFile = (name: string) =>
  readFileSync(new URL(`../../fixtures/tls/${name}.pem`, import.meta.url), 'utf8')
/** The certificate of `recordTls`. */
export const certificate = tlsFile('certificate')

async function start(t: TestContext, isTls: boolean, replies: readonly Reply[]): Promise<Recorder> {
  const received: Received[] = []
  const listener: RequestListener = async (request, response) => {
    const body = Buffer.concat(await request.toArray())
    const { url = '', headers, socket } = request
    const reply = replies[Math.min(received.length, replies.length - 1)]
    received.push({ url, headers, body, socket })
    reply?.(response)
  }
  const server = isTls
    ? createTlsServer({ key: tlsFile('key'), cert: certificate }, listener)
    : createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The recorder has no TCP address.')
  return { origin: `${isTls ? 'https' : 'http'}://127.0.0.1:${address.port}`, received }
}

/** Replaces all variables that lead an AWS client, for one test. */
export function useEnvironment(t: TestContext, variables: Readonly<Record<string, string>>): void {
  const before = { ...process.env }
  for (const name of Object.keys(process.env)) if (/^(AWS_|_X_AMZN_)/.test(name)) delete process.env[name]
  Object.assign(process.env, variables)
  t.after(() => {
    for (const name of Object.keys(process.env)) delete process.env[name]
    Object.assign(process.env, before)
  })
}
