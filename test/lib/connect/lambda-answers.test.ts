import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { describe, type TestContext, test } from 'node:test'
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { localAws } from '../../../infra/local/dynalite.ts'
import { handlerClient } from '../../../lib/connect/handler-client.ts'
import { packEvents, toBatch } from '../../../lib/dispatch/batch-format.ts'
import type { SendResult } from '../../../lib/dispatch/delivery.ts'
import { type InvokeRequests, lambdaInvoke } from '../../../lib/dispatch/invoke.ts'
import { eventsAt } from '../../support/dispatch.ts'
import { type Reply, record, useEnvironment } from './support.ts'

const events = eventsAt(7)
const batch = toBatch(packEvents(events), {
  topic: 't',
  partition: 0,
  clusterId: 'c',
  generation: 1,
  replayUntil: null,
})

/** The SDK's whole client, with the settings that the poller needs. */
function wholeSdk(t: TestContext): InvokeRequests {
  const client = new LambdaClient({ maxAttempts: 1 })
  t.after(() => client.destroy())
  return {
    async invoke(FunctionName, Payload) {
      const { FunctionError, Payload: body } = await client.send(new InvokeCommand({ FunctionName, Payload }))
      return { FunctionError, Payload: Buffer.from(body ?? []) }
    },
  }
}

function ours(t: TestContext): InvokeRequests {
  const client = handlerClient(1_000)
  t.after(() => client.destroy())
  return client
}

/** What a lane gets if Lambda answers in this way, from the SDK's client and from ours. Each sends one request. */
async function outcomes(t: TestContext, reply: Reply): Promise<{ sdk: SendResult; own: SendResult }> {
  const { origin, received } = await record(t, reply)
  useEnvironment(t, { ...localAws, AWS_ENDPOINT_URL_LAMBDA: origin })
  const sdk = await lambdaInvoke(wholeSdk(t))('orders', batch, events)
  assert.equal(received.length, 1)
  const own = await lambdaInvoke(ours(t))('orders', batch, events)
  assert.equal(received.length, 2)
  return { sdk, own }
}

const refusal =
  (status: number, type: string | null, body: string | object): Reply =>
  (response) => {
    const named = type === null ? {} : { 'x-amzn-ErrorType': type }
    response.writeHead(status, { 'x-amzn-RequestId': 'request-1', ...named })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  }

const throttled = (Reason: string) =>
  refusal(429, 'TooManyRequestsException', { Type: 'User', message: 'Rate Exceeded.', Reason })

/** What a log line tells of a refusal. */
function logged(cause: unknown): object {
  assert.ok(cause instanceof Error)
  const { $metadata, Reason } = cause as { $metadata?: Record<string, unknown>; Reason?: string }
  return { status: $metadata?.httpStatusCode, request: $metadata?.requestId, Reason }
}

type Case = [reason: string, reply: Reply, kind: SendResult['kind']]

const refusals: readonly Case[] = [
  [
    'the reserved concurrency is used up',
    throttled('ReservedFunctionConcurrentInvocationLimitExceeded'),
    'unavailable',
  ],
  ['the account’s concurrency is used up', throttled('ConcurrentInvocationLimitExceeded'), 'unavailable'],
  ['the rate of the account', throttled('FunctionInvocationRateLimitExceeded'), 'unavailable'],
  ['the rate of the caller', throttled('CallerRateLimitExceeded'), 'unavailable'],
  [
    'no function',
    refusal(404, 'ResourceNotFoundException', { Type: 'User', Message: 'Function not found: x' }),
    'unavailable',
  ],
  [
    'a payload above the limit',
    refusal(413, 'RequestTooLargeException', { Type: 'User', message: '> 6291456 bytes' }),
    'unavailable',
  ],
  [
    'no JSON in the request',
    refusal(400, 'InvalidRequestContentException', { Type: 'User', Message: 'no JSON' }),
    'unavailable',
  ],
  [
    'a parameter',
    refusal(400, 'InvalidParameterValueException', { Type: 'User', message: 'no' }),
    'unavailable',
  ],
  [
    'a missing right',
    refusal(403, 'AccessDeniedException', { Message: 'User: x is not authorized' }),
    'unavailable',
  ],
  [
    'expired credentials',
    refusal(403, 'ExpiredTokenException', { message: 'The security token is expired' }),
    'unavailable',
  ],
  [
    'a wrong signature',
    refusal(403, 'InvalidSignatureException', { message: 'does not match' }),
    'unavailable',
  ],
  [
    'an update of the function',
    refusal(409, 'ResourceConflictException', { Type: 'User', message: 'Pending' }),
    'unavailable',
  ],
  [
    'a snapshot that is made',
    refusal(409, 'SnapStartNotReadyException', { Type: 'User', Message: 'wait' }),
    'unavailable',
  ],
  [
    'a media type',
    refusal(415, 'UnsupportedMediaTypeException', { Type: 'User', message: 'no' }),
    'unavailable',
  ],
  [
    'no right to the key',
    refusal(502, 'KMSAccessDeniedException', { Type: 'Server', Message: 'KMS' }),
    'unknown',
  ],
  ['a disabled key', refusal(502, 'KMSDisabledException', { Type: 'Server', Message: 'KMS' }), 'unknown'],
  [
    'a key in a wrong state',
    refusal(502, 'KMSInvalidStateException', { Type: 'Server', Message: 'KMS' }),
    'unknown',
  ],
  ['no key', refusal(502, 'KMSNotFoundException', { Type: 'Server', Message: 'KMS' }), 'unknown'],
  ['a throttled EC2', refusal(502, 'EC2ThrottledException', { Type: 'Server', Message: 'ENI' }), 'unknown'],
  [
    'a subnet without addresses',
    refusal(502, 'SubnetIPAddressLimitReachedException', { Message: 'full' }),
    'unknown',
  ],
  [
    'the service itself',
    refusal(500, 'ServiceException', { Type: 'Server', Message: 'Internal' }),
    'unknown',
  ],
  ['a service that is away', refusal(503, 'ServiceUnavailableException', { message: 'away' }), 'unknown'],
  ['an unknown type', refusal(418, 'NewException', { message: 'new' }), 'unavailable'],
  [
    'a type with a namespace',
    refusal(429, 'com.amazonaws#TooManyRequestsException', { message: 'slow' }),
    'unavailable',
  ],
  [
    'a type with an address',
    refusal(404, 'ResourceNotFoundException:http://x/doc/', { Message: 'no' }),
    'unavailable',
  ],
  [
    'a type with a namespace and an address',
    refusal(404, 'com.x#ResourceNotFoundException:http://x/', { Message: 'no' }),
    'unavailable',
  ],
  ['a type in the body', refusal(403, null, { code: 'AccessDeniedException', message: 'no' }), 'unavailable'],
  [
    'a type in the body, of another protocol',
    refusal(403, null, { __type: 'com.x#UnrecognizedClientException', message: 'no' }),
    'unavailable',
  ],
  ['no type', refusal(403, null, { message: 'Forbidden' }), 'unavailable'],
  ['no message', refusal(429, 'TooManyRequestsException', {}), 'unavailable'],
  ['no body', refusal(503, 'ServiceException', ''), 'unknown'],
  ['a redirection', refusal(307, null, {}), 'unavailable'],
]

describe('a lane gets the outcome and the words that the SDK’s client would give', () => {
  for (const [reason, reply, kind] of refusals) {
    test(`if Lambda refuses because of ${reason}`, async (t) => {
      const { sdk, own } = await outcomes(t, reply)
      assert.equal(own.kind, kind)
      assert.equal(sdk.kind, kind)
      assert.ok(own.kind !== 'acknowledged' && sdk.kind !== 'acknowledged')
      assert.deepEqual(
        [own.error.code, own.error.message, own.error.facts],
        [sdk.error.code, sdk.error.message, sdk.error.facts],
      )
      assert.deepEqual(logged(own.error.cause), logged(sdk.error.cause))
    })
  }

  const answer = JSON.stringify({ batchId: batch.batchId, acknowledgedThrough: '7' })
  const answers: readonly Case[] = [
    ['acknowledges', (response) => response.end(answer), 'acknowledged'],
    [
      'acknowledges in small parts',
      (response) => {
        for (const part of answer) response.write(part)
        response.end()
      },
      'acknowledged',
    ],
    ['answers nothing', (response) => response.end(), 'failed'],
    ['answers null', (response) => response.end('null'), 'failed'],
    ['answers another text', (response) => response.end('Grüße'), 'failed'],
    [
      'fails',
      (response) =>
        void response
          .setHeader('X-Amz-Function-Error', 'Unhandled')
          .end('{"errorType":"TypeError","errorMessage":"x"}'),
      'failed',
    ],
    [
      'fails and acknowledges',
      (response) => void response.setHeader('X-Amz-Function-Error', 'Handled').end(answer),
      'failed',
    ],
    [
      'cannot start',
      (response) =>
        void response
          .setHeader('X-Amz-Function-Error', 'Unhandled')
          .end('{"errorType":"Runtime.ImportModuleError"}'),
      'unavailable',
    ],
  ]
  for (const [reason, reply, kind] of answers) {
    test(`if the function ${reason}`, async (t) => {
      const { sdk, own } = await outcomes(t, reply)
      assert.equal(own.kind, kind)
      assert.deepEqual(own, sdk)
    })
  }

  const cut = (status: number, length: number) => (response: ServerResponse) => {
    response.writeHead(status, { 'content-length': length, 'x-amzn-ErrorType': 'TooManyRequestsException' })
    response.write('{"batchId":', () => response.destroy())
  }
  const cuts: readonly Case[] = [
    ['a page of a proxy that refuses', refusal(403, null, '<html>Forbidden</html>'), 'unavailable'],
    ['a page of a proxy that fails', refusal(504, null, '<html>Gateway Timeout</html>'), 'unknown'],
    ['a body of another form', refusal(429, null, '[7]'), 'unavailable'],
    ['no answer: the connection was cut', (response) => response.destroy(), 'unknown'],
    ['a part of a refusal: the connection was cut', cut(429, 1_000), 'unavailable'],
    ['a part of an error: the connection was cut', cut(500, 1_000), 'unknown'],
    ['a part of an answer, which comes after the function has ended', cut(200, 1_000), 'unavailable'],
    ['bytes that are no HTTP', (response) => void response.socket?.end('220 mail\r\n'), 'unknown'],
  ]
  for (const [reason, reply, kind] of cuts) {
    test(`if there is ${reason}`, async (t) => {
      const { sdk, own } = await outcomes(t, reply)
      assert.deepEqual([own.kind, sdk.kind], [kind, kind])
      assert.ok(own.kind === 'unavailable' || own.kind === 'unknown')
      assert.deepEqual([own.error.code, own.error.facts], ['HANDLER_UNAVAILABLE', { function: 'orders' }])
      assert.ok(own.error.cause instanceof Error)
    })
  }
})
