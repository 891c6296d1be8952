import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { describe, type TestContext, test } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { LambdaClient } from '@aws-sdk/client-lambda'
import { localAws } from '../../../infra/local/dynalite.ts'
import { type HandlerClient, handlerClient } from '../../../lib/connect/handler-client.ts'
import { packEvents, toBatch } from '../../../lib/dispatch/batch-format.ts'
import { lambdaInvoke } from '../../../lib/dispatch/invoke.ts'
import { eventsAt } from '../../support/dispatch.ts'
import { certificate, type Reply, record, recordTls, useEnvironment } from './support.ts'

/** More than the default connections of an SDK client, and fewer than the most lanes of a poller. */
const lanes = 120
const events = eventsAt(7)
const origin = { topic: 't', partition: 0, clusterId: 'c', generation: 1, replayUntil: null }
const batch = toBatch(packEvents(events), origin)
const answer = JSON.stringify({ batchId: batch.batchId, acknowledgedThrough: '7' })
const acknowledge: Reply = (response) => response.end(answer)

/** An open client, and how the n-th of its invocations ends. */
async function invoking(t: TestContext, ...replies: Reply[]) {
  const recorder = await record(t, ...replies)
  useEnvironment(t, { ...localAws, AWS_ENDPOINT_URL_LAMBDA: recorder.origin })
  return { ...recorder, ...open(t) }
}

function open(t: TestContext): { client: HandlerClient; invoke: () => Promise<string> } {
  const client = handlerClient(20_000)
  t.after(() => client.destroy())
  const send = lambdaInvoke(client)
  return { client, invoke: async () => (await send('orders', batch, events)).kind }
}

describe('the connections to Lambda', () => {
  test('let all lanes invoke at the same time, and stay open', async (t) => {
    // No function answers before all were invoked. So an invocation that waits for another one's end gets no answer.
    const working: ServerResponse[] = []
    const { received, invoke } = await invoking(t, (response) => {
      working.push(response)
      if (working.length === lanes) for (const one of working.splice(0)) acknowledge(one)
    })
    for (const round of ['cold', 'warm']) {
      const kinds = await Promise.all(Array.from({ length: lanes }, invoke))
      assert.deepEqual(new Set(kinds), new Set(['acknowledged']), round)
      assert.equal(new Set(received.map(({ socket }) => socket)).size, lanes, round)
    }
    assert.equal(received.length, 2 * lanes)
  })

  test('that are cut while a function runs leave its outcome unknown, and no request is repeated', async (t) => {
    const { received, invoke } = await invoking(
      t,
      acknowledge,
      (response) => response.socket?.resetAndDestroy(),
      acknowledge,
    )
    assert.deepEqual([await invoke(), await invoke()], ['acknowledged', 'unknown'])
    assert.equal(received.length, 2)
    assert.equal(received[0]?.socket, received[1]?.socket)
    assert.equal(await invoke(), 'acknowledged')
    assert.notEqual(received[1]?.socket, received[2]?.socket)
  })

  test('that cannot be opened leave the outcome unknown', async (t) => {
    const { invoke } = await invoking(t, acknowledge)
    process.env.AWS_ENDPOINT_URL_LAMBDA = 'http://127.0.0.1:9'
    assert.equal(await invoke(), 'unknown')
  })

  test('use TLS if the endpoint does, and send nothing to a server whose certificate is not trusted', async (t) => {
    const { origin, received } = await recordTls(t, acknowledge)
    useEnvironment(t, { ...localAws, AWS_ENDPOINT_URL_LAMBDA: origin })
    assert.equal(await open(t).invoke(), 'unknown')
    assert.equal(received.length, 0)
    const trusted = getCACertificates()
    t.after(() => setDefaultCACertificates(trusted))
    setDefaultCACertificates([...trusted, certificate])
    const { invoke } = open(t)
    assert.deepEqual([await invoke(), await invoke()], ['acknowledged', 'acknowledged'])
    assert.equal(received[0]?.socket, received[1]?.socket)
  })

  test('are closed with the client, which leaves the outcome of what runs unknown', async (t) => {
    const { client, invoke } = await invoking(t, () => client.destroy())
    assert.equal(await invoke(), 'unknown')
  })
})

describe('a function that does not answer', () => {
  const silences: readonly [reason: string, part: Reply, kind: string][] = [
    ['at all', () => {}, 'unknown'],
    [
      'completely',
      (response) => void response.writeHead(200, { 'content-length': 999 }).write('{'),
      'unknown',
    ],
  ]
  for (const [reason, part, kind] of silences) {
    test(`${reason} is left ten seconds after its time-out, with an unknown outcome`, async (t) => {
      const asked = Promise.withResolvers<void>()
      const { invoke, received } = await invoking(t, acknowledge, (response) => {
        part(response)
        asked.resolve()
      })
      await invoke()
      t.mock.timers.enable({ apis: ['setTimeout'] })
      const outcome = invoke()
      await asked.promise
      let isSettled = false
      outcome.finally(() => {
        isSettled = true
      })
      t.mock.timers.tick(29_999)
      await new Promise(setImmediate)
      assert.equal(isSettled, false)
      t.mock.timers.tick(1)
      assert.equal(await outcome, kind)
      assert.equal(received.length, 2)
    })
  }
})

test('an answered invocation leaves no timer, which would keep its batch in memory', async (t) => {
  const { invoke } = await invoking(t, acknowledge)
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const before = timers()
  await invoke()
  await invoke()
  await new Promise(setImmediate)
  // A timer of an earlier test may have ended meanwhile.
  assert.ok(timers() <= before, `${timers()} timers, ${before} before`)
})

test('the SDK builds one request, which is not sent, for all those that a client sends', async (t) => {
  const built = t.mock.method(LambdaClient.prototype, 'send')
  const { received, invoke } = await invoking(t, acknowledge)
  await Promise.all([invoke(), invoke(), invoke()])
  await invoke()
  assert.equal(received.length, 4)
  assert.equal(built.mock.callCount(), 1)
})

test('a client that sent nothing can be closed', () => {
  handlerClient(20_000).destroy()
})
