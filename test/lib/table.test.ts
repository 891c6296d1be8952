import '../rig/quiet.ts'
import assert from 'node:assert/strict'
import { channel } from 'node:diagnostics_channel'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { binaryObject, encodeRecord, integer, type PlainRecord, text } from '../../infra/local/encode.ts'
import { defaultDelivery } from '../../lib/dispatch/settings.ts'
import {
  type Acknowledgement,
  acknowledgementSchema,
  type Batch,
  packEvents,
  toBatch,
} from '../../lib/dispatch/wire.ts'
import { DtsError } from '../../lib/errors.ts'
import { handledChannel } from '../../lib/handled.ts'
import { type Change, defineTable, type RowChange } from '../../lib/table.ts'
import { filler, t0, Writer } from '../integration/records.ts'
import { context } from '../rig/invoke-server.ts'
import { eventOf } from './dispatch/support.ts'

const write = new Writer()
const row = z.object({ id: z.bigint(), status: z.string() })
type Row = z.output<typeof row>

type Handler = (event: unknown, context: ReturnType<typeof functionContext>) => Promise<unknown>
const functionContext = (remainingMs: () => number = () => 30_000) => context('orders', remainingMs)

const origin = { topic: 't', partition: 0, clusterId: 'c', generation: 2, replayUntil: -1 }

function batchOf(values: readonly (Buffer | null)[], extra: object = {}): Batch {
  const events = values.map((value, index) => eventOf(BigInt(100 + index), value ?? Buffer.alloc(0)))
  return { ...toBatch(packEvents(events), origin), batchId: 'batch-1', ...extra }
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

  test('what failed is told in an answer that Lambda takes, however long it is', async () => {
    const long = 'x'.repeat(7_000_000)
    const named = Object.assign(new Error('no'), { name: long })
    for (const thrown of [new DtsError('ROW_INVALID', long, { retryable: false }), named]) {
      const handler = defineTable({ table: 'shop.orders', row, onChange: () => Promise.reject(thrown) })
      const answer = JSON.stringify(await handler(batchOf(insertsOf(1)), functionContext()))
      assert.ok(answer.length < 2_500)
      assert.match(answer, /x{2000}[^x]/)
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

  test('onBatch gets the whole run of changes, cut only at a statement', async () => {
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

  test('a run that throws is not acknowledged at all, what comes before it is', async () => {
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

  test('a run may say which of its changes failed: those before it are done', async () => {
    const cases: [
      result: { failedAt: number; error?: unknown },
      through: string | null,
      failed: string,
      message: RegExp,
    ][] = [
      [{ failedAt: 0 }, '101', '102', /Error was thrown/],
      [{ failedAt: 1, error: new RangeError('canary') }, '102', '103', /^RangeError was thrown/],
      [{ failedAt: 2, error: 'canary' }, '103', '104', /^string was thrown/],
      [{ failedAt: 3 }, '101', '102', /^RangeError was thrown/],
      [{ failedAt: -1 }, '101', '102', /^RangeError was thrown/],
      [{ failedAt: 0.5 }, '101', '102', /^RangeError was thrown/],
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

  test('a run that failed in part publishes that part', async (t) => {
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

  test('columns that are not declared are not in the row; a loose row has them all', async () => {
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

  test('a handler of every table gets what any table sends, with its name', async () => {
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

  test('middy middleware runs around it', async () => {
    const order: string[] = []
    const handler = defineTable({ table: 'shop.orders', row, onChange: () => void order.push('change') })
    handler.use({ before: () => void order.push('before'), after: () => void order.push('after') })
    await send(handler, batchOf(insertsOf(1)))
    assert.deepEqual(order, ['before', 'change', 'after'])
  })
})

describe('a row that is not as declared', () => {
  const documentOf = (text: string) => ({ [text]: 1 })
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
    [
      'a value outside an enumeration',
      record({}),
      z.object({ status: z.enum(['new', 'paid']) }),
      /status: is not one of the declared values/,
    ],
    [
      'a value of the wrong form',
      record({}),
      z.object({ status: z.email() }),
      /status: has not the declared format/,
    ],
    [
      'a member of a document that is not declared',
      record({}),
      z.object({ status: z.string().transform(documentOf).pipe(z.strictObject({})) }),
      /\(status: has members that are not declared\)/,
    ],
    [
      'a key of a document that is not as declared',
      record({}),
      z.object({
        status: z
          .string()
          .transform(documentOf)
          .pipe(z.record(z.string().max(1), z.number())),
      }),
      /\(status: has a key that is not as declared\)/,
    ],
    [
      'a check of the handler that tells the value, and where',
      record({}),
      z.object({
        status: z.string().superRefine((message, { addIssue }) => {
          addIssue({ code: 'custom', message, path: [message] })
        }),
      }),
      /\(status: is refused by a check of its schema\).* stands in the function's own log/,
    ],
    [
      'a check of the handler that takes the value for a column',
      record({}),
      z.object({ status: z.string() }).superRefine(({ status }, { addIssue }) => {
        addIssue({ code: 'custom', message: 'no', path: [status] })
      }),
      /\(\*: is refused by a check of its schema\)/,
    ],
    [
      'a check of the handler of the whole row',
      record({}),
      z.object({ status: z.string() }).refine(() => false),
      /\(row: is refused by a check of its schema\)/,
    ],
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
  const { data: _data, ...incomplete } = good
  const cases: [event: unknown, reason: string][] = [
    [null, 'nothing'],
    [{}, 'an empty object'],
    [[good], 'a list'],
    [{ ...good, version: 1 }, 'an earlier version'],
    [{ ...good, version: 9 }, 'a later version'],
    [{ ...good, source: 'aws:sqs' }, 'another source'],
    [{ ...good, data: '' }, 'no records'],
    [{ ...good, more: 1 }, 'an unknown key'],
    [{ ...good, generation: '1' }, 'a generation that is a string'],
    [incomplete, 'no data'],
    [{ changes: [] }, 'a list of no changes'],
    [{ changes: [{ table: 'shop.orders' }] }, 'a change without an operation'],
  ]
  for (const [event, reason] of cases) {
    test(reason, async () => {
      await assert.rejects(handler(event, functionContext()), {
        code: 'CONFIG_INVALID',
        message: /neither a batch of the poller nor a change in its JSON form/,
      })
    })
  }

  test('a batch that comes after its time is refused, and nothing of it is handled', async () => {
    const late = await send(handler, { ...good, startBefore: Date.now() })
    assert.deepEqual(late, { batchId: 'batch-1', acknowledgedThrough: null, refused: 'late' })
    let handled = 0
    const willing = defineTable({ table: 'shop.orders', row, onChange: () => void handled++ })
    const early = await send(willing, { ...good, startBefore: Date.now() + 600_000 })
    assert.deepEqual([early.acknowledgedThrough, handled], ['100', 1])
  })

  test('a batch whose data is damaged fails as a whole: nothing of it is handled', async () => {
    for (const damaged of [
      { ...good, data: good.data.slice(0, -8) },
      { ...good, data: '***' },
    ]) {
      await assert.rejects(handler(damaged, functionContext()))
    }
  })

  test('filler and marks that reach a handler by mistake are not taken for changes', async () => {
    for (const value of [filler(t0)[1]?.value ?? null, write.mark('HEARTBEAT', t0).value]) {
      const answer = await send(handler, batchOf([value]))
      assert.equal(answer.acknowledgedThrough, null)
      assert.equal(answer.failure?.code, 'RECORD_INVALID')
    }
  })
})

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

  test('one, or several in order; the answer says how many', async () => {
    ids.length = 0
    assert.deepEqual(await handler(byHand(1), functionContext()), { handled: 1 })
    const several = { changes: [byHand(2), byHand(4)] }
    assert.deepEqual(await handler(several, functionContext()), { handled: 2 })
    assert.deepEqual(ids, [1n, 2n, 4n])
  })

  test('what the handler throws reaches the caller as it is, and nothing behind it is tried', async () => {
    ids.length = 0
    const several = { changes: [byHand(1), byHand(3), byHand(4)] }
    await assert.rejects(handler(several, functionContext()), { name: 'RangeError', message: 'three' })
    assert.deepEqual(ids, [1n])
  })

  test('the row is checked, and a change that is none refused', async () => {
    const wrong = byHand(1, { after: { id: { $bigint: '1' } } })
    await assert.rejects(handler(wrong, functionContext()), { code: 'ROW_INVALID' })
    const unknown = byHand(1, { operation: 'UPSERT' })
    await assert.rejects(handler(unknown, functionContext()), { code: 'CHANGE_JSON_INVALID' })
  })
})

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

  test('tells apart two equal changes of one row', async () => {
    const values = [write.insert('shop.orders', 1, t0).value, write.insert('shop.orders', 1, t0).value]
    assert.equal(new Set(await keysOf(batchOf(values))).size, 2)
  })

  test('tells apart the rows of one statement, which share their position', async () => {
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

  test('a change that is sent by hand has one, too', async () => {
    const byHand = (id: number) => ({ operation: 'INSERT', table: 'shop.orders', after: { id } })
    const keys = await keysOf({ changes: [byHand(1), byHand(2), byHand(1)] })
    assert.equal(keys[0], keys[2])
    assert.notEqual(keys[0], keys[1])
  })
})

describe('the delivery that a definition asks for', () => {
  const onChange = () => {}
  const delivery = (definition: object) =>
    defineTable({ table: 'shop.orders', row, ...definition } as Parameters<typeof defineTable<typeof row>>[0])
      .definition.delivery

  test('has a default for everything', () => {
    assert.deepEqual(delivery({ onChange }), defaultDelivery)
  })

  test('a run is shorter unless told: it is repeated as a whole', () => {
    assert.deepEqual(delivery({ onBatch: onChange }), { ...defaultDelivery, batchSize: 100 })
    assert.equal(delivery({ onBatch: onChange, batchSize: 7 }).batchSize, 7)
  })

  test('is what was declared, without the handlers', () => {
    const settings = {
      attempts: 2,
      maxAgeSeconds: 9,
      onFailure: 'halt',
      batchSize: 3,
      concurrency: 4,
    } as const
    const operations = ['DELETE']
    assert.deepEqual(delivery({ onChange, onDdl: onChange, ...settings, operations }), {
      ...settings,
      operations,
    })
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
    [{ table: 'shop.orders', onBatch: onChange, batchSize: 0 }, /batchSize .*>=1/],
    [{ table: 'shop.orders', onChange, attempts: 0 }, /attempts .*>=1/],
    [{ table: 'shop.orders', onChange, concurrency: 33 }, /concurrency .*<=32/],
    [{ table: 'shop.orders', onChange, onFailure: 'skip' }, /onFailure .*"dead-letter"\|"halt"/],
    [{ table: 'shop.orders', onChange, operations: ['DDL'] }, /operations\.0 /],
    [{ table: 'shop.orders', onChange, operations: [] }, /operations /],
    [{ table: 'shop.orders', onChange, attemps: 3 }, /Unrecognized key: "attemps"/],
    [{ table: 'x', batchSize: 1.5 }, /table must.*exactly one.*batchSize/],
  ]
  for (const [definition, message] of cases) {
    test(String(message), () => {
      const whole = { row, ...definition } as Parameters<typeof defineTable<typeof row>>[0]
      assert.throws(() => defineTable(whole), { code: 'CONFIG_INVALID', message })
    })
  }
})
