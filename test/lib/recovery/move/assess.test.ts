import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { certainlyBefore, startOfTimes, timesOf } from '../../../../lib/checkpoint/source-times.ts'
import type { Position } from '../../../../lib/checkpoint/types.ts'
import { ReadRecords } from '../../../../lib/dispatch/read-records.ts'
import { isFiller, readHeader } from '../../../../lib/dts/header.ts'
import { LogRecords } from '../../../../lib/kafka/records.ts'
import type { Stream } from '../../../../lib/kafka/stream.ts'
import { anchorOf, identifyRouted } from '../../../../lib/log/anchor.ts'
import { ReadWindow } from '../../../../lib/log/read-window.ts'
import { locateTime } from '../../../../lib/log/scan.ts'
import { assess, type Reference } from '../../../../lib/recovery/move/assess.ts'
import { land } from '../../../../lib/recovery/move/landing.ts'
import { open } from '../../../support/open-stream.ts'
import type { NewRecord } from '../../../support/parts.ts'
import { range, shift, t0, Writer } from '../../../support/records.ts'
import { damagedAt, like, patient } from '../../../support/streams.ts'

const hour = 3_600
const count = 200

/** A change a second, each after a heartbeat that has the right time; `dated` says what the change has. */
function source(write: Writer, dated: (second: number) => number): NewRecord[] {
  return range(0, count - 1).flatMap((second) => [
    write.mark('HEARTBEAT', t0 + second),
    write.insert('shop.orders', second, t0 + dated(second)),
  ])
}

/** What a poller stores after the first records of a log. */
function committed(records: readonly NewRecord[], lanes: Position['lanes'] = {}): Reference {
  const read = new ReadRecords(
    LogRecords.of(records.map(({ value }, index) => ({ offset: BigInt(index), value }))),
    0,
    records.length,
  )
  for (const { value } of records)
    read.push(value === null || isFiller(value.length) ? null : readHeader(value))
  const start = { offset: 0n, timestamp: t0, times: startOfTimes(t0), anchor: null, tail: null }
  const readWindow = new ReadWindow(start)
  readWindow.add(read, BigInt(records.length))
  return { clusterId: 'another', ...readWindow.moveTo(BigInt(records.length)), lanes }
}

const shapes: [shape: string, dated: (second: number) => number][] = [
  ['as the source goes', (second) => second],
  ['one an hour ahead', (second) => (second === 100 ? second + hour : second)],
  ['one a month ahead', (second) => (second === 100 ? second + 720 * hour : second)],
  ['one that is no date', (second) => (second === 100 ? 9_000_000_000_000 : second)],
  ['one an hour back', (second) => (second === 100 ? second - hour : second)],
  ['a run of them an hour ahead', (second) => (second >= 90 && second < 130 ? 90 + hour : second)],
  ['a run of them hours back', (second) => (second >= 90 && second < 130 ? -5 * hour : second)],
  ['a clock step ahead and back', (second) => (second >= 90 && second < 130 ? second + hour : second)],
  ['shards whose clocks are 90 s apart', (second) => (second % 3 === 0 ? second - 90 : second)],
]

describe('where a stream goes on, whatever times its changes have', () => {
  for (const [shape, dated] of shapes) {
    const old = source(new Writer(), dated)
    const rewritten = source(new Writer('rewritten'), dated)
    const places = [95, 100, 101, 115, 131, 199].map((second) => 2 * (second + 1))

    test(`${shape}: after the last committed change, where the log has it`, async (t) => {
      const { stream } = await open(t, [...shift(), ...old])
      for (const place of places) {
        const { safe } = await assess(committed(old.slice(0, place)), stream, patient)
        assert.deepEqual([safe.how, safe.offset], ['anchor', BigInt(place + 5)], `${place}`)
      }
    })

    test(`${shape}: in a log that writes it differently, never after the first change that was not done`, async (t) => {
      const { stream } = await open(t, [...shift(), ...rewritten])
      for (const place of places) {
        const read = committed(old.slice(0, place))
        const { safe } = await assess(read, stream, patient)
        assert.ok(safe.offset <= BigInt(place + 5), `${place}: ${safe.how} at ${safe.offset}`)
        // Where changes are dated back, a log has to begin before those to be known to be whole: this one does at -60 s.
        const isWhole = certainlyBefore(timesOf(read)) >= t0 - 60
        assert.equal(safe.how, isWhole ? 'time' : 'gap', `${place}`)
      }
    })

    test(`${shape}: in a log that begins after that change, not without a word`, async (t) => {
      for (const place of places.filter((one) => one < 2 * 160)) {
        for (const later of [4, 60]) {
          const { stream } = await open(t, rewritten.slice(place + later))
          await assert.doesNotReject(async () => {
            try {
              const { safe } = await assess(committed(old.slice(0, place)), stream, patient)
              assert.equal(safe.how, 'gap', `${place} and ${later}`)
            } catch (error) {
              // Or later, when the log has got to the time.
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

  test('a change an hour ahead and 3,529 that follow: none of them is passed over', async (t) => {
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
    const { safe } = await assess(committed(old.slice(0, 240)), stream, patient)
    assert.ok(safe.offset <= 240n - 101n, `${safe.how} at ${safe.offset}`)
    assert.equal(safe.how, 'time')
  })
})

describe('a broker that is wrong about a time', () => {
  test('does not decide where a stream begins', async (t) => {
    const { stream } = await open(t, new Writer().inserts('shop.orders', 0, 19))
    const beyond = like(stream, { offsetForTime: async () => 25n })
    await assert.rejects(locateTime(beyond, t0 + 5), { code: 'BROKER_FAILED', retryable: true })
    const late = like(stream, { offsetForTime: async () => 15n })
    assert.equal(await locateTime(late, t0 + 5), 5n)
  })

  test('does not keep the last committed change from being found', async (t) => {
    const old = new Writer().inserts('shop.orders', 0, 19)
    const { stream } = await open(t, [...shift(), ...old])
    for (const answer of [null, 0n, 12n, 24n, 25n, 90n]) {
      const wrong = like(stream, { offsetForTime: async () => answer })
      const { safe } = await assess(committed(old.slice(0, 10)), wrong, patient)
      assert.deepEqual([safe.how, safe.offset], ['anchor', 15n], `${answer}`)
    }
  })
})

describe('the lanes that are ahead', () => {
  const old = new Writer().inserts('shop.orders', 0, 19)
  const lane = (at: number): Position['lanes'][string] => {
    const value = old[at]?.value ?? assert.fail('no value')
    const anchor = anchorOf({ offset: BigInt(at), value }, 0, identifyRouted)
    return { through: BigInt(at), anchor, trouble: null }
  }
  const lanesIn = async (t: TestContext, log: readonly NewRecord[], through: number, damaged?: bigint) => {
    const { stream } = await open(t, log)
    const read = committed(old.slice(0, 10), { orders: lane(through) })
    const seen: Stream = damaged === undefined ? stream : damagedAt(stream, damaged)
    return (await assess(read, seen, patient)).lead
  }

  test('stay ahead where their change comes after that place, and nowhere else', async (t) => {
    const log = [...shift(), ...old]
    assert.equal((await lanesIn(t, log, 15)).lanes.orders?.through, 20n)
    // Another cluster has their change before the place: there is nothing to be ahead of.
    const moved = [...shift(), old[15] as NewRecord, ...old.slice(0, 15)]
    assert.deepEqual((await lanesIn(t, moved, 15)).lanes, {})
  })

  test('repeat, marked, where a damaged batch hides their change', async (t) => {
    const { lanes, forgottenUntil } = await lanesIn(t, [...shift(), ...old], 15, 18n)
    assert.deepEqual([lanes, forgottenUntil], [{}, t0 + 25])
  })

  test('repeat, marked up to the highest time that was read', async (t) => {
    const { stream } = await open(t, [...shift(), ...old.slice(0, 15)])
    const read = committed(old.slice(0, 10), { orders: lane(15) })
    const times = { ...(read.times ?? startOfTimes(t0)), youngest: t0 + hour }
    assert.equal((await assess({ ...read, times }, stream, patient)).lead.forgottenUntil, t0 + hour)
  })
})

describe('a rollback', () => {
  const place = (clusterId: string) => ({ clusterId, offset: '3', generation: 1 })

  test('goes to a position of this cluster, and not to one of another', async (t) => {
    const { stream } = await open(t, new Writer().inserts('shop.orders', 0, 19))
    const checkpoint = (clusterId: string) => ({
      ...committed(new Writer().inserts('shop.orders', 0, 9)),
      deadLetters: { since: 0, count: 0 },
      key: 'topic/0',
      epoch: 1,
      owner: null,
      leaseUntil: null,
      generation: 2,
      clusterId: stream.clusterId,
      replayUntil: null,
      state: 'HALTED' as const,
      halt: null,
      ledger: [{ at: 1, by: 'me', how: 'reset', from: place(clusterId), to: place('it') }],
    })
    const here = await land({ ledger: 0 }, checkpoint(stream.clusterId), stream, patient)
    assert.deepEqual([here.landing.how, here.landing.offset], ['ledger', 3n])
    await assert.rejects(land({ ledger: 0 }, checkpoint('gone'), stream, patient), {
      code: 'CHECKPOINT_OUT_OF_RANGE',
      message: /belongs to cluster gone, which is not there any more/,
    })
  })
})
