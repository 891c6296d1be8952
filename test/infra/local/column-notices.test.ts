import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ColumnNotices } from '../../../infra/local/column-notices.ts'
import { ColumnHistory } from '../../../lib/checkpoint/column-history.ts'

test('npm start says once which columns of a table changed, and nothing about a table that it sees first', () => {
  const seen = (offset: bigint, columns: Record<string, number>) => ({
    table: 'shop.orders',
    columns: new Map(Object.entries(columns)),
    since: { generation: 1, offset, time: null },
  })
  const notices = new ColumnNotices()
  const history = new ColumnHistory()
  assert.deepEqual(notices.news(history), [])
  history.add(seen(1n, { id: 8, status: 253 }))
  assert.deepEqual(notices.news(history), [])
  history.add(seen(7n, { id: 3, note: 252 }))
  assert.deepEqual(notices.news(history), [
    'The columns of shop.orders changed at offset 7 (new: note; lost: status; of another type: id (8 to 3)).',
  ])
  assert.deepEqual(notices.news(history), [])
})
