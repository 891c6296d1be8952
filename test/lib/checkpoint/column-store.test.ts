import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { GetItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import { ColumnStore } from '../../../lib/checkpoint/column-store.ts'
import { encodeText } from '../../../lib/checkpoint/item.ts'
import { CheckpointTable, clientOf, tableName } from './support.ts'

const seen = (table: string) => ({
  table,
  columns: new Map([['id', 8]]),
  since: { generation: 1, offset: 4n, time: null },
})

describe('the item with the columns of a stream', () => {
  const table = new CheckpointTable()
  const storeOf = (stream: string) => new ColumnStore(table.client, tableName, stream)

  test('is read as it was written, and is not the item of the checkpoint', async () => {
    const store = storeOf('topic/0')
    const read = await store.read()
    assert.deepEqual([read.history.tables.size, read.revision], [0, 0])
    read.history.add(seen('shop.orders'))
    assert.equal(await store.write(read), true)
    const again = await store.read()
    assert.deepEqual([[...again.history.tables.keys()], again.revision], [['shop.orders'], 1])
    const Key = { pk: encodeText('topic/0') }
    assert.equal((await table.client.send(new GetItemCommand({ TableName: tableName, Key }))).Item, undefined)
  })

  test('is not overwritten by a run that read an older one', async () => {
    const store = storeOf('raced/0')
    const [one, other] = [await store.read(), await store.read()]
    one.history.add(seen('shop.orders'))
    other.history.add(seen('shop.customers'))
    assert.deepEqual([await store.write(one), await store.write(other)], [true, false])
    const later = await store.read()
    later.history.add(seen('shop.items'))
    assert.equal(await store.write(later), true)
    assert.deepEqual([...(await store.read()).history.tables.keys()], ['shop.orders', 'shop.items'])
  })

  test('counts as absent if it cannot be read, and is then replaced', async () => {
    const store = storeOf('other/0')
    await store.write(await store.read())
    await table.client.send(
      new UpdateItemCommand({
        TableName: tableName,
        Key: { pk: encodeText('other/0/columns') },
        UpdateExpression: 'SET tables = :noise',
        ExpressionAttributeValues: { ':noise': { B: Buffer.from('of a later release') } },
      }),
    )
    const read = await store.read()
    assert.equal(read.history.tables.size, 0)
    read.history.add(seen('shop.orders'))
    assert.equal(await store.write(read), true)
    assert.equal((await store.read()).history.tables.size, 1)
  })

  test('that DynamoDB does not give is an error with a code', async () => {
    const client = clientOf({ endpoint: 'http://127.0.0.1:1', stop: async () => {} }, { maxAttempts: 1 })
    await assert.rejects(new ColumnStore(client, tableName, 'topic/0').read(), {
      code: 'CHECKPOINT_TABLE_UNAVAILABLE',
    })
    client.destroy()
  })
})
