import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import type { CheckpointStore } from '../../../lib/checkpoint/store.ts'
import { type Checkpoint, freshPosition } from '../../../lib/checkpoint/types.ts'
import type { Stream } from '../../../lib/kafka/stream.ts'
import { pause, release, resumeStream } from '../../../lib/recovery/pause-resume.ts'
import { open } from '../../support/open-stream.ts'
import { Writer } from '../../support/records.ts'
import { like } from '../../support/streams.ts'
import { CheckpointTable, now, read, tableName } from '../checkpoint/support.ts'

describe('the actions that change the state of a stream', () => {
  const table = new CheckpointTable()

  const dependencies = (store: CheckpointStore, at = now) => ({
    store,
    now: () => at,
    owner: 'request-1',
    remainingMs: () => 60_000,
    handlerTimeoutMs: 30_000,
    openStream: () => assert.fail('no other stream is opened'),
  })

  /** A store whose checkpoint is at offset 5 of this stream, with a lease until `leaseUntil`. */
  async function storeAt(stream: Stream, leaseUntil: number | null): Promise<CheckpointStore> {
    const store = table.fresh()
    const start = {
      clusterId: stream.clusterId,
      position: freshPosition(5n, 1),
      replayUntil: null,
      entry: { at: now, by: 'test', how: 'start' },
    }
    const lease = await store.create(start, 'the poller', leaseUntil ?? now)
    if (leaseUntil === null) await store.release(lease)
    return store
  }

  async function stopped(t: TestContext, leaseUntil: number | null = null) {
    const { stream } = await open(t, new Writer().inserts('shop.orders', 0, 9))
    return { stream, store: await storeAt(stream, leaseUntil) }
  }

  /** What the action wrote into the ledger last. */
  const entryOf = ({ ledger }: Checkpoint) => {
    const { at, by, how } = ledger.at(-1) ?? {}
    return { at, by, how }
  }

  test('a pause keeps who and why, and says whether a run still has to end', async (t) => {
    const { store } = await stopped(t)
    const quiet = await pause({ action: 'pause', by: 'me', reason: 'a migration' }, dependencies(store))
    assert.deepEqual(
      [quiet.action, quiet.offset, quiet.next.map(({ action }) => action)],
      ['pause', '5', ['resume']],
    )
    assert.equal(quiet.note, 'Paused. Nothing is read until resume. A reset ends the pause, too.')
    const item = await read(store)
    assert.deepEqual(
      [item.state, item.state === 'PAUSED' && item.pause],
      ['PAUSED', { by: 'me', reason: 'a migration', at: now }],
    )
    for (const [leaseUntil, note] of [
      [
        now + 1,
        /^Paused\. A run is at work and ends by itself, .*; after it, nothing is read until resume\. A reset ends the pause, too\.$/,
      ],
      [now, /^Paused\. Nothing is read until resume\. A reset ends/],
    ] as const) {
      const other = await stopped(t, leaseUntil)
      assert.match((await pause({ action: 'pause' }, dependencies(other.store))).note, note)
      const { state, ...rest } = await read(other.store)
      assert.equal(state, 'PAUSED')
      assert.deepEqual('pause' in rest && rest.pause, { by: 'request-1', reason: null, at: now })
    }
  })

  test('an empty reason counts as none', async (t) => {
    const { store, stream } = await stopped(t)
    await pause({ action: 'pause', by: 'me', reason: '' }, dependencies(store))
    const item = await read(store)
    assert.equal(item.state === 'PAUSED' && item.pause.reason, null)
    await resumeStream({ action: 'resume', reason: '' }, dependencies(store, now + 1), stream)
    assert.equal(entryOf(await read(store)).how, 'resume after PAUSED')
  })

  test('a resume continues at the stored offset, and writes into the ledger who and why', async (t) => {
    const { store, stream } = await stopped(t)
    await pause({ action: 'pause', by: 'me' }, dependencies(store))
    const { note, ...done } = await resumeStream(
      { action: 'resume', by: 'you', reason: 'it is done' },
      dependencies(store, now + 1),
      stream,
    )
    assert.deepEqual(done, { action: 'resume', offset: '5', next: [] })
    assert.equal(note, 'The stream is no longer halted: the next run of the poller reads on at offset 5.')
    const item = await read(store)
    assert.equal(item.state, 'RUNNING')
    assert.deepEqual(entryOf(item), { at: now + 1, by: 'you', how: 'resume after PAUSED: it is done' })
  })

  test('a resume after a halt says that the cause halts the stream again', async (t) => {
    const { store, stream } = await stopped(t)
    const lease = await store.acquire(await read(store), 'the poller', now, now + 1, ['RUNNING'])
    await store.halt(lease, { code: 'ROW_INVALID', message: 'no', facts: {}, next: [], at: now }, null)
    const { note } = await resumeStream({ action: 'resume' }, dependencies(store, now + 1), stream)
    assert.match(
      note,
      /reads on at offset 5\. While the cause of the halt \(ROW_INVALID\) lasts, it halts again\.$/,
    )
    assert.deepEqual(entryOf(await read(store)), {
      at: now + 1,
      by: 'request-1',
      how: 'resume after ROW_INVALID',
    })
  })

  test('a resume of a stream that a person halted without a reason names no cause', async (t) => {
    const { store, stream } = await stopped(t)
    await table.client.send(
      new UpdateItemCommand({
        TableName: tableName,
        Key: { pk: { S: (await read(store)).key } },
        UpdateExpression: 'SET #state = :halted',
        ExpressionAttributeNames: { '#state': 'state' },
        ExpressionAttributeValues: { ':halted': { S: 'HALTED' } },
      }),
    )
    const { note } = await resumeStream({ action: 'resume' }, dependencies(store, now + 1), stream)
    assert.match(note, /reads on at offset 5\.$/)
    assert.deepEqual(entryOf(await read(store)), { at: now + 1, by: 'request-1', how: 'resume after halt' })
  })

  test('a resume of a stream that runs changes nothing', async (t) => {
    const { store, stream } = await stopped(t)
    const before = await read(store)
    assert.deepEqual(await resumeStream({ action: 'resume' }, dependencies(store), stream), {
      action: 'resume',
      offset: '5',
      note: 'The stream is not halted; nothing was changed.',
      next: [],
    })
    assert.deepEqual(await read(store), before)
  })

  test('a resume is refused if the log is another one, or the group shows that the item was restored', async (t) => {
    const { store, stream } = await stopped(t)
    await pause({ action: 'pause' }, dependencies(store))
    const before = await read(store)
    const resume = (log: Stream) => resumeStream({ action: 'resume' }, dependencies(store), log)
    await assert.rejects(resume(like(stream, { clusterId: 'another' })), { code: 'CLUSTER_CHANGED' })
    const { generation } = before
    const mark = { whose: 'ours', timestamp: 1, place: { generation: generation + 1, offset: 6n } } as const
    const ahead = like(stream, { committed: async () => ({ offset: 6n, metadata: '', mark }) })
    await assert.rejects(resume(ahead), { code: 'CHECKPOINT_RESTORED' })
    assert.deepEqual(await read(store), before)
  })

  test('a lease of no run needs no release, and the lease of a run is not broken', async (t) => {
    const { store } = await stopped(t)
    assert.deepEqual(await release({ action: 'release' }, dependencies(store)), {
      action: 'release',
      offset: '5',
      note: 'No run holds the lease; nothing to do.',
      next: [],
    })
    const held = await stopped(t, now + 60_000)
    const before = await read(held.store)
    await assert.rejects(release({ action: 'release' }, dependencies(held.store)), { code: 'LEASE_HELD' })
    assert.deepEqual(await read(held.store), before)
  })

  test('a lease that ends years ahead is broken: it lasts for one more invocation, and the position stays', async (t) => {
    const years = Date.UTC(2099, 0, 1)
    for (const [event, entry] of [
      [{ by: 'me', reason: 'a wrong clock' }, ['me', ': a wrong clock']],
      [{}, ['request-1', '']],
    ] as const) {
      const { store } = await stopped(t, years)
      const before = await read(store)
      const { note, ...done } = await release({ action: 'release', ...event }, dependencies(store))
      assert.deepEqual(done, { action: 'release', offset: '5', next: [] })
      // The time-out of a handler, the margin for its start, and the difference of clocks.
      const next = new Date(now + 30_000 + 15_000 + 5_000).toISOString()
      assert.ok(
        note.startsWith('The lease of the poller, which ended at 2099-01-01T00:00:00.000Z, is broken.') &&
          note.endsWith('Check the clock of the machine that wrote that lease.'),
        note,
      )
      assert.ok(note.includes(`The position did not move. The next run may start at ${next}, when`), note)
      const item = await read(store)
      assert.deepEqual([item.leaseUntil, item.offset, item.generation], [now + 45_000, 5n, before.generation])
      const how = `broke the lease of the poller until 2099-01-01T00:00:00.000Z${entry[1]}`
      assert.deepEqual(entryOf(item), { at: now, by: entry[0], how })
    }
  })

  test('a stream without a checkpoint has nothing to pause, resume or release', async (t) => {
    const { stream } = await open(t)
    const empty = dependencies(table.fresh())
    const missing = { code: 'CHECKPOINT_MISSING', retryable: false, message: /the poller has not run/ }
    await assert.rejects(pause({ action: 'pause' }, empty), missing)
    await assert.rejects(resumeStream({ action: 'resume' }, empty, stream), missing)
    await assert.rejects(release({ action: 'release' }, empty), missing)
  })
})
