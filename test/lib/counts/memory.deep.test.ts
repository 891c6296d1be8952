import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { makeRecords } from '../../../bench/ground/records.ts'
import { packEvents, toBatch } from '../../../lib/dispatch/batch-format.ts'
import { RoutedEvent } from '../../../lib/dispatch/event.ts'
import { decodePending, RecordDecoder } from '../../../lib/handler/pending-changes.ts'
import { LogRecords } from '../../../lib/kafka/records.ts'
import { deliver } from './deliver.ts'
import { bytesOf } from './memory.ts'

describe('the garbage of one record of twelve columns does not grow', () => {
  const records = 20_000
  // Measured, and a tenth more. If a change needs more on purpose, measure it with `npm run bench` and raise its line.
  const budgets: readonly [tables: number, most: number][] = [
    [1, 555],
    [200, 1_000],
  ]
  for (const [tables, most] of budgets) {
    test(`with ${tables} functions: at most ${most} bytes`, async () => {
      const bytes = (await bytesOf(() => deliver({ tables, records }))) / records
      assert.ok(bytes > 0 && bytes <= most, `${bytes}`)
    })
  }

  test('in a function that declares three of the columns: at most 1,430', async () => {
    const count = 5_000
    const values = makeRecords({ tables: 1 }, count).map((value, at) => ({ offset: BigInt(at), value }))
    const logged = LogRecords.of(values)
    const events = values.map((_, at) => new RoutedEvent(logged, at, 'shop.orders_0'))
    const origin = { topic: 't', partition: 0, clusterId: 'c', generation: 1, replayUntil: null }
    const batch = toBatch(packEvents(events), origin)
    const row = z.object({ id: z.bigint(), status: z.string(), total: z.string() })
    const decoder = new RecordDecoder({ table: 'shop.orders_0', row, onBatch: () => {} })
    const decode = () => decoder.pendingOf(batch).map((pending) => decodePending(row, pending))
    assert.ok(decode().every((decoded) => !('error' in decoded)))
    const bytes = (await bytesOf(decode)) / count
    assert.ok(bytes > 0 && bytes <= 1_430, `${bytes}`)
  })
})
