import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { AwsEndpoint } from '../../infra/local/dynalite.ts'

export interface RecordingProxy extends AwsEndpoint {
  /** The IAM actions that the requests so far needed. */
  readonly actions: ReadonlySet<string>
}

/** Passes requests on to an emulator of AWS, and notes which right AWS would ask for. */
export async function startRecordingProxy(target: string): Promise<RecordingProxy> {
  const { hostname: host, port } = new URL(target)
  const actions = new Set<string>()
  const server = createServer(async (incoming, response) => {
    const body = Buffer.concat(await incoming.toArray())
    const action = actionOf(incoming, body)
    if (action !== null) actions.add(action)
    const { method, url: path, headers } = incoming
    const onward = request({ host, port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.destroy())
    onward.end(body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The proxy has no TCP address.')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    actions,
    async stop() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

/** Null for a request that needs no right. */
function actionOf({ headers, method, url = '' }: IncomingMessage, body: Buffer): string | null {
  const service =
    /Credential=[^/]+\/\d+\/[^/]+\/([^/]+)\//.exec(headers.authorization ?? '')?.[1] ?? 'unknown'
  const target = headers['x-amz-target']
  const name =
    typeof target === 'string'
      ? target.slice(target.lastIndexOf('.') + 1)
      : service === 's3'
        ? s3Action(method, url)
        : service === 'lambda'
          ? lambdaAction(method, url)
          : new URLSearchParams(body.toString('utf8')).get('Action')
  return service === 'sts' ? null : `${service}:${name ?? `${method} ${url}`}`
}

function s3Action(method: string | undefined, url: string): string | undefined {
  const isObject = /^\/[^/?]+\/[^?]/.test(url)
  if (method === 'GET' || method === 'HEAD') return isObject ? 'GetObject' : 'ListBucket'
  if (method === 'PUT' && isObject) return 'PutObject'
  return method === 'DELETE' || url.includes('?delete') ? 'DeleteObject' : undefined
}

function lambdaAction(method: string | undefined, url: string): string | undefined {
  if (method !== 'GET') return undefined
  if (url.endsWith('/account-settings')) return 'GetAccountSettings'
  return /\/functions\/[^/]+$/.test(url) ? 'GetFunction' : undefined
}
