import { once } from 'node:events'
import { createServer } from 'node:http'
import * as z from 'zod'

/** Secrets Manager's GetSecretValue over HTTP, for the real SDK client. */
export interface SecretsServer {
  readonly endpoint: string
  /** The current value of each secret. A secret without text is binary. */
  readonly secrets: Map<string, string | null>
  readonly reads: number
  stop(): Promise<void>
}

const request = z.object({ SecretId: z.string() })

export async function startSecretsServer(): Promise<SecretsServer> {
  const secrets = new Map<string, string | null>()
  let reads = 0
  const server = createServer(async (incoming, response) => {
    const body: unknown = JSON.parse(Buffer.concat(await incoming.toArray()).toString('utf8'))
    reads += 1
    const { SecretId } = request.parse(body)
    const text = secrets.get(SecretId)
    response.setHeader('content-type', 'application/x-amz-json-1.1')
    if (text === undefined) {
      response.statusCode = 400
      response.end(JSON.stringify({ __type: 'ResourceNotFoundException', Message: 'No such secret.' }))
      return
    }
    const content = text === null ? { SecretBinary: 'AAEC' } : { SecretString: text }
    response.end(JSON.stringify({ Name: SecretId, ...content }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server has no TCP address.')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    secrets,
    get reads() {
      return reads
    },
    async stop() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
