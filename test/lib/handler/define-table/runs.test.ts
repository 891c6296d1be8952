import '../../../rig/quiet.ts'
import assert from 'node:assert/strict'
import { channel } from 'node:diagnostics_channel'
import { describe, test } from 'node:test'
import { type Change, defineTable } from '../../../../lib/handler/define-table.ts'
import { handledChannel } from '../../../../lib/handler/diagnostics.ts'
import { t0 } from '../../../support/records.ts'
import { batchOf, insertsOf, row, send, write } from './support.ts'

describe('a handler with onBatch', () => {
  test('gets all consecutive changes as one run, which only a statement ends', async () => {
    const calls: unknown[] = []
    const handler = defineTable({
      table: 'shop.orders',
      row,
      onBatch: (changes) => void calls.push(changes.map((c) => ('after' in c ? Number(c.after.id) : 0))),
      onDdl: ({ statement }) => void calls.push(statement),
    })
    const ddl = write.ddl('shop.orders', 'ALTER', t0).value
    const answer = await send(handler, batchOf([...insertsOf(1, 2, 3), ddl, ...insertsOf(4, 5, 6)]))
    assert.deepEqual(calls, [[1, 2, 3], 'ALTER', [4, 5, 6]])
    assert.equal(answer.acknowledgedThrough, '106')
  })

  test('that throws acknowledges no change of the run, but the changes before the run', async () => {
    const handler = defineTable({
      table: 'shop.orders',
      row,
      onBatch(changes) {
        if (changes.some((change) => 'after' in change && change.after.id === 4n)) throw new Error('no')
      },
    })
    const ddl = write.ddl('shop.orders', 'ALTER', t0).value
    const answer = await send(handler, batchOf([...insertsOf(1, 2), ddl, ...insertsOf(3, 4, 5)]))
    assert.deepEqual([answer.acknowledgedThrough, answer.failure?.offset], ['102', '103'])
    const alone = await send(handler, batchOf(insertsOf(3, 4, 5)))
    assert.deepEqual([alone.acknowledgedThrough, alone.failure?.offset], [null, '100'])
  })

  test('can name the change that failed, and the changes before it are done', async () => {
    const cases: [
      result: { failedAt: number; error?: unknown },
      through: string | null,
      failed: string,
      message: RegExp,
    ][] = [
      [{ failedAt: 0 }, '101', '102', /Error was thrown/],
      [{ failedAt: 1, error: new RangeError('canary') }, '102', '103', /^RangeError was thrown/],
      [{ failedAt: 2, error: 'canary' }, '103', '104', /^string was thrown/],
    ]
    const ddl = write.ddl('shop.orders', 'ALTER', t0).value
    for (const [result, through, failed, message] of cases) {
      let runs = 0
      const handler = defineTable({
        table: 'shop.orders',
        row,
        onBatch: () => (runs++ === 0 ? undefined : result),
      })
      const answer = await send(handler, batchOf([...insertsOf(1), ddl, ...insertsOf(2, 3, 4)]))
      assert.deepEqual([answer.acknowledgedThrough, answer.failure?.offset], [through, failed])
      assert.match(answer.failure?.message ?? '', message)
    }
  })

  test('handles the run before a change that cannot be decoded, and then fails that change', async () => {
    const calls: number[] = []
    const handler = defineTable({
      table: 'shop.orders',
      row,
      onBatch: (changes) => void calls.push(changes.length),
    })
    const broken = (insertsOf(3)[0] ?? Buffer.alloc(0)).subarray(0, 60)
    const answer = await send(handler, batchOf([...insertsOf(1, 2), broken, ...insertsOf(4)]))
    assert.deepEqual(calls, [2])
    assert.deepEqual([answer.acknowledgedThrough, answer.failure?.offset], ['101', '102'])
    assert.equal(answer.failure?.code, 'RECORD_INVALID')
  })

  test('publishes the changes that are done when a later change of the run fails', async (t) => {
    const published: unknown[] = []
    const listen = (message: unknown) => void published.push(message)
    channel(handledChannel).subscribe(listen)
    t.after(() => channel(handledChannel).unsubscribe(listen))
    const handler = defineTable({ table: 'shop.orders', row, onBatch: () => ({ failedAt: 2 }) })
    await send(handler, batchOf(insertsOf(1, 2, 3)))
    assert.deepEqual(
      (published as { change: Change }[]).map(({ change }) => change.offset),
      [100n, 101n],
    )
  })
})
