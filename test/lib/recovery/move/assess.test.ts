import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { certainlyBefore, startOfTimes, timesOf } from '../../../../lib/checkpoint/source-times.ts'
import type { Position } from '../../../../lib/checkpoint/types.ts'
import type { Stream } from '../../../../lib/kafka/stream.ts'
import { anchorOf, identifyRouted } from '../../../../lib/log/anchor.ts'
import { locateTime } from '../../../../lib/log/locate-time.ts'
import { open } from '../../../support/open-stream.ts'
import type { NewRecord } from '../../../support/parts.ts'
import { range, shift, t0, Writer } from '../../../support/records.ts'
import { committedAfter, damagedAt, like, moveTo, placeOf } from '../../../support/streams.ts'

const hour = 3_600
const count = 200

/** A change a second, each after a heartbeat with the right time; `dated` gives the time of the change. */
function source(write: Writer, dated: (second: number) => number): NewRecord[] {
  return range(0, count - 1).flatMap((second) => [
    write.mark('HEARTBEAT', t0 + second),
    write.insert('shop.orders', second, t0 + dated(second)),
  ])
}

const shapes: [shape: string, dated: (second: number) => number][] = [
  ['in order', (second) => second],
  ['one an hour ahead', (second) => (second === 100 ? second + hour : second)],
  ['one a month ahead', (second) => (second === 100 ? second + 720 * hour : second)],
  ['one that is no date', (second) => (second === 100 ? 9_000_000_000_000 : second)],
  ['one an hour back', (second) => (second === 100 ? second - hour : second)],
  ['a run of them an hour ahead', (second) => (second >= 90 && second < 130 ? 90 + hour : second)],
  ['a run of them hours back', (second) => (second >= 90 && second < 130 ? -5 * hour : second)],
  ['a clock step ahead and back', (second) => (second >= 90 && second < 130 ? second + hour : second)],
  ['shards whose clocks are 90 s apart', (second) => (second % 3 === 0 ? second - 90 : second)],
]

describe('where a stream continues, whatever times its changes have', () => {
  for (const [shape, dated] of shapes) {
    const old = source(new Writer(), dated)
    const rewritten = source(new Writer('rewritten'), dated)
    const places = [95, 100, 101, 115, 131, 199].map((second) => 2 * (second + 1))

    test(`times ${shape}: it continues after the last committed change if the log has it`, async (t) => {
      const { stream } = await open(t, [...shift(), ...old])
      for (const place of places) {
        const { safe } = await placeOf(committedAfter(old.slice(0, place)), stream)
        assert.deepEqual([safe?.how, safe?.offset], ['anchor', BigInt(place + 5)], `${place}`)
      }
    })

    test(`times ${shape}: in a log that writes changes differently, it skips no change that was not delivered`, async (t) => {
      const { stream } = await open(t, [...shift(), ...rewritten])
      for (const place of places) {
        const read = committedAfter(old.slice(0, place))
        const { safe, offset } = await placeOf(read, stream)
        assert.ok(offset <= BigInt(place + 5), `${place}: ${safe?.how} at ${offset}`)
        // If changes are dated back, only a log that begins before their times is known to be complete. This one begins
        // 60 s before.
        const isWhole = certainlyBefore(timesOf(read)) >= t0 - 60
        assert.equal(safe?.how, isWhole ? 'time' : 'gap', `${place}`)
      }
    })

    test(`times ${shape}: if the log begins after that change, the gap is reported`, async (t) => {
      for (const place of places.filter((one) => one < 2 * 160)) {
        for (const later of [4, 60]) {
          const { stream } = await open(t, rewritten.slice(place + later))
          await assert.doesNotReject(async () => {
            try {
              const { safe } = await placeOf(committedAfter(old.slice(0, place)), stream)
              assert.equal(safe?.how, 'gap', `${place} and ${later}`)
            } catch (error) {
              // The log has not reached the checkpoint's time yet.
              assert.equal(
                (error as { code?: string }).code,
                'CHECKPOINT_OUT_OF_RANGE',
                `${place} and ${later}`,
              )
            }
          })
        }
      }
    })
  }

  test('a change dated an hour ahead does not make the stream skip the 3,529 changes after it', async (t) => {
    const write = new Writer()
    const other = new Writer('rewritten')
    const log = (writer: Writer) => [
      ...writer.inserts('shop.orders', 0, 99),
      writer.insert('shop.orders', 100, t0 + 100 + hour),
      ...writer.inserts('shop.orders', 101, 101 + 3_529 + 400),
    ]
    const old = log(write)
    // The new log no longer has the change that is dated ahead.
    const { stream } = await open(t, log(other).slice(101))
    const { safe, offset } = await placeOf(committedAfter(old.slice(0, 240)), stream)
    assert.ok(offset <= 240n - 101n, `${safe?.how} at ${offset}`)
    assert.equal(safe?.how, 'time')
  })
})

describe('a broker that answers a wrong offset for a time', () => {
  test('does not decide where a stream begins', async (t) => {
    const { stream } = await open(t, new Writer().inserts('shop.orders', 0, 19))
    const beyond = like(stream, { offsetForTime: async () => 25n })
    await assert.rejects(locateTime(beyond, t0 + 5), { code: 'BROKER_FAILED', retryable: true })
    const late = like(stream, { offsetForTime: async () => 15n })
    assert.equal(await locateTime(late, t0 + 5), 5n)
  })

  test('does not prevent that the last committed change is found', async (t) => {
    const old = new Writer().inserts('shop.orders', 0, 19)
    const { stream } = await open(t, [...shift(), ...old])
    for (const answer of [null, 0n, 12n, 24n, 25n, 90n]) {
      const wrong = like(stream, { offsetForTime: async () => answer })
      const { safe } = await placeOf(committedAfter(old.slice(0, 10)), wrong)
      assert.deepEqual([safe?.how, safe?.offset], ['anchor', 15n], `${answer}`)
    }
  })
})

describe('lanes that are ahead', () => {
  const old = new Writer().inserts('shop.orders', 0, 19)
  const lane = (at: number): Position['lanes'][string] => {
    const value = old[at]?.value ?? assert.fail('no value')
    const anchor = anchorOf({ offset: BigInt(at), value }, 0, identifyRouted)
    return { through: BigInt(at), anchor, trouble: null }
  }
  const lanesIn = async (t: TestContext, log: readonly NewRecord[], through: number, damaged?: bigint) => {
    const { stream } = await open(t, log)
    const read = committedAfter(old.slice(0, 10), { orders: lane(through) })
    const seen: Stream = damaged === undefined ? stream : damagedAt(stream, damaged)
    return (await placeOf(read, seen)).lanes
  }

  test('stay ahead only if their last change comes after the new place', async (t) => {
    const log = [...shift(), ...old]
    assert.equal((await lanesIn(t, log, 15)).lanes.orders?.through, 20n)
    // This cluster has their change before the place, so they are not ahead of it.
    const moved = [...shift(), old[15] as NewRecord, ...old.slice(0, 15)]
    assert.deepEqual((await lanesIn(t, moved, 15)).lanes, {})
  })

  test('repeat, marked as replay, if a damaged batch hides their change', async (t) => {
    const { lanes, forgottenUntil } = await lanesIn(t, [...shift(), ...old], 15, 18n)
    assert.deepEqual([lanes, forgottenUntil], [{}, t0 + 25])
  })

  test('repeat, marked as replay up to the highest time that was read', async (t) => {
    const { stream } = await open(t, [...shift(), ...old.slice(0, 15)])
    const read = committedAfter(old.slice(0, 10), { orders: lane(15) })
    const times = { ...(read.times ?? startOfTimes(t0)), youngest: t0 + hour }
    assert.equal((await placeOf({ ...read, times }, stream)).lanes.forgottenUntil, t0 + hour)
  })
})

describe('a rollback', () => {
  const place = (clusterId: string) => ({ clusterId, offset: '3', generation: 1 })

  test('goes to a position of this cluster, and refuses one of another cluster', async (t) => {
    const { stream } = await open(t, new Writer().inserts('shop.orders', 0, 19))
    const checkpoint = (clusterId: string) => ({
      ...committedAfter(new Writer().inserts('shop.orders', 0, 9)),
      generation: 2,
      clusterId: stream.clusterId,
      ledger: [{ at: 1, by: 'me', how: 'reset', from: place(clusterId), to: place('it') }],
    })
    const here = await moveTo({ ledger: 0 }, checkpoint(stream.clusterId), stream)
    assert.deepEqual([here.how, here.position.offset], ['ledger', 3n])
    await assert.rejects(moveTo({ ledger: 0 }, checkpoint('gone'), stream), {
      code: 'CHECKPOINT_OUT_OF_RANGE',
      message: /belongs to cluster gone, but the broker is cluster .* now/,
    })
  })
})
