import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startOfTimes } from '../../../../lib/checkpoint/source-times.ts'
import { type Checkpoint, freshPosition } from '../../../../lib/checkpoint/types.ts'
import { digestOf } from '../../../../lib/dts/digest.ts'
import type { Stream } from '../../../../lib/kafka/stream.ts'
import { timeRange } from '../../../../lib/log/scan.ts'
import { land, type Target } from '../../../../lib/recovery/move/landing.ts'
import { positionOf } from '../../../../lib/recovery/move/position.ts'
import { repeatsOf } from '../../../../lib/recovery/move/repeats.ts'
import { open } from '../../../support/open-stream.ts'
import { filler, t0, Writer } from '../../../support/records.ts'
import { damagedAt, like, only, patient } from '../../../support/streams.ts'

/** A checkpoint of `stream` at an offset, as a run leaves it. */
async function checkpointAt(stream: Stream, offset: bigint, timestamp: number): Promise<Checkpoint> {
  const { records } = await stream.fetch(offset - 1n, { maxBytes: 1_000, maxWaitMs: 0 })
  const tail = { offset: offset - 1n, digest: digestOf(records.at(0)?.value ?? null) }
  return {
    ...freshPosition(offset, timestamp, null, tail),
    key: 'topic/0',
    epoch: 1,
    owner: null,
    leaseUntil: null,
    generation: 1,
    clusterId: stream.clusterId,
    replayUntil: null,
    state: 'HALTED',
    halt: null,
    ledger: [],
  }
}

const write = new Writer()

describe('a place that somebody names', () => {
  test('behind a batch that cannot be read, or a record that is none, is a loss: nobody knows what it holds', async (t) => {
    const { stream } = await open(t, [
      ...write.inserts('shop.orders', 0, 3),
      { value: Buffer.from('no record'), timestamp: t0 + 4 },
      write.insert('shop.orders', 5, t0 + 5),
    ])
    const read = await checkpointAt(stream, 4n, t0 + 3)
    for (const log of [stream, damagedAt(stream, 4n)]) {
      const { landing } = await land({ offset: 5n }, read, log, patient)
      assert.deepEqual([landing.offset, landing.lost], [5n, { from: t0 - 7, to: t0 + 15 }])
    }
    assert.equal((await land({ offset: 4n }, read, stream, patient)).landing.lost, null)
  })

  test('over nothing but marks and filler is none', async (t) => {
    const marks = [write.mark('HEARTBEAT', t0 + 4), ...filler(t0 + 4), write.insert('shop.orders', 5, t0 + 5)]
    const { stream } = await open(t, [...write.inserts('shop.orders', 0, 3), ...marks])
    const read = await checkpointAt(stream, 4n, t0 + 3)
    assert.equal((await land({ offset: 8n }, read, stream, patient)).landing.lost, null)
  })

  test('has the time of the youngest record below it: times go back a little', async (t) => {
    const times = [t0, t0 + 20, t0 + 14, t0 + 15, t0 + 40]
    const { stream } = await open(
      t,
      times.map((seconds, id) => write.insert('shop.orders', id, seconds)),
    )
    const read = await checkpointAt(stream, 4n, t0 + 20)
    for (const [offset, time] of [t0, t0 + 20, t0 + 20, t0 + 20, t0 + 40].entries())
      assert.equal(
        (await land({ offset: BigInt(offset) }, read, stream, patient)).landing.timestamp,
        time,
        `${offset}`,
      )
    assert.equal((await land('latest', read, stream, patient)).landing.timestamp, t0 + 40)
  })

  test('has the time of the records before it if the next ones are dated hours ahead', async (t) => {
    const { stream } = await open(t, [
      ...write.inserts('shop.orders', 0, 9),
      write.insert('shop.orders', 10, t0 + 3_600),
      write.insert('shop.orders', 11, t0 + 3_601),
    ])
    const read = await checkpointAt(stream, 4n, t0 + 3)
    const settledAt = async (to: Target) => (await land(to, read, stream, patient)).landing.times.settled
    assert.equal(await settledAt({ offset: 9n }), t0 + 9)
    // Two of the last three records before offset 10 are not older than this.
    assert.equal(await settledAt({ offset: 10n }), t0 + 8)
    assert.equal(await settledAt({ timestamp: t0 + 1_200 }), t0 + 8)
    assert.equal(await settledAt({ offset: 11n }), t0 + 9)
  })

  test('repeats what was delivered before, also if the position’s time was lowered since', async (t) => {
    const { stream } = await open(t, [
      ...write.inserts('shop.orders', 0, 1),
      write.insert('shop.orders', 2, t0 + 3_600),
      ...write.inserts('shop.orders', 3, 5),
    ])
    const read = await checkpointAt(stream, 5n, t0 + 4)
    const times = startOfTimes(t0 + 4, t0 + 3_600)
    const move = await land('earliest', { ...read, times }, stream, patient)
    const { until, counts } = await repeatsOf(move, stream, 0)
    assert.deepEqual([until, { ...counts }], [t0 + 3_600, { 'shop.orders': 5 }])
  })

  test('in an empty log cannot be told', async (t) => {
    const { stream } = await open(t, [])
    const { stream: other } = await open(t, write.inserts('shop.orders', 0, 3))
    const read = await checkpointAt(other, 3n, t0 + 2)
    for (const to of ['earliest', 'latest', { offset: 0n }] as const) {
      await assert.rejects(land(to, read, stream, patient), {
        code: 'CHECKPOINT_OUT_OF_RANGE',
        retryable: true,
        message: /holds no record, .*wait/,
      })
    }
  })
})

test('a position knows the last record below it, across a hole among the offsets', async (t) => {
  const { stream } = await open(t, write.inserts('shop.orders', 0, 9))
  const hole = like(stream, {
    fetch: async (from, bounds) => {
      const fetched = await stream.fetch(from, bounds)
      return { ...fetched, records: only(fetched.records, (offset) => offset < 4n || offset > 6n) }
    },
  })
  const read = await checkpointAt(stream, 4n, t0 + 3)
  const { records } = await stream.fetch(3n, { maxBytes: 1_000, maxWaitMs: 0 })
  const expected = { offset: 3n, digest: digestOf(records.at(0)?.value ?? null) }
  assert.deepEqual((await positionOf(await land({ offset: 7n }, read, hole, patient), hole)).tail, expected)
  assert.equal((await positionOf(await land('earliest', read, hole, patient), hole)).tail, null)
})

test('a position behind a batch that cannot be read knows the last record before that, or one between them', async (t) => {
  const { stream } = await open(t, write.inserts('shop.orders', 0, 19))
  const read = await checkpointAt(stream, 5n, t0 + 4)
  const cases: [first: bigint, last: bigint, tail: bigint | null][] = [
    [5n, 9n, 4n],
    [2n, 8n, 9n],
    [0n, 9n, null],
  ]
  for (const [first, last, tail] of cases) {
    for (const code of ['BATCH_CORRUPT', 'BATCH_TOO_LARGE'] as const) {
      const log = damagedAt(stream, first, last, code)
      const known = await positionOf(await land({ offset: 10n }, read, log, patient), log)
      assert.equal(known.tail?.offset ?? null, tail, `${first} to ${last}`)
    }
  }
})

test('a damaged end does not hide what times a log covers', async (t) => {
  const { stream } = await open(t, write.inserts('shop.orders', 0, 39))
  const range = await stream.range()
  assert.deepEqual(await timeRange(damagedAt(stream, 39n), range), { first: t0, last: t0 + 38 })
  await assert.rejects(timeRange(damagedAt(stream, 0n), range), { code: 'BATCH_CORRUPT' })
})
