import '../../../rig/quiet.ts'
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defineTable } from '../../../../lib/handler/define-table.ts'
import { functionContext, row } from './support.ts'

describe('changes that are sent by hand, in their JSON form', () => {
  const byHand = (id: number, extra: object = {}) => ({
    operation: 'INSERT',
    table: 'shop.orders',
    after: { id: { $bigint: String(id) }, status: 'new' },
    ...extra,
  })
  const ids: bigint[] = []
  const handler = defineTable({
    table: 'shop.orders',
    row,
    onChange(change) {
      if (change.operation !== 'INSERT') return
      if (change.after.id === 3n) throw new RangeError('three')
      ids.push(change.after.id)
    },
  })

  test('one or several are handled in order, and the answer has their number', async () => {
    ids.length = 0
    assert.deepEqual(await handler(byHand(1), functionContext()), { handled: 1 })
    const several = { changes: [byHand(2), byHand(4)] }
    assert.deepEqual(await handler(several, functionContext()), { handled: 2 })
    assert.deepEqual(ids, [1n, 2n, 4n])
  })

  test('the caller gets the error that the handler throws, and later changes are not tried', async () => {
    ids.length = 0
    const several = { changes: [byHand(1), byHand(3), byHand(4)] }
    await assert.rejects(handler(several, functionContext()), { name: 'RangeError', message: 'three' })
    assert.deepEqual(ids, [1n])
  })

  test('a row with a wrong type and an invalid change are refused', async () => {
    const wrong = byHand(1, { after: { id: { $bigint: '1' } } })
    await assert.rejects(handler(wrong, functionContext()), { code: 'ROW_INVALID' })
    const unknown = byHand(1, { operation: 'UPSERT' })
    await assert.rejects(handler(unknown, functionContext()), { code: 'CHANGE_JSON_INVALID' })
  })
})
