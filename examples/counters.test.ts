import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changesOf, deliver, memoryTables } from 'dts-functions/testing'
import { client, handler } from './counters.ts'

test('the counters equal the sums of the source, also when changes come again', async () => {
  const tables = memoryTables(client, { revenue: 'id', 'revenue-marks': 'id' })
  const make = changesOf(handler, { keys: ['id'] })
  const first = { id: 1n, customer_id: 7n, cents: 500n }
  const second = { id: 2n, customer_id: 7n, cents: 250n }
  const changes = [
    make.insert(first),
    make.insert(second),
    make.update(first, { ...first, cents: 400n }),
    make.update(second, { ...second, customer_id: 8n }),
    make.delete({ ...first, cents: 400n }),
  ]
  for (const delivered of [changes.slice(0, 2), changes, changes.slice(1)])
    assert.deepEqual(await deliver(handler, delivered), {
      handled: delivered.length,
      filtered: 0,
      error: null,
    })
  assert.deepEqual(tables.items('revenue'), [
    { id: '7', cents: 0 },
    { id: '8', cents: 250 },
  ])
})
