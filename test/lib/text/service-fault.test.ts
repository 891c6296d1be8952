import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, test } from 'node:test'
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb'
import { freePort } from '../../../infra/local/ports.ts'
import { serviceAdvice, serviceFault } from '../../../lib/text/service-fault.ts'

/** The error of a request to the service at `endpoint`. */
async function errorOf(endpoint: string): Promise<unknown> {
  const credentials = { accessKeyId: 'testing', secretAccessKey: 'testing' }
  const requestHandler = { connectionTimeout: 1_000, requestTimeout: 100, throwOnRequestTimeout: true }
  const client = new DynamoDBClient({ endpoint, region: 'x', credentials, maxAttempts: 1, requestHandler })
  try {
    await client.send(new GetItemCommand({ TableName: 'table', Key: { pk: { S: 'a' } } }))
    return undefined
  } catch (error) {
    return error
  } finally {
    client.destroy()
  }
}

describe('a failed request to an AWS service', () => {
  test('is the network’s fault if the service accepts no connection or does not answer', async () => {
    assert.equal(serviceFault(await errorOf(`http://127.0.0.1:${await freePort()}`)), 'unreachable')
    const silent = createServer(() => {})
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const address = silent.address()
    assert.ok(typeof address === 'object' && address !== null)
    try {
      assert.equal(serviceFault(await errorOf(`http://127.0.0.1:${address.port}`)), 'unreachable')
    } finally {
      silent.close()
    }
  })

  const cases = [
    [{ name: 'AccessDeniedException', $metadata: { httpStatusCode: 400 } }, 'denied', 'DynamoDB: status 400'],
    [{ name: 'AccessDenied', $metadata: { httpStatusCode: 403 } }, 'denied', 'S3'],
    [{ name: 'Error', code: 'ENOTFOUND', $metadata: { attempts: 3 } }, 'unreachable', 'no DNS'],
    [{ name: 'ThrottlingException', $metadata: { httpStatusCode: 400 } }, 'other', 'throttled'],
    [{ name: 'InternalServerError', $metadata: { httpStatusCode: 500 } }, 'other', 'the service fails'],
    [new TypeError('x'), 'other', 'no request at all'],
    [null, 'other', 'nothing'],
    [
      new Proxy(
        {},
        {
          get: () => {
            throw new Error('hostile')
          },
        },
      ),
      'other',
      'a value that cannot be read',
    ],
  ] as const
  for (const [thrown, expected, what] of cases) {
    test(`counts as ${expected}: ${what}`, () => assert.equal(serviceFault(thrown), expected))
  }

  test('has an advice of its own for a missing way, a missing right, and anything else', () => {
    const timeout = { name: 'TimeoutError', code: 'ETIMEDOUT' }
    assert.match(serviceAdvice('SQS', timeout, 'x'), /^SQS did not answer.*"sqs".*docs\/network\.md\.$/)
    const denied = { name: 'AccessDenied', $metadata: { httpStatusCode: 403 } }
    assert.match(serviceAdvice('S3', denied, 'x'), /^S3 answered and refused/)
    assert.equal(serviceAdvice('S3', new Error('no'), 'Look at it.'), 'Look at it.')
  })
})
