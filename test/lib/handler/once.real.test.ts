import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  DynamoDBClient,
  GetItemCommand,
  TransactionCanceledException,
  type TransactWriteItem,
} from '@aws-sdk/client-dynamodb'
import { type OnceMarks, once } from '../../../lib/handler/once.ts'
import { startDynamoDbLocal } from '../../rig/dynamodb-local.ts'
import { createKeyTable } from '../../support/key-table.ts'

const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
const marks: OnceMarks = { table: 'marks', now: () => 1_790_000_000_000 }

describe('once on DynamoDB Local', () => {
  let dynamo: Awaited<ReturnType<typeof startDynamoDbLocal>>
  let client: DynamoDBClient
  let names = 0

  before(async () => {
    dynamo = await startDynamoDbLocal()
    client = new DynamoDBClient({ endpoint: dynamo.endpoint, region: 'eu-central-1', credentials })
    for (const table of ['marks', 'counters']) {
      await createKeyTable(client, table)
    }
  })
  after(async () => {
    client.destroy()
    await dynamo.stop()
  })

  const changeOf = (id: number | string) => ({
    idempotencyKey: `${id}@1/tx/abc`,
    keys: ['id'],
    table: 'shop.orders',
  })
  const newName = () => `counter ${++names}`

  function add(id: string, amount = 1): TransactWriteItem {
    return {
      Update: {
        TableName: 'counters',
        Key: { id: { S: id } },
        UpdateExpression: 'ADD amount :amount',
        ExpressionAttributeValues: { ':amount': { N: String(amount) } },
      },
    }
  }

  async function item(TableName: string, id: string) {
    const request = { TableName, Key: { id: { S: id } }, ConsistentRead: true }
    return (await client.send(new GetItemCommand(request))).Item
  }

  test('a change that is delivered again is seen, and its writes happen once', async () => {
    const name = newName()
    const change = changeOf(name)
    assert.equal(await once(client, change, [add(name, 5)], marks), 'applied')
    assert.equal(await once(client, change, [add(name, 5)], marks), 'seen')
    assert.equal((await item('counters', name))?.amount?.N, '5')
  })

  test('the mark expires 30 days later, or when the handler says', async () => {
    const [one, other] = [newName(), newName()]
    await once(client, changeOf(one), [add(one)], marks)
    await once(client, changeOf(other), [add(other)], { ...marks, keepSeconds: 60 })
    const mark = async (name: string) => (await item('marks', changeOf(name).idempotencyKey))?.dtsExpires?.N
    assert.deepEqual([await mark(one), await mark(other)], ['1792592000', '1790000060'])
  })

  test('twenty changes of one counter at the same time all count', async () => {
    const name = newName()
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, at) => once(client, changeOf(`${name}/${at}`), [add(name, at)], marks)),
    )
    assert.ok(results.every((result) => result === 'applied'))
    assert.equal((await item('counters', name))?.amount?.N, '190')
  })

  test('ten deliveries of one change at the same time count once', async () => {
    const name = newName()
    const results = await Promise.all(
      Array.from({ length: 10 }, () => once(client, changeOf(name), [add(name)], marks)),
    )
    assert.equal(results.filter((result) => result === 'applied').length, 1)
    assert.equal((await item('counters', name))?.amount?.N, '1')
  })

  test('a write whose own condition fails is an error, and leaves neither writes nor a mark', async () => {
    const [name, other] = [newName(), newName()]
    const impossible: TransactWriteItem = {
      ConditionCheck: {
        TableName: 'counters',
        Key: { id: { S: other } },
        ConditionExpression: 'attribute_exists(id)',
      },
    }
    await assert.rejects(
      once(client, changeOf(name), [add(name), impossible], marks),
      (error) =>
        error instanceof TransactionCanceledException &&
        error.CancellationReasons?.[2]?.Code === 'ConditionalCheckFailed',
    )
    assert.equal(await item('counters', name), undefined)
    assert.equal(await item('marks', changeOf(name).idempotencyKey), undefined)
  })
})
