import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after } from 'node:test'

export interface RecordedRequest {
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export interface Recorder {
  readonly address: string
  readonly requests: RecordedRequest[]
  /** The next answers; an empty JSON object once there are none left. */
  readonly answers: { readonly status: number; readonly body: string | ((received: string) => string) }[]
}

/**
 * An HTTP server on this machine that records what a handler sends. The clients of AWS send to it when AWS_ENDPOINT_URL names
 * it, so that a test sees what the service would get: load the handler after it. It ends with the test file.
 */
export async function startRecorder(): Promise<Recorder> {
  const requests: RecordedRequest[] = []
  const answers: Recorder['answers'] = []
  const server = createServer(async (incoming, response) => {
    const body = Buffer.concat(await incoming.toArray()).toString('utf8')
    requests.push({ path: incoming.url ?? '', headers: incoming.headers, body })
    const { status, body: text } = answers.shift() ?? { status: 200, body: '{}' }
    response
      .writeHead(status, { 'content-type': 'application/json' })
      .end(typeof text === 'string' ? text : text(body))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: address,
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    // The handlers of these tests fail on purpose, and log it.
    POWERTOOLS_LOG_LEVEL: 'SILENT',
  })
  return { address, requests, answers }
}
