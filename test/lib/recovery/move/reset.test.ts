import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { Checkpoint } from '../../../../lib/checkpoint/types.ts'
import { DtsError } from '../../../../lib/errors.ts'
import { groupPosition, writeMark } from '../../../../lib/kafka/commit-mark.ts'
import type { Stream } from '../../../../lib/kafka/stream.ts'
import { reset, resetSchema, startWithoutLoss } from '../../../../lib/recovery/move/reset.ts'
import { formatTime } from '../../../../lib/time.ts'
import { open } from '../../../support/open-stream.ts'
import { shift, t0, Writer } from '../../../support/records.ts'
import { committedAfter, like, self } from '../../../support/streams.ts'
import { CheckpointTable, read as readItem } from '../../checkpoint/support.ts'

const checkpoints = new CheckpointTable()
const twenty = new Writer().inserts('shop.orders', 0, 19)
const at = (t0 + 1_000) * 1000

/** A log of twenty changes, and a checkpoint that has handled the first ten of them. */
async function atTen(
  t: TestContext,
  change: { readonly log?: (stream: Stream) => Stream; readonly usedGeneration?: number } = {},
) {
  const { stream } = await open(t, twenty)
  const store = checkpoints.fresh()
  const position = committedAfter(twenty.slice(0, 10))
  const { usedGeneration = null } = change
  const start = { clusterId: stream.clusterId, position, replayUntil: null, usedGeneration }
  await store.release(await store.create({ ...start, entry: { at, by: 'me', how: 'start' } }, 'me', at))
  const log = change.log?.(stream) ?? stream
  const dependencies = {
    store,
    openStream: async () => log,
    now: () => at + 60_000,
    remainingMs: () => 300_000,
    owner: 'request-1',
  }
  const run = (event: object) => reset(resetSchema.parse({ action: 'reset', ...event }), dependencies, log)
  const before = await readItem(store)
  return { stream, store, before, run }
}

describe('a reset', () => {
  test('answers from where to where it moved, and what repeats; a dry run announces the same and writes nothing', async (t) => {
    const { store, stream, before, run } = await atTen(t)
    const { clusterId } = stream
    const dry = await run({ to: { offset: '6' }, dryRun: true })
    assert.deepEqual(await readItem(store), before)
    const { note, token, ...moved } = await run({ to: { offset: '6' } })
    assert.deepEqual(
      { ...moved, repeats: { ...moved.repeats } },
      {
        action: 'reset',
        applied: true,
        from: { clusterId, offset: '10', generation: before.generation },
        to: { clusterId, offset: '6', generation: before.generation + 60, time: formatTime(t0 + 6) },
        how: 'offset',
        repeats: { 'shop.orders': 4 },
        countedTo: null,
        lost: null,
      },
    )
    const { note: announced, token: given, ...planned } = dry
    assert.deepEqual(planned, { ...moved, applied: false })
    assert.equal(token, null)
    assert.equal(typeof given, 'string')
    assert.doesNotMatch(note, / {2}| $/)
    assert.notEqual(announced, '')
    const { offset, ledger, generation } = await readItem(store)
    assert.deepEqual([offset, generation], [6n, before.generation + 60])
    const { at: when, by, how } = ledger.at(-1) ?? {}
    assert.deepEqual([when, by, how], [at + 60_000, 'request-1', 'reset by offset'])
  })

  test('takes a new generation also if a clock that was ahead made the one before', async (t) => {
    const { store, before, run } = await atTen(t, { usedGeneration: 2_000_000_000 })
    assert.equal(before.generation, 2_000_000_001)
    const { from, to } = await run({ to: 'earliest' })
    assert.deepEqual([from?.generation, to.generation], [2_000_000_001, 2_000_000_002])
    assert.equal((await readItem(store)).generation, 2_000_000_002)
  })

  test('keeps the person and the reason in the ledger, and what was lost', async (t) => {
    const { store, run } = await atTen(t)
    // Times of records may run ten seconds out of order, so the bounds are that much further apart.
    const loss = { from: formatTime(t0 + 9 - 10), to: formatTime(t0 + 14 + 10) }
    const { lost } = await run({ to: { offset: '14' }, acceptLoss: true, by: 'Ada', reason: 'a test stage' })
    assert.deepEqual(lost, loss)
    const { by, how } = (await readItem(store)).ledger.at(-1) ?? {}
    assert.deepEqual([by, how], ['Ada', `reset by offset: lost ${loss.from} to ${loss.to}: a test stage`])
  })

  test('that loses changes is refused without a word, also by the token of its dry run', async (t) => {
    const { store, before, run } = await atTen(t)
    const to = { offset: '14' }
    await assert.rejects(run({ to }), { code: 'DATA_GAP' })
    const { token, lost } = await run({ to, dryRun: true })
    assert.notEqual(lost, null)
    await assert.rejects(run({ token }), (error) => {
      assert.ok(error instanceof DtsError)
      assert.equal(error.code, 'DATA_GAP')
      const accepting = error.next.find((step) => step.action === 'reset')
      assert.deepEqual(
        { ...accepting, purpose: '' },
        { action: 'reset', token, acceptLoss: true, purpose: '' },
      )
      return true
    })
    assert.deepEqual(await readItem(store), before)
    // A dry run by the token announces it again.
    assert.deepEqual((await run({ token, dryRun: true })).lost, lost)
    assert.equal((await run({ token, acceptLoss: true })).applied, true)
    assert.equal((await readItem(store)).offset, 14n)
  })

  test('by the token of a dry run that accepted the loss needs no further word', async (t) => {
    const { store, run } = await atTen(t)
    const { token } = await run({ to: { offset: '14' }, dryRun: true, acceptLoss: true })
    assert.equal((await run({ token })).applied, true)
    assert.equal((await readItem(store)).offset, 14n)
  })

  test('says that another deployment uses the group, in a sentence of its own', async (t) => {
    const mark = writeMark({ ...self, stage: 'dev' }, t0 + 9, { generation: 1, offset: 10n })
    const log = (stream: Stream) => like(stream, { committed: async () => groupPosition(10n, mark, self) })
    const { store, run } = await atTen(t, { log })
    const { note } = await run({ to: { offset: '6' } })
    assert.match(note, /\. The last commit of this consumer group is of another deployment \(.*stage "dev"/)
    // The checkpoint shows what was read before.
    assert.equal((await readItem(store)).ledger.at(-1)?.how, 'reset by offset')
  })

  test('without a checkpoint writes into the ledger if another deployment may have read the stream', async (t) => {
    const { stream } = await open(t, twenty)
    const mark = writeMark({ ...self, stage: 'dev' }, t0 + 9, { generation: 1, offset: 10n })
    for (const [metadata, how] of [
      [mark, 'reset by offset: what was read before is not known'],
      [null, 'reset by offset'],
    ] as const) {
      const log = like(stream, { committed: async () => groupPosition(10n, metadata, self) })
      const store = checkpoints.fresh()
      const dependencies = {
        store,
        openStream: async () => log,
        now: () => at,
        remainingMs: () => 300_000,
        owner: 'me',
      }
      const event = resetSchema.parse({ action: 'reset', to: { offset: '6' } })
      const { from, to } = await reset(event, dependencies, log)
      assert.deepEqual([from, to.offset, to.generation], [null, '6', t0 + 1_000])
      assert.equal((await readItem(store)).ledger.at(-1)?.how, how)
    }
  })
})

describe('a poller that recovers by itself', () => {
  const entry = { at, by: 'a run', how: 'recovered from CLUSTER_CHANGED' }
  const start = (read: Checkpoint, stream: Stream, mayContinue = () => true) =>
    startWithoutLoss(read, stream, entry, mayContinue)

  test('starts after the last committed change of the new log, and the ledger says how that was found', async (t) => {
    const { stream } = await open(t, [...shift(), ...twenty])
    const found = await start(committedAfter(twenty.slice(0, 10)), stream)
    assert.equal(found?.position.offset, BigInt(shift().length + 10))
    assert.deepEqual(found?.entry, { ...entry, how: 'recovered from CLUSTER_CHANGED, by anchor' })
    assert.deepEqual([found?.clusterId, found?.replayUntil], [stream.clusterId, null])
  })

  test('marks all changes until now as replays if it is not known how far a lane was ahead', async (t) => {
    const { stream } = await open(t, [...shift(), ...twenty])
    const lanes = { orders: { through: 15n, anchor: null, trouble: null } }
    const found = await start(committedAfter(twenty.slice(0, 10), lanes), stream)
    assert.deepEqual([found?.position.lanes, found?.replayUntil], [{}, at / 1000 + 10])
  })

  test('does not start if changes would be lost', async (t) => {
    const later = new Writer('later').inserts('shop.orders', 500, 519)
    const { stream } = await open(t, later)
    assert.equal(await start(committedAfter(twenty.slice(0, 10)), stream), null)
  })

  test('waits as long as the new log has not reached the checkpoint', async (t) => {
    const { stream } = await open(t, new Writer('other').inserts('shop.orders', 0, 3, t0 - 60))
    await assert.rejects(start(committedAfter(twenty.slice(0, 10)), stream), {
      code: 'CHECKPOINT_OUT_OF_RANGE',
      retryable: true,
    })
  })

  test('ends its search when the run has to end', async (t) => {
    const { stream } = await open(t, [...shift(), ...twenty])
    await assert.rejects(
      start(committedAfter(twenty.slice(0, 10)), stream, () => false),
      { code: 'SEARCH_UNFINISHED' },
    )
  })
})
