import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { localAws } from '../../../infra/local/dynalite.ts'
import { handlerClient } from '../../../lib/connect/handler-client.ts'
import { Signer } from '../../../lib/connect/signature.ts'
import { type Received, record, useEnvironment } from './support.ts'

const token = { AWS_SESSION_TOKEN: 'IQoJb3JpZ2luX2VjEA+/=='.repeat(20) }

/** Both clients invoke one function with one payload. */
async function invokeTwice(
  t: TestContext,
  path: string,
  functionName: string,
  variables = {},
  payload = '{}',
) {
  const { origin, received } = await record(t, (response) => response.end('null'))
  useEnvironment(t, { ...localAws, AWS_ENDPOINT_URL_LAMBDA: origin + path, ...variables })
  const client = handlerClient(1_000)
  const sdk = new LambdaClient({})
  t.after(() => {
    client.destroy()
    sdk.destroy()
  })
  const Payload = Buffer.from(payload)
  await client.invoke(functionName, Payload)
  await sdk.send(
    new InvokeCommand({ FunctionName: functionName, InvocationType: 'RequestResponse', Payload }),
  )
  const [ours, theirs] = received
  assert.ok(ours !== undefined && theirs !== undefined)
  return { ours, theirs, sdk }
}

/** The signature that the SDK's own signer gives a request which it did not make. */
async function signedBySdk(sdk: LambdaClient, { url, headers, body }: Received): Promise<string | undefined> {
  const { authorization: _, ...unsigned } = headers
  const time = String(headers['x-amz-date'])
  const iso = time.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5')
  const signer = await sdk.config.signer()
  const request = { method: 'POST', protocol: 'http:', hostname: '127.0.0.1', path: url, query: {}, body }
  const given = { ...request, headers: unsigned as Record<string, string> }
  return (await signer.sign(given, { signingDate: new Date(iso) })).headers.authorization
}

const arn = 'arn:aws:lambda:eu-central-1:123456789012:function:orders'
const requests: [name: string, path: string, functionName: string, variables: object, payload?: string][] = [
  ['a function', '', 'orders', {}],
  ['a session token', '', 'orders', token],
  ['an ARN with an alias', '', `${arn}:live`, token],
  ['an ARN with a version that is encoded', '', `${arn}:$LATEST`, {}],
  ['a payload of several bytes a letter', '', 'orders', {}, '{"name":"Grüße 👋"}'],
  ['an empty payload', '', 'orders', {}, ''],
  ['an endpoint with a path', '/aws/proxy/', 'orders', token],
  ['an endpoint with an odd path', '/a//b%20c', 'orders:live', {}],
  ['another region', '', 'orders', { AWS_REGION: 'us-gov-west-1' }],
]

describe('an Invoke request', () => {
  for (const [name, path, functionName, variables, payload] of requests) {
    test(`with ${name} has the signature that the SDK gives it`, async (t) => {
      const { ours, sdk } = await invokeTwice(t, path, functionName, variables, payload)
      const authorization = String(ours.headers.authorization)
      assert.equal(authorization, await signedBySdk(sdk, ours))
      assert.match(
        authorization,
        /SignedHeaders=content-length;content-type;host;x-amz-content-sha256;x-amz-date;/,
      )
    })

    test(`with ${name} says what the request of the SDK's client says`, async (t) => {
      const { ours, theirs } = await invokeTwice(t, path, functionName, variables, payload)
      assert.equal(ours.url, theirs.url)
      assert.deepEqual(ours.body, theirs.body)
      // These two count the SDK's own attempts.
      const { 'amz-sdk-invocation-id': _id, 'amz-sdk-request': _request, ...said } = theirs.headers
      const perRequest = ['authorization', 'x-amz-date', 'x-amz-user-agent', 'user-agent']
      for (const [header, value] of Object.entries(said))
        if (!perRequest.includes(header)) assert.equal(ours.headers[header], value, header)
      assert.match(String(ours.headers['user-agent']), /^aws-sdk-js\/.* api\/lambda/)
    })
  }

  test('carries the trace of the invocation that sends it, as the SDK does', async (t) => {
    const trace = { AWS_LAMBDA_FUNCTION_NAME: 'poller', _X_AMZN_TRACE_ID: 'Root=1-5759e988-bd862e3fe1be46a9' }
    const { ours, theirs } = await invokeTwice(t, '', 'orders', trace)
    assert.equal(ours.headers['x-amzn-trace-id'], trace._X_AMZN_TRACE_ID)
    assert.equal(theirs.headers['x-amzn-trace-id'], trace._X_AMZN_TRACE_ID)
  })

  test('carries no trace outside Lambda, as with the SDK', async (t) => {
    const { ours, theirs } = await invokeTwice(t, '', 'orders', { _X_AMZN_TRACE_ID: 'Root=1-5759e988' })
    assert.equal(ours.headers['x-amzn-trace-id'], undefined)
    assert.equal(theirs.headers['x-amzn-trace-id'], undefined)
  })
})

test('a signer signs with the key of the day and of the credentials, also when these change', () => {
  const request = { method: 'POST', path: '/', headers: { host: 'x' }, body: Buffer.alloc(0) }
  const keys = { accessKeyId: 'a', secretAccessKey: 'b' }
  const kept = new Signer('r', 's')
  const given: [now: string, keys: typeof keys][] = [
    ['2026-01-01T23:59:59Z', keys],
    ['2026-01-02T00:00:00Z', keys],
    ['2026-01-02T00:00:01Z', { ...keys, secretAccessKey: 'c' }],
    ['2026-01-02T00:00:02Z', keys],
  ]
  const signatures = given.map(([now, these]) => {
    const { authorization } = kept.sign(request, these, new Date(now))
    assert.equal(authorization, new Signer('r', 's').sign(request, these, new Date(now)).authorization)
    return authorization
  })
  assert.equal(new Set(signatures).size, given.length)
})
