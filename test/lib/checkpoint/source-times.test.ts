import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  certainlyBefore,
  levelToReach,
  reachedTime,
  SourceClock,
  type SourceTimes,
  startOfTimes,
  timesOf,
} from '../../../lib/checkpoint/source-times.ts'
import { range } from '../../support/records.ts'

const t0 = 1_790_000_000
const hour = 3_600

function measure(times: readonly number[], from: SourceTimes = startOfTimes(t0)): SourceTimes {
  const clock = new SourceClock(from)
  for (const time of times) clock.see(t0 + time)
  return clock.times(0)
}

/** A source whose clock ran normally for a while. */
const warm = range(1, 100)
const settled = (times: readonly number[]) => measure(times).settled - t0
const same = (count: number, time: number) => range(1, count).map(() => time)

describe('the settled time of a stream', () => {
  const cases: [reason: string, times: readonly number[], expected: number][] = [
    ['follows the source', range(1, 100), 100],
    ['does not go back with the source', [1, 2, 3, 1, 2], 3],
    ['is not raised by one change an hour ahead', [1, 2, 2 + hour, 3, 4], 4],
    ['is not raised by a last change an hour ahead', [1, 2, 2 + hour], 2],
    ['is not raised by hundreds of changes of one transaction', [1, 2, ...same(500, 2 + hour)], 2],
    [
      'is not raised by a transaction whose statements are seconds apart',
      [1, ...range(1 + hour, 20 + hour), 21],
      21,
    ],
    [
      'is not raised by changes an hour ahead between correct heartbeats',
      range(1, 300).flatMap((second) => [second, second + hour]),
      300,
    ],
    ['is not raised by a time that is not a date', [1, 9_000_000_000_000, 2], 2],
    ['is raised only by seconds by two changes, each further ahead', [1, hour, 24 * hour, 2], 11],
    ['is not raised by a jump that follows a small one', [12, 12 + hour, 13 + hour, 14 + hour], 32],
    ['is not lowered by rows that are hours old', [5, ...same(500, -2 * hour), 6], 6],
    [
      'is the time of the fast shard if the clocks of shards differ',
      range(1, 50).flatMap((at) => [at, at - 90]),
      50,
    ],
    ['follows a clock that stays ahead', range(hour, 2 * hour + 10), 2 * hour + 10],
    [
      'does not follow a clock that went ahead and back',
      [...range(1 + hour, 600 + hour), ...range(601, 700)],
      700,
    ],
    ['follows a source that writes rarely', range(1, 40).map((step) => step * 1_000), 40_000],
  ]
  for (const [reason, times, expected] of cases) {
    test(reason, () => {
      const found = settled(times)
      // The settled time must follow the last two records.
      assert.ok(found <= expected && found >= expected - (expected > 30_000 ? 2_000 : 0), `${found}`)
    })
  }

  test('after hours without a record it lags by as much, and is never ahead', () => {
    const pause = 2 * hour
    for (const after of [0, 60, hour, pause - 60]) {
      const found = settled([0, ...range(pause, pause + after)])
      assert.ok(found <= after + 10, `${after}: ${found}`)
    }
    assert.equal(settled(range(pause, 2 * pause + 10)), 2 * pause + 10)
  })
})

describe('the distances by which times go back and ahead', () => {
  test('are measured: the furthest, and the furthest but one', () => {
    const { back, ahead } = measure([...warm, 60, 100, 70, 101, 101 + hour, 102, 102 + 2 * hour, 103])
    assert.deepEqual(back, { once: 40, often: 30 })
    assert.deepEqual(ahead, { once: 2 * hour, often: hour })
  })

  test('include a fall from its first record on', () => {
    const times = measure([...warm, -2 * hour, -2 * hour])
    assert.equal(times.fall, 2 * hour + 100)
    assert.equal(certainlyBefore(times), t0 - 2 * hour - 10)
    const position = (timestamp: number) => ({ timestamp, times, anchor: null })
    assert.equal(levelToReach(position(t0 + 100)), t0 + 100)
    // A record an hour ahead proves nothing. Records hours back may show where the source is.
    assert.equal(levelToReach(position(t0 + 100 + hour)), t0 - 2 * hour)
  })

  test('count what several shards do, but not what one transaction did', () => {
    const shards = measure(
      range(1, 50)
        .flatMap((at) => [at, at - 90])
        .concat(51),
    )
    assert.equal(certainlyBefore(shards), t0 + 51 - 10 - 90)
    const transaction = measure([...warm, ...same(500, -2 * hour), 101])
    assert.equal(certainlyBefore(transaction), t0 + 101 - 10)
  })

  test('are halved each day', () => {
    const times = measure([...warm, 60, 100, 60, 101])
    const later = measure(
      range(0, 86_400 * 2 + 10).filter((at) => at > 101),
      times,
    )
    assert.deepEqual(
      [times.back, later.back],
      [
        { once: 40, often: 40 },
        { once: 10, often: 10 },
      ],
    )
  })

  test('continue from their stored values', () => {
    const all = range(1, 400).map((at) => (at % 7 === 0 ? at - 50 : at % 50 === 0 ? at + hour : at))
    for (const cut of [1, 49, 50, 51, 200]) {
      const half = measure(all.slice(0, cut))
      assert.deepEqual(measure(all.slice(cut), half), measure(all), `${cut}`)
    }
  })
})

test('a position without stored times starts from the lower of its timestamp and its anchor', () => {
  const position = { timestamp: t0 + hour, times: null, anchor: { timestamp: t0 } }
  assert.deepEqual(timesOf(position), startOfTimes(t0, t0 + hour))
  assert.equal(timesOf({ ...position, anchor: null }).settled, t0 + hour)
})

test('a date in the future does not reduce the lag', () => {
  const position = { timestamp: t0 + hour, times: measure([1, hour, 2]), anchor: null }
  assert.equal(reachedTime(position, t0 + 2 * hour), t0 + hour)
  assert.equal(reachedTime(position, t0 + 10), t0 + 2)
})
