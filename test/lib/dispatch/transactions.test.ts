import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encodeRecord, integer } from '../../../infra/local/encode.ts'
import type { LaneState } from '../../../lib/checkpoint/types.ts'
import { recordOverhead } from '../../../lib/dispatch/batch-format.ts'
import { RoutedEvent } from '../../../lib/dispatch/event.ts'
import { Lane } from '../../../lib/dispatch/lane.ts'
import type { Delivery } from '../../../lib/dispatch/settings.ts'
import { SourceTransaction, TransactionReader } from '../../../lib/dispatch/source-transaction.ts'
import { scanHeader } from '../../../lib/dts/header.ts'
import type { Operation } from '../../../lib/dts/types.ts'
import { LogRecords } from '../../../lib/kafka/records.ts'
import { all, FakeRun, failure, route, through } from '../../support/dispatch.ts'
import { turn } from './support.ts'

/** Reads a log of `[operation, transaction]`. */
function read(before: string | null, ...records: readonly (readonly [Operation, string])[]) {
  const reader = new TransactionReader(before)
  return records.flatMap(([operation, sourceTxid], at) => {
    const row = operation === 'INSERT' ? { fields: [['id', 8]] as const, after: [integer(at)] } : {}
    const bytes = encodeRecord({ operation, objectName: 'shop.orders', sourceTxid, ...row })
    return reader.see(scanHeader(bytes, 0, bytes.length), bytes) ?? []
  })
}

/** For each change the number of its transaction, `<` if its begin is known, and `>` if its end is, or `?` if it never will be. */
function textOf(seen: readonly SourceTransaction[]): string {
  const all = [...new Set(seen)]
  const ends = { open: '', ended: '>', unclear: '?' }
  return seen.map((one) => `${one.isBeginKnown ? '<' : ''}${all.indexOf(one)}${ends[one.state]}`).join(' ')
}

type Log = (readonly [Operation, string])[]

describe('the transactions of a stream', () => {
  const cases: [name: string, before: string | null, text: string, ...records: Log][] = [
    [
      'end with their COMMIT',
      null,
      '<0> <0>',
      ['BEGIN', 'a'],
      ['INSERT', 'a'],
      ['INSERT', 'a'],
      ['COMMIT', 'a'],
    ],
    [
      'end with their COMMIT if marks have no id',
      null,
      '<0>',
      ['BEGIN', ''],
      ['INSERT', 'a'],
      ['COMMIT', ''],
    ],
    [
      'do not end with a heartbeat',
      null,
      '<0 <0',
      ['BEGIN', 'a'],
      ['HEARTBEAT', ''],
      ['INSERT', 'a'],
      ['HEARTBEAT', ''],
      ['INSERT', 'a'],
    ],
    [
      'do not end with the next BEGIN in a stream that marks ends: the writer began again',
      null,
      '<0> <1? <1? <2> <2> <2>',
      ['BEGIN', 'z'],
      ['INSERT', 'z'],
      ['COMMIT', 'z'],
      ['BEGIN', 'a'],
      ['INSERT', 'a'],
      ['INSERT', 'a'],
      ['BEGIN', 'a'],
      ['INSERT', 'a'],
      ['INSERT', 'a'],
      ['INSERT', 'a'],
      ['COMMIT', 'a'],
    ],
    ['end with ROLLBACK', null, '<0>', ['BEGIN', 'a'], ['INSERT', 'a'], ['ROLLBACK', 'a']],
    ['end with ABORT', null, '<0>', ['BEGIN', 'a'], ['INSERT', 'a'], ['ABORT', 'a']],
    [
      'end with the next BEGIN',
      null,
      '<0> <1',
      ['BEGIN', 'a'],
      ['INSERT', 'a'],
      ['BEGIN', 'a'],
      ['INSERT', 'a'],
    ],
    [
      'end with a change of another one',
      'x',
      '<0> <0> <1',
      ['INSERT', 'a'],
      ['INSERT', 'a'],
      ['INSERT', 'b'],
    ],
    ['contain their statements', 'x', '<0 <0 <0', ['INSERT', 'a'], ['DDL', 'a'], ['INSERT', 'a']],
    ['are single changes if nothing names or marks them', 'x', '0? 1?', ['INSERT', ''], ['INSERT', '']],
    [
      'of a single change say nothing of those around it',
      'x',
      '<0? 1? 2> <3',
      ['INSERT', 'a'],
      ['INSERT', ''],
      ['INSERT', 'a'],
      ['INSERT', 'b'],
    ],
    [
      'without a name are as long as their marks say',
      null,
      '<0> <0> 1?',
      ['BEGIN', ''],
      ['INSERT', ''],
      ['INSERT', ''],
      ['COMMIT', ''],
      ['INSERT', ''],
    ],
    [
      'contain changes without a name between their marks',
      null,
      '<0> <0> <0>',
      ['BEGIN', 'a'],
      ['INSERT', ''],
      ['INSERT', 'a'],
      ['INSERT', ''],
      ['COMMIT', ''],
    ],
    ['have no known begin if nothing before them is known', null, '0> <1', ['INSERT', 'a'], ['INSERT', 'b']],
    ['have no known begin if the run begins within them', 'a', '0> <1', ['INSERT', 'a'], ['INSERT', 'b']],
    ['have no known begin after a change that names none', '', '0> <1', ['INSERT', 'a'], ['INSERT', 'b']],
    ['have no known begin if their own end came before', 'a', '0', ['COMMIT', ''], ['INSERT', 'a']],
    ['have a known begin after the end of another one', null, '<0', ['COMMIT', ''], ['INSERT', 'a']],
    [
      'without a name between marks that the run did not see are single changes',
      '',
      '0? 1? <2',
      ['INSERT', ''],
      ['INSERT', ''],
      ['COMMIT', ''],
      ['INSERT', 'a'],
    ],
  ]
  for (const [name, before, text, ...records] of cases) {
    test(name, () => assert.equal(textOf(read(before, ...records)), text))
  }
})

/** One letter for each change: its transaction. Upper case: the change must not be sent. */
function eventsOf(
  letters: string,
  state: (id: string) => SourceTransaction['state'],
  { size = 10, isBeginKnown = true } = {},
): RoutedEvent[] {
  const transactions = new Map<string, SourceTransaction>()
  return [...letters].map((letter, at) => {
    const id = letter.toLowerCase()
    const transaction = transactions.get(id) ?? new SourceTransaction(isBeginKnown, 'open')
    transactions.set(id, transaction)
    transaction.state = state(id)
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
  done?: RoutedEvent,
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
  if (done !== undefined) lane.passed(done)
  for (const event of events) lane.offer(event)
  const stopping = new AbortController()
  const working = lane.run(stopping.signal)
  for (let at = 0; at < 50 && !lane.isIdle; at++) await turn()
  stopping.abort()
  await working
  return { sent, lane }
}

const ended = () => 'ended' as const
const open = () => 'open' as const
const waiting = (milliseconds: number) =>
  Object.assign(new FakeRun(), { transactionWaitMs: () => milliseconds })

describe('the batches of a function with onTransaction', () => {
  test('hold whole transactions, as many as fit', async () => {
    assert.deepEqual((await sentBy(eventsOf('aabbbccd', ended), { batchSize: 6 })).sent, [
      'whole:1,2 whole:3,4,5',
      'whole:6,7 whole:8',
    ])
    const bytes = 4 * (300 + recordOverhead)
    const large = eventsOf('aabbbccd', ended, { size: 300 })
    assert.deepEqual((await sentBy(large, { batchBytes: bytes })).sent, [
      'whole:1,2',
      'whole:3,4,5',
      'whole:6,7 whole:8',
    ])
  })

  test('wait for the end of a transaction, and the lane is idle meanwhile', async () => {
    const events = eventsOf('aabb', (id) => (id === 'a' ? 'ended' : 'open'))
    const { sent, lane } = await sentBy(events, {})
    assert.deepEqual([sent, lane.firstUndone, lane.isIdle, lane.begin], [['whole:1,2'], 3n, true, 3n])
  })

  test('do not wait for the end of a transaction that no record will show', async () => {
    const events = eventsOf('aab', () => 'unclear', { isBeginKnown: false })
    assert.deepEqual((await sentBy(events, {})).sent, ['middle:1,2 middle:3'])
  })

  test('cut a transaction only above the bounds, and keep the rest back until more of it is known', async () => {
    const exact = await sentBy(eventsOf('aaa', open), { batchSize: 3 })
    assert.deepEqual([exact.sent, exact.lane.begin], [[], 1n])
    const above = await sentBy(eventsOf('aaaa', open), { batchSize: 3 })
    assert.deepEqual([above.sent, above.lane.begin], [['first:1,2,3'], null])
  })

  test('claim no end that no record showed when they wait no longer', async () => {
    const { sent } = await sentBy(eventsOf('aa', open), {}, waiting(0))
    assert.deepEqual(sent, ['first:1,2'])
  })

  test('claim no begin that no record showed', async () => {
    const { sent } = await sentBy(eventsOf('aab', ended, { isBeginKnown: false }), { batchSize: 2 })
    assert.deepEqual(sent, ['last:1,2', 'last:3'])
  })

  test('claim a begin that the checkpoint has, at its offset only', async () => {
    const stateAt = (begin: bigint) => ({ through: null, trouble: null, begin })
    const sent = async (begin: bigint) => {
      const events = eventsOf('aab', ended, { isBeginKnown: false })
      return (await sentBy(events, {}, new FakeRun(), stateAt(begin))).sent
    }
    assert.deepEqual(await sent(1n), ['whole:1,2 last:3'])
    assert.deepEqual(await sent(2n), ['last:1,2 last:3'])
  })

  test('do not count as the begin of a transaction if an earlier run has done a change of it', async () => {
    const [done, ...events] = eventsOf('aab', ended)
    const { sent } = await sentBy(events, {}, new FakeRun(), undefined, done)
    assert.deepEqual(sent, ['last:2 whole:3'])
  })

  test('cut a transaction around a change that must not be sent, so that the rest does not count as the whole', async () => {
    const run = new FakeRun()
    const { sent } = await sentBy(eventsOf('aaAab', ended), {}, run)
    assert.deepEqual([sent, run.aside.map(({ offset }) => offset)], [['first:1,2', 'last:4 whole:5'], [3]])
  })

  test('claim no end before a last change that must not be sent', async () => {
    assert.deepEqual((await sentBy(eventsOf('aaA', ended), {})).sent, ['first:1,2'])
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

  test('do not count as the first part after a part was acknowledged', async () => {
    let answers = 0
    const run = new FakeRun((events) => (answers++ === 0 ? through(1n, failure()) : all(events)))
    const { sent } = await sentBy(eventsOf('aaa', ended), { attempts: 3 }, run)
    assert.deepEqual(sent, ['whole:1,2,3', 'last:2,3'])
  })

  test('keep a failing transaction whole for all of its attempts, also when the function names it', async () => {
    const run = new FakeRun((events) => {
      const at = events.findIndex(({ offset }) => offset >= 3n)
      return at === -1 ? all(events) : through(events[at - 1]?.offset ?? null, failure())
    })
    const { sent } = await sentBy(eventsOf('aabb', ended), { attempts: 3, onFailure: 'halt' }, run)
    assert.deepEqual(sent, ['whole:1,2 whole:3,4', 'whole:3,4', 'whole:3,4'])
  })
})
