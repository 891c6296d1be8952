import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startOfTimes } from '../../../../lib/checkpoint/source-times.ts'
import type { Checkpoint } from '../../../../lib/checkpoint/types.ts'
import { digestOf } from '../../../../lib/dts/digest.ts'
import type { Stream } from '../../../../lib/kafka/stream.ts'
import { timeRange } from '../../../../lib/log/log-times.ts'
import type { Target } from '../../../../lib/recovery/move/target.ts'
import { open } from '../../../support/open-stream.ts'
import { filler, t0, Writer } from '../../../support/records.ts'
import { checkpointOf, damagedAt, like, moveTo, only } from '../../../support/streams.ts'

/** A checkpoint of `stream` at an offset, as a run leaves it. */
async function checkpointAt(stream: Stream, offset: bigint, timestamp: number): Promise<Checkpoint> {
  const { records } = await stream.fetch(offset - 1n, { maxBytes: 1_000, maxWaitMs: 0 })
  const tail = { offset: offset - 1n, digest: digestOf(records.at(0)?.value ?? null) }
  const { clusterId } = stream
  return checkpointOf({ clusterId, offset, timestamp, times: null, anchor: null, tail, lanes: {} })
}

const write = new Writer()

describe('a move to a named place', () => {
  test('after a batch or a record that cannot be read is a loss, because that may hold a change', async (t) => {
    const { stream } = await open(t, [
      ...write.inserts('shop.orders', 0, 3),
      { value: Buffer.from('no record'), timestamp: t0 + 4 },
      write.insert('shop.orders', 5, t0 + 5),
    ])
    const read = await checkpointAt(stream, 4n, t0 + 3)
    for (const log of [stream, damagedAt(stream, 4n)]) {
      const { position, lost } = await moveTo({ offset: 5n }, read, log)
      assert.deepEqual([position.offset, lost], [5n, { from: t0 - 7, to: t0 + 15 }])
    }
    assert.equal((await moveTo({ offset: 4n }, read, stream)).lost, null)
  })

  test('over marks and filler alone loses nothing', async (t) => {
    const marks = [write.mark('HEARTBEAT', t0 + 4), ...filler(t0 + 4), write.insert('shop.orders', 5, t0 + 5)]
    const { stream } = await open(t, [...write.inserts('shop.orders', 0, 3), ...marks])
    const read = await checkpointAt(stream, 4n, t0 + 3)
    assert.equal((await moveTo({ offset: 8n }, read, stream)).lost, null)
  })

  test('gets the time of the youngest record below the place, because times go back a little', async (t) => {
    const times = [t0, t0 + 20, t0 + 14, t0 + 15, t0 + 40]
    const { stream } = await open(
      t,
      times.map((seconds, id) => write.insert('shop.orders', id, seconds)),
    )
    const read = await checkpointAt(stream, 4n, t0 + 20)
    for (const [offset, time] of [t0, t0 + 20, t0 + 20, t0 + 20, t0 + 40].entries())
      assert.equal(
        (await moveTo({ offset: BigInt(offset) }, read, stream)).position.timestamp,
        time,
        `${offset}`,
      )
    assert.equal((await moveTo('latest', read, stream)).position.timestamp, t0 + 40)
  })

  test('has the time of the records before it if the next ones are dated hours ahead', async (t) => {
    const { stream } = await open(t, [
      ...write.inserts('shop.orders', 0, 9),
      write.insert('shop.orders', 10, t0 + 3_600),
      write.insert('shop.orders', 11, t0 + 3_601),
    ])
    const read = await checkpointAt(stream, 4n, t0 + 3)
    const settledAt = async (to: Target) => (await moveTo(to, read, stream)).position.times?.settled
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
    const { replayUntil, repeats } = await moveTo('earliest', { ...read, times }, stream)
    assert.deepEqual([replayUntil, { ...repeats.counts }], [t0 + 3_600, { 'shop.orders': 5 }])
  })

  test('is refused in an empty log, and may be tried again', async (t) => {
    const { stream } = await open(t, [])
    const { stream: other } = await open(t, write.inserts('shop.orders', 0, 3))
    const read = await checkpointAt(other, 3n, t0 + 2)
    for (const to of ['earliest', 'latest', { offset: 0n }] as const) {
      await assert.rejects(moveTo(to, read, stream), {
        code: 'CHECKPOINT_OUT_OF_RANGE',
        retryable: true,
        message: /holds no record, .*wait/,
      })
    }
  })
})

test('a new position has the last record below it as its tail, across a hole among the offsets', async (t) => {
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
  assert.deepEqual((await moveTo({ offset: 7n }, read, hole)).position.tail, expected)
  assert.equal((await moveTo('earliest', read, hole)).position.tail, null)
})

test('a new position after a damaged batch has the last readable record below it as its tail', async (t) => {
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
      const { position } = await moveTo({ offset: 10n }, read, log)
      assert.equal(position.tail?.offset ?? null, tail, `${first} to ${last}`)
    }
  }
})

test('a damaged end does not hide which times a log covers', async (t) => {
  const { stream } = await open(t, write.inserts('shop.orders', 0, 39))
  const range = await stream.range()
  assert.deepEqual(await timeRange(damagedAt(stream, 39n), range), { first: t0, last: t0 + 38 })
  await assert.rejects(timeRange(damagedAt(stream, 0n), range), { code: 'BATCH_CORRUPT' })
})
