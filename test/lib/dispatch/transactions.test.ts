import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encodeRecord, integer } from '../../../infra/local/encode.ts'
import type { LaneState } from '../../../lib/checkpoint/types.ts'
import { recordOverhead } from '../../../lib/dispatch/batch-format.ts'
import { RoutedEvent } from '../../../lib/dispatch/event.ts'
import { Lane } from '../../../lib/dispatch/lane.ts'
import type { Delivery } from '../../../lib/dispatch/settings.ts'
import { type SourceTransaction, TransactionReader } from '../../../lib/dispatch/source-transaction.ts'
import { scanHeader } from '../../../lib/dts/header.ts'
import type { Operation } from '../../../lib/dts/types.ts'
import { LogRecords } from '../../../lib/kafka/records.ts'
import { all, FakeRun, failure, route, through } from '../../support/dispatch.ts'
import { turn } from './support.ts'

/** Reads a log of `[operation, transaction]`. */
function read(before: string | null, ...records: readonly (readonly [Operation, string])[]) {
  const reader = new TransactionReader(before)
  const seen = records.map(([operation, sourceTxid], at) => {
    const row = operation === 'INSERT' ? { fields: [['id', 8]] as const, after: [integer(at)] } : {}
    const bytes = encodeRecord({ operation, objectName: 'shop.orders', sourceTxid, ...row })
    return reader.see(scanHeader(bytes, 0, bytes.length), bytes, BigInt(at))
  })
  return { reader, seen, groups: groupsOf(seen) }
}

/** The number of the transaction of each change, and `.` after the last one that is over. */
function groupsOf(seen: readonly (SourceTransaction | null)[]): string {
  const all = [...new Set(seen.filter((one) => one !== null))]
  return seen.flatMap((one) => (one === null ? [] : `${all.indexOf(one)}${one.isOver ? '.' : ''}`)).join(' ')
}

describe('the transactions of a stream', () => {
  const cases: [name: string, groups: string, ...records: (readonly [Operation, string])[]][] = [
    ['end with their COMMIT', '0. 0.', ['BEGIN', 'a'], ['INSERT', 'a'], ['INSERT', 'a'], ['COMMIT', 'a']],
    ['end with their COMMIT if marks have no id', '0.', ['BEGIN', ''], ['INSERT', 'a'], ['COMMIT', '']],
    [
      'do not end before their COMMIT',
      '0 0',
      ['BEGIN', 'a'],
      ['INSERT', 'a'],
      ['HEARTBEAT', ''],
      ['INSERT', 'a'],
    ],
    ['end with ROLLBACK', '0.', ['BEGIN', 'a'], ['INSERT', 'a'], ['ROLLBACK', 'a']],
    ['end with the next BEGIN', '0. 1', ['BEGIN', 'a'], ['INSERT', 'a'], ['BEGIN', 'a'], ['INSERT', 'a']],
    ['end with a change of another one', '0. 0. 1', ['INSERT', 'a'], ['INSERT', 'a'], ['INSERT', 'b']],
    ['contain their statements', '0 0 0', ['INSERT', 'a'], ['DDL', 'a'], ['INSERT', 'a']],
    ['are single changes if nothing names or marks them', '0. 1.', ['INSERT', ''], ['INSERT', '']],
    [
      'without a name are as long as their marks say',
      '0. 0. 1.',
      ['BEGIN', ''],
      ['INSERT', ''],
      ['INSERT', ''],
      ['COMMIT', ''],
      ['INSERT', ''],
    ],
  ]
  for (const [name, groups, ...records] of cases) {
    test(name, () => assert.equal(read('before', ...records).groups, groups))
  }

  test('may end silently if their begin was not marked, unless the run began within them', () => {
    const silenceOf = (before: string | null, ...records: (readonly [Operation, string])[]) =>
      read(before, ...records).seen.at(-1)?.silence
    assert.equal(silenceOf('before', ['INSERT', 'a']), 'end')
    assert.equal(silenceOf('a', ['INSERT', 'a']), 'cut')
    assert.equal(silenceOf(null, ['INSERT', 'a']), 'cut')
    assert.equal(silenceOf(null, ['COMMIT', ''], ['INSERT', 'a']), 'end')
    assert.equal(silenceOf('before', ['BEGIN', 'a'], ['INSERT', 'a']), null)
  })

  test('have an unknown begin if nothing of the stream before them is known', () => {
    const records: (readonly [Operation, string])[] = [
      ['INSERT', 'a'],
      ['INSERT', 'b'],
    ]
    assert.deepEqual(
      read(null, ...records).seen.map((one) => one?.isBeginUnknown),
      [true, false],
    )
    assert.equal(read('a', ...records).seen[0]?.isBeginUnknown, false)
  })

  test('keep the offset of their BEGIN until their COMMIT', () => {
    assert.equal(read(null, ['HEARTBEAT', ''], ['BEGIN', 'a'], ['INSERT', 'a']).reader.begunAt, 1n)
    assert.equal(read(null, ['BEGIN', 'a'], ['INSERT', 'a'], ['COMMIT', 'a']).reader.begunAt, null)
  })
})

/** One letter for each change: its transaction. Upper case: the change must not be sent. */
function eventsOf(letters: string, isOver: (id: string) => boolean, size = 10): RoutedEvent[] {
  const reader = new TransactionReader('before')
  const transactions = new Map<string, SourceTransaction>()
  return [...letters].map((letter, at) => {
    const id = letter.toLowerCase()
    const bytes = encodeRecord({ operation: 'DDL', sourceTxid: id, after: '' })
    const transaction = transactions.get(id) ?? reader.see(scanHeader(bytes, 0, bytes.length), bytes, 0n)
    if (transaction === null) throw new TypeError('no change')
    transactions.set(id, transaction)
    transaction.isOver = isOver(id)
    const records = LogRecords.of([{ offset: BigInt(at + 1), value: Buffer.alloc(size) }])
    const event = new RoutedEvent(records, 0, 'shop.orders', id === letter ? null : failure())
    event.transaction = transaction
    return event
  })
}

/** What a lane sends, as `part:offsets`, one text for each invocation. */
async function sentBy(
  events: readonly RoutedEvent[],
  settings: Partial<Delivery>,
  run = new FakeRun(),
  state?: LaneState,
): Promise<{ sent: string[]; lane: Lane }> {
  const sent: string[] = []
  const { send } = run
  const lane = new Lane('all', 'all', { ...route('all'), transactions: true, ...settings }, state, {
    ...run,
    putAside: run.putAside,
    send: async (name, batch, _packed, transactions) => {
      let at = 0
      const parts = (transactions ?? []).map(({ count, part }) => {
        at += count
        return `${part}:${batch.slice(at - count, at).map(({ offset }) => offset)}`
      })
      sent.push(parts.join(' '))
      return await send(name, batch)
    },
  })
  for (const event of events) lane.offer(event)
  const stopping = new AbortController()
  const working = lane.run(stopping.signal)
  for (let at = 0; at < 50 && !lane.isIdle; at++) await turn()
  stopping.abort()
  await working
  return { sent, lane }
}

const ended = () => true

describe('the batches of a function with onTransaction', () => {
  test('hold whole transactions, as many as fit', async () => {
    assert.deepEqual((await sentBy(eventsOf('aabbbccd', ended), { batchSize: 6 })).sent, [
      'whole:1,2 whole:3,4,5',
      'whole:6,7 whole:8',
    ])
    const bytes = 4 * (300 + recordOverhead)
    const large = eventsOf('aabbbccd', ended, 300)
    assert.deepEqual((await sentBy(large, { batchBytes: bytes })).sent, [
      'whole:1,2',
      'whole:3,4,5',
      'whole:6,7 whole:8',
    ])
  })

  test('wait for the end of a transaction, and the lane is idle meanwhile', async () => {
    const { sent, lane } = await sentBy(
      eventsOf('aabb', (id) => id === 'a'),
      {},
      Object.assign(new FakeRun(), { atEnd: () => false }),
    )
    assert.deepEqual([sent, lane.firstUndone, lane.isIdle], [['whole:1,2'], 3n, true])
  })

  test('cut a transaction only above the bounds, and keep a part back until more of it is known', async () => {
    const atEnd = () => false
    const open = () => false
    const exact = await sentBy(
      eventsOf('aaa', open),
      { batchSize: 3 },
      Object.assign(new FakeRun(), { atEnd }),
    )
    assert.deepEqual([exact.sent, exact.lane.openTransaction], [[], null])
    const above = await sentBy(
      eventsOf('aaaa', open),
      { batchSize: 3 },
      Object.assign(new FakeRun(), { atEnd }),
    )
    assert.deepEqual([above.sent, above.lane.openTransaction], [['first:1,2,3'], 'a'])
  })

  test('cut a transaction after which so much of the log follows that its wait would fill the memory', async () => {
    const far = Object.assign(new FakeRun(), { isFarBehind: () => true, atEnd: () => false })
    const { sent, lane } = await sentBy(
      eventsOf('aa', () => false),
      {},
      far,
    )
    assert.deepEqual([sent, lane.openTransaction], [['first:1,2'], 'a'])
  })

  test('continue a transaction of which the function has a part from a run before', async () => {
    const state = { through: null, trouble: null, openTransaction: 'a' }
    assert.deepEqual((await sentBy(eventsOf('aab', ended), {}, new FakeRun(), state)).sent, [
      'last:1,2 whole:3',
    ])
    assert.deepEqual((await sentBy(eventsOf('bb', ended), {}, new FakeRun(), state)).sent, ['whole:1,2'])
  })

  test('cut a transaction around a change that must not be sent, so that the rest does not count as the whole', async () => {
    const run = new FakeRun()
    const { sent } = await sentBy(eventsOf('aaAab', ended), {}, run)
    assert.deepEqual([sent, run.aside.map(({ offset }) => offset)], [['first:1,2', 'last:4 whole:5'], [3]])
  })

  test('hold transactions whole again after a failing one was found', async () => {
    const run = new FakeRun((events) =>
      events.some(({ offset }) => offset === 1n) ? { kind: 'failed', error: failure() } : all(events),
    )
    const { sent } = await sentBy(eventsOf('abbbbb', ended), { attempts: 1 }, run)
    assert.deepEqual(
      run.aside.map(({ offset }) => offset),
      [1],
    )
    assert.deepEqual(sent.slice(-1), ['whole:2,3,4,5,6'])
  })

  test('cut a transaction that failed although it has only one attempt', async () => {
    const run = new FakeRun((events) =>
      events.some(({ offset }) => offset === 2n) ? { kind: 'failed', error: failure() } : all(events),
    )
    const { sent } = await sentBy(eventsOf('aa', ended), { attempts: 1 }, run)
    assert.deepEqual([sent, run.aside.map(({ offset }) => offset)], [['whole:1,2', 'first:1', 'last:2'], [2]])
  })

  test('leave a transaction open whose end was read before its last part was sent', async () => {
    const events = eventsOf('aaa', () => false)
    const run = new FakeRun()
    run.permits = 1
    const { lane } = await sentBy(events, { batchSize: 2 }, run)
    const [first] = events
    if (first?.transaction != null) first.transaction.isOver = true
    assert.deepEqual([lane.firstUndone, lane.openTransaction], [3n, 'a'])
  })

  test('keep a failing transaction whole for all of its attempts, also when the function names it', async () => {
    const run = new FakeRun((events) => {
      const at = events.findIndex(({ offset }) => offset >= 3n)
      return at === -1 ? all(events) : through(events[at - 1]?.offset ?? null, failure())
    })
    const { sent } = await sentBy(eventsOf('aabb', ended), { attempts: 3, onFailure: 'halt' }, run)
    assert.deepEqual(sent, ['whole:1,2 whole:3,4', 'whole:3,4', 'whole:3,4'])
  })

  test('end a transaction after two silent seconds at the end of a stream without marks', async () => {
    const run = new FakeRun()
    const { sent, lane } = await sentBy(
      eventsOf('aa', () => false),
      {},
      run,
    )
    assert.deepEqual([sent, run.sent[0]?.at, lane.openTransaction], [['whole:1,2'], 1_795_433_582_000, 'a'])
  })
})
