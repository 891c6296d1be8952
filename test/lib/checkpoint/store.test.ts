import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { GetItemCommandInput, UpdateItemCommandInput } from '@aws-sdk/client-dynamodb'
import { startDynalite } from '../../../infra/local/dynalite.ts'
import {
  CheckpointStore,
  clockSkewMs,
  generationAfter,
  isLeaseTooLong,
} from '../../../lib/checkpoint/store.ts'
import type { Lease } from '../../../lib/checkpoint/types.ts'
import { DtsError } from '../../../lib/errors.ts'
import { at, CheckpointTable, clientOf, now, read, start, tableName } from './support.ts'

const lost = { code: 'LEASE_LOST', message: /nothing was written/ }
const taken = { code: 'LEASE_HELD' }

/** Of a checkpoint that begins at `now`. */
const generation = now / 1000

describe('the checkpoint store', () => {
  const table = new CheckpointTable()

  test('the first start is written once', async () => {
    const store = table.fresh()
    assert.equal(await store.read(), null)
    await store.create(start(10n), 'a', now + 1_000)
    await assert.rejects(store.create(start(20n), 'b', now + 9_000), taken)
    const found = await read(store)
    assert.deepEqual([found.offset, found.owner, found.epoch, found.leaseUntil], [10n, 'a', 1, now + 1_000])
    assert.deepEqual(found.ledger, [
      { at: now, by: 'test', how: 'start', from: null, to: { clusterId: 'c', offset: '10', generation } },
    ])
    // A retry of a write whose reply was lost.
    assert.deepEqual(await store.create(start(10n), 'a', now + 1_000), {
      owner: 'a',
      epoch: 1,
      generation,
    })
  })

  test('a lease is taken only after it ran out and the clocks’ difference has passed', async () => {
    const store = table.fresh()
    await store.create(start(10n), 'a', now)
    for (const early of [now - 1, now, now + clockSkewMs]) {
      await assert.rejects(store.acquire(await read(store), 'b', early, early + 1_000, ['RUNNING']), taken)
    }
    assert.equal((await read(store)).owner, 'a')
    const lease = await store.acquire(await read(store), 'b', now + clockSkewMs + 1, now + 90_000, [
      'RUNNING',
    ])
    assert.deepEqual(lease, { owner: 'b', epoch: 2, generation })
  })

  test('of two takers with the same reading, one gets the lease', async () => {
    const store = await table.released()
    const found = await read(store)
    const results = await Promise.allSettled(
      ['a', 'b', 'c'].map((owner) => store.acquire(found, owner, now, now + 1_000, ['RUNNING'])),
    )
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
    assert.equal((await read(store)).epoch, 2)
    // Whoever got it may ask again: the reply of the first try may have been lost.
    const { owner } = await read(store)
    await store.acquire(found, owner ?? '', now, now + 1_000, ['RUNNING'])
    assert.equal((await read(store)).epoch, 2)
  })

  test('who is refused a lease is told when it can be taken, and then it can', async () => {
    const store = table.fresh()
    await store.create(start(10n), 'a', now)
    const found = await read(store)
    let until = Number.NaN
    await assert.rejects(store.acquire(found, 'b', now + 1_000, now + 9_000, ['RUNNING']), (error) => {
      assert.ok(error instanceof DtsError)
      assert.equal(error.code, 'LEASE_HELD')
      until = Date.parse(/until (\S+) at the latest/.exec(error.message)?.[1] ?? '')
      return true
    })
    await assert.rejects(store.acquire(found, 'b', until, until + 1_000, ['RUNNING']), taken)
    await store.acquire(found, 'b', until + 1, until + 1_000, ['RUNNING'])
  })

  test('a lease is not taken on a reading that the late holder has made old', async () => {
    const store = table.fresh()
    const late = await store.create(start(10n), 'late', now)
    const found = await read(store)
    const later = now + 60_000
    await store.commit(late, at(20n), now + 1)
    await store.release(late)
    await assert.rejects(store.acquire(found, 'b', later, later + 1_000, ['RUNNING']), taken)
    await store.acquire(await read(store), 'b', later, later + 1_000, ['RUNNING'])
  })

  test('a halted stream is taken by recovery alone', async () => {
    const store = table.fresh()
    const lease = await store.create(start(10n), 'a', now)
    await store.halt(lease, { code: 'DATA_GAP', message: 'm', facts: {}, next: [], at: now }, 0)
    const found = await read(store)
    assert.deepEqual([found.state, found.halt?.code, found.leaseUntil], ['HALTED', 'DATA_GAP', 0])
    await assert.rejects(store.acquire(found, 'b', now, now + 1_000, ['RUNNING']), taken)
    const held = await store.acquire(found, 'r', now, now + 1_000, ['RUNNING', 'HALTED'])
    await store.reset(held, found, start(99n))
    const after = await read(store)
    assert.deepEqual(
      [after.state, after.halt, after.offset, after.generation],
      ['RUNNING', null, 99n, generation + 1],
    )
    assert.deepEqual(after.ledger.at(-1)?.from, { clusterId: 'c', offset: '10', generation })
  })

  test('a commit moves forward, never back, compared as numbers; repeating it is harmless', async () => {
    const store = table.fresh()
    const lease = await store.create(start(9n), 'a', now)
    await store.commit(lease, at(10n), now + 1)
    await store.commit(lease, at(10n), now + 1)
    await store.commit(lease, at(9_223_372_036_854_775_807n), now + 2)
    await assert.rejects(store.commit(lease, at(9_223_372_036_854_775_806n), now + 3), lost)
    const found = await read(store)
    assert.deepEqual([found.offset, found.leaseUntil, found.epoch], [9_223_372_036_854_775_807n, now + 2, 1])
  })

  test('a commit that arrives late ends no lease early, and takes none that was given back', async () => {
    const store = table.fresh()
    const lease = await store.create(start(10n), 'a', now + 1_000)
    await store.commit(lease, at(20n), now + 9_000)
    await assert.rejects(store.commit(lease, at(20n), now + 8_999), lost)
    assert.equal((await read(store)).leaseUntil, now + 9_000)
    await store.release(lease)
    await assert.rejects(store.commit(lease, at(20n), now + 10_000), lost)
    assert.equal((await read(store)).leaseUntil, 0)
  })

  test('a stream that halts while a handler may be running keeps its lease', async () => {
    const store = table.fresh()
    const lease = await store.create(start(10n), 'a', now)
    await store.halt(
      lease,
      { code: 'HANDLER_FAILED', message: 'm', facts: {}, next: [], at: now },
      now + 60_000,
    )
    const found = await read(store)
    assert.deepEqual([found.state, found.leaseUntil], ['HALTED', now + 60_000])
    const states = ['RUNNING', 'HALTED'] as const
    const early = now + 60_000
    await assert.rejects(store.acquire(found, 'r', early, early + 1_000, states), taken)
    const late = early + clockSkewMs + 1
    await store.acquire(found, 'r', late, late + 1_000, states)
  })

  test('a late holder can write nothing', async () => {
    const store = table.fresh()
    const late = await store.create(start(10n), 'late', now)
    const found = await read(store)
    const later = now + 60_000
    const lease = await store.acquire(found, 'new', later, later + 1_000, ['RUNNING'])
    const before = await read(store)
    await assert.rejects(store.commit(late, at(50n), later + 1_000), lost)
    await assert.rejects(store.release(late), lost)
    await assert.rejects(
      store.halt(late, { code: 'DATA_GAP', message: '', facts: {}, next: [], at: 1 }, 0),
      lost,
    )
    await assert.rejects(store.reset(late, found, start(0n)), lost)
    // The same invocation's name under another epoch, and the other way round.
    await assert.rejects(store.commit({ ...lease, epoch: 1 }, at(50n), later + 1_000), lost)
    await assert.rejects(store.commit({ ...lease, owner: 'late' }, at(50n), later + 1_000), lost)
    await assert.rejects(store.commit({ ...lease, generation: generation + 1 }, at(50n), later + 1_000), lost)
    assert.deepEqual(await read(store), before)
    await store.commit(lease, at(50n), later + 1_000)
  })

  test('a reset whose reply was lost counts once; the ledger keeps its last twenty entries', async () => {
    const store = await table.released()
    for (let i = 0; i < 25; i++) {
      const found = await read(store)
      const lease = await store.acquire(found, `r${i}`, now, now + 1_000, ['RUNNING'])
      await store.reset(lease, found, start(BigInt(100 + i)))
      await store.reset(lease, found, start(BigInt(100 + i)))
    }
    const found = await read(store)
    assert.deepEqual([found.generation, found.offset, found.ledger.length], [generation + 25, 124n, 20])
    assert.equal(found.ledger.at(-1)?.to.offset, '124')
    assert.equal(found.ledger[0]?.to.offset, '105')
  })

  test('a move takes a generation that was never used, also after the item was deleted or restored', async () => {
    const store = await table.released()
    const move = async (at: number, usedGeneration?: number) => {
      const found = await read(store)
      const lease = await store.acquire(found, `r${at}`, now, now + 1_000, ['RUNNING'])
      const { entry, ...rest } = start(99n)
      await store.reset(lease, found, {
        ...rest,
        entry: { ...entry, at },
        ...(usedGeneration === undefined ? {} : { usedGeneration }),
      })
      return (await read(store)).generation
    }
    // By the clock; within the same second, or with a clock that was set back, one more; above what the group knows.
    assert.equal(await move(now + 90_999), generation + 90)
    assert.equal(await move(now + 90_999), generation + 91)
    assert.equal(await move(now - 5_000), generation + 92)
    assert.equal(await move(now, generation + 500), generation + 501)
    assert.deepEqual(
      [generationAfter(0, now), generationAfter(0, now, generation + 7), generationAfter(0, 0)],
      [generation, generation + 8, 1],
    )
    // Of an item that was restored to before a move, as of one that another cluster change moves.
    assert.ok(generationAfter(generation, now + 60_000) > generationAfter(generation, now + 59_000))
    const anew = table.fresh()
    await anew.create({ ...start(1n), usedGeneration: generation + 7 }, 'a', now)
    assert.equal((await read(anew)).generation, generation + 8)
  })

  test('the item is read as it is now, not as a replica has it', async () => {
    const seen: unknown[] = []
    const name = 'observe'
    table.client.middlewareStack.add(
      (next, context) => async (args) => {
        if (context.commandName === 'GetItemCommand') seen.push(args.input)
        return next(args)
      },
      { step: 'initialize', name },
    )
    const store = await table.released()
    await read(store)
    // Also to find out what became of a write that was refused.
    await assert.rejects(store.create(start(1n), 'b', now), taken)
    table.client.middlewareStack.remove(name)
    assert.equal(seen.length, 2)
    for (const input of seen) assert.equal((input as GetItemCommandInput).ConsistentRead, true)
  })

  describe('a lease that ends years ahead', () => {
    const years = Date.UTC(2099, 0, 1)
    const entry = { at: now, by: 'me', how: 'broke it' }

    test('is told from one that a run holds, also to recovery', async () => {
      const store = table.fresh()
      await store.create(start(10n), 'wrong-clock', years)
      const found = await read(store)
      assert.deepEqual(
        [years, now + 15 * 60_000 + 30_000, now, 0].map((leaseUntil) => isLeaseTooLong({ leaseUntil }, now)),
        [true, false, false, false],
      )
      await assert.rejects(store.acquire(found, 'b', now, now + 1_000, ['RUNNING']), {
        code: 'LEASE_TOO_LONG',
        message: /lease of wrong-clock \(epoch 1\) ends at 2099-01-01/,
        next: [{ action: 'release', purpose: 'break the lease, once no run of the poller is at work' }],
      })
    })

    test('is broken: its holder can write nothing more, and the position stays', async () => {
      const store = table.fresh()
      const lease = await store.create(start(10n), 'wrong-clock', years)
      const found = await read(store)
      await store.breakLease(found, 'me', now + 30_000, entry)
      // A retry of a write whose reply was lost.
      await store.breakLease(found, 'me', now + 30_000, entry)
      const broken = await read(store)
      assert.deepEqual(
        [broken.owner, broken.epoch, broken.leaseUntil, broken.offset, broken.generation],
        ['me', 2, now + 30_000, 10n, generation],
      )
      assert.equal(broken.ledger.at(-1)?.how, 'broke it')
      await assert.rejects(store.commit(lease, at(20n), years + 1), lost)
      const early = now + 30_000
      await assert.rejects(store.acquire(broken, 'b', early, early + 1_000, ['RUNNING']), taken)
      const late = early + clockSkewMs + 1
      await store.acquire(broken, 'b', late, late + 1_000, ['RUNNING'])
    })

    test('is not broken when anything was written since it was read', async () => {
      const halt = { code: 'PAUSED', message: '', facts: {}, next: [], at: now } as const
      const acts: [what: string, act: (store: CheckpointStore, lease: Lease) => Promise<void>][] = [
        ['a commit', (store, lease) => store.commit(lease, at(20n), years + 1)],
        ['a release', (store, lease) => store.release(lease)],
        ['a pause', async (store) => store.pause(await read(store), halt)],
      ]
      for (const [what, act] of acts) {
        const store = table.fresh()
        const lease = await store.create(start(10n), 'a', years)
        const found = await read(store)
        await act(store, lease)
        const before = await read(store)
        await assert.rejects(store.breakLease(found, 'me', now, entry), taken, what)
        assert.deepEqual(await read(store), before, what)
      }
    })
  })

  test('a reset undoes nothing that somebody did to the stream since it was read', async () => {
    const meanwhile: [what: string, halted: boolean, act: (store: CheckpointStore) => Promise<void>][] = [
      [
        'stopped',
        false,
        async (store) =>
          store.pause(await read(store), { code: 'PAUSED', message: '', facts: {}, next: [], at: 1 }),
      ],
      [
        'resumed',
        true,
        async (store) => store.resume(await read(store), { at: 2, by: 'me', how: 'resumed' }),
      ],
    ]
    for (const [what, halted, act] of meanwhile) {
      const store = await table.released()
      if (halted)
        await store.pause(await read(store), { code: 'PAUSED', message: '', facts: {}, next: [], at: 1 })
      const found = await read(store)
      const lease = await store.acquire(found, 'r', now, now + 1_000, ['RUNNING', 'HALTED'])
      await act(store)
      const before = await read(store)
      await assert.rejects(store.reset(lease, found, start(99n)), { code: 'LEASE_HELD' }, what)
      assert.deepEqual(await read(store), before)
    }
  })

  test('a table that does not exist needs a person; an endpoint that is gone needs time', async () => {
    const missing = new CheckpointStore(table.client, 'nowhere', 't', 0)
    await assert.rejects(missing.read(), { code: 'CHECKPOINT_TABLE_UNAVAILABLE', retryable: false })
    await assert.rejects(missing.create(start(1n), 'a', now), { code: 'CHECKPOINT_TABLE_UNAVAILABLE' })
    const gone = await startDynalite()
    const other = clientOf(gone, { maxAttempts: 1 })
    await gone.stop()
    await assert.rejects(new CheckpointStore(other, tableName, 't', 0).read(), {
      code: 'CHECKPOINT_TABLE_UNAVAILABLE',
      retryable: true,
      message: /ECONNREFUSED/,
    })
  })

  test('every write is one conditional UpdateItem: the poller’s role allows nothing else', async () => {
    const seen: [command: string, condition: boolean][] = []
    const name = 'observe'
    table.client.middlewareStack.add(
      (next, context) => async (args) => {
        const input = args.input as Partial<UpdateItemCommandInput>
        seen.push([context.commandName ?? '', input.ConditionExpression !== undefined])
        return next(args)
      },
      { step: 'initialize', name },
    )
    const store = table.fresh()
    const lease = await store.create(start(10n), 'a', now)
    await store.commit(lease, at(11n), now)
    await store.halt(lease, { code: 'DATA_GAP', message: '', facts: {}, next: [], at: 1 }, 0)
    await store.release(lease)
    table.client.middlewareStack.remove(name)
    assert.deepEqual(seen, Array(4).fill(['UpdateItemCommand', true]))
  })

  describe('pause and resume', () => {
    const pause = { code: 'PAUSED', message: 'maintenance', facts: {}, next: [], at: now } as const
    const entry = { at: now + 1, by: 'me', how: 'resumed' }
    const stopped = { code: 'STREAM_HALTED' }

    test('a pause stops the next run and leaves the holder its lease and its commits', async () => {
      const store = table.fresh()
      const lease = await store.create(start(10n), 'a', now + 1_000)
      await store.pause(await read(store), pause)
      const found = await read(store)
      assert.deepEqual([found.state, found.halt], ['HALTED', pause])
      assert.deepEqual([found.owner, found.leaseUntil], ['a', now + 1_000])
      await store.commit(lease, at(20n), now + 2_000)
      await store.release(lease)
      const later = await read(store)
      assert.deepEqual([later.state, later.offset], ['HALTED', 20n])
      await assert.rejects(store.acquire(later, 'b', now, now + 1_000, ['RUNNING']), taken)
    })

    test('only a running stream is paused; a retry of the same pause is harmless', async () => {
      const store = await table.released()
      const found = await read(store)
      await store.pause(found, pause)
      await store.pause(found, pause)
      await assert.rejects(store.pause(found, { ...pause, at: now + 1 }), stopped)
      assert.deepEqual((await read(store)).halt, pause)
    })

    test('what was reset or never written since it was read is not paused', async () => {
      const store = await table.released()
      const found = await read(store)
      const lease = await store.acquire(found, 'r', now, now + 1_000, ['RUNNING'])
      await store.reset(lease, found, start(99n))
      await assert.rejects(store.pause(found, pause), stopped)
      assert.equal((await read(store)).state, 'RUNNING')
      const nobody = table.fresh()
      await assert.rejects(nobody.pause(found, pause), stopped)
      assert.equal(await nobody.read(), null)
    })

    test('resume forgets failures, keeps what is done ahead, and is written down', async () => {
      const store = table.fresh()
      const lease = await store.create(start(10n), 'a', now + 1_000)
      const trouble = { offset: 10n, attempts: 5, since: now, nextAt: now + 9_000, limit: null }
      const anchor = {
        offset: 15n,
        timestamp: 1,
        sourcePosition: '4@1',
        transactionId: 'tx',
        ordinal: 0,
        digest: 'ab',
      }
      const lanes = {
        ahead: { through: 15n, anchor, trouble: { ...trouble, offset: 16n } },
        stuck: { through: null, anchor: null, trouble },
      }
      await store.commit(lease, { ...at(10n), lanes, deadLetters: { since: now, count: 20 } }, now + 1_000)
      await store.halt(lease, { code: 'DEAD_LETTER_BREAKER', message: 'm', facts: {}, next: [], at: now }, 0)
      await store.resume(await read(store), entry)
      const found = await read(store)
      assert.deepEqual([found.state, found.halt, found.offset], ['RUNNING', null, 10n])
      assert.deepEqual(found.lanes, { ahead: { through: 15n, anchor, trouble: null } })
      assert.deepEqual(found.deadLetters, { since: 0, count: 0 })
      const here = { clusterId: 'c', offset: '10', generation }
      assert.deepEqual(found.ledger.at(-1), { ...entry, from: here, to: here })
      await store.acquire(found, 'b', now, now + 1_000, ['RUNNING'])
    })

    test('a resume whose reply was lost counts once; a running stream is not resumed', async () => {
      const store = await table.released()
      await assert.rejects(store.resume(await read(store), entry), taken)
      await store.pause(await read(store), pause)
      const found = await read(store)
      await store.resume(found, entry)
      await store.resume(found, entry)
      assert.equal((await read(store)).ledger.length, 2)
    })

    test('the ledger keeps its last twenty entries, and the newest of them is the last resume', async () => {
      const store = await table.released()
      for (let time = 1; time <= 25; time++) {
        await store.pause(await read(store), { ...pause, at: time })
        await store.resume(await read(store), { ...entry, at: time })
      }
      const { ledger } = await read(store)
      assert.deepEqual(
        ledger.map(({ at: time }) => time),
        Array.from({ length: 20 }, (_, index) => index + 6),
      )
    })

    test('a stream that another recovery has taken since it was read is not resumed', async () => {
      const store = await table.released()
      await store.pause(await read(store), pause)
      const found = await read(store)
      await store.acquire(found, 'r', now, now + 1_000, ['HALTED'])
      await assert.rejects(store.resume(found, entry), taken)
      assert.equal((await read(store)).state, 'HALTED')
    })
  })
})
