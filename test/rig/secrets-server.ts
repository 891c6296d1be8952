import { once } from 'node:events'
import { createServer } from 'node:http'
import * as z from 'zod'

/** GetSecretValue of Secrets Manager and GetParameter of SSM over HTTP, for the real SDK clients. */
export interface SecretsServer {
  readonly endpoint: string
  /** The current value of each secret. A secret without text is binary. */
  readonly secrets: Map<string, string | null>
  /** The current value of each SSM parameter. */
  readonly parameters: Map<string, string>
  readonly reads: number
  stop(): Promise<void>
}

const secretRequest = z.object({ SecretId: z.string() })
// Without decryption, SSM answers with the encrypted text.
const parameterRequest = z.object({ Name: z.string(), WithDecryption: z.literal(true) })

export async function startSecretsServer(): Promise<SecretsServer> {
  const secrets = new Map<string, string | null>()
  const parameters = new Map<string, string>()
  let reads = 0
  const server = createServer(async (incoming, response) => {
    const body: unknown = JSON.parse(Buffer.concat(await incoming.toArray()).toString('utf8'))
    reads += 1
    const isParameter = incoming.headers['x-amz-target'] === 'AmazonSSM.GetParameter'
    const answer = isParameter
      ? parameterAnswer(parameters, parameterRequest.parse(body).Name)
      : secretAnswer(secrets, secretRequest.parse(body).SecretId)
    response.setHeader('content-type', 'application/x-amz-json-1.1')
    if ('__type' in answer) response.statusCode = 400
    response.end(JSON.stringify(answer))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server has no TCP address.')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    secrets,
    parameters,
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

function secretAnswer(secrets: ReadonlyMap<string, string | null>, name: string): object {
  const text = secrets.get(name)
  if (text === undefined) return { __type: 'ResourceNotFoundException', Message: 'No such secret.' }
  return { Name: name, ...(text === null ? { SecretBinary: 'AAEC' } : { SecretString: text }) }
}

function parameterAnswer(parameters: ReadonlyMap<string, string>, name: string): object {
  const text = parameters.get(name)
  if (text === undefined) return { __type: 'ParameterNotFound', message: 'No such parameter.' }
  return { Parameter: { Name: name, Type: 'SecureString', Value: text } }
}
