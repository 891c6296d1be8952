import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { before, test } from 'node:test'
import { localAws } from '../../../infra/local/dynalite.ts'
import { handlerClient } from '../../../lib/connect/clients.ts'
import { packEvents, toBatch } from '../../../lib/dispatch/batch-format.ts'
import { lambdaInvoke } from '../../../lib/dispatch/invoke.ts'
import { eventsAt } from '../../support/dispatch.ts'

/** More than the default connections of an SDK client, and fewer than the most lanes of a poller. */
const lanes = 120
const events = eventsAt(7)
const packed = packEvents(events)
const origin = { topic: 't', partition: 0, clusterId: 'c', generation: 1, replayUntil: null }

before(() => Object.assign(process.env, localAws))

test('all lanes invoke at the same time, on connections that stay open', async (t) => {
  const working = new Map<ServerResponse, string>()
  let connections = 0
  // No function answers before all were invoked. So an invocation that waits for another one's end gets no answer.
  const server = createServer(async (request, response) => {
    const { batchId } = JSON.parse(Buffer.concat(await request.toArray()).toString())
    working.set(response, JSON.stringify({ batchId, acknowledgedThrough: '7' }))
    response.once('close', () => working.delete(response))
    if (working.size < lanes) return
    for (const [one, answer] of working) one.end(answer)
  })
  server.on('connection', () => {
    connections += 1
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  process.env.AWS_ENDPOINT_URL_LAMBDA = `http://127.0.0.1:${address.port}`
  const client = handlerClient(1_000)
  t.after(() => {
    client.destroy()
    server.closeAllConnections()
    server.close()
  })
  const invoke = lambdaInvoke(client)
  for (const round of ['cold', 'warm']) {
    const results = await Promise.all(
      Array.from({ length: lanes }, () => invoke('orders', toBatch(packed, origin), events)),
    )
    const acknowledged = results.filter(({ kind }) => kind === 'acknowledged')
    assert.equal(acknowledged.length, lanes, round)
    assert.equal(connections, lanes, round)
  }
})
