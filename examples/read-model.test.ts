import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { changesOf, deliver, memoryTables } from 'dts-functions/testing'
import { client, handler } from './read-model.ts'

const open = { id: 7n, status: 'open', total: '12.30' }
const tables = memoryTables(client, { orders: 'id' })
beforeEach(() => tables.clear())

test('the table follows the source, also when changes come again', async () => {
  const make = changesOf(handler, { keys: ['id'] })
  const changes = [
    make.insert(open),
    make.update(open, { ...open, status: 'paid' }),
    make.insert({ ...open, id: 8n }),
    make.delete({ ...open, id: 8n }),
    make.update({ ...open, status: 'paid' }, { ...open, status: 'paid', id: 9n }),
  ]
  await deliver(handler, changes)
  assert.deepEqual(await deliver(handler, changes, { replay: true }), {
    handled: 5,
    filtered: 0,
    error: null,
  })
  const rows = tables.items('orders').filter(({ dtsDeleted }) => dtsDeleted === undefined)
  assert.deepEqual(
    rows.map(({ id, status, total }) => ({ id, status, total })),
    [{ id: 9, status: 'paid', total: '12.30' }],
  )
})

test('an update that keeps the key writes its row only', async () => {
  const make = changesOf(handler, { keys: ['id'] })
  assert.equal((await deliver(handler, [make.update(open, { ...open, status: 'paid' })])).error, null)
  const [row] = tables.items('orders')
  assert.deepEqual([row?.id, row?.status, row?.dtsDeleted], [7, 'paid', undefined])
})
