import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { locateTime } from '../../../lib/log/locate-time.ts'
import { firstLevel, timeRange } from '../../../lib/log/log-times.ts'
import { open } from '../../support/open-stream.ts'
import type { NewRecord } from '../../support/parts.ts'
import { filler, t0, Writer } from '../../support/records.ts'

const write = new Writer()
const nonsense: NewRecord = { value: Buffer.from('not a record'), timestamp: t0 }

describe('the times that a log covers', () => {
  const cases: [reason: string, records: NewRecord[], expected: { first: number; last: number } | null][] = [
    ['none in an empty log', [], null],
    ['none if there is only filler', [...filler(t0), ...filler(t0)], null],
    ['the time of a single record', [write.insert('a.b', 1, t0)], { first: t0, last: t0 }],
    [
      'the times between filler before and much filler after',
      [
        ...filler(t0),
        write.insert('a.b', 1, t0 + 1),
        write.mark('HEARTBEAT', t0 + 2),
        ...Array.from({ length: 200 }, () => filler(t0 + 3)).flat(),
      ],
      { first: t0 + 1, last: t0 + 2 },
    ],
    [
      'the times between records that cannot be decoded',
      [nonsense, write.insert('a.b', 1, t0 + 1), nonsense],
      { first: t0 + 1, last: t0 + 1 },
    ],
  ]
  for (const [reason, records, expected] of cases) {
    test(reason, async (t) => {
      const { stream } = await open(t, records)
      assert.deepEqual(await timeRange(stream, await stream.range()), expected)
    })
  }

  test('in seconds, although a synchronisation topic has milliseconds', async (t) => {
    const one = write.insert('a.b', 1, t0 * 1000 + 250)
    const { stream } = await open(t, [{ ...one, timestamp: t0 }], { sid: null, timeUnit: 'milliseconds' })
    assert.deepEqual(await timeRange(stream, await stream.range()), { first: t0, last: t0 })
    assert.equal(await locateTime(stream, t0), 0n)
  })
})

test('the time at which a log begins is that of two records of three, and includes a shard that is ahead', async (t) => {
  const cases: [
    reason: string,
    times: readonly number[],
    expected: { middle: number; highest: number } | null,
  ][] = [
    ['no record', [], null],
    ['two records: the later', [5, 3_605], { middle: t0 + 3_605, highest: t0 + 3_605 }],
    ['one record', [5], { middle: t0 + 5, highest: t0 + 5 }],
    ['a shard that is 40 seconds ahead', [40, 0, 1, 90], { middle: t0 + 1, highest: t0 + 40 }],
    ['a date an hour ahead', [3_600, 0, 1], { middle: t0 + 1, highest: t0 + 1 }],
    ['a date an hour back', [-3_600, 0, 1], { middle: t0, highest: t0 + 1 }],
  ]
  for (const [reason, times, expected] of cases) {
    // Each record is a transaction of its own.
    const write = new Writer()
    const { stream } = await open(
      t,
      times.map((time, id) => write.insert('a.b', id, t0 + time)),
    )
    assert.deepEqual(await firstLevel(stream, await stream.range()), expected, reason)
  }
})
