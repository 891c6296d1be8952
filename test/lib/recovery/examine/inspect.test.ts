import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { ColumnHistory } from '../../../../lib/checkpoint/column-history.ts'
import { startOfTimes } from '../../../../lib/checkpoint/source-times.ts'
import {
  type Checkpoint,
  freshPosition,
  type LedgerEntry,
  type Position,
  type StreamState,
  type Trouble,
} from '../../../../lib/checkpoint/types.ts'
import { DtsError } from '../../../../lib/errors.ts'
import { groupPosition, writeMark } from '../../../../lib/kafka/commit-mark.ts'
import type { Stream } from '../../../../lib/kafka/stream.ts'
import { doctor, inspect, inspectStream } from '../../../../lib/recovery/examine/inspect.ts'
import { route } from '../../../support/dispatch.ts'
import { open } from '../../../support/open-stream.ts'
import type { NewRecord } from '../../../support/parts.ts'
import { filler, t0, Writer } from '../../../support/records.ts'
import { damagedAt, like, self } from '../../../support/streams.ts'
import { CheckpointTable } from '../../checkpoint/support.ts'
import { Queue } from '../resend/support.ts'
import { clock, examined, unknownHost } from './support.ts'

const ten = new Writer().inserts('shop.orders', 0, 9)

/** A stream of these records, and how `inspectStream` describes a checkpoint at offset 5 that is changed like this. */
async function inspecting(t: TestContext, records: readonly NewRecord[] = ten) {
  const { stream } = await open(t, records)
  return (
    change: Partial<Checkpoint> = {},
    log: Stream = stream,
    state: StreamState = { state: 'RUNNING' },
    now = clock,
  ) => {
    const stored: Checkpoint = {
      ...freshPosition(5n, t0 + 4),
      key: 'topic/0',
      epoch: 1,
      owner: null,
      leaseUntil: null,
      generation: 3,
      clusterId: stream.clusterId,
      replayUntil: null,
      ledger: [],
      wish: null,
      ...change,
      ...state,
    }
    const setup = {
      checks: [],
      routes: {},
      hasQueue: false,
      unroutedTables: 'skip',
      ghostTables: 'skip',
    } as const
    return inspectStream(stored, log, setup, { now: () => now, mayContinue: () => true })
  }
}

describe('the numbers of inspect', () => {
  test('say how far the stream is, and for how long it may be halted', async (t) => {
    const { found, lagSeconds, lagRecords, secondsUntilLoss, silentSeconds } = await (await inspecting(t))()
    assert.deepEqual([found?.earliest, found?.end, found?.times], ['0', '10', { first: t0, last: t0 + 9 }])
    assert.deepEqual([lagSeconds, lagRecords, secondsUntilLoss, silentSeconds], [16, '5', 3, 11])
  })

  test('show no lag at the end of the log, however old its last change is', async (t) => {
    const { lagSeconds, lagRecords } = await (await inspecting(t))({ offset: 10n, timestamp: t0 + 9 })
    assert.deepEqual([lagSeconds, lagRecords], [0, '0'])
  })

  test('count no records to a position that means nothing on this cluster', async (t) => {
    const ask = await inspecting(t)
    for (const elsewhere of [
      { clusterId: 'another' },
      { offset: 11n },
      { clusterId: 'another', offset: 10n },
    ]) {
      const { lagSeconds, lagRecords } = await ask(elsewhere)
      assert.deepEqual([lagSeconds, lagRecords], [16, null], JSON.stringify(Object.keys(elsewhere)))
    }
  })

  test('do not count a change that is dated in the future as progress', async (t) => {
    const ahead = { timestamp: t0 + 500, times: startOfTimes(t0 + 4) }
    const { lagSeconds, secondsUntilLoss } = await (await inspecting(t))(ahead)
    assert.deepEqual([lagSeconds, secondsUntilLoss], [16, 3])
  })

  test('show no negative lag if the position has a time in the future', async (t) => {
    const future = { timestamp: t0 + 500, times: startOfTimes(t0 + 500) }
    assert.equal((await (await inspecting(t))(future)).lagSeconds, 0)
  })

  test('are null for a log without records', async (t) => {
    const { found, secondsUntilLoss, silentSeconds } = await (await inspecting(t, filler(t0)))({ offset: 3n })
    assert.deepEqual([found?.times, secondsUntilLoss, silentSeconds], [null, null, 16])
  })

  test('are missing if damage hides the whole log: the error says so', async (t) => {
    const ask = await inspecting(t)
    const { stream } = await open(t, ten)
    await assert.rejects(ask({}, damagedAt(stream, 0n, 9n)), { code: 'BATCH_CORRUPT' })
  })
})

test('inspect says whose the last commit of the consumer group is', async (t) => {
  const { stream } = await open(t, ten)
  const ask = await inspecting(t)
  const place = { generation: 3, offset: 5n }
  const groupOf = async (metadata: string | null) =>
    (await ask({}, like(stream, { committed: async () => groupPosition(5n, metadata, self) }))).group
  const ours = writeMark(self, t0 + 4, place)
  assert.deepEqual(await groupOf(ours), { offset: '5', metadata: ours, by: 'by this deployment' })
  const dev = writeMark({ ...self, stage: 'dev' }, t0 + 4, place)
  assert.match((await groupOf(dev))?.by ?? '', /^by another deployment \(service "shop", stage "dev"/)
  assert.deepEqual(await groupOf(null), { offset: '5', metadata: null, by: 'by another program' })
  const refuse = async () => {
    throw new DtsError('GROUP_REFUSED', 'no', { retryable: false })
  }
  for (const committed of [async () => null, refuse])
    assert.equal((await ask({}, like(stream, { committed }))).group, null)
})

describe('the checkpoint that inspect shows', () => {
  test('has a lease only while a run may hold it', async (t) => {
    const ask = await inspecting(t)
    const leases = [null, clock, clock + 1].map(
      async (leaseUntil) => (await ask({ leaseUntil })).stored?.leaseUntil,
    )
    assert.deepEqual(await Promise.all(leases), [null, null, new Date(clock + 1).toISOString()])
  })

  test('names the lanes that are ahead, and those whose changes wait to be tried again', async (t) => {
    const trouble: Trouble = { offset: 5n, attempts: 2, since: clock, nextAt: clock, limit: null }
    const failed = `offset 5 failed 2 time(s) since ${new Date(clock).toISOString()}`
    const { stored } = await (await inspecting(t))({
      lanes: {
        ahead: { through: 7n, anchor: null, trouble: null },
        failing: { through: null, anchor: null, trouble },
        both: { through: 7n, anchor: null, trouble },
        neither: { through: null, anchor: null, trouble: { ...trouble, attempts: 0, limit: 4 } },
      },
    })
    assert.deepEqual(stored?.lanes, {
      ahead: 'done through 7',
      failing: failed,
      both: `done through 7, ${failed}`,
    })
  })

  test('runs, or is halted with the reason, which may be a pause', async (t) => {
    const ask = await inspecting(t)
    const stateOf = async (state: StreamState) => {
      const { stored } = await ask({}, undefined, state)
      return [stored?.state, stored?.halt?.code, stored?.halt?.message]
    }
    assert.deepEqual(await stateOf({ state: 'RUNNING' }), ['RUNNING', undefined, undefined])
    const halt = { code: 'DATA_GAP', message: 'gone', facts: {}, next: [], at: clock } as const
    assert.deepEqual(await stateOf({ state: 'HALTED', halt }), ['HALTED', 'DATA_GAP', 'gone'])
    const [state, code, message] = await stateOf({
      state: 'PAUSED',
      pause: { by: 'Ada', reason: 'a migration', at: clock },
    })
    assert.deepEqual([state, code], ['HALTED', 'PAUSED'])
    assert.match(message ?? '', /^Paused by Ada: a migration\./)
  })

  test('has a ledger in which only moves have the number that a rollback takes', async (t) => {
    const at = (offset: string, generation: number) => ({ clusterId: 'c', offset, generation })
    const entry = { at: clock, by: 'me', how: 'reset' }
    const ledger: LedgerEntry[] = [
      { ...entry, from: null, to: at('0', 1) },
      { ...entry, from: at('9', 1), to: at('4', 2) },
      { ...entry, how: 'resume after PAUSED', from: at('4', 2), to: at('4', 2) },
      { ...entry, from: at('6', 2), to: at('3', 3) },
    ]
    const numbered = (await (await inspecting(t))({ ledger })).ledger
    assert.deepEqual(
      numbered.map(({ entry }) => entry),
      [null, 1, null, 0],
    )
    assert.deepEqual(
      numbered.map(({ entry: _, ...rest }) => rest),
      ledger,
    )
  })
})

describe('the examination of a stream', () => {
  const table = new CheckpointTable()
  /** A store whose checkpoint is at the end of the log, with a released lease. */
  async function storeAt(clusterId: string, change: Partial<Position> = {}) {
    const store = table.fresh()
    const position = { ...freshPosition(10n, t0 + 9), ...change }
    const start = { clusterId, position, replayUntil: null, entry: { at: clock, by: 'me', how: 'start' } }
    await store.release(await store.create(start, 'me', clock))
    return store
  }
  async function wellStream(t: TestContext, change: Partial<Position> = {}) {
    const first = await examined(t, table.fresh(), ten)
    const store = await storeAt(first.log.clusterId, change)
    return { ...first, dependencies: { ...first.dependencies, store } }
  }

  test('is healthy only if every line is ok', async (t) => {
    const { dependencies } = await wellStream(t)
    const well = await doctor(dependencies)
    assert.deepEqual([well.action, well.healthy], ['doctor', true])
    const failing = async () => {
      throw new Error('no')
    }
    assert.equal((await doctor({ ...dependencies, probeFunction: failing })).healthy, false)
  })

  test('closes every connection that it opens, also if it fails', async (t) => {
    const { dependencies, log, connect } = await wellStream(t)
    let opened = 0
    let closed = 0
    const openStream = async () => {
      const stream = await connect()
      opened += 1
      return like(stream, {
        close: async () => {
          closed += 1
          await stream.close()
        },
      })
    }
    const counted = { ...dependencies, openStream }
    await inspect(counted)
    await inspect({ ...counted, store: table.fresh() })
    await log.append([new Writer().insert('shop.orders', 10, t0 + 10)])
    const damaged = async () => damagedAt(await openStream(), 0n, 10n)
    await assert.rejects(inspect({ ...counted, openStream: damaged }), { code: 'BATCH_CORRUPT' })
    assert.ok(opened >= 6)
    assert.equal(closed, opened)
  })

  test('of a stream that was never read shows the log, and no position', async (t) => {
    const { dependencies } = await examined(t, table.fresh(), ten)
    const {
      stored,
      storedFault,
      found,
      lagSeconds,
      lagRecords,
      secondsUntilLoss,
      silentSeconds,
      advice,
      ledger,
    } = await inspect(dependencies)
    assert.deepEqual(
      [stored, storedFault, lagSeconds, lagRecords, secondsUntilLoss],
      [null, null, null, null, null],
    )
    assert.deepEqual([found?.end, silentSeconds, ledger], ['10', 11, []])
    assert.match(advice, /^Nothing was read yet/)
  })

  test('of a healthy stream says that there is nothing to do', async (t) => {
    const { advice, next } = await inspect((await wellStream(t)).dependencies)
    assert.equal(advice, 'Position and log agree, and every line of the examination is ok: nothing to do.')
    assert.deepEqual(next, [])
  })

  test('says what becomes of a failing change with a dead-letter queue, and without one', async (t) => {
    const trouble = { offset: 5n, attempts: 2, since: clock, nextAt: clock, limit: null }
    const lanes = { 'test-orders': { through: null, anchor: null, trouble } }
    const { dependencies } = await wellStream(t, { offset: 5n, timestamp: t0 + 4, lanes })
    const failing = { ...dependencies, routes: { 'shop.orders': route('test-orders') } }
    const deadLetters = new Queue([])
    assert.match(
      (await inspect({ ...failing, deadLetters })).advice,
      /; then it goes to the dead-letter queue/,
    )
    assert.match((await inspect(failing)).advice, /; then the stream halts there/)
  })

  test('names the line that failed as the reason why the stream cannot be reached', async (t) => {
    const { dependencies } = await wellStream(t)
    const broker = { host: unknownHost, port: 1 }
    const openStream = () => Promise.reject(new Error('ENOTFOUND'))
    const given = { ...dependencies, openStream, config: { ...dependencies.config, broker } }
    assert.match(
      (await inspect(given)).advice,
      /^The stream cannot be reached\. BROKER_UNREACHABLE: The name x{64}\.invalid cannot be resolved/,
    )
  })

  test('names the error itself if the stream was reached a moment before, and no fault of another part', async (t) => {
    const { dependencies, connect } = await wellStream(t)
    const fault = 'The stream cannot be reached. BROKER_FAILED: it stopped'
    const breaking = () => {
      let opened = 0
      return async () => {
        opened += 1
        if (opened > 1) throw new DtsError('BROKER_FAILED', 'it stopped', { retryable: true })
        return await connect()
      }
    }
    const probeFunction = () => Promise.reject(new Error('Function not found'))
    for (const other of [{}, { probeFunction }])
      assert.equal((await inspect({ ...dependencies, ...other, openStream: breaking() })).advice, fault)
    const store = table.fresh()
    store.read = () => Promise.reject(new DtsError('CHECKPOINT_INVALID', 'odd', { retryable: false }))
    assert.equal(
      (await inspect({ ...dependencies, store, openStream: breaking() })).advice,
      `${fault} The checkpoint cannot be read. CHECKPOINT_INVALID: odd`,
    )
  })

  test('names a fault of the broker once, and shows the checkpoint all the same', async (t) => {
    const { dependencies } = await wellStream(t)
    const openStream = async () => {
      throw new DtsError('AUTHENTICATION_FAILED', 'wrong password', { retryable: false })
    }
    const { advice, next, found, stored, storedFault } = await inspect({ ...dependencies, openStream })
    assert.equal(advice, 'The stream cannot be reached. AUTHENTICATION_FAILED: wrong password')
    assert.deepEqual(next, [{ action: 'inspect', purpose: 'look again after that' }])
    assert.deepEqual([found, stored?.offset, storedFault], [null, '10', null])
  })

  test('names a checkpoint that cannot be read once, and shows the log all the same', async (t) => {
    const { dependencies } = await wellStream(t)
    const store = table.fresh()
    store.read = async () => {
      throw new DtsError('CHECKPOINT_INVALID', 'schemaVersion is not 1', { retryable: false })
    }
    const fault = 'CHECKPOINT_INVALID: schemaVersion is not 1'
    const one = await inspect({ ...dependencies, store })
    assert.deepEqual([one.advice, one.storedFault], [`The checkpoint cannot be read. ${fault}`, fault])
    assert.deepEqual([one.found?.end, one.stored], ['10', null])
    const openStream = async () => {
      throw new DtsError('AUTHENTICATION_FAILED', 'wrong password', { retryable: false })
    }
    const both = await inspect({ ...dependencies, store, openStream })
    assert.equal(
      both.advice,
      `The stream cannot be reached. AUTHENTICATION_FAILED: wrong password The checkpoint cannot be read. ${fault}`,
    )
  })

  test('has the columns of the tables, the one that changed last first, unless they cannot be read', async (t) => {
    const { dependencies } = await wellStream(t)
    assert.ok(!('columns' in (await inspect(dependencies))))
    const failing = { read: () => Promise.reject(new Error('no')) }
    assert.ok(!('columns' in (await inspect({ ...dependencies, columnStore: failing }))))
    const history = new ColumnHistory()
    const see = (table: string, generation: number, offset: bigint, columns: Record<string, number>) =>
      history.add({
        table,
        columns: new Map(Object.entries(columns)),
        since: { generation, offset, time: offset === 9n ? null : t0 },
      })
    see('shop.old', 1, 900n, { id: 8 })
    see('shop.orders', 2, 7n, { id: 8 })
    see('shop.items', 2, 8n, { id: 8 })
    see('shop.orders', 2, 9n, { id: 8, note: 252 })
    const columnStore = { read: async () => ({ history, revision: 1 }) }
    const { columns } = await inspect({ ...dependencies, columnStore })
    assert.deepEqual(
      columns?.tables.map(({ table, columns: names }) => [table, names]),
      [
        ['shop.orders', ['id', 'note']],
        ['shop.items', ['id']],
        ['shop.old', ['id']],
      ],
    )
    assert.equal(columns?.others, 0)
    const none = { added: [], lost: [], retyped: [], generation: 2 }
    assert.deepEqual(columns?.tables[0]?.versions, [
      { ...none, version: 1, offset: '7', time: '2023-11-14T22:13:20Z (1700000000)' },
      { ...none, version: 2, offset: '9', time: null, added: ['note'] },
    ])
    for (let index = 0; index < 100; index++) see(`shop.more${index}`, 3, BigInt(index), { id: 8 })
    const many = (await inspect({ ...dependencies, columnStore })).columns
    assert.deepEqual([many?.tables.length, many?.others], [100, 3])
    assert.equal(many?.tables[0]?.table, 'shop.more99')
  })
})
