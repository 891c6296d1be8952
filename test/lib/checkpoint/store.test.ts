import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type DynamoDBClient,
  type GetItemCommandInput,
  UpdateItemCommand,
  type UpdateItemCommandInput,
} from '@aws-sdk/client-dynamodb'
import { startDynalite } from '../../../infra/local/dynalite.ts'
import { clockSkewMs, isLeaseTooLong } from '../../../lib/checkpoint/lease-limits.ts'
import { CheckpointStore } from '../../../lib/checkpoint/store.ts'
import { generationAfter } from '../../../lib/checkpoint/transitions.ts'
import { haltOf, type Lease, type Wish } from '../../../lib/checkpoint/types.ts'
import { DtsError } from '../../../lib/errors.ts'
import { ItemTable } from '../../support/item-table.ts'
import { at, CheckpointTable, clientOf, now, read, start, tableName } from './support.ts'

const lost = { code: 'LEASE_LOST', message: /nothing was written/ }
const taken = { code: 'LEASE_HELD' }

/** The generation of a checkpoint that is created at `now`. */
const generation = now / 1000

describe('the checkpoint store', () => {
  const table = new CheckpointTable()

  test('only one first start writes the item', async () => {
    const store = table.fresh()
    assert.equal(await store.read(), null)
    await store.create(start(10n), 'a', now + 1_000)
    await assert.rejects(store.create(start(20n), 'b', now + 9_000), taken)
    const found = await read(store)
    assert.deepEqual([found.offset, found.owner, found.epoch, found.leaseUntil], [10n, 'a', 1, now + 1_000])
    assert.deepEqual(found.ledger, [
      { at: now, by: 'test', how: 'start', from: null, to: { clusterId: 'c', offset: '10', generation } },
    ])
    // The client repeats a write whose reply was lost.
    assert.deepEqual(await store.create(start(10n), 'a', now + 1_000), {
      owner: 'a',
      epoch: 1,
      generation,
    })
  })

  test('a lease can be taken only after its end plus the margin for different clocks', async () => {
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

  test('only one of several runs that read the same item gets the lease', async () => {
    const store = await table.released()
    const found = await read(store)
    const results = await Promise.allSettled(
      ['a', 'b', 'c'].map((owner) => store.acquire(found, owner, now, now + 1_000, ['RUNNING'])),
    )
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
    assert.equal((await read(store)).epoch, 2)
    // The holder may repeat its request: the reply of the first try may have been lost.
    const { owner } = await read(store)
    await store.acquire(found, owner ?? '', now, now + 1_000, ['RUNNING'])
    assert.equal((await read(store)).epoch, 2)
  })

  test('a refused lease names the time from which it can be taken', async () => {
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

  test('a lease cannot be taken with a read from before the late holder’s last commit', async () => {
    const store = table.fresh()
    const late = await store.create(start(10n), 'late', now)
    const found = await read(store)
    const later = now + 60_000
    await store.commit(late, at(20n), now + 1)
    await store.release(late)
    await assert.rejects(store.acquire(found, 'b', later, later + 1_000, ['RUNNING']), taken)
    await store.acquire(await read(store), 'b', later, later + 1_000, ['RUNNING'])
  })

  test('a wish for the lease changes nothing else, and the next commit finds it', async () => {
    const store = table.fresh()
    const lease = await store.create(start(10n), 'a', now)
    const before = await read(store)
    await store.wish(before, 'b', now + 5)
    const wish = { owner: 'b', epoch: 1, at: now + 5 }
    assert.deepEqual(await read(store), { ...before, wish })
    assert.deepEqual(await store.wishFor(lease), wish)
    const found: (Wish | null)[] = []
    await store.commit(lease, at(20n), now + 1, (one) => found.push(one))
    assert.equal(found.length, 1)
    assert.deepEqual(found[0], wish)
    // A later wish replaces it.
    await store.wish(await read(store), 'c', now + 6)
    await store.commit(lease, at(20n), now + 1, (one) => found.push(one))
    assert.deepEqual(found[1], { owner: 'c', epoch: 1, at: now + 6 })
  })

  test('a wish that arrives late reaches neither a released lease nor the next holder nor a halted stream', async () => {
    const store = table.fresh()
    const first = await store.create(start(10n), 'a', now)
    const early = await read(store)
    await store.release(first)
    await store.wish(early, 'b', now)
    assert.equal((await read(store)).wish, null)
    const next = await store.acquire(await read(store), 'c', now, now + 1_000, ['RUNNING'])
    await store.wish(early, 'b', now)
    assert.equal((await read(store)).wish, null)
    const late = await read(store)
    await store.halt(next, { code: 'DATA_GAP', message: 'm', facts: {}, next: [], at: now }, now + 1_000)
    await store.wish(late, 'b', now)
    assert.equal((await read(store)).wish, null)
  })

  test('a wish is over when the lease has changed hands', async () => {
    const store = table.fresh()
    const first = await store.create(start(10n), 'a', now)
    await store.wish(await read(store), 'b', now)
    await store.release(first)
    const next = await store.acquire(await read(store), 'c', now, now + 1_000, ['RUNNING'])
    assert.equal(await store.wishFor(next), null)
    const found: unknown[] = []
    await store.commit(next, at(20n), now + 2_000, (one) => found.push(one))
    assert.deepEqual(found, [null])
  })

  test('only recovery takes the lease of a halted stream', async () => {
    const store = table.fresh()
    const lease = await store.create(start(10n), 'a', now)
    await store.halt(lease, { code: 'DATA_GAP', message: 'm', facts: {}, next: [], at: now }, null)
    const found = await read(store)
    assert.deepEqual([found.state, haltOf(found)?.code, found.leaseUntil], ['HALTED', 'DATA_GAP', null])
    await assert.rejects(store.acquire(found, 'b', now, now + 1_000, ['RUNNING']), taken)
    const held = await store.acquire(found, 'r', now, now + 1_000, ['RUNNING', 'HALTED'])
    await store.reset(held, found, start(99n))
    const after = await read(store)
    assert.deepEqual([after.state, after.offset, after.generation], ['RUNNING', 99n, generation + 1])
    assert.deepEqual(after.ledger.at(-1)?.from, { clusterId: 'c', offset: '10', generation })
  })

  test('a commit moves the offset only forward, compared as a number, and can be repeated', async () => {
    const store = table.fresh()
    const lease = await store.create(start(9n), 'a', now)
    await store.commit(lease, at(10n), now + 1)
    await store.commit(lease, at(10n), now + 1)
    await store.commit(lease, at(9_223_372_036_854_775_807n), now + 2)
    await assert.rejects(store.commit(lease, at(9_223_372_036_854_775_806n), now + 3), lost)
    const found = await read(store)
    assert.deepEqual([found.offset, found.leaseUntil, found.epoch], [9_223_372_036_854_775_807n, now + 2, 1])
  })

  test('a late commit neither shortens the lease nor takes a released one', async () => {
    const store = table.fresh()
    const lease = await store.create(start(10n), 'a', now + 1_000)
    await store.commit(lease, at(20n), now + 9_000)
    await assert.rejects(store.commit(lease, at(20n), now + 8_999), lost)
    assert.equal((await read(store)).leaseUntil, now + 9_000)
    await store.release(lease)
    await assert.rejects(store.commit(lease, at(20n), now + 10_000), lost)
    assert.equal((await read(store)).leaseUntil, null)
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

  test('a holder whose lease was taken over can write nothing', async () => {
    const store = table.fresh()
    const late = await store.create(start(10n), 'late', now)
    const found = await read(store)
    const later = now + 60_000
    const lease = await store.acquire(found, 'new', later, later + 1_000, ['RUNNING'])
    const before = await read(store)
    await assert.rejects(store.commit(late, at(50n), later + 1_000), lost)
    await assert.rejects(store.release(late), lost)
    await assert.rejects(
      store.halt(late, { code: 'DATA_GAP', message: '', facts: {}, next: [], at: 1 }, null),
      lost,
    )
    await assert.rejects(store.reset(late, found, start(0n)), lost)
    // Our owner with another epoch, and our epoch with another owner.
    await assert.rejects(store.commit({ ...lease, epoch: 1 }, at(50n), later + 1_000), lost)
    await assert.rejects(store.commit({ ...lease, owner: 'late' }, at(50n), later + 1_000), lost)
    await assert.rejects(store.commit({ ...lease, generation: generation + 1 }, at(50n), later + 1_000), lost)
    assert.deepEqual(await read(store), before)
    await store.commit(lease, at(50n), later + 1_000)
  })

  test('a repeated reset counts once, and the ledger keeps its last twenty entries', async () => {
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

  test('a move takes a generation that was never used, even after the item was deleted or restored', async () => {
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
    // The clock's second. One more within the same second, or if the clock was set back. Always above the group's generation.
    assert.equal(await move(now + 90_999), generation + 90)
    assert.equal(await move(now + 90_999), generation + 91)
    assert.equal(await move(now - 5_000), generation + 92)
    assert.equal(await move(now, generation + 500), generation + 501)
    assert.deepEqual(
      [generationAfter(null, now), generationAfter(null, now, generation + 7), generationAfter(null, 0)],
      [generation, generation + 8, 1],
    )
    // An item from before a move was restored and then moves again.
    assert.ok(generationAfter(generation, now + 60_000) > generationAfter(generation, now + 59_000))
    const recreated = table.fresh()
    await recreated.create({ ...start(1n), usedGeneration: generation + 7 }, 'a', now)
    assert.equal((await read(recreated)).generation, generation + 8)
  })

  test('every read of the item is a consistent read', async () => {
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
    // A refused write reads the item too, because this DynamoDB does not return it.
    await assert.rejects(store.create(start(1n), 'b', now), taken)
    table.client.middlewareStack.remove(name)
    assert.equal(seen.length, 2)
    for (const input of seen) assert.equal((input as GetItemCommandInput).ConsistentRead, true)
  })

  test('a refused write uses the item that DynamoDB returns, without another read', async () => {
    const items = new ItemTable(() => {})
    const reads: unknown[] = []
    const send = async (command: unknown): Promise<unknown> => {
      if (command instanceof UpdateItemCommand) return items.update(command.input)
      reads.push(command)
      return { Item: items.item }
    }
    const store = new CheckpointStore({ send } as unknown as DynamoDBClient, tableName, 't', 0)
    const lease = await store.create(start(10n), 'a', now + 1_000)
    await store.create(start(10n), 'a', now + 1_000)
    await assert.rejects(store.create(start(10n), 'b', now), { ...taken, facts: { leaseUntil: now + 1_000 } })
    await assert.rejects(store.commit({ ...lease, owner: 'b' }, at(20n), now + 2_000), lost)
    assert.deepEqual(reads, [])
  })

  describe('a lease that ends years ahead', () => {
    const years = Date.UTC(2099, 0, 1)
    const entry = { at: now, by: 'me', how: 'broke it' }

    test('is reported as too long, with the command that breaks it', async () => {
      const store = table.fresh()
      await store.create(start(10n), 'wrong-clock', years)
      const found = await read(store)
      assert.deepEqual(
        [years, now + 15 * 60_000 + 30_000, now, null].map((leaseUntil) =>
          isLeaseTooLong({ leaseUntil }, now),
        ),
        [true, false, false, false],
      )
      await assert.rejects(store.acquire(found, 'b', now, now + 1_000, ['RUNNING']), {
        code: 'LEASE_TOO_LONG',
        message: /lease of wrong-clock \(epoch 1\) ends at 2099-01-01/,
        next: [{ action: 'release', purpose: 'break the lease, once no run of the poller is at work' }],
      })
    })

    test('can be broken: its holder can write nothing more, and the position stays', async () => {
      const store = table.fresh()
      const lease = await store.create(start(10n), 'wrong-clock', years)
      const found = await read(store)
      await store.breakLease(found, 'me', now + 30_000, entry)
      // The client repeats a write whose reply was lost.
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

    test('is not broken if the item was written since it was read', async () => {
      const pause = { by: 'me', reason: null, at: now }
      const acts: [what: string, act: (store: CheckpointStore, lease: Lease) => Promise<void>][] = [
        ['a commit', (store, lease) => store.commit(lease, at(20n), years + 1)],
        ['a release', (store, lease) => store.release(lease)],
        ['a pause', async (store) => store.pause(await read(store), pause)],
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

  test('a reset is refused if the stream was paused or resumed since the read', async () => {
    const meanwhile: [what: string, halted: boolean, act: (store: CheckpointStore) => Promise<void>][] = [
      ['stopped', false, async (store) => store.pause(await read(store), { by: 'me', reason: null, at: 1 })],
      [
        'resumed',
        true,
        async (store) => store.resume(await read(store), { at: 2, by: 'me', how: 'resumed' }),
      ],
    ]
    for (const [what, halted, act] of meanwhile) {
      const store = await table.released()
      if (halted) await store.pause(await read(store), { by: 'me', reason: null, at: 1 })
      const found = await read(store)
      const lease = await store.acquire(found, 'r', now, now + 1_000, ['RUNNING', 'HALTED'])
      await act(store)
      const before = await read(store)
      await assert.rejects(store.reset(lease, found, start(99n)), { code: 'LEASE_HELD' }, what)
      assert.deepEqual(await read(store), before)
    }
  })

  test('a missing table is not retryable, an endpoint that does not answer is', async () => {
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

  test('every write is one conditional UpdateItem, the only write that the poller’s role allows', async () => {
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
    await store.halt(lease, { code: 'DATA_GAP', message: '', facts: {}, next: [], at: 1 }, null)
    await store.release(lease)
    table.client.middlewareStack.remove(name)
    assert.deepEqual(seen, Array(4).fill(['UpdateItemCommand', true]))
  })

  describe('pause and resume', () => {
    const pause = { by: 'ann', reason: 'maintenance', at: now }
    const entry = { at: now + 1, by: 'me', how: 'resumed' }
    const stopped = { code: 'STREAM_HALTED' }

    test('a pause stops the next run, and the current holder can still commit and release', async () => {
      const store = table.fresh()
      const lease = await store.create(start(10n), 'a', now + 1_000)
      await store.pause(await read(store), pause)
      const found = await read(store)
      assert.deepEqual(found.state === 'PAUSED' && found.pause, pause)
      assert.deepEqual([found.owner, found.leaseUntil], ['a', now + 1_000])
      await store.commit(lease, at(20n), now + 2_000)
      await store.release(lease)
      const later = await read(store)
      assert.deepEqual([later.state, later.offset], ['PAUSED', 20n])
      await assert.rejects(store.acquire(later, 'b', now, now + 1_000, ['RUNNING']), taken)
    })

    test('only a running stream can be paused, and the same pause can be repeated', async () => {
      const store = await table.released()
      const found = await read(store)
      await store.pause(found, pause)
      await store.pause(found, pause)
      await assert.rejects(store.pause(found, { ...pause, at: now + 1 }), stopped)
      const paused = await read(store)
      assert.deepEqual(paused.state === 'PAUSED' && paused.pause, pause)
    })

    test('a pause is refused if the stream was moved since the read, or has no item', async () => {
      const store = await table.released()
      const found = await read(store)
      const lease = await store.acquire(found, 'r', now, now + 1_000, ['RUNNING'])
      await store.reset(lease, found, start(99n))
      await assert.rejects(store.pause(found, pause), stopped)
      assert.equal((await read(store)).state, 'RUNNING')
      const missing = table.fresh()
      await assert.rejects(missing.pause(found, pause), stopped)
      assert.equal(await missing.read(), null)
    })

    test('a resume forgets failures, keeps the progress of lanes, and adds an entry to the ledger', async () => {
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
        within: { through: null, anchor: null, trouble, begin: 10n },
      }
      await store.commit(lease, { ...at(10n), lanes, deadLetters: { since: now, count: 20 } }, now + 1_000)
      await store.halt(
        lease,
        { code: 'DEAD_LETTER_BREAKER', message: 'm', facts: {}, next: [], at: now },
        null,
      )
      await store.resume(await read(store), entry)
      const found = await read(store)
      assert.deepEqual([found.state, found.offset], ['RUNNING', 10n])
      assert.deepEqual(found.lanes, {
        ahead: { through: 15n, anchor, trouble: null },
        within: { through: null, anchor: null, trouble: null, begin: 10n },
      })
      assert.deepEqual(found.deadLetters, { since: 0, count: 0 })
      const here = { clusterId: 'c', offset: '10', generation }
      assert.deepEqual(found.ledger.at(-1), { ...entry, from: here, to: here })
      await store.acquire(found, 'b', now, now + 1_000, ['RUNNING'])
    })

    test('a repeated resume counts once, and a running stream cannot be resumed', async () => {
      const store = await table.released()
      await assert.rejects(store.resume(await read(store), entry), taken)
      await store.pause(await read(store), pause)
      const found = await read(store)
      await store.resume(found, entry)
      await store.resume(found, entry)
      assert.equal((await read(store)).ledger.length, 2)
    })

    test('the ledger keeps the last twenty resumes', async () => {
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

    test('a resume is refused if another recovery took the lease since the read', async () => {
      const store = await table.released()
      await store.pause(await read(store), pause)
      const found = await read(store)
      await store.acquire(found, 'r', now, now + 1_000, ['HALTED'])
      await assert.rejects(store.resume(found, entry), taken)
      assert.equal((await read(store)).state, 'PAUSED')
    })
  })
})
