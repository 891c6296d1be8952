import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deliver } from './deliver.ts'

test('a function that gets one record of ten is not invoked for a handful each time', async () => {
  const records = 20_000
  const delivered = await deliver({ tables: 1, oneRoutedOf: 10, records, handlerMs: 1 })
  assert.ok(delivered.invocations <= 4, `${delivered.invocations}`)
})

test('a change at the end of the stream waits for nothing but the broker and its handler', async () => {
  const changes = 60
  const { delays } = await deliver({ tables: 1, records: 1_000, trickle: changes })
  assert.equal(delays.length, changes)
  // The handler takes 10 ms, and the broker has sent the change by the time that it counts as appended.
  assert.ok(Math.max(...delays) <= 12, `${Math.max(...delays)} ms`)
})

test('a backlog four times as long needs no more memory for records', async () => {
  const short = await deliver({ tables: 3, records: 20_000 })
  const long = await deliver({ tables: 3, records: 80_000 })
  assert.ok(
    short.heldBytes > 2 ** 20 && long.heldBytes <= short.heldBytes * 1.05,
    `${short.heldBytes}, ${long.heldBytes}`,
  )
})
