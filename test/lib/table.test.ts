import '../rig/quiet.ts'
import assert from 'node:assert/strict'
import { channel } from 'node:diagnostics_channel'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { binaryObject, encodeRecord, integer, type PlainRecord, text } from '../../infra/local/encode.ts'
import { type Acknowledgement, acknowledgementSchema } from '../../lib/dispatch/wire.ts'
import { handledChannel } from '../../lib/handled.ts'
import { type Change, defineTable, type RowChange } from '../../lib/table.ts'
import { filler, t0, Writer } from '../integration/records.ts'
import { context } from '../rig/invoke-server.ts'

const write = new Writer()
const row = z.object({ id: z.bigint(), status: z.string() })
type Row = z.output<typeof row>

type Handler = (event: unknown, context: ReturnType<typeof functionContext>) => Promise<unknown>
const functionContext = (remainingMs: () => number = () => 30_000) => context('orders', remainingMs)

function batchOf(values: readonly (Buffer | null)[], extra: object = {}) {
  return {
    source: 'dts-functions',
    version: 1,
    batchId: 'batch-1',
    topic: 't',
    partition: 0,
    clusterId: 'c',
    generation: 2,
    replayUntil: -1,
    records: values.map((value, i) => ({ offset: String(100 + i), value: value?.toString('base64') ?? '' })),
    ...extra,
  }
}

const insertsOf = (...ids: number[]) => ids.map((id) => write.insert('shop.orders', id, t0 + id).value)

async function send(handler: Handler, event: unknown, remainingMs?: () => number): Promise<Acknowledgement> {
  return acknowledgementSchema.parse(await handler(event, functionContext(remainingMs)))
}

describe('defineTable', () => {
  test('gives the declared columns, in order, one change at a time', async () => {
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

  test('what the row schema makes of a value is what the handler gets; `changed` still compares the source', async () => {
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

  test('a change that fails: acknowledged up to it, nothing after it is tried', async () => {
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

  test('a rejected promise and a thrown value that is no error fail the change, too', async () => {
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

  test('when the time runs short, what is done is acknowledged; one change at least is tried', async () => {
    let done = 0
    const handler = defineTable({ table: 'shop.orders', row, onChange: () => void done++ })
    const short = await send(handler, batchOf(insertsOf(1, 2, 3)), () => (done < 2 ? 30_000 : 1_000))
    assert.deepEqual(short, { batchId: 'batch-1', acknowledgedThrough: '101' })
    done = 0
    const shorter = await send(handler, batchOf(insertsOf(1, 2, 3)), () => 10)
    assert.deepEqual([shorter.acknowledgedThrough, done], ['100', 1])
  })

  test('onBatch gets runs of changes, cut at batchSize and at a statement', async () => {
    const calls: unknown[] = []
    const handler = defineTable({
      table: 'shop.orders',
      row,
      batchSize: 2,
      onBatch: (changes) => void calls.push(changes.map((c) => ('after' in c ? Number(c.after.id) : 0))),
      onDdl: ({ statement }) => void calls.push(statement),
    })
    const ddl = write.ddl('shop.orders', 'ALTER', t0).value
    const answer = await send(handler, batchOf([...insertsOf(1, 2, 3), ddl, ...insertsOf(4, 5, 6)]))
    assert.deepEqual(calls, [[1, 2], [3], 'ALTER', [4, 5], [6]])
    assert.equal(answer.acknowledgedThrough, '106')
  })

  test('a run that fails is not acknowledged at all, those before it are', async () => {
    const handler = defineTable({
      table: 'shop.orders',
      row,
      batchSize: 2,
      onBatch(changes) {
        if (changes.some((change) => 'after' in change && change.after.id === 4n)) throw new Error('no')
      },
    })
    const answer = await send(handler, batchOf(insertsOf(1, 2, 3, 4, 5)))
    assert.deepEqual([answer.acknowledgedThrough, answer.failure?.offset], ['101', '102'])
  })

  test('a change that cannot be read fails only after the run before it was handed over', async () => {
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

  test('statements without onDdl are acknowledged unseen', async () => {
    const handler = defineTable({ table: 'shop.orders', row, onChange: () => assert.fail('not asked for') })
    const answer = await send(handler, batchOf([write.ddl('shop', 'DROP TABLE x', t0).value]))
    assert.equal(answer.acknowledgedThrough, '100')
  })

  test('changes that are done are published, others are not', async (t) => {
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

  test('middy middleware runs around it', async () => {
    const order: string[] = []
    const handler = defineTable({ table: 'shop.orders', row, onChange: () => void order.push('change') })
    handler.use({ before: () => void order.push('before'), after: () => void order.push('after') })
    await send(handler, batchOf(insertsOf(1)))
    assert.deepEqual(order, ['before', 'change', 'after'])
  })
})

describe('a row that is not as declared', () => {
  const record = (plain: Partial<PlainRecord>) =>
    encodeRecord({
      operation: 'INSERT',
      objectName: 'shop.orders',
      fields: [
        ['id', 8],
        ['status', 253],
      ],
      after: [integer(1), text('canary')],
      sourceTimestamp: t0,
      ...plain,
    })
  const cases: [reason: string, record: Buffer, schema: z.ZodObject, message: RegExp][] = [
    [
      'another type',
      record({ after: [integer(1), binaryObject(Buffer.from('canary'))] }),
      row,
      /status: .*expected string/,
    ],
    [
      'a number for a bigint',
      record({}),
      z.object({ status: z.number() }),
      /status: .*expected number, received string/,
    ],
    [
      'a column that is gone',
      record({ fields: [['id', 8]], after: [integer(1)] }),
      row,
      /status: .*expected string, received undefined/,
    ],
    [
      'NULL where none was declared',
      record({ after: [integer(1), null] }),
      row,
      /status: .*expected string, received null/,
    ],
    ['a value outside an enumeration', record({}), z.object({ status: z.enum(['new', 'paid']) }), /status: /],
    ['a value of the wrong form', record({}), z.object({ status: z.email() }), /status: /],
  ]
  for (const [reason, value, schema, message] of cases) {
    test(`${reason}: the message names table, offset and column, no value`, async () => {
      const handler = defineTable({
        table: 'shop.orders',
        row: schema,
        onChange: () => assert.fail('invalid'),
      })
      const { acknowledgedThrough, failure } = await send(handler, batchOf([value]))
      assert.equal(acknowledgedThrough, null)
      assert.equal(failure?.code, 'ROW_INVALID')
      assert.match(failure?.message ?? '', /The after image of the INSERT at offset 100 in shop\.orders/)
      assert.match(failure?.message ?? '', message)
      assert.doesNotMatch(JSON.stringify(failure), /canary/)
    })
  }
})

describe('events that are no batch', () => {
  const handler = defineTable({ table: 'shop.orders', row, onChange: () => assert.fail('no batch') })
  const good = batchOf(insertsOf(1))
  const cases: [event: unknown, reason: string][] = [
    [null, 'nothing'],
    [{}, 'an empty object'],
    [{ ...good, version: 2 }, 'another version'],
    [{ ...good, source: 'aws:sqs' }, 'another source'],
    [{ ...good, records: [] }, 'no records'],
    [{ ...good, more: 1 }, 'an unknown key'],
    [{ ...good, records: [{ offset: '1', value: '***' }] }, 'a value that is not base64'],
    [{ ...good, records: [{ offset: 1, value: '' }] }, 'an offset that is a number'],
  ]
  for (const [event, reason] of cases) {
    test(reason, async () => {
      await assert.rejects(handler(event, functionContext()), {
        code: 'CONFIG_INVALID',
        message: /not a batch from the poller/,
      })
    })
  }

  test('filler and marks that reach a handler by mistake are not taken for changes', async () => {
    for (const value of [filler(t0)[1]?.value ?? null, write.mark('HEARTBEAT', t0).value]) {
      const answer = await send(handler, batchOf([value]))
      assert.equal(answer.acknowledgedThrough, null)
      assert.equal(answer.failure?.code, 'RECORD_INVALID')
    }
  })
})

describe('definitions that are refused where they are written', () => {
  const onChange = () => {}
  const cases: [definition: object, message: RegExp][] = [
    [{ table: 'orders', onChange }, /table must be database\.table/],
    [{ table: 'a.b.c.d', onChange }, /table must be database\.table/],
    [{ table: 'shop. orders', onChange }, /table must be database\.table/],
    [{ table: 'shop.orders' }, /exactly one of onChange and onBatch/],
    [{ table: 'shop.orders', onChange, onBatch: onChange }, /exactly one of onChange and onBatch/],
    [{ table: 'shop.orders', onBatch: onChange, batchSize: 0 }, /batchSize must be a positive whole number/],
    [{ table: 'x', batchSize: 1.5 }, /table must.*exactly one.*batchSize/],
  ]
  for (const [definition, message] of cases) {
    test(String(message), () => {
      const whole = { row, ...definition } as Parameters<typeof defineTable<typeof row>>[0]
      assert.throws(() => defineTable(whole), { code: 'CONFIG_INVALID', message })
    })
  }
})
