import '../../../rig/quiet.ts'
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { encodeRecord, integer } from '../../../../infra/local/encode.ts'
import { defineTable } from '../../../../lib/handler/define-table.ts'
import { t0 } from '../../../support/records.ts'
import { batchOf, functionContext, insertsOf, write } from './support.ts'

describe('the idempotency key', () => {
  async function keysOf(event: object): Promise<string[]> {
    const keys: string[] = []
    const handler = defineTable({
      table: 'shop.orders',
      row: z.looseObject({}),
      onChange: ({ idempotencyKey }) => void keys.push(idempotencyKey),
    })
    await handler(event, functionContext())
    return keys
  }

  test('is the same for every delivery of a change, whatever its offset and generation', async () => {
    const [first, second] = insertsOf(1, 2)
    assert.ok(first !== undefined && second !== undefined)
    const keys = await keysOf(batchOf([first, second]))
    assert.deepEqual(
      await keysOf(batchOf([second, first], { generation: 9, clusterId: 'd' })),
      keys.toReversed(),
    )
    assert.equal(new Set(keys).size, 2)
  })

  test('differs for two equal changes of one row', async () => {
    const values = [write.insert('shop.orders', 1, t0).value, write.insert('shop.orders', 1, t0).value]
    assert.equal(new Set(await keysOf(batchOf(values))).size, 2)
  })

  test('differs for the rows of one statement, which share their position', async () => {
    const rowOf = (id: number) =>
      encodeRecord({
        operation: 'INSERT',
        objectName: 'shop.orders',
        fields: [['id', 8]],
        after: [integer(id)],
        sourcePosition: '5@1',
        sourceTxid: 'tx',
      })
    assert.equal(new Set(await keysOf(batchOf([rowOf(1), rowOf(2)]))).size, 2)
  })

  test('exists for a change that is sent by hand too', async () => {
    const byHand = (id: number) => ({ operation: 'INSERT', table: 'shop.orders', after: { id } })
    const keys = await keysOf({ changes: [byHand(1), byHand(2), byHand(1)] })
    assert.equal(keys[0], keys[2])
    assert.notEqual(keys[0], keys[1])
  })
})
