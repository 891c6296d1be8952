import assert from 'node:assert/strict'
import { once as nextEvent } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import {
  DynamoDBClient,
  TransactionCanceledException,
  type TransactWriteItem,
} from '@aws-sdk/client-dynamodb'
import { once } from '../../../lib/handler/once.ts'

/** A refusal comes before any request. */
const untouched = { send: () => assert.fail('nothing may be sent') } as unknown as DynamoDBClient
const change = { idempotencyKey: '100@1/tx/abc', keys: ['id'], table: 'shop.orders' }
const write: TransactWriteItem = {
  Update: {
    TableName: 'counters',
    Key: { id: { S: 'orders' } },
    UpdateExpression: 'ADD total :one',
    ExpressionAttributeValues: { ':one': { N: '1' } },
  },
}
const marks = { table: 'marks' }

const refusals: [what: string, change: object, writes: TransactWriteItem[], message: RegExp][] = [
  ['a table without a primary key', { ...change, keys: [] }, [write], /shop\.orders has no primary key/],
  [
    'an object that is no change',
    { table: 'shop.orders' },
    [write],
    /needs the `change` that the handler got/,
  ],
  ['a change without an identity', { ...change, idempotencyKey: '' }, [write], /needs the `change`/],
  ['100 writes', change, Array(100).fill(write), /got 100 writes, and a transaction of DynamoDB carries 99/],
]
for (const [what, given, writes, message] of refusals) {
  test(`once refuses ${what} before anything is written`, async () => {
    await assert.rejects(once(untouched, given as typeof change, writes, marks), {
      code: 'ONCE_INVALID',
      retryable: false,
      message,
    })
  })
}

/** Answers transactions as a busy DynamoDB does, which no local one can: with these reasons in turn, then with success. */
async function startBusyDynamo(t: TestContext, answers: readonly (readonly string[])[]) {
  let requests = 0
  const server = createServer((request, response) => {
    request.resume()
    const codes = answers[requests++]
    const body = {
      __type: 'com.amazonaws.dynamodb.v20120810#TransactionCanceledException',
      message: 'Transaction cancelled',
      CancellationReasons: codes?.map((Code) => ({ Code })),
    }
    response.writeHead(codes === undefined ? 200 : 400, { 'content-type': 'application/x-amz-json-1.0' })
    response.end(JSON.stringify(codes === undefined ? {} : body))
  })
  server.listen(0, '127.0.0.1')
  await nextEvent(server, 'listening')
  const client = new DynamoDBClient({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  })
  t.after(async () => {
    client.destroy()
    server.close()
    await nextEvent(server, 'close')
  })
  // No pause between two tries.
  t.mock.method(Math, 'random', () => 0)
  return { client, requests: () => requests }
}

describe('once while other transactions hold its items', () => {
  const conflict = ['None', 'TransactionConflict']

  test('tries again until the writes happen', async (t) => {
    const { client, requests } = await startBusyDynamo(t, [conflict, ['ThrottlingError', 'None'], conflict])
    assert.equal(await once(client, change, [write], marks), 'applied')
    assert.equal(requests(), 4)
  })

  test('ends with the error of DynamoDB after eight tries, so that the poller repeats the change', async (t) => {
    const { client, requests } = await startBusyDynamo(t, Array(20).fill(conflict))
    await assert.rejects(once(client, change, [write], marks), TransactionCanceledException)
    assert.equal(requests(), 8)
  })

  test('does not try again if a condition of a write fails', async (t) => {
    const { client, requests } = await startBusyDynamo(t, [
      ['None', 'ConditionalCheckFailed', 'TransactionConflict'],
    ])
    await assert.rejects(once(client, change, [write, write], marks), TransactionCanceledException)
    assert.equal(requests(), 1)
  })
})
