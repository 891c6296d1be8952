import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { encodeRecord, integer } from '../../../../infra/local/encode.ts'
import { freshPosition } from '../../../../lib/checkpoint/types.ts'
import { type Batch, recordsOf } from '../../../../lib/dispatch/batch-format.ts'
import { pseudonym } from '../../../../lib/dispatch/mask.ts'
import { DtsError } from '../../../../lib/errors.ts'
import type { Stream } from '../../../../lib/kafka/stream.ts'
import { type ReplayDependencies, replay, replaySchema } from '../../../../lib/recovery/resend/replay.ts'
import { all, failure, route, through } from '../../../support/dispatch.ts'
import { open } from '../../../support/open-stream.ts'
import { t0, Writer } from '../../../support/records.ts'
import { checkpointOf, like, only } from '../../../support/streams.ts'

/** Ten changes of one table, in two batches. */
async function twoBatches(t: TestContext): Promise<Stream> {
  const write = new Writer()
  const { store, stream } = await open(t, write.inserts('shop.orders', 0, 4))
  await store.append(write.inserts('shop.orders', 5, 9))
  return stream
}

/** Replays the table from the first record. By default the handler acknowledges everything. */
async function replayAll(stream: Stream, event: object = {}, given: Partial<ReplayDependencies> = {}) {
  const sent: { readonly name: string; readonly batch: Batch; readonly offsets: number[] }[] = []
  const { invoke = async (_name, _batch, events) => all(events), ...other } = given
  const answer = await replay(
    replaySchema.parse({ action: 'replay', table: 'shop.orders', from: { offset: '0' }, ...event }),
    {
      store: { read: async () => null },
      routes: { 'shop.orders': route('orders') },
      ghostTables: 'skip',
      handlerTimeoutMs: 1_000,
      remainingMs: () => 600_000,
      invoke: (name, batch, events) => {
        sent.push({ name, batch, offsets: events.map(({ offset }) => Number(offset)) })
        return invoke(name, batch, events)
      },
      ...other,
    },
    stream,
  )
  return { answer, sent: sent.flatMap(({ offsets }) => offsets), batches: sent }
}

/** The same stream. Each fetch from offset 5 on takes the next fault of the list; without one, it works. */
function faultyFrom5(stream: Stream, faults: ('damaged' | 'empty')[]): Stream {
  return like(stream, {
    async fetch(from, bounds) {
      const fetched = await stream.fetch(from, bounds)
      if (from < 5n)
        return { ...fetched, records: only(fetched.records, (offset) => offset < 5n), nextOffset: 5n }
      const fault = faults.shift()
      if (fault === 'damaged')
        throw new DtsError('BATCH_CORRUPT', 'the batch is damaged', { retryable: true })
      return fault === 'empty'
        ? { ...fetched, records: only(fetched.records, () => false), nextOffset: from }
        : fetched
    },
  })
}

test('a replay reads again after a broken or empty answer, and sends every change once', async (t) => {
  const { answer, sent } = await replayAll(faultyFrom5(await twoBatches(t), ['empty', 'damaged', 'empty']))
  assert.deepEqual(sent, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  assert.deepEqual([answer.replayed, answer.complete, answer.error], [10, true, null])
})

const lasting: [what: string, fault: 'damaged' | 'empty', error: RegExp][] = [
  [
    'a broker sends nothing below the end of its log',
    'empty',
    /as the end of its log, but sends nothing from offset 5/,
  ],
  ['a batch stays damaged', 'damaged', /^the batch is damaged$/],
]
for (const [what, fault, error] of lasting) {
  test(`if ${what}, a replay ends there, gives the reason, and says how far it got`, async (t) => {
    const stream = await twoBatches(t)
    const faults = () => new Array<typeof fault>(100).fill(fault)
    for (const dryRun of [false, true]) {
      const { answer, sent } = await replayAll(faultyFrom5(stream, faults()), { dryRun })
      assert.deepEqual(sent, dryRun ? [] : [0, 1, 2, 3, 4])
      assert.deepEqual([answer.replayed, answer.next, answer.complete], [5, '5', false])
      assert.match(answer.error ?? '', error)
    }
  })
}

test('a replay that ends before a fault is complete', async (t) => {
  const stream = faultyFrom5(await twoBatches(t), ['empty', 'empty', 'empty', 'empty'])
  const { answer, sent } = await replayAll(stream, { to: { offset: '5' } })
  assert.deepEqual([sent, answer.complete, answer.error], [[0, 1, 2, 3, 4], true, null])
})

test('a replay leaves out what the filter of the handler leaves out, and ends at a change that it cannot judge', async (t) => {
  const write = new Writer()
  const given = [...write.inserts('shop.orders', 0, 1), write.update('shop.orders', 1, t0 + 2)]
  const { stream } = await open(t, [...given, write.insert('shop.orders', 3, t0 + 3)])
  const filtered = (where: string) => ({ routes: { 'shop.orders': route('orders', { filter: { where } }) } })
  for (const dryRun of [false, true]) {
    const { answer, sent } = await replayAll(stream, { dryRun }, filtered("status = 'paid'"))
    assert.deepEqual([answer.replayed, answer.complete, sent], [1, true, dryRun ? [] : [2]])
    const typo = await replayAll(stream, { dryRun }, filtered("stats = 'paid'"))
    assert.deepEqual(
      [typo.answer.replayed, typo.answer.complete, typo.answer.next, typo.sent],
      [0, false, '0', []],
    )
    assert.match(typo.answer.error ?? '', /names the column stats/)
  }
})

test('a replay masks as the poller does, and ends before a change that cannot be masked', async (t) => {
  const { stream } = await open(t, new Writer().inserts('shop.orders', 0, 1))
  const masking = (column: string) => ({
    routes: { 'shop.orders': route('orders', { mask: { [column]: 'hash' } }) },
    maskKey: async () => 'a key of this test',
  })
  const { answer, batches } = await replayAll(stream, {}, masking('status'))
  assert.deepEqual([answer.replayed, answer.complete], [2, true])
  const values = batches.flatMap(({ batch }) => recordsOf(batch).map(({ value }) => value))
  assert.equal(values.length, 2)
  for (const value of values) assert.ok(value.includes(pseudonym('new', 'a key of this test')))
  const typo = await replayAll(stream, {}, masking('stats'))
  assert.deepEqual([typo.sent, typo.answer.next, typo.answer.complete], [[], '0', false])
  assert.match(typo.answer.error ?? '', /no column stats/)
})

test('a fault that is no error of ours ends a replay with that fault', async (t) => {
  const broken = like(await twoBatches(t), { fetch: () => Promise.reject(new TypeError('a bug')) })
  await assert.rejects(replayAll(broken), { name: 'TypeError', message: 'a bug' })
})

test('a replay sends the changes of its table alone, marked, in the current generation', async (t) => {
  const write = new Writer()
  const { stream } = await open(t, [
    write.insert('shop.orders', 0, t0),
    write.insert('shop.items', 1, t0),
    write.insert('shop.customers', 2, t0),
    write.ddl('shop.items', 'DROP TABLE orders, items', t0),
    write.insert('shop.orders', 4, t0),
  ])
  const routes = {
    'shop.orders': route('orders'),
    'shop.items': route('orders'),
    'shop.customers': route('customers'),
  }
  const read = checkpointOf({ ...freshPosition(5n, t0), clusterId: stream.clusterId })
  const store = { read: async () => ({ ...read, generation: 7 }) }
  const { answer, sent, batches } = await replayAll(stream, {}, { routes, store })
  assert.deepEqual(sent, [0, 3, 4])
  assert.deepEqual([answer.table, answer.function, answer.from], ['shop.orders', 'orders', '0'])
  for (const { name, batch } of batches) {
    const { topic, partition, clusterId, generation, replayUntil } = batch
    assert.deepEqual(
      [name, topic, partition, clusterId, generation, replayUntil],
      ['orders', stream.topic, 0, stream.clusterId, 7, Number.MAX_SAFE_INTEGER],
    )
  }
  assert.match(
    answer.note,
    /^Handlers that use the fence .*have seen these changes.*new generation, which counts as newer\.$/,
  )
  const first = await replayAll(stream)
  assert.equal(first.batches[0]?.batch.generation, 0)
})

test('a replay of a table without a function is refused', async (t) => {
  await assert.rejects(replayAll(await twoBatches(t), { table: 'shop.nothing' }), {
    code: 'TABLE_UNROUTED',
    retryable: false,
    message: /^No function handles the table shop\.nothing\. Check the name: database\.table\.$/,
  })
})

test('a replay takes any part of the log, by offset or time, and says if the log ends before its end', async (t) => {
  const stream = await twoBatches(t)
  const parts: [event: object, sent: number[], complete: boolean][] = [
    [{ from: { offset: '10' } }, [], true],
    [{ from: { offset: '4' }, to: { offset: '4' } }, [], true],
    [{ from: { offset: '3' }, to: { offset: '7' } }, [3, 4, 5, 6], true],
    [{ from: { offset: '8' }, to: { offset: '10' } }, [8, 9], true],
    [{ from: { offset: '8' }, to: { offset: '11' } }, [8, 9], false],
    [{ from: { timestamp: t0 + 2 }, to: { timestamp: t0 + 4 } }, [2, 3], true],
  ]
  for (const [event, expected, complete] of parts) {
    const { answer, sent } = await replayAll(stream, event)
    assert.deepEqual(
      [sent, answer.replayed, answer.complete, answer.error],
      [expected, expected.length, complete, null],
    )
    const ends = 'The log ends before offset 11: the next record gets 10.'
    assert.deepEqual(
      [answer.note.startsWith(ends), answer.note.includes('fence')],
      [!complete, sent.length > 0],
    )
    if (!complete) assert.match(answer.note, /gets 10\. Handlers/)
  }
})

test('a replay of a part that the log does not have is refused before anything is sent', async (t) => {
  const { store, stream } = await open(t, new Writer().inserts('shop.orders', 0, 9))
  store.trim({ beforeOffset: 2n })
  for (const [from, to] of [
    ['1', '5'],
    ['11', '12'],
    ['5', '4'],
  ])
    await assert.rejects(replayAll(stream, { from: { offset: from }, to: { offset: to } }), {
      code: 'CHECKPOINT_OUT_OF_RANGE',
      retryable: false,
      facts: { from, to, earliest: '2', end: '10' },
      message: new RegExp(
        `^The log has no part from offset ${from} to ${to} \\(exclusive\\): it holds .*Nothing was sent\\. Begin inside`,
      ),
    })
  assert.equal((await replayAll(stream, { from: { offset: '2' } })).answer.replayed, 8)
})

test('a replay ends at the change that its handler fails at', async (t) => {
  const stream = await twoBatches(t)
  const partly = await replayAll(stream, {}, { invoke: async () => through(2n, failure('no more')) })
  assert.deepEqual([partly.batches.length, partly.answer.replayed, partly.answer.next], [1, 3, '3'])
  assert.deepEqual([partly.answer.complete, partly.answer.error], [false, 'no more'])
  for (const kind of ['failed', 'unavailable'] as const) {
    const invoke = async () => ({ kind, error: failure('not today') })
    const { answer } = await replayAll(stream, {}, { invoke })
    assert.deepEqual([answer.replayed, answer.next, answer.error], [0, '0', 'not today'])
  }
  const error = new DtsError('HANDLER_UNAVAILABLE', 'lost', { retryable: true, cause: new Error('cut off') })
  const { answer } = await replayAll(stream, {}, { invoke: async () => ({ kind: 'unknown', error }) })
  assert.deepEqual([answer.replayed, answer.next, answer.complete], [0, '0', false])
  assert.match(
    answer.error ?? '',
    /^No answer came from the function orders \(Error: cut off\); it may still be running\. .*not sent again by themselves\. Wait 16 s, .*for the rest\.$/,
  )
})

test('a replay sends the rest of a batch of which a part was acknowledged', async (t) => {
  const invoke: ReplayDependencies['invoke'] = async (_name, _batch, events) =>
    through(events[0]?.offset ?? null)
  const { answer, sent } = await replayAll(await twoBatches(t), { to: { offset: '3' } }, { invoke })
  assert.deepEqual([sent, answer.replayed, answer.complete], [[0, 1, 2, 1, 2, 2], 3, true])
})

test('a replay starts no invocation that could last longer than its own time, and says where it stopped', async (t) => {
  const stream = await twoBatches(t)
  const handlerTimeoutMs = 30_000
  for (const [remaining, isEnough] of [
    [45_001, true],
    [45_000, false],
  ] as const) {
    const { answer, sent } = await replayAll(stream, {}, { handlerTimeoutMs, remainingMs: () => remaining })
    assert.deepEqual([sent.length, answer.complete], isEnough ? [10, true] : [0, false])
    assert.deepEqual([answer.next, answer.error], [isEnough ? '10' : '0', null])
  }
})

test('a record after the asked part that cannot be masked is no failure of the part', async (t) => {
  const write = new Writer()
  const { stream } = await open(t, [
    ...write.inserts('shop.orders', 0, 1),
    {
      value: encodeRecord({
        operation: 'INSERT',
        objectName: 'shop.orders',
        sourceTimestamp: t0,
        fields: [['id', 8]],
        after: [integer(2)],
      }),
      timestamp: t0,
    },
  ])
  const routes = { 'shop.orders': route('orders', { mask: { status: 'drop' } }) }
  const { answer, sent } = await replayAll(stream, { to: { offset: '2' } }, { routes })
  assert.deepEqual([answer.complete, answer.error, sent], [true, null, [0, 1]])
  const { answer: whole } = await replayAll(stream, {}, { routes })
  assert.deepEqual([whole.complete, whole.next], [false, '2'])
})

test('a dry run counts to the end, because it starts no invocation', async (t) => {
  const given = { handlerTimeoutMs: 30_000, remainingMs: () => 45_000 }
  const { answer, sent } = await replayAll(await twoBatches(t), { dryRun: true }, given)
  assert.deepEqual([answer.replayed, answer.complete, sent], [10, true, []])
})

test('a record of another function that its mask does not fit is passed, and that mask needs no key', async (t) => {
  const orders = new Writer()
  const { stream } = await open(t, [
    ...orders.inserts('shop.orders', 0, 1),
    ...new Writer('other').inserts('shop.customers', 0, 0),
    ...orders.inserts('shop.orders', 2, 2),
  ])
  const { answer, sent } = await replayAll(
    stream,
    {},
    {
      routes: {
        'shop.orders': route('orders'),
        'shop.customers': route('customers', { mask: { renamed: 'hash' } }),
      },
      maskKey: () => assert.fail('the key is read'),
    },
  )
  assert.deepEqual([answer.complete, answer.error, sent], [true, null, [0, 1, 3]])
})
