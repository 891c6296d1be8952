import { once } from 'node:events'
import dynalite from 'dynalite'
import type { AwsEndpoint } from './dynamodb-local.ts'

/** Starts dynalite, an emulator of DynamoDB in Node, empty, inside this process. */
export async function startDynalite(): Promise<AwsEndpoint> {
  const server = dynalite({ createTableMs: 0, updateTableMs: 0, deleteTableMs: 0 })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('dynalite has no TCP address.')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    async stop() {
      if (!server.listening) return
      const closed = new Promise<void>((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()))
      })
      server.closeAllConnections()
      await closed
    },
  }
}
