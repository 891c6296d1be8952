import '../../../rig/quiet.ts'
import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import {
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  ScanCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import * as z from 'zod'
import { defineTable } from '../../../../lib/handler/define-table.ts'
import { fencedDelete, fencedUpdate } from '../../../../lib/handler/fence.ts'
import { once } from '../../../../lib/handler/once.ts'
import { changesOf, deliver, memoryTables } from '../../../../lib/handler/testing/index.ts'

// No endpoint: a request that left the process would fail.
const client = new DynamoDBClient({ region: 'eu-central-1' })
const tables = memoryTables(client, { orders: 'id', revenue: 'id', marks: 'id', places: ['pk', 'sk'] })
beforeEach(() => tables.clear())

const row = z.object({ id: z.bigint(), cents: z.bigint() })

describe('a handler with the fence, on tables in memory', () => {
  const handler = defineTable({
    table: 'shop.orders',
    row,
    async onChange(change) {
      const table = 'orders'
      if (change.operation === 'DELETE')
        await fencedDelete(client, { table, key: { id: change.before.id }, change })
      else await fencedUpdate(client, { table, key: { id: change.after.id }, change, set: change.after })
    },
  })

  test('keeps the newest state when older changes come again', async () => {
    const make = changesOf(handler, { keys: ['id'] })
    const first = make.insert({ id: 7n, cents: 100n })
    const second = make.update({ id: 7n, cents: 100n }, { id: 7n, cents: 9_007_199_254_740_993n })
    assert.deepEqual(await deliver(handler, [first, second, first]), { handled: 3, filtered: 0, error: null })
    assert.deepEqual(tables.items('orders'), [
      { id: 7, cents: 9_007_199_254_740_993n, dtsGeneration: 1, dtsOffset: 1 },
    ])
  })

  test('leaves a tombstone, so that a late insert does not bring the row back', async () => {
    const make = changesOf(handler, { keys: ['id'] })
    const seven = { id: 7n, cents: 100n }
    const [born, gone] = [make.insert(seven), make.delete(seven)]
    await deliver(handler, [born, gone, born])
    assert.deepEqual(
      tables.items('orders').map(({ id, cents, dtsDeleted }) => [id, cents, dtsDeleted]),
      [[7, undefined, true]],
    )
  })
})

test('a handler with once counts each change once', async () => {
  const handler = defineTable({
    table: 'shop.payments',
    row,
    async onInsert(change) {
      const add = {
        Update: {
          TableName: 'revenue',
          Key: { id: { S: 'all' } },
          UpdateExpression: 'ADD cents :cents',
          ExpressionAttributeValues: { ':cents': { N: String(change.after.cents) } },
        },
      }
      await once(client, change, [add], { table: 'marks' })
    },
  })
  const make = changesOf(handler, { keys: ['id'] })
  const changes = [make.insert({ id: 1n, cents: 5n }), make.insert({ id: 2n, cents: 7n })]
  await deliver(handler, changes)
  assert.deepEqual(await deliver(handler, changes, { replay: true }), {
    handled: 2,
    filtered: 0,
    error: null,
  })
  assert.deepEqual(tables.items('revenue'), [{ id: 'all', cents: 12 }])
  assert.equal(tables.items('marks').length, 2)
})

describe('tables in memory', () => {
  const put = (id: string, more: Partial<ConstructorParameters<typeof PutItemCommand>[0]> = {}) =>
    client.send(new PutItemCommand({ TableName: 'marks', Item: { id: { S: id } }, ...more }))

  test('return an item to a reader', async () => {
    await client.send(
      new PutItemCommand({
        TableName: 'places',
        Item: { pk: { S: 'a' }, sk: { N: '1' }, x: { BOOL: true } },
      }),
    )
    const get = (sk: string) =>
      client.send(new GetItemCommand({ TableName: 'places', Key: { pk: { S: 'a' }, sk: { N: sk } } }))
    assert.deepEqual((await get('1')).Item, { pk: { S: 'a' }, sk: { N: '1' }, x: { BOOL: true } })
    assert.equal((await get('2')).Item, undefined)
  })

  test('remove the list elements that an update names, by their places before it', async () => {
    const letters = ['a', 'b', 'c', 'd', 'e'].map((S) => ({ S }))
    await put('list', { Item: { id: { S: 'list' }, l: { L: letters } } })
    await client.send(
      new UpdateItemCommand({
        TableName: 'marks',
        Key: { id: { S: 'list' } },
        UpdateExpression: 'REMOVE l[1], l[2]',
      }),
    )
    assert.deepEqual(tables.items('marks'), [{ id: 'list', l: ['a', 'd', 'e'] }])
  })

  test('compare bytes by their beginning', async () => {
    const blob = { id: { S: 'blob' }, b: { B: Buffer.from([1, 2, 3]) } }
    await put('blob', { Item: blob })
    const begins = (bytes: number[]) =>
      put('blob', {
        Item: blob,
        ConditionExpression: 'begins_with(b, :b) AND contains(b, :b)',
        ExpressionAttributeValues: { ':b': { B: Buffer.from(bytes) } },
      })
    await begins([1, 2])
    await assert.rejects(begins([2]), { name: 'ConditionalCheckFailedException' })
  })

  test('write all of a transaction or nothing', async () => {
    await put('taken')
    const item = (id: string) => ({
      Put: {
        TableName: 'marks',
        Item: { id: { S: id } },
        ConditionExpression: 'attribute_not_exists(id)',
      },
    })
    const transact = (...ids: readonly string[]) =>
      client.send(new TransactWriteItemsCommand({ TransactItems: ids.map(item) }))
    await assert.rejects(transact('new', 'taken'), (error: Error & { CancellationReasons?: unknown }) => {
      assert.equal(error.name, 'TransactionCanceledException')
      assert.deepEqual(error.CancellationReasons, [{ Code: 'None' }, { Code: 'ConditionalCheckFailed' }])
      return true
    })
    assert.deepEqual(tables.items('marks'), [{ id: 'taken' }])
    await assert.rejects(transact('twice', 'twice'), /ValidationException|cannot write one item twice/)
    await transact('new', 'newer')
    assert.deepEqual(tables.items('marks'), [{ id: 'taken' }, { id: 'new' }, { id: 'newer' }])
  })

  test('keep an item as it was written, whatever its writer does with it later', async () => {
    const Item = { id: { S: 'a' }, tags: { L: [{ S: 'x' }] } }
    await put('a', { Item })
    Item.tags.L.push({ S: 'y' })
    assert.deepEqual(tables.items('marks'), [{ id: 'a', tags: ['x'] }])
  })

  test('take a transaction of 100 writes, and none of 101', async () => {
    const transact = (count: number) =>
      client.send(
        new TransactWriteItemsCommand({
          TransactItems: Array.from({ length: count }, (_, n) => ({
            Put: { TableName: 'marks', Item: { id: { S: String(n) } } },
          })),
        }),
      )
    await assert.rejects(transact(101), /at most 100 writes, not 101/)
    assert.equal(tables.items('marks').length, 0)
    await transact(100)
    assert.equal(tables.items('marks').length, 100)
  })

  test('update numbers, lists and sets as DynamoDB does', async () => {
    await put('a', {
      Item: { id: { S: 'a' }, n: { N: '5' }, l: { L: [{ N: '1' }] }, s: { SS: ['x'] } },
    })
    await client.send(
      new UpdateItemCommand({
        TableName: 'marks',
        Key: { id: { S: 'a' } },
        UpdateExpression: 'SET n = n - :two, l[9] = :two DELETE s :s',
        ExpressionAttributeValues: { ':two': { N: '2' }, ':s': { SS: ['x'] } },
      }),
    )
    assert.deepEqual(tables.items('marks'), [{ id: 'a', n: 3, l: [1, 2] }])
  })

  const refused: [what: string, act: () => Promise<unknown>, expected: RegExp][] = [
    [
      'a request that they do not know',
      () => client.send(new ScanCommand({ TableName: 'marks' })),
      /ScanCommand.*DynamoDB Local/,
    ],
    [
      'a table that was not declared',
      () => put('a', { TableName: 'mark' }),
      /no table mark; it has orders, revenue, marks, places/,
    ],
    [
      'an item without its key',
      () => put('a', { Item: { ID: { S: 'a' } } }),
      /key of the table marks is id; id is missing/,
    ],
    [
      'a reserved word as a name',
      () => put('a', { ConditionExpression: 'attribute_not_exists(total)' }),
      /total is a reserved word: write #total/,
    ],
    [
      'a value that no expression uses',
      () =>
        put('a', {
          ConditionExpression: 'attribute_not_exists(id)',
          ExpressionAttributeValues: { ':x': { N: '1' } },
        }),
      /:x is not used/,
    ],
    [
      'a condition that cannot be read',
      () => put('a', { ConditionExpression: 'id = = id' }),
      /something else should be there at "="/,
    ],
    [
      'an update of the key',
      () =>
        client.send(
          new UpdateItemCommand({
            TableName: 'marks',
            Key: { id: { S: 'a' } },
            UpdateExpression: 'SET id = :id',
            ExpressionAttributeValues: { ':id': { S: 'b' } },
          }),
        ),
      /cannot write id, which is part of the key/,
    ],
    [
      'an update from an attribute that the item lacks',
      () =>
        client.send(
          new UpdateItemCommand({
            TableName: 'marks',
            Key: { id: { S: 'a' } },
            UpdateExpression: 'SET x = y',
          }),
        ),
      /The value for x is an attribute that the item lacks/,
    ],
    [
      'a sum with a text on its right side',
      () =>
        client.send(
          new UpdateItemCommand({
            TableName: 'marks',
            Key: { id: { S: 'a' } },
            UpdateExpression: 'SET x = if_not_exists(x, :n) + :s',
            ExpressionAttributeValues: { ':n': { N: '1' }, ':s': { S: 'b' } },
          }),
        ),
      /A value of the type S cannot be used/,
    ],
    [
      'a comparison of an attribute with itself',
      () => put('a', { ConditionExpression: 'id = id' }),
      /two different operands/,
    ],
  ]
  for (const [what, act, expected] of refused) {
    test(`refuse ${what}, and write nothing`, async () => {
      await assert.rejects(act, expected)
      assert.deepEqual(tables.items('marks'), [])
    })
  }
})
