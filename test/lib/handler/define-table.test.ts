import '../../rig/quiet.ts'
import assert from 'node:assert/strict'
import { channel } from 'node:diagnostics_channel'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { encodeRecord, integer, text } from '../../../infra/local/encode.ts'
import { DtsError } from '../../../lib/errors.ts'
import { type Change, defineTable, type RowChange } from '../../../lib/handler/define-table.ts'
import { failedChannel, handledChannel, startedChannel } from '../../../lib/handler/diagnostics.ts'
import { t0 } from '../../support/records.ts'
import { batchOf, functionContext, insertsOf, type Row, row, send, write } from './define-table/support.ts'

describe('defineTable', () => {
  test('gives the handler the declared columns, in order, one change at a time', async () => {
    const seen: RowChange<Row>[] = []
    let running = 0
    const handler = defineTable({
      table: 'shop.orders',
      row,
      async onChange(change) {
        running += 1
        await new Promise((resolve) => setImmediate(resolve))
        assert.equal(running, 1)
        running -= 1
        seen.push(change)
      },
    })
    const values = [
      write.insert('shop.orders', 1, t0).value,
      write.update('shop.orders', 1, t0).value,
      write.delete('shop.orders', 1, t0).value,
    ]
    assert.deepEqual(await send(handler, batchOf(values)), { batchId: 'batch-1', acknowledgedThrough: '102' })
    assert.deepEqual(
      seen.map((change) => ['before' in change && change.before, 'after' in change && change.after]),
      [
        [false, { id: 1n, status: 'new' }],
        [
          { id: 1n, status: 'new' },
          { id: 1n, status: 'paid' },
        ],
        [{ id: 1n, status: 'paid' }, false],
      ],
    )
    const [insert, update] = seen
    assert.deepEqual([insert?.offset, insert?.generation, insert?.replay], [100n, 2, false])
    assert.deepEqual(insert?.keys, ['id'])
    assert.ok(update?.operation === 'UPDATE')
    assert.deepEqual([update.changed('status'), update.changed('id')], [true, false])
  })

  test('the handler gets the output of the row schema, and `changed` still compares the source values', async () => {
    const seen: unknown[] = []
    const handler = defineTable({
      table: 'shop.orders',
      row: z.object({
        id: z.bigint().transform(Number),
        status: z.string().transform((letters) => ({ letters: letters.length })),
      }),
      onChange(change) {
        if (change.operation !== 'UPDATE') return
        seen.push(change.after, change.changed('id'), change.changed('status'))
      },
    })
    const same = encodeRecord({
      operation: 'UPDATE',
      objectName: 'shop.orders',
      fields: [
        ['id', 8],
        ['status', 253],
      ],
      before: [integer(1), text('new')],
      after: [integer(2), text('new')],
    })
    await send(handler, batchOf([same, write.update('shop.orders', 5, t0).value]))
    assert.deepEqual(seen, [
      { id: 2, status: { letters: 3 } },
      true,
      false,
      { id: 5, status: { letters: 4 } },
      false,
      true,
    ])
  })

  test('changes up to the time of a reset are marked as replay', async () => {
    const seen: [bigint, boolean][] = []
    const handler = defineTable({
      table: 'shop.orders',
      row,
      onChange: ({ offset, replay }) => void seen.push([offset, replay]),
    })
    await send(handler, batchOf(insertsOf(0, 1, 2), { replayUntil: t0 + 1 }))
    assert.deepEqual(seen, [
      [100n, true],
      [101n, true],
      [102n, false],
    ])
  })

  test('the changes before a failed change are acknowledged, and later changes are not tried', async () => {
    const tried: bigint[] = []
    const handler = defineTable({
      table: 'shop.orders',
      row,
      onChange(change) {
        if (change.operation !== 'INSERT') return
        tried.push(change.after.id)
        if (change.after.id === 3n) throw new RangeError('customer canary is unknown')
      },
    })
    const answer = await send(handler, batchOf(insertsOf(1, 2, 3, 4)))
    assert.deepEqual(answer, {
      batchId: 'batch-1',
      acknowledgedThrough: '101',
      failure: {
        offset: '102',
        code: 'HANDLER_FAILED',
        message: "RangeError was thrown; the function's own log has its message",
      },
    })
    assert.deepEqual(tried, [1n, 2n, 3n])
    const first = await send(handler, batchOf(insertsOf(3)))
    assert.deepEqual([first.acknowledgedThrough, first.failure?.offset], [null, '100'])
  })

  test('a rejected promise and a thrown value that is not an error fail the change too', async () => {
    for (const [thrown, name] of [
      [new TypeError('x'), 'TypeError'],
      ['canary', 'string'],
      [undefined, 'undefined'],
    ] as const) {
      const handler = defineTable({ table: 'shop.orders', row, onChange: () => Promise.reject(thrown) })
      const { failure } = await send(handler, batchOf(insertsOf(1)))
      assert.equal(failure?.message, `${name} was thrown; the function's own log has its message`)
    }
  })

  test('the answer stays within the limit of Lambda, even if the message of the error is very long', async () => {
    const long = 'x'.repeat(7_000_000)
    const named = Object.assign(new Error('no'), { name: long })
    for (const thrown of [new DtsError('ROW_INVALID', long, { retryable: false }), named]) {
      const handler = defineTable({ table: 'shop.orders', row, onChange: () => Promise.reject(thrown) })
      const answer = JSON.stringify(await handler(batchOf(insertsOf(1)), functionContext()))
      assert.ok(answer.length < 2_500)
      assert.match(answer, /x{2000}[^x]/)
    }
  })

  test('when time runs short, the changes that are done are acknowledged, and at least one change is tried', async () => {
    let done = 0
    const handler = defineTable({ table: 'shop.orders', row, onChange: () => void done++ })
    const short = await send(handler, batchOf(insertsOf(1, 2, 3)), () => (done < 2 ? 30_000 : 1_000))
    assert.deepEqual(short, { batchId: 'batch-1', acknowledgedThrough: '101' })
    done = 0
    const shorter = await send(handler, batchOf(insertsOf(1, 2, 3)), () => 10)
    assert.deepEqual([shorter.acknowledgedThrough, done], ['100', 1])
  })

  test('without onDdl, statements are acknowledged and skipped', async () => {
    const handler = defineTable({ table: 'shop.orders', row, onChange: () => assert.fail('not asked for') })
    const answer = await send(handler, batchOf([write.ddl('shop', 'DROP TABLE x', t0).value]))
    assert.equal(answer.acknowledgedThrough, '100')
  })

  test('only changes that are done are published', async (t) => {
    const published: unknown[] = []
    const listen = (message: unknown) => void published.push(message)
    channel(handledChannel).subscribe(listen)
    t.after(() => channel(handledChannel).unsubscribe(listen))
    const handler = defineTable({
      table: 'shop.orders',
      row,
      onChange(change) {
        if (change.operation === 'INSERT' && change.after.id === 2n) throw new Error('no')
      },
    })
    await send(handler, batchOf(insertsOf(1, 2)))
    const [one] = published as { table: string; change: Change }[]
    assert.equal(published.length, 1)
    assert.deepEqual([one?.table, one?.change.offset], ['shop.orders', 100n])
  })

  test('a change that starts is published with the time that is left, and one that fails with its error', async (t) => {
    const published: unknown[] = []
    const no = new Error('no')
    for (const name of [startedChannel, failedChannel]) {
      const listen = (message: unknown) => {
        const { change, remainingMs, error } = message as {
          change: Change
          remainingMs?: number
          error?: unknown
        }
        published.push(remainingMs ?? error, change.offset)
      }
      channel(name).subscribe(listen)
      t.after(() => channel(name).unsubscribe(listen))
    }
    const onChange = () => Promise.reject(no)
    await send(defineTable({ table: 'shop.orders', row, onChange }), batchOf(insertsOf(1, 2)), () => 9_000)
    assert.deepEqual(published, [9_000, 100n, no, 100n])
    published.length = 0
    const onBatch = () => ({ failedAt: 1, error: no })
    await send(defineTable({ table: 'shop.orders', row, onBatch }), batchOf(insertsOf(1, 2)), () => 9_000)
    assert.deepEqual(published, [9_000, 100n, no, 101n])
  })

  test('a change that the row schema refuses is published as failed, with the change', async (t) => {
    const published: unknown[] = []
    const listen = (message: unknown) => void published.push((message as { change: Change }).change.offset)
    channel(failedChannel).subscribe(listen)
    t.after(() => channel(failedChannel).unsubscribe(listen))
    const wrong = z.object({ id: z.string() })
    await send(defineTable({ table: 'shop.orders', row: wrong, onChange() {} }), batchOf(insertsOf(1)))
    assert.deepEqual(published, [100n])
  })

  test('a row has only the declared columns, and a loose row has all columns', async () => {
    const seen: unknown[] = []
    const onChange = (change: RowChange<object>) => void ('after' in change && seen.push(change.after))
    const values = insertsOf(1)
    await send(defineTable({ table: 'shop.orders', row, onChange }), batchOf(values))
    await send(defineTable({ table: 'shop.orders', row: z.looseObject({}), onChange }), batchOf(values))
    await send(
      defineTable({
        table: 'shop.orders',
        row: z.looseObject({ id: z.bigint().transform(Number) }),
        onChange,
      }),
      batchOf(values),
    )
    const unread = 'never asked for'
    assert.deepEqual(seen, [
      { id: 1n, status: 'new' },
      { id: 1n, status: 'new', unread },
      { id: 1, status: 'new', unread },
    ])
  })

  test('invalid text fails its change, unless the definition asks for replacement', async () => {
    const bad = encodeRecord({
      operation: 'INSERT',
      objectName: 'shop.orders',
      fields: [
        ['id', 8],
        ['status', 253],
      ],
      after: [integer(2), text(Buffer.from([0x6e, 0xff]))],
    })
    const seen: string[] = []
    const onChange = (change: RowChange<Row>) => void ('after' in change && seen.push(change.after.status))
    const batch = batchOf([...insertsOf(1), bad, ...insertsOf(3)])
    const refused = await send(defineTable({ table: 'shop.orders', row, onChange }), batch)
    assert.equal(refused.acknowledgedThrough, '100')
    assert.deepEqual([refused.failure?.offset, refused.failure?.code], ['101', 'RECORD_INVALID'])
    assert.match(
      refused.failure?.message ?? '',
      /afterImages\[1\].value .*not text in the character set "utf8mb4"/,
    )
    assert.deepEqual(seen, ['new'])
    const handler = defineTable({ table: 'shop.orders', row, onChange, invalidText: 'replace' })
    assert.equal((await send(handler, batch)).acknowledgedThrough, '102')
    assert.deepEqual(seen, ['new', 'new', 'n\ufffd', 'new'])
    // No compiler checks a file in JavaScript.
    const misspelt: unknown = 'ignore'
    assert.throws(
      () => defineTable({ table: 'shop.orders', row, onChange, invalidText: misspelt as 'replace' }),
      {
        code: 'CONFIG_INVALID',
        message: /invalidText must be 'refuse' or 'replace'/,
      },
    )
  })

  test('the handler of * gets the changes of any table, with the name of the table', async () => {
    const seen: unknown[] = []
    const handler = defineTable({
      table: '*',
      row: z.looseObject({}),
      onChange: (change) => void seen.push([change.table, change.operation]),
    })
    await send(handler, batchOf([write.insert('a.b', 1, t0).value, write.delete('c.d', 2, t0).value]))
    assert.deepEqual(seen, [
      ['a.b', 'INSERT'],
      ['c.d', 'DELETE'],
    ])
  })

  test('middy middleware runs around the handler', async () => {
    const order: string[] = []
    const handler = defineTable({ table: 'shop.orders', row, onChange: () => void order.push('change') })
    handler.use({ before: () => void order.push('before'), after: () => void order.push('after') })
    await send(handler, batchOf(insertsOf(1)))
    assert.deepEqual(order, ['before', 'change', 'after'])
  })
})
