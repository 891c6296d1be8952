import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type DynamoDBClient, GetItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import { clockSkewMs } from '../../../lib/checkpoint/lease-limits.ts'
import { CheckpointStore } from '../../../lib/checkpoint/store.ts'
import { freshPosition } from '../../../lib/checkpoint/types.ts'
import type { Invoke } from '../../../lib/dispatch/invoke.ts'
import { digestOf } from '../../../lib/dts/digest.ts'
import type { Stream } from '../../../lib/kafka/stream.ts'
import { poll } from '../../../lib/poll/poll.ts'
import { emptySummary, type PollSummary } from '../../../lib/poll/summary.ts'
import { ItemTable } from '../../support/item-table.ts'
import type { NewRecord } from '../../support/parts.ts'
import { range, t0, Writer } from '../../support/records.ts'
import {
  acknowledge,
  codeOf,
  dependencies,
  failure,
  slice,
  startedAt,
  streamOf,
  virtualTime,
} from './support.ts'

/** How a run ended. */
interface Ended {
  readonly summary: PollSummary
  readonly thrown: unknown
  readonly at: number
}

/** Runs of one stream that may overlap, on one virtual clock. The first record is done. */
async function world({ handlerMs = 0, handOver = 'true' } = {}) {
  const given: NewRecord[] = new Writer().inserts('shop.orders', 0, 0)
  const table = new ItemTable(() => {})
  const requests = { reads: 0, answeredWrites: 0 }
  const send = async (command: unknown): Promise<unknown> => {
    if (command instanceof GetItemCommand) {
      requests.reads += 1
      return { Item: table.item }
    }
    if (!(command instanceof UpdateItemCommand)) throw new TypeError('unknown command')
    requests.answeredWrites += Number(command.input.ReturnValues !== undefined)
    return table.update(command.input)
  }
  const client = { send } as unknown as DynamoDBClient
  const store = new CheckpointStore(client, 'checkpoints', 'topic', 0)
  const tail = { offset: 0n, digest: digestOf(given[0]?.value ?? null) }
  const begin = { at: startedAt, by: 'test', how: 'start' }
  const start = {
    clusterId: 'c',
    position: freshPosition(1n, t0, null, tail),
    replayUntil: null,
    entry: begin,
  }
  await store.release(await store.create(start, 'first', startedAt))
  const time = virtualTime(600_000)
  const sent: { readonly owner: string; readonly offsets: readonly bigint[]; readonly at: number }[] = []
  const writer = new Writer()
  const self = {
    store,
    table,
    sent,
    requests,
    time,
    opened: [] as string[],
    append: (count: number) => {
      given.push(...writer.inserts('shop.orders', given.length, given.length + count - 1))
    },
    wait: (milliseconds: number) => time.sleep(milliseconds, new AbortController().signal),
    run(owner: string, runMs = 300_000): Promise<Ended> {
      const invoke: Invoke = async (name, batch, events) => {
        sent.push({ owner, offsets: events.map(({ offset }) => offset), at: time.now() })
        if (handlerMs > 0) await self.wait(handlerMs)
        return await acknowledge(name, batch, events)
      }
      const ends = time.now() + runMs
      const parts = dependencies(
        store,
        streamOf([]),
        { ...time, owner, invoke, remainingMs: () => ends - time.now() },
        { POLL_HANDOVER: handOver, POLL_LINGER_SECONDS: '3', HANDLER_TIMEOUT_SECONDS: '30' },
      )
      const summary = emptySummary()
      const openStream = async () => {
        self.opened.push(owner)
        // Each fetch sees what was appended before it.
        return {
          ...streamOf(given),
          fetch: async (from) => slice(given, from, BigInt(given.length)),
        } satisfies Stream
      }
      return poll({ ...parts, openStream }, summary).then(
        (ended) => ({ summary: ended, thrown: null, at: time.now() }),
        (thrown: unknown) => ({ summary, thrown, at: time.now() }),
      )
    },
    async item() {
      const item = await store.read()
      assert.ok(item !== null)
      return item
    },
  }
  return self
}

const offsets = (sent: { readonly offsets: readonly bigint[] }[]) =>
  sent.flatMap((one) => one.offsets.map(Number))

describe('a run that starts while another one holds the lease', () => {
  test('takes over within half a second on an idle stream, from where the other one ended', async () => {
    const { run, wait, append, sent, time } = await world()
    const first = run('first')
    append(3)
    await wait(2_000)
    const askedAt = time.now()
    const second = run('second')
    const { summary, at } = await first
    assert.deepEqual([summary.ended, summary.to], ['handed-over', '4'])
    append(2)
    await wait(1_000)
    assert.deepEqual(offsets(sent), [1, 2, 3, 4, 5])
    const taken = sent.find(({ owner }) => owner === 'second')
    assert.ok(at - askedAt <= 500 && (taken?.at ?? Number.NaN) - askedAt <= 600, `${at - askedAt} ms`)
    assert.equal((await second).summary.ended, 'end-of-stream')
  })

  test('ends without the lease and without an error if a person deletes the checkpoint while it waits', async () => {
    const { run, wait, append, sent, table } = await world({ handlerMs: 20_000 })
    append(3)
    const first = run('first')
    await wait(2_000)
    const second = run('second')
    await wait(300)
    table.replace(undefined)
    const { summary, thrown } = await second
    assert.deepEqual([summary.ended, thrown], ['lease-held', null])
    await first
    assert.ok(sent.every(({ owner }) => owner === 'first'))
  })

  test('gets the lease only after the batch in flight, which the other run commits', async () => {
    const { run, wait, append, sent, item } = await world({ handlerMs: 20_000 })
    const first = run('first')
    append(1)
    await wait(1_000)
    append(1)
    const second = run('second')
    await wait(10_000)
    const during = await item()
    assert.deepEqual([during.owner, during.wish?.owner, during.offset], ['first', 'second', 1n])
    assert.ok((during.leaseUntil ?? 0) > startedAt + 20_000)
    const { summary } = await first
    assert.deepEqual([summary.ended, summary.to], ['handed-over', '2'])
    await second
    assert.deepEqual(
      sent.map(({ owner, offsets: own }) => [owner, own]),
      [
        ['first', [1n]],
        ['second', [2n]],
      ],
    )
    assert.ok((sent[1]?.at ?? 0) >= startedAt + 20_000, 'the second batch starts after the first one ended')
  })

  test('needs no read of the other run while that commits', async () => {
    const { run, wait, append, requests } = await world()
    void run('first')
    await wait(1_000)
    const before = requests.reads
    for (let n = 0; n < 20; n++) {
      append(1)
      await wait(100)
    }
    assert.ok(requests.reads - before <= 2, `${requests.reads - before} reads in two seconds`)
    const reads = requests.reads
    await wait(2_000)
    const idle = requests.reads - reads
    assert.ok(idle >= 6 && idle <= 9, `${idle} reads in two idle seconds`)
  })

  test('that dies after it asked: the other run releases, and the next run continues', async () => {
    const { run, wait, append, store, item, sent, time } = await world()
    const first = run('first')
    await wait(1_000)
    await store.wish(await item(), 'dead', time.now())
    assert.equal((await first).summary.ended, 'handed-over')
    assert.equal((await item()).leaseUntil, null)
    append(2)
    const next = run('next')
    await wait(1_000)
    assert.deepEqual(offsets(sent), range(1, 2))
    assert.equal((await next).summary.ended, 'end-of-stream')
  })

  test('is ignored if it asked too long ago', async () => {
    const { run, wait, store, item, time } = await world()
    const first = run('first')
    await wait(1_000)
    await store.wish(await item(), 'late', time.now() - 15_000)
    assert.equal((await first).summary.ended, 'end-of-stream')
  })

  test('takes the lease of a run that died, once it has run out', async () => {
    const { run, wait, append, store, item, time, sent } = await world()
    const leaseUntil = time.now() + 60_000
    await store.acquire(await item(), 'dead', time.now(), leaseUntil, ['RUNNING'])
    append(1)
    const waiting = run('waiting')
    await wait(60_000)
    assert.equal(sent.length, 0)
    assert.equal((await waiting).summary.ended, 'end-of-stream')
    assert.ok((sent[0]?.at ?? 0) > leaseUntil + clockSkewMs)
    assert.deepEqual(offsets(sent), [1])
  })

  test('ends without the lease if it has no time left for an invocation', async () => {
    const { run, store, item, time, opened } = await world()
    await store.acquire(await item(), 'other', time.now(), time.now() + 60_000, ['RUNNING'])
    const { summary, at } = await run('waiting', 75_000)
    // 30 s of its 75 s are left after the worst case of an invocation.
    assert.deepEqual([summary.ended, opened, at - startedAt], ['lease-held', ['waiting'], 30_000])
  })

  test('survives that DynamoDB is away for a moment', async () => {
    const { run, wait, store } = await world()
    const first = run('first')
    await wait(1_000)
    const { read } = store
    let refusals = 0
    const second = run('second')
    store.read = async () => {
      refusals += 1
      if (refusals > 5) return await read.call(store)
      throw failure('CHECKPOINT_TABLE_UNAVAILABLE')
    }
    assert.equal((await first).summary.ended, 'handed-over')
    assert.equal((await second).summary.ended, 'end-of-stream')
    assert.equal(refusals > 5, true)
  })

  test('ends with the fault if its role may not read the item', async () => {
    const { run, wait, store } = await world()
    const first = run('first')
    await wait(1_000)
    const { read } = store
    let reads = 0
    store.read = async () => {
      reads += 1
      if (reads === 1) return await read.call(store)
      throw failure('CHECKPOINT_TABLE_UNAVAILABLE', false)
    }
    const { thrown } = await run('second')
    assert.deepEqual([codeOf(thrown), reads], ['CHECKPOINT_TABLE_UNAVAILABLE', 2])
    await first
  })

  test('is found although looks for its wish failed', async () => {
    const { run, wait, store } = await world()
    const { wishFor } = store
    let looks = 0
    store.wishFor = async (lease) => {
      looks += 1
      if (looks > 3) return await wishFor.call(store, lease)
      throw failure('CHECKPOINT_TABLE_UNAVAILABLE')
    }
    const first = run('first')
    await wait(100)
    const second = run('second')
    assert.equal((await first).summary.ended, 'handed-over')
    assert.ok(looks > 3, `${looks}`)
    await second
  })

  test('asks at once, although another run asked the last holder a moment ago', async () => {
    const { run, wait, store, item, time } = await world()
    const first = run('first')
    await wait(1_000)
    await store.wish(await item(), 'dead', time.now())
    await first
    const next = run('next')
    await wait(500)
    const second = run('second')
    assert.equal((await next).summary.ended, 'handed-over')
    await second
  })

  test('asks every five seconds, also if its requests are lost', async () => {
    const { run, store, item, time } = await world()
    await store.acquire(await item(), 'other', time.now(), time.now() + 60_000, ['RUNNING'])
    const asked: number[] = []
    store.wish = async (_read, _owner, at) => void asked.push(at - startedAt)
    await run('waiting', 56_500)
    assert.deepEqual(asked, [0, 5_000, 10_000])
  })

  test('ends at once with runs that do not hand over, and does not connect', async () => {
    const { run, wait, opened, requests, append } = await world({ handOver: 'false', handlerMs: 1_000 })
    append(1)
    const first = run('first')
    await wait(500)
    const { summary } = await run('second')
    assert.deepEqual([summary.ended, opened], ['lease-held', ['first']])
    await first
    assert.equal(requests.answeredWrites, 0)
  })
})

describe('a person wins against a hand-over', () => {
  test('a pause stops the run that waits', async () => {
    const { run, wait, store, item, time, sent } = await world({ handlerMs: 20_000 })
    const first = run('first')
    await wait(100)
    const second = run('second')
    await store.pause(await item(), { by: 'anna', reason: null, at: time.now() })
    const { thrown, summary } = await second
    assert.deepEqual([codeOf(thrown), summary.halted], ['STREAM_HALTED', 'PAUSED'])
    await first
    assert.deepEqual((await item()).state, 'PAUSED')
    assert.ok(sent.every(({ owner }) => owner === 'first'))
  })

  test('a recovery that takes the released lease first keeps it', async () => {
    const { run, wait, append, store, item, time, sent } = await world()
    const first = run('first')
    await wait(1_000)
    // The recovery is faster than the waiting run's next read.
    const { release } = store
    store.release = async (lease) => {
      await release.call(store, lease)
      const found = await item()
      const taken = await store.acquire(found, 'recovery', time.now(), time.now() + 60_000, ['RUNNING'])
      const entry = { at: time.now(), by: 'anna', how: 'reset' }
      store.release = release
      await store.reset(taken, found, { clusterId: 'c', position: found, replayUntil: null, entry })
    }
    const second = run('second')
    assert.equal((await first).summary.ended, 'handed-over')
    append(1)
    const { summary } = await second
    assert.deepEqual([summary.ended, summary.from], ['lease-held', null])
    assert.deepEqual(sent, [])
  })
})
