import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { DStoreOptions } from '../../../infra/local/dstore/dstore.ts'
import { locateTime } from '../../../lib/log/locate-time.ts'
import { timeRange } from '../../../lib/log/log-times.ts'
import { timedRecords } from '../../../lib/log/scan.ts'
import type { NewRecord } from '../../integration/parts.ts'
import { filler, t0, Writer } from '../../integration/records.ts'
import { open } from '../kafka/open-stream.ts'

const write = new Writer()
const nonsense: NewRecord = { value: Buffer.from('not a record'), timestamp: t0 }

describe('what times a stream covers', () => {
  const cases: [reason: string, records: NewRecord[], expected: { first: number; last: number } | null][] = [
    ['nothing', [], null],
    ['filler alone', [...filler(t0), ...filler(t0)], null],
    ['one record', [write.insert('a.b', 1, t0)], { first: t0, last: t0 }],
    [
      'filler in front and a lot of it behind',
      [
        ...filler(t0),
        write.insert('a.b', 1, t0 + 1),
        write.mark('HEARTBEAT', t0 + 2),
        ...Array.from({ length: 200 }, () => filler(t0 + 3)).flat(),
      ],
      { first: t0 + 1, last: t0 + 2 },
    ],
    [
      'records that cannot be read',
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

  test('records of a synchronisation topic tell milliseconds', async (t) => {
    const one = write.insert('a.b', 1, t0 * 1000 + 250)
    const { stream } = await open(t, [{ ...one, timestamp: t0 }], { sid: null, timeUnit: 'milliseconds' })
    assert.deepEqual(await timeRange(stream, await stream.range()), { first: t0, last: t0 })
    assert.equal(await locateTime(stream, t0), 0n)
  })

  test('a scan ends where it is told to', async (t) => {
    const { stream } = await open(t, write.inserts('a.b', 0, 9))
    const offsets: bigint[] = []
    for await (const { offset } of timedRecords(stream, 2n, 6n)) offsets.push(offset)
    assert.deepEqual(offsets, [2n, 3n, 4n, 5n])
  })
})

describe('where a time lies', () => {
  const kinds: [kind: string, options: DStoreOptions][] = [
    ['DTS, which finds nothing before the range', {}],
    ['a DTS that answers the start of the range', { timeBeforeRange: 'earliest' }],
    ['plain Kafka', { sid: null, timeUnit: 'milliseconds' }],
  ]
  for (const [kind, options] of kinds) {
    test(kind, async (t) => {
      const { stream } = await open(t, write.inserts('a.b', 0, 9), { ...options, firstOffset: 100n })
      const found: [seconds: number, offset: bigint][] = [
        [t0, 100n],
        [t0 + 4, 104n],
        [t0 + 9, 109n],
      ]
      for (const [seconds, offset] of found) assert.equal(await locateTime(stream, seconds), offset)
      for (const seconds of [t0 - 1, t0 + 10]) {
        await assert.rejects(locateTime(stream, seconds), {
          code: 'CHECKPOINT_OUT_OF_RANGE',
          message: new RegExp(
            `\\(${t0}\\) to .*\\(${t0 + 9}\\), offsets 100 to 109; the next record gets 110`,
          ),
        })
      }
    })
  }

  test('of several records of one second, the first', async (t) => {
    const records = [t0, t0 + 1, t0 + 1, t0 + 1, t0 + 2].map((seconds) => write.insert('a.b', 1, seconds))
    const { stream } = await open(t, records)
    assert.equal(await locateTime(stream, t0 + 1), 1n)
  })
})
