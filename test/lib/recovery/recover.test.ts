import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { freshPosition } from '../../../lib/checkpoint/types.ts'
import { DtsError } from '../../../lib/errors.ts'
import { parseRecoveryEvent, type RecoverDependencies, recover } from '../../../lib/recovery/recover.ts'
import { returnedError, splitReply } from '../../../lib/recovery/reply.ts'
import { all, route } from '../../support/dispatch.ts'
import { t0, Writer } from '../../support/records.ts'
import { like } from '../../support/streams.ts'
import { CheckpointTable } from '../checkpoint/support.ts'
import { clock, examined } from './examine/support.ts'
import { letterOf, Queue } from './resend/support.ts'

const ten = new Writer().inserts('shop.orders', 0, 9)
const value = ten[7]?.value ?? Buffer.alloc(0)

describe('an event of recovery', () => {
  const table = new CheckpointTable()

  /** A stream that was read to offset 5, a queue with one letter, and a count of the open connections. */
  async function prepared(t: TestContext) {
    const { log, connect, dependencies } = await examined(t, table.fresh(), ten)
    const { store } = dependencies
    const place = { clusterId: log.clusterId, position: freshPosition(5n, t0 + 4), replayUntil: null }
    await store.release(
      await store.create({ ...place, entry: { at: clock, by: 'me', how: 'start' } }, 'me', clock),
    )
    const connections = { opened: 0, open: 0 }
    const sent: number[] = []
    const full: RecoverDependencies = {
      ...dependencies,
      deadLetters: new Queue([letterOf(7, value)]),
      routes: { 'shop.orders': route('orders') },
      handlerTimeoutMs: 1_000,
      invoke: async (_name, _batch, events) => {
        sent.push(...events.map(({ offset }) => Number(offset)))
        return all(events)
      },
      openStream: async () => {
        const stream = await connect()
        connections.opened += 1
        connections.open += 1
        return like(stream, {
          close: async () => {
            connections.open -= 1
            await stream.close()
          },
        })
      },
    }
    const run = (event: object, change: Partial<RecoverDependencies> = {}) =>
      recover(parseRecoveryEvent(event), { ...full, ...change })
    return { run, store, sent, connections, full }
  }

  const actions: [event: object, opens: boolean][] = [
    [{ action: 'inspect' }, true],
    [{ action: 'doctor' }, true],
    [{ action: 'reset', to: 'earliest' }, true],
    [{ action: 'pause' }, false],
    [{ action: 'resume' }, true],
    [{ action: 'release' }, false],
    [{ action: 'redrive' }, false],
    [{ action: 'letters' }, false],
    [{ action: 'discard', message: 'm7' }, false],
    [{ action: 'replay', table: 'shop.orders', from: { offset: '2' } }, true],
    [{ action: 'look' }, true],
  ]
  for (const [event, opens] of actions) {
    const { action } = event as { action: string }
    test(`${action} gets the answer of ${action}, and leaves no connection open`, async (t) => {
      const { run, connections } = await prepared(t)
      assert.equal((await run(event)).action, action)
      assert.deepEqual([connections.opened > 0, connections.open], [opens, 0])
    })
  }

  test('acts on the checkpoint, the queue and the log that it was given', async (t) => {
    const { run, store, sent } = await prepared(t)
    await run({ action: 'pause', by: 'Ada' })
    assert.equal((await store.read())?.state, 'PAUSED')
    await run({ action: 'resume' })
    assert.equal((await store.read())?.state, 'RUNNING')
    await run({ action: 'redrive' })
    await run({ action: 'replay', table: 'shop.orders', from: { offset: '2' }, to: { offset: '4' } })
    assert.deepEqual(sent, [7, 2, 3])
    await run({ action: 'reset', to: { offset: '3' } })
    assert.equal((await store.read())?.offset, 3n)
  })

  test('leaves no connection open if it is refused', async (t) => {
    const { run, connections } = await prepared(t)
    await assert.rejects(run({ action: 'reset', to: { offset: '900' } }), { code: 'CHECKPOINT_OUT_OF_RANGE' })
    assert.deepEqual(connections, { opened: 1, open: 0 })
  })

  test('about dead letters is refused without a queue', async (t) => {
    const { run } = await prepared(t)
    for (const event of [{ action: 'redrive' }, { action: 'letters' }, { action: 'discard', message: 'm7' }])
      await assert.rejects(run(event, { deadLetters: undefined }), {
        code: 'DEAD_LETTER_FAILED',
        retryable: false,
        message: 'No dead-letter queue is configured (DEAD_LETTER_QUEUE_URL), so there are no dead letters.',
      })
  })
})

test('only an event that asks for data gets the reply as data; any other reply stays in the event', () => {
  assert.deepEqual(splitReply({ action: 'inspect', reply: 'data' }), {
    event: { action: 'inspect' },
    form: 'data',
  })
  for (const event of [
    { action: 'inspect' },
    { reply: 'xml' },
    { data: 'reply' },
    null,
    undefined,
    'reply',
    () => {},
  ])
    assert.deepEqual(splitReply(event), { event, form: 'text' })
})

test('an error that is returned has its code, its message, its facts and what to do', () => {
  const next = [{ action: 'inspect' }] as const
  const error = new DtsError('DATA_GAP', 'gone', { retryable: false, facts: { offset: '5' }, next })
  assert.deepEqual(returnedError(error), {
    error: { code: 'DATA_GAP', message: 'gone', facts: { offset: '5' }, next },
  })
})
