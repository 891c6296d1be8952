import assert from 'node:assert/strict'
import { test } from 'node:test'
import { groupPosition } from '../../../../lib/kafka/commit-mark.ts'
import { land } from '../../../../lib/recovery/move/landing.ts'
import { repeatsOf } from '../../../../lib/recovery/move/repeats.ts'
import { open } from '../../../support/open-stream.ts'
import { t0, Writer } from '../../../support/records.ts'
import { damagedAt, like, patient, self } from '../../../support/streams.ts'

test('a change of a later time, or a damaged batch, does not end the count in silence', async (t) => {
  const write = new Writer()
  const changes = write.inserts('shop.orders', 0, 19)
  changes[8] = write.insert('shop.orders', 8, t0 + 3_600)
  const { stream } = await open(t, changes)
  const metadata = `${t0 + 19}|dts-functions`
  const log = like(stream, { committed: async () => groupPosition(20n, metadata, self) })
  const move = await land({ offset: 4n }, null, log, patient)
  const all = await repeatsOf(move, log, (t0 + 60) * 1000)
  // All but the one that is younger than anything that was done.
  assert.deepEqual([{ ...all.counts }, all.countedTo], [{ 'shop.orders': 15 }, null])
  const some = await repeatsOf(move, damagedAt(log, 12n), (t0 + 60) * 1000)
  assert.deepEqual([{ ...some.counts }, some.countedTo], [{ 'shop.orders': 7 }, 12n])
})

test('repeats that are too many to count are said to be more than was counted', async (t) => {
  const { stream } = await open(t, new Writer().inserts('shop.orders', 0, 19))
  const metadata = `${t0 + 19}|dts-functions`
  const log = like(stream, { committed: async () => groupPosition(20n, metadata, self) })
  const move = await land({ offset: 4n }, null, log, patient)
  const cases: [most: number | undefined, counted: number, countedTo: bigint | null][] = [
    [undefined, 16, null],
    [16, 16, null],
    [15, 15, 19n],
    [3, 3, 7n],
  ]
  for (const [most, counted, countedTo] of cases) {
    const repeats = await repeatsOf(move, log, (t0 + 60) * 1000, most)
    assert.deepEqual([{ ...repeats.counts }, repeats.countedTo], [{ 'shop.orders': counted }, countedTo])
  }
})
