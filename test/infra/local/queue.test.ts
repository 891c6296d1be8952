import assert from 'node:assert/strict'
import { request } from 'node:http'
import { type TestContext, test } from 'node:test'
import { startQueues } from '../../../infra/local/queue.ts'

/** Asks for the number of messages of a queue. @returns the status of the answer */
async function ask(
  endpoint: string,
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<number> {
  const { port } = new URL(endpoint)
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const sent = request(
    {
      host: '127.0.0.1',
      port,
      method: 'POST',
      headers: { 'x-amz-target': 'AmazonSQS.GetQueueAttributes', ...headers },
    },
    (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    },
  )
  sent.once('error', reject)
  sent.end(JSON.stringify({ QueueUrl: url }))
  return promise
}

async function start(t: TestContext) {
  const queues = await startQueues()
  t.after(() => queues.stop())
  return queues
}

test('the local queue answers only to a URL that it gave out', async (t) => {
  const { endpoint, url } = await start(t)
  assert.equal(await ask(endpoint, url('letters.fifo')), 200)
  assert.equal(await ask(endpoint, `${endpoint}/000000000000/letters.fifo`), 400)
  const other = await start(t)
  assert.equal(await ask(endpoint, other.url('letters.fifo')), 400)
})

test('the local queue refuses requests under another host name, and those of a browser', async (t) => {
  const { endpoint, url } = await start(t)
  for (const headers of [
    { host: 'evil.example' },
    { origin: 'http://evil.example' },
    { origin: 'null' },
    { 'sec-fetch-site': 'same-origin' },
  ])
    assert.equal(await ask(endpoint, url('letters.fifo'), headers), 403, JSON.stringify(headers))
})
