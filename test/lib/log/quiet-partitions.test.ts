import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { firstOffset } from '../../../lib/log/first-start.ts'
import { open } from '../../support/open-stream.ts'
import { t0, Writer } from '../../support/records.ts'

const plain = { sid: null, timeUnit: 'milliseconds' } as const
const at = (startTime: number, isOneOfSeveral = true) => ({ startTime, isOneOfSeveral })

/** A log of ten changes, one each second from t0. */
async function tenChanges(t: TestContext) {
  return await open(t, new Writer().inserts('shop.orders', 0, 9), plain)
}

describe('the first start of one of several partitions', () => {
  test('is at the start time within the log, as for any stream', async (t) => {
    const { stream } = await tenChanges(t)
    assert.equal((await firstOffset(at(t0 + 4), stream)).offset, 4n)
  })

  test('is at the beginning of a partition that never had a record', async (t) => {
    const { stream } = await open(t, [], plain)
    assert.deepEqual(await firstOffset(at(t0), stream), { offset: 0n, timestamp: t0 })
  })

  test('is at the beginning of a complete log that began later', async (t) => {
    const { stream } = await tenChanges(t)
    assert.equal((await firstOffset(at(t0 - 60), stream)).offset, 0n)
  })

  test('is at the end of a log that has had nothing since the start time', async (t) => {
    const { stream } = await tenChanges(t)
    assert.equal((await firstOffset(at(t0 + 60), stream)).offset, 10n)
  })

  test('is refused before the oldest record of a log that has lost its beginning', async (t) => {
    const { store, stream } = await tenChanges(t)
    store.trim({ beforeOffset: 5n })
    await assert.rejects(firstOffset(at(t0), stream), { code: 'CHECKPOINT_OUT_OF_RANGE' })
  })

  test('is refused outside the log if it is the only partition: the time is probably a mistake', async (t) => {
    const { stream } = await tenChanges(t)
    for (const seconds of [t0 - 60, t0 + 60])
      await assert.rejects(firstOffset(at(seconds, false), stream), { code: 'CHECKPOINT_OUT_OF_RANGE' })
  })
})
