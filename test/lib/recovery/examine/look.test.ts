import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { encodeRecord, integer, text } from '../../../../infra/local/encode.ts'
import {
  type Checkpoint,
  freshPosition,
  type LedgerEntry,
  type LedgerPlace,
  type StoredLane,
} from '../../../../lib/checkpoint/types.ts'
import { pseudonym } from '../../../../lib/dispatch/mask.ts'
import { DtsError } from '../../../../lib/errors.ts'
import type { Stream } from '../../../../lib/kafka/stream.ts'
import {
  type LookDependencies,
  type LookResult,
  look,
  lookSchema,
  withoutChanges,
} from '../../../../lib/recovery/examine/look.ts'
import { route } from '../../../support/dispatch.ts'
import { open } from '../../../support/open-stream.ts'
import type { NewRecord } from '../../../support/parts.ts'
import { filler, range, t0, Writer } from '../../../support/records.ts'
import { checkpointOf, damagedAt, like } from '../../../support/streams.ts'

const small = { records: 200_000, bytes: 100_000_000, answerBytes: 2_000_000 }

/** Looks with one route, for shop.orders, and without a checkpoint. */
async function lookAt(
  stream: Stream,
  event: object = {},
  given: Partial<LookDependencies> = {},
  limits: Partial<typeof small> = {},
): Promise<LookResult> {
  const dependencies = {
    routes: { 'shop.orders': route('orders') },
    ghostTables: 'skip' as const,
    store: { read: async () => null },
    now: () => (t0 + 100) * 1_000,
    remainingMs: () => 300_000,
    ...given,
  }
  return look(lookSchema.parse({ action: 'look', ...event }), dependencies, stream, { ...small, ...limits })
}

const offsets = ({ changes }: LookResult) => changes.map(({ offset }) => Number(offset))
const fates = ({ changes }: LookResult) => changes.map(({ fate }) => fate.kind)

/** A row of any table with the columns id and email. */
function person(table: string, id: number, email: string): NewRecord {
  const value = encodeRecord({
    operation: 'INSERT',
    objectName: table,
    fields: [
      ['id', 8],
      ['email', 253],
    ],
    after: [integer(id), text(email)],
    sourceTimestamp: t0,
    tags: { pk_uk_info: '{"PRIMARY":["id"]}' },
  })
  return { value, timestamp: t0 }
}

async function orders(t: TestContext, count: number): Promise<Stream> {
  const { store, stream } = await open(t)
  const write = new Writer()
  for (let from = 0; from < count; from += 100)
    await store.append(write.inserts('shop.orders', from, Math.min(from + 99, count - 1)))
  return stream
}

describe('a look at the log', () => {
  test('shows the newest changes, each with its key and its values before and after', async (t) => {
    const write = new Writer()
    const { stream } = await open(t, [
      write.insert('shop.orders', 7, t0),
      ...filler(t0),
      write.update('shop.orders', 7, t0 + 1),
      write.ddl('shop.orders', 'ALTER TABLE orders ADD note TEXT', t0 + 2),
      write.delete('shop.orders', 7, t0 + 3),
    ])
    const answer = await lookAt(stream)
    assert.deepEqual(
      answer.changes.map(({ offset, operation, table, key, functions, text }) => [
        offset,
        operation,
        table,
        key,
        functions,
        text,
      ]),
      [
        ['0', 'INSERT', 'shop.orders', 'id=7', ['orders'], null],
        ['4', 'UPDATE', 'shop.orders', 'id=7', ['orders'], null],
        ['5', 'DDL', 'shop.orders', '', ['orders'], 'ALTER TABLE orders ADD note TEXT'],
        ['6', 'DELETE', 'shop.orders', 'id=7', ['orders'], null],
      ],
    )
    assert.deepEqual(answer.changes[1]?.columns[1], { name: 'status', before: "'new'", after: "'paid'" })
    assert.deepEqual(
      [answer.read, answer.next, answer.error],
      [{ from: '0', to: '7', records: 7 }, null, null],
    )
    assert.deepEqual(
      answer.tables.map(({ table, changes, lastOperation, lastOffset }) => [
        table,
        changes,
        lastOperation,
        lastOffset,
      ]),
      [['shop.orders', 3, 'DELETE', '6']],
    )
  })

  test('reads back until enough changes are listed, and says where older ones are', async (t) => {
    const stream = await orders(t, 60)
    const first = await lookAt(stream, { max: 5 })
    assert.deepEqual(offsets(first), [55, 56, 57, 58, 59])
    assert.deepEqual(first.next, { to: { offset: '55' } })
    const second = await lookAt(stream, { max: 5, ...first.next })
    assert.deepEqual(offsets(second), [50, 51, 52, 53, 54])
  })

  test('with a beginning, reads from there, and continues where it ended', async (t) => {
    const stream = await orders(t, 30)
    const first = await lookAt(stream, { from: { offset: '3' }, max: 4 })
    assert.deepEqual([offsets(first), first.next], [[3, 4, 5, 6], { from: { offset: '7' } }])
    const rest = await lookAt(stream, { ...first.next, to: { timestamp: t0 + 12 }, max: 200 })
    assert.deepEqual([offsets(rest), rest.next], [range(7, 11), null])
  })

  test('with newest, lists the last changes of a part, and counts all of it', async (t) => {
    const answer = await lookAt(await orders(t, 60), { from: { offset: '10' }, newest: true, max: 3 })
    assert.deepEqual([offsets(answer), answer.more], [[57, 58, 59], 47])
    assert.deepEqual([answer.read.from, answer.tables[0]?.changes], ['10', 50])
  })

  test('finds every change of a row by its key, in the tables that match the pattern', async (t) => {
    const write = new Writer()
    const { stream } = await open(t, [
      write.insert('shop.orders', 7, t0),
      write.insert('shop.orders', 8, t0),
      write.insert('crm.orders', 7, t0),
      write.update('shop.orders', 7, t0),
    ])
    const routes = { '*.orders': route('orders') }
    const cases: [event: object, found: number[]][] = [
      [{ key: '7' }, [0, 2, 3]],
      [{ key: 'id=7', table: 'shop.*' }, [0, 3]],
      [{ key: 'id=7 status=paid' }, [3]],
      [{ key: 'id=9' }, []],
    ]
    for (const [event, found] of cases)
      assert.deepEqual(offsets(await lookAt(stream, event, { routes })), found)
  })

  test('refuses a part that is not in the log, and an event that names no table or row', async (t) => {
    const stream = await orders(t, 10)
    await assert.rejects(lookAt(stream, { from: { offset: '11' } }), {
      code: 'CHECKPOINT_OUT_OF_RANGE',
      message: /^The log has no part from offset 11 .*Nothing was read\./,
    })
    for (const wrong of [{ table: 'orders' }, { key: ' ' }, { max: 201 }, { more: 1 }])
      assert.equal(lookSchema.safeParse({ action: 'look', ...wrong }).success, false, JSON.stringify(wrong))
  })

  test('touches neither lease nor consumer group', async (t) => {
    const stream = like(await orders(t, 10), {
      commit: () => assert.fail('commits'),
      committed: () => assert.fail('asks the group'),
    })
    assert.equal((await lookAt(stream, { from: { timestamp: t0 } })).changes.length, 10)
  })
})

describe('the masks of a look', () => {
  const email = 'ada@example.com'
  const maskKey = async () => 'a key of this test'
  const masked = (column: string, rule: 'hash' | 'drop') => ({
    routes: { 'shop.people': route('people', { mask: { [column]: rule } }) },
    maskKey,
  })

  test('a hashed column has its pseudonym, a dropped column is absent, and both are named', async (t) => {
    const { stream } = await open(t, [person('shop.people', 1, email)])
    const hashed = await lookAt(stream, {}, masked('email', 'hash'))
    const hash = pseudonym(email, await maskKey())
    assert.deepEqual(hashed.changes[0]?.columns[1], { name: 'email', before: null, after: `'${hash}'` })
    assert.deepEqual(hashed.changes[0]?.masked, ['email (hashed)'])
    const dropped = await lookAt(stream, {}, masked('email', 'drop'))
    assert.deepEqual(
      dropped.changes[0]?.columns.map(({ name }) => name),
      ['id'],
    )
    assert.deepEqual(dropped.changes[0]?.masked, ['email (left out)'])
    assert.match(dropped.notes.join(), /Masked columns are shown as the handler gets them/)
    for (const answer of [hashed, dropped]) assert.ok(!JSON.stringify(answer).includes(email))
  })

  test('a search does not tell whether a masked column has a value', async (t) => {
    const { stream } = await open(t, [person('shop.people', 1, email)])
    const clear = await lookAt(stream, { key: `email=${email}` }, masked('email', 'hash'))
    assert.deepEqual(clear.changes, [])
    const hash = pseudonym(email, await maskKey())
    assert.equal((await lookAt(stream, { key: `email=${hash}` }, masked('email', 'hash'))).changes.length, 1)
  })

  test('rows that no function gets are listed without values, and are not searched', async (t) => {
    const { stream } = await open(t, [
      person('shop.people', 1, email),
      // The copy that an online schema change makes of a masked table.
      person('shop._people_gho', 1, email),
      person('shop.other', 1, email),
    ])
    const answer = await lookAt(stream, {}, masked('email', 'drop'))
    assert.deepEqual(
      answer.changes.map(({ table, columns, fate, withheld }) => [
        table,
        columns.length,
        fate.kind,
        withheld === null,
      ]),
      [
        ['shop.people', 1, 'unknown', true],
        ['shop._people_gho', 0, 'unhandled', false],
        ['shop.other', 0, 'unhandled', false],
      ],
    )
    assert.ok(!JSON.stringify(answer).includes(email))
    const found = await lookAt(stream, { key: 'id=1' }, masked('email', 'drop'))
    assert.deepEqual([offsets(found), found.unsearched], [[0], 2])
    assert.match(found.notes.join(), /2 changes were not searched/)
  })

  test('a row that the mask does not fit is listed without values, with the reason', async (t) => {
    const { stream } = await open(t, [person('shop.people', 1, email)])
    const { changes } = await lookAt(stream, {}, masked('mail', 'hash'))
    assert.match(
      changes[0]?.withheld ?? '',
      /cannot be masked for people: its table shop\.people has no column mail/,
    )
    assert.ok(!JSON.stringify(changes).includes(email))
  })

  test('a record that cannot be read is listed with the reason, and without its bytes', async (t) => {
    const { stream } = await open(t, [
      { value: Buffer.from(`no record of ${email} is this`.repeat(4)), timestamp: t0 },
    ])
    const { changes } = await lookAt(stream)
    assert.deepEqual([changes[0]?.operation, changes[0]?.fate.kind], ['UNREADABLE', 'unhandled'])
    assert.ok(!JSON.stringify(changes).includes(email))
  })

  test('the log of recovery gets counts only', async (t) => {
    const { stream } = await open(t, [person('shop.orders', 1, email)])
    const answer = await lookAt(stream)
    assert.ok(JSON.stringify(answer).includes(email))
    assert.deepEqual(withoutChanges(answer), {
      action: 'look',
      read: { from: '0', to: '1', records: 1 },
      changes: 1,
      more: 0,
      error: null,
    })
  })
})

describe('where a row is', () => {
  const lane = (through: bigint | null, failingAt: bigint | null = null): StoredLane => ({
    through,
    anchor: null,
    trouble:
      failingAt === null
        ? null
        : { offset: failingAt, attempts: 2, since: t0 * 1_000, nextAt: 0, limit: null },
  })
  const stored = (stream: Stream, lanes: Checkpoint['lanes'] = {}, offset = 2n) => {
    const item = checkpointOf({ ...freshPosition(offset, t0), clusterId: stream.clusterId, lanes })
    return { store: { read: async () => item } }
  }

  test('a change below the checkpoint or below its lane is done, a failing one says so, the others wait', async (t) => {
    const stream = await orders(t, 6)
    assert.deepEqual(fates(await lookAt(stream, {}, stored(stream))), [
      'done',
      'done',
      'waiting',
      'waiting',
      'waiting',
      'waiting',
    ])
    const ahead = await lookAt(stream, {}, stored(stream, { orders: lane(3n, 4n) }))
    assert.deepEqual(fates(ahead), ['done', 'done', 'done', 'done', 'failing', 'waiting'])
    assert.match(ahead.changes[4]?.fate.reason ?? '', /offset 4 failed 2 time\(s\)/)
    assert.deepEqual(ahead.position?.ahead, { orders: '4' })
    assert.deepEqual([ahead.position?.offset, ahead.position?.lagSeconds], ['2', 100])
  })

  test('a change that a start or a move left out is passed, and the answer says by which move', async (t) => {
    const stream = await orders(t, 8)
    const place = (offset: number, generation: number, clusterId = stream.clusterId) => ({
      clusterId,
      offset: String(offset),
      generation,
    })
    const entry = (how: string, from: LedgerPlace | null, to: LedgerPlace) => ({
      at: t0 * 1_000,
      by: 'kim',
      how,
      from,
      to,
    })
    const look = async (ledger: readonly LedgerEntry[]) => {
      const generation = ledger.at(-1)?.to.generation ?? 1
      const item = {
        ...checkpointOf({ ...freshPosition(6n, t0), clusterId: stream.clusterId }),
        generation,
        ledger,
      }
      return await lookAt(stream, {}, { store: { read: async () => item } })
    }
    const waiting = ['waiting', 'waiting']
    const begins = entry('first start', null, place(1, 1))
    const skips = entry('reset by offset', place(3, 1), place(5, 2))
    const answer = await look([begins, skips])
    assert.deepEqual(fates(answer), ['passed', 'done', 'done', 'passed', 'passed', 'done', ...waiting])
    assert.deepEqual([answer.position?.begin, (await look([])).position?.begin], ['5', null])
    assert.match(
      answer.changes[3]?.fate.reason ?? '',
      /^The stream went past it: it was placed at offset 5 \(reset by offset; by kim, 2023-11-14T22:13:20Z/,
    )
    // A move back reads a part again, and a resume moves nothing.
    const back = entry('reset by offset', place(5, 2), place(2, 3))
    const resumed = entry('resume', place(4, 3), place(4, 3))
    assert.deepEqual(fates(await look([begins, skips, back, resumed])), [
      'passed',
      ...Array(5).fill('done'),
      ...waiting,
    ])
    // What another log delivered is not told by offsets of this one.
    const there = entry('first start', null, place(0, 1, 'another'))
    const here = entry('reset by anchor', place(90, 1, 'another'), place(4, 2))
    assert.deepEqual(fates(await look([there, here])), [
      ...Array(4).fill('passed'),
      'done',
      'done',
      ...waiting,
    ])
    // Older entries were dropped: before the oldest one that is kept, a generation read this log.
    assert.deepEqual(fates(await look([skips])), [
      ...Array(3).fill('done'),
      'passed',
      'passed',
      'done',
      ...waiting,
    ])
  })

  test('with several lanes, a change is done only if the lane of its key is past it', async (t) => {
    const stream = await orders(t, 40)
    const routes = { 'shop.orders': route('orders', { concurrency: 2 }) }
    const lanes = { 'orders#1/2/v3': lane(39n) }
    const answer = await lookAt(stream, {}, { routes, ...stored(stream, lanes, 0n) })
    const counts = Map.groupBy(fates(answer), (kind) => kind)
    assert.ok((counts.get('done')?.length ?? 0) > 5 && (counts.get('waiting')?.length ?? 0) > 5)
    assert.deepEqual(answer.position?.ahead, {})
  })

  test('a change that the handler leaves out is filtered, and still shown', async (t) => {
    const stream = await orders(t, 3)
    const routes = { 'shop.orders': route('orders', { filter: { where: 'id = 1' } }) }
    const answer = await lookAt(stream, {}, { routes, ...stored(stream) })
    assert.deepEqual(fates(answer), ['filtered', 'done', 'filtered'])
    assert.equal(answer.changes[0]?.columns.length, 3)
  })

  test('a checkpoint of another cluster, or one that cannot be read, tells nothing, and the answer says why', async (t) => {
    const stream = await orders(t, 1)
    const other = checkpointOf({ ...freshPosition(1n, t0), clusterId: 'another' })
    const elsewhere = await lookAt(stream, {}, { store: { read: async () => other } })
    assert.deepEqual(elsewhere.changes[0]?.fate, {
      kind: 'unknown',
      reason: 'The checkpoint belongs to the cluster another.',
    })
    const fault = new DtsError('CHECKPOINT_TABLE_UNAVAILABLE', 'DynamoDB is away.', { retryable: true })
    const unread = await lookAt(stream, {}, { store: { read: () => Promise.reject(fault) } })
    assert.deepEqual([unread.position, fates(unread)], [null, ['unknown']])
    assert.match(unread.notes.join(), /The checkpoint cannot be read\. .*DynamoDB is away/)
  })
})

describe('the bounds of a look', () => {
  test('many records, many bytes, or too little time end the reading, and the answer says where it continues', async (t) => {
    const stream = await orders(t, 2_500)
    const from = { offset: '0' }
    const up = await lookAt(stream, { from, key: 'id=2499' }, {}, { records: 1_000 })
    assert.ok(up.read.records >= 1_000 && up.changes.length + Number(up.next?.from?.offset ?? 0) > 0)
    const back = await lookAt(stream, { key: 'id=0' }, {}, { records: 1_000 })
    assert.deepEqual([back.changes, back.read.records, back.next], [[], 1_000, { to: { offset: '1500' } }])
    const bytes = await lookAt(stream, { key: 'id=0' }, {}, { bytes: 1_000 })
    assert.deepEqual(bytes.next, { to: { offset: '2400' } })
    let clock = 0
    const late = await lookAt(stream, { key: 'id=0' }, { now: () => (clock += 10_000) })
    assert.deepEqual([late.changes, late.next], [[], { to: { offset: '2400' } }])
  })

  test('if time ends before anything was read, the answer says so, and names no place to continue', async (t) => {
    const stream = await orders(t, 2_500)
    for (const event of [{ key: 'id=0' }, { from: { offset: '0' } }]) {
      const { read, next, error } = await lookAt(stream, event, { remainingMs: () => 9_000 })
      assert.deepEqual([read.records, next], [0, null])
      assert.match(error ?? '', /The broker is too slow: within 15 seconds not one part/)
    }
    const empty = await lookAt((await open(t, [])).stream)
    assert.deepEqual([empty.read.records, empty.next, empty.error], [0, null, null])
  })

  test('an answer stays far below what Lambda answers, whatever the rows contain', async (t) => {
    const wide = range(0, 39).map((id) => {
      const columns = range(0, 70).map((at) => [`column_${at}`, 253] as const)
      const value = encodeRecord({
        operation: 'INSERT',
        objectName: 'shop.orders',
        fields: [['id', 8], ...columns],
        after: [integer(id), ...columns.map(() => text('\u0001語'.repeat(100)))],
        sourceTimestamp: t0,
      })
      return { value, timestamp: t0 }
    })
    const { stream } = await open(t, wide)
    for (const event of [{ max: 200 }, { max: 200, from: { offset: '0' } }]) {
      const answer = await lookAt(stream, event, {}, { answerBytes: 400_000 })
      const size = Buffer.byteLength(JSON.stringify(answer))
      assert.ok(size < 520_000 && size > 250_000, String(size))
      assert.ok(answer.next !== null && answer.changes.length > 3)
    }
  })

  test('a damaged batch ends the reading; what was read before it is shown with the reason', async (t) => {
    const { store, stream: whole } = await open(t, new Writer().inserts('shop.orders', 0, 9))
    await store.append(new Writer('later').inserts('shop.orders', 10, 19))
    const stream = damagedAt(whole, 10n)
    const answer = await lookAt(stream, { from: { offset: '0' } })
    assert.deepEqual([offsets(answer), answer.next], [range(0, 9), { from: { offset: '10' } }])
    assert.match(answer.error ?? '', /damaged/)
    await assert.rejects(lookAt(stream), { code: 'BATCH_CORRUPT' })
  })
})
