import { once } from 'node:events'
import { createServer } from 'node:http'
import type { TestContext } from 'node:test'

/** The environment of a queue in which `count` dead letters wait. */
export async function waitingLetters(t: TestContext, count: number): Promise<Record<string, string>> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/x-amz-json-1.0')
    response.end(JSON.stringify({ Attributes: { ApproximateNumberOfMessages: String(count) } }))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => server.close().closeAllConnections())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The queue has no TCP address.')
  const endpoint = `http://127.0.0.1:${address.port}`
  return { DEAD_LETTER_QUEUE_URL: `${endpoint}/1/letters.fifo`, AWS_ENDPOINT_URL_SQS: endpoint }
}
