import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { CreateTableCommand, DynamoDBClient, type UpdateItemCommandInput } from '@aws-sdk/client-dynamodb'
import { HeldCheckpoint } from '../../../lib/checkpoint/held.ts'
import { CheckpointStore, clockSkewMs, type Start } from '../../../lib/checkpoint/store.ts'
import type { Checkpoint, Position } from '../../../lib/checkpoint/types.ts'
import { DtsError } from '../../../lib/errors.ts'
import { startDynalite } from '../../rig/dynalite.ts'
import type { AwsEndpoint } from '../../rig/dynamodb-local.ts'

const now = 1_795_433_580_000
const start = (offset: bigint): Start => ({
  clusterId: 'c',
  position: { offset, timestamp: 1, anchor: null, tail: null, progress: {} },
  replayUntil: -1,
  entry: { at: now, by: 'test', how: 'start' },
})
const at = (offset: bigint): Position => ({ ...start(offset).position, timestamp: Number(offset) })
const lost = { code: 'LEASE_LOST', message: /nothing was written/ }
const taken = { code: 'LEASE_HELD' }

describe('the checkpoint store', () => {
  let dynamo: AwsEndpoint | undefined
  let client = new DynamoDBClient({})
  let topics = 0

  before(async () => {
    dynamo = await startDynalite()
    const credentials = { accessKeyId: 'x', secretAccessKey: 'x' }
    client = new DynamoDBClient({ endpoint: dynamo.endpoint, region: 'eu-central-1', credentials })
    await client.send(
      new CreateTableCommand({
        TableName: 'checkpoints',
        KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
        AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
        BillingMode: 'PAY_PER_REQUEST',
      }),
    )
  })
  after(async () => {
    client.destroy()
    await dynamo?.stop()
  })

  const fresh = () => new CheckpointStore(client, 'checkpoints', `topic${topics++}`, 0)
  async function read(store: CheckpointStore): Promise<Checkpoint> {
    const found = await store.read()
    assert.ok(found !== null)
    return found
  }
  /** A checkpoint at 10 whose lease nobody holds. */
  async function released(): Promise<CheckpointStore> {
    const store = fresh()
    await store.release(await store.create(start(10n), 'first', now + 1_000))
    return store
  }

  test('the first start is written once', async () => {
    const store = fresh()
    assert.equal(await store.read(), null)
    await store.create(start(10n), 'a', now + 1_000)
    await assert.rejects(store.create(start(20n), 'b', now + 9_000), taken)
    const found = await read(store)
    assert.deepEqual([found.offset, found.owner, found.epoch, found.leaseUntil], [10n, 'a', 1, now + 1_000])
    assert.deepEqual(found.ledger, [
      { at: now, by: 'test', how: 'start', from: null, to: { clusterId: 'c', offset: '10', generation: 1 } },
    ])
    // A retry of a write whose reply was lost.
    assert.deepEqual(await store.create(start(10n), 'a', now + 1_000), {
      owner: 'a',
      epoch: 1,
      generation: 1,
    })
  })

  test('a lease is taken only after it ran out and the clocks’ difference has passed', async () => {
    const store = fresh()
    await store.create(start(10n), 'a', now)
    for (const early of [now - 1, now, now + clockSkewMs]) {
      await assert.rejects(store.acquire(await read(store), 'b', early, early + 1_000, ['RUNNING']), taken)
    }
    assert.equal((await read(store)).owner, 'a')
    const lease = await store.acquire(await read(store), 'b', now + clockSkewMs + 1, now + 90_000, [
      'RUNNING',
    ])
    assert.deepEqual(lease, { owner: 'b', epoch: 2, generation: 1 })
  })

  test('of two takers with the same reading, one gets the lease', async () => {
    const store = await released()
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

  test('a lease is not taken on a reading that the late holder has made old', async () => {
    const store = fresh()
    const late = await store.create(start(10n), 'late', now)
    const found = await read(store)
    const later = now + 60_000
    await store.commit(late, at(20n), now + 1)
    await store.release(late)
    await assert.rejects(store.acquire(found, 'b', later, later + 1_000, ['RUNNING']), taken)
    await store.acquire(await read(store), 'b', later, later + 1_000, ['RUNNING'])
  })

  test('a halted stream is taken by recovery alone', async () => {
    const store = fresh()
    const lease = await store.create(start(10n), 'a', now)
    await store.halt(lease, { code: 'DATA_GAP', message: 'm', at: now })
    const found = await read(store)
    assert.deepEqual([found.state, found.halt?.code, found.leaseUntil], ['HALTED', 'DATA_GAP', 0])
    await assert.rejects(store.acquire(found, 'b', now, now + 1_000, ['RUNNING']), taken)
    const held = await store.acquire(found, 'r', now, now + 1_000, ['RUNNING', 'HALTED'])
    await store.reset(held, found, start(99n))
    const after = await read(store)
    assert.deepEqual([after.state, after.halt, after.offset, after.generation], ['RUNNING', null, 99n, 2])
    assert.deepEqual(after.ledger.at(-1)?.from, { clusterId: 'c', offset: '10', generation: 1 })
  })

  test('a commit moves forward, never back, compared as numbers; repeating it is harmless', async () => {
    const store = fresh()
    const lease = await store.create(start(9n), 'a', now)
    await store.commit(lease, at(10n), now + 1)
    await store.commit(lease, at(10n), now + 1)
    await store.commit(lease, at(9_223_372_036_854_775_807n), now + 2)
    await assert.rejects(store.commit(lease, at(9_223_372_036_854_775_806n), now + 3), lost)
    const found = await read(store)
    assert.deepEqual([found.offset, found.leaseUntil, found.epoch], [9_223_372_036_854_775_807n, now + 2, 1])
  })

  test('a late holder can write nothing', async () => {
    const store = fresh()
    const late = await store.create(start(10n), 'late', now)
    const found = await read(store)
    const later = now + 60_000
    const lease = await store.acquire(found, 'new', later, later + 1_000, ['RUNNING'])
    const before = await read(store)
    await assert.rejects(store.commit(late, at(50n), later), lost)
    await assert.rejects(store.release(late), lost)
    await assert.rejects(store.halt(late, { code: 'DATA_GAP', message: '', at: 1 }), lost)
    await assert.rejects(store.reset(late, found, start(0n)), lost)
    // The same invocation's name under another epoch, and the other way round.
    await assert.rejects(store.commit({ ...lease, epoch: 1 }, at(50n), later), lost)
    await assert.rejects(store.commit({ ...lease, owner: 'late' }, at(50n), later), lost)
    await assert.rejects(store.commit({ ...lease, generation: 2 }, at(50n), later), lost)
    assert.deepEqual(await read(store), before)
    await store.commit(lease, at(50n), later)
  })

  test('a reset whose reply was lost counts once; the ledger keeps its last twenty entries', async () => {
    const store = await released()
    for (let i = 0; i < 25; i++) {
      const found = await read(store)
      const lease = await store.acquire(found, `r${i}`, now, now + 1_000, ['RUNNING'])
      await store.reset(lease, found, start(BigInt(100 + i)))
      await store.reset(lease, found, start(BigInt(100 + i)))
    }
    const found = await read(store)
    assert.deepEqual([found.generation, found.offset, found.ledger.length], [26, 124n, 20])
    assert.equal(found.ledger.at(-1)?.to.offset, '124')
    assert.equal(found.ledger[0]?.to.offset, '105')
  })

  test('a table that does not exist needs a person; an endpoint that is gone needs time', async () => {
    const missing = new CheckpointStore(client, 'nowhere', 't', 0)
    await assert.rejects(missing.read(), { code: 'CHECKPOINT_TABLE_UNAVAILABLE', retryable: false })
    await assert.rejects(missing.create(start(1n), 'a', now), { code: 'CHECKPOINT_TABLE_UNAVAILABLE' })
    const gone = await startDynalite()
    const credentials = { accessKeyId: 'x', secretAccessKey: 'x' }
    const other = new DynamoDBClient({
      endpoint: gone.endpoint,
      region: 'eu-central-1',
      credentials,
      maxAttempts: 1,
    })
    await gone.stop()
    await assert.rejects(new CheckpointStore(other, 'checkpoints', 't', 0).read(), {
      code: 'CHECKPOINT_TABLE_UNAVAILABLE',
      retryable: true,
      message: /ECONNREFUSED/,
    })
  })

  test('every write is one conditional UpdateItem: the poller’s role allows nothing else', async () => {
    const seen: [command: string, condition: boolean][] = []
    const name = 'observe'
    client.middlewareStack.add(
      (next, context) => async (args) => {
        const input = args.input as Partial<UpdateItemCommandInput>
        seen.push([context.commandName ?? '', input.ConditionExpression !== undefined])
        return next(args)
      },
      { step: 'initialize', name },
    )
    const store = fresh()
    const lease = await store.create(start(10n), 'a', now)
    await store.commit(lease, at(11n), now)
    await store.halt(lease, { code: 'DATA_GAP', message: '', at: 1 })
    await store.release(lease)
    client.middlewareStack.remove(name)
    assert.deepEqual(seen, Array(4).fill(['UpdateItemCommand', true]))
  })

  test('a held checkpoint knows when an invocation no longer fits, and renews', async () => {
    const store = await released()
    let clock = now
    const terms = { worstCaseMs: 10_000, slackMs: 5_000 }
    const leaseUntil = HeldCheckpoint.leaseUntil(clock, terms)
    assert.equal(leaseUntil, now + 15_000)
    const lease = await store.acquire(await read(store), 'a', clock, leaseUntil, ['RUNNING'])
    const held = new HeldCheckpoint(store, lease, leaseUntil, at(10n), terms, () => clock)
    clock = now + 5_000
    assert.equal(held.coversInvocation(), true)
    await held.renewIfShort()
    assert.equal((await read(store)).leaseUntil, leaseUntil)
    held.pass(at(30n))
    assert.deepEqual([held.position.offset, (await read(store)).offset], [30n, 10n])
    clock += 1
    assert.equal(held.coversInvocation(), false)
    await held.renewIfShort()
    assert.equal(held.coversInvocation(), true)
    const renewed = await read(store)
    assert.deepEqual([renewed.leaseUntil, renewed.offset], [clock + 15_000, 30n])
    held.pass(at(40n))
    await held.halt(new DtsError('DATA_GAP', 'why', { retryable: false }))
    const halted = await read(store)
    assert.deepEqual([halted.offset, halted.state, halted.halt?.message], [40n, 'HALTED', 'why'])
  })
})
