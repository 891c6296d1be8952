import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { type AwsEndpoint, localClient } from '../../../infra/local/dynalite.ts'
import { startLambdaApi } from '../../../infra/local/lambda-api.ts'

/** Answers like serverless-offline: it does not know dry runs. */
function startHost(): Server {
  const host = createServer((request, response) => {
    if (request.headers['x-amz-invocation-type'] === 'DryRun') {
      response.writeHead(400).end('{"Message":"not supported"}')
      return
    }
    const body: Buffer[] = []
    request.on('data', (part: Buffer) => body.push(part))
    request.on('end', () => response.end(JSON.stringify([request.url, Buffer.concat(body).toString()])))
  })
  return host.listen(0, '127.0.0.1')
}

describe('the Lambda API of the local stack', () => {
  let host: Server
  let api: AwsEndpoint
  let client: LambdaClient
  before(async () => {
    host = startHost()
    await once(host, 'listening')
    api = await startLambdaApi((host.address() as AddressInfo).port)
    client = new LambdaClient({ ...localClient(api.endpoint), maxAttempts: 1 })
  })
  after(async () => {
    client.destroy()
    await api.stop()
    host.close()
  })
  const invoke = (type: 'DryRun' | 'RequestResponse') =>
    client.send(new InvokeCommand({ FunctionName: 'orders', InvocationType: type, Payload: '{"a":1}' }))

  test('passes an invocation and its answer through', async () => {
    const { Payload, StatusCode } = await invoke('RequestResponse')
    const answer: unknown = JSON.parse(Buffer.from(Payload ?? []).toString())
    assert.deepEqual([StatusCode, answer], [200, ['/2015-03-31/functions/orders/invocations', '{"a":1}']])
  })

  test('answers a dry run, which serverless-offline refuses', async () => {
    assert.equal((await invoke('DryRun')).StatusCode, 204)
  })

  test('does not answer when the host of the functions has ended', async () => {
    host.closeAllConnections()
    host.close()
    await once(host, 'close')
    await assert.rejects(invoke('DryRun'), { code: 'ECONNRESET' })
    await assert.rejects(invoke('RequestResponse'), { code: 'ECONNRESET' })
  })
})
