import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AwsEndpoint } from './dynalite.ts'

/**
 * Lambda's API for the local functions. serverless-offline serves invocations, which pass through. It knows no dry run, with
 * which recovery asks whether a function can be invoked.
 * @param port where serverless-offline serves the functions, on 127.0.0.1
 */
export async function startLambdaApi(port: number): Promise<AwsEndpoint> {
  const server = createServer((incoming, outgoing) => {
    const isDryRun = incoming.headers['x-amz-invocation-type'] === 'DryRun'
    const { url: path, headers } = incoming
    const { method } = incoming
    // A dry run asks only whether the functions are served at all: the poller's routes come from the same files.
    const passed = request(
      isDryRun ? { port, host: '127.0.0.1' } : { port, host: '127.0.0.1', path, method, headers },
      (answer) => {
        if (isDryRun) {
          answer.resume()
          outgoing.writeHead(204).end()
          return
        }
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(outgoing)
      },
    )
    // A caller learns of a host that ended in the same way as without this server.
    passed.on('error', () => outgoing.destroy())
    outgoing.on('close', () => passed.destroy())
    if (isDryRun) passed.end()
    else incoming.pipe(passed)
  })
  // A run of the poller takes minutes.
  server.requestTimeout = 0
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The Lambda API has no TCP address.')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    async stop() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
