import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { DStoreOptions } from '../../../infra/local/dstore/dstore.ts'
import { locateTime } from '../../../lib/log/locate-time.ts'
import { open } from '../../support/open-stream.ts'
import { t0, Writer } from '../../support/records.ts'

const write = new Writer()

describe('the offset of a time', () => {
  const kinds: [kind: string, options: DStoreOptions][] = [
    ['on a DTS that finds nothing before the range', {}],
    ['on a DTS that answers the start of the range', { timeBeforeRange: 'earliest' }],
    ['on plain Kafka', { sid: null, timeUnit: 'milliseconds' }],
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

  test('is the first of several records of one second', async (t) => {
    const records = [t0, t0 + 1, t0 + 1, t0 + 1, t0 + 2].map((seconds) => write.insert('a.b', 1, seconds))
    const { stream } = await open(t, records)
    assert.equal(await locateTime(stream, t0 + 1), 1n)
  })
})
