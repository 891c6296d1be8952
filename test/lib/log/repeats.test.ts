import assert from 'node:assert/strict'
import { test } from 'node:test'
import { groupPosition } from '../../../lib/kafka/commit-mark.ts'
import { type RepeatBounds, RepeatCounter } from '../../../lib/log/repeats.ts'
import { timedRecords } from '../../../lib/log/scan.ts'
import { open } from '../../support/open-stream.ts'
import { t0, Writer } from '../../support/records.ts'
import { damagedAt, like, moveTo, patient, self } from '../../support/streams.ts'

test('without an item all that the log has may repeat, also a change dated ahead; a damaged batch ends the count', async (t) => {
  const write = new Writer()
  const changes = write.inserts('shop.orders', 0, 19)
  changes[8] = write.insert('shop.orders', 8, t0 + 3_600)
  const { stream } = await open(t, changes)
  const metadata = `${t0 + 19}|dts-functions`
  const log = like(stream, { committed: async () => groupPosition(20n, metadata, self) })
  const limits = { ...patient, now: () => (t0 + 60) * 1000 }
  const all = await moveTo({ offset: 4n }, null, log, limits)
  assert.deepEqual([{ ...all.repeats.counts }, all.repeats.countedTo], [{ 'shop.orders': 16 }, null])
  assert.equal(all.replayUntil, t0 + 3_600)
  const some = await moveTo({ offset: 4n }, null, damagedAt(log, 12n), limits)
  assert.deepEqual([{ ...some.repeats.counts }, some.repeats.countedTo], [{ 'shop.orders': 8 }, 12n])
})

const none: RepeatBounds = { everyBelow: null, anywhere: -1, handled: -1, handledBelow: null }

test('a count by times continues after a change of a later time, and does not count it', async (t) => {
  const write = new Writer()
  const changes = write.inserts('shop.orders', 0, 19)
  changes[8] = write.insert('shop.orders', 8, t0 + 3_600)
  const { stream } = await open(t, changes)
  const counted = async (bounds: Partial<RepeatBounds>) => {
    const counter = new RepeatCounter({ ...none, ...bounds }, 4n)
    for await (const record of timedRecords(stream, 4n, 20n)) counter.see(record)
    return [counter.repeats.counts['shop.orders'] ?? 0, counter.youngest]
  }
  assert.deepEqual(await counted({ anywhere: t0 + 60 }), [15, t0 + 19])
  assert.deepEqual(await counted({ everyBelow: 10n }), [6, t0 + 3_600])
  assert.deepEqual(await counted({ everyBelow: 10n, anywhere: t0 + 60 }), [16, t0 + 3_600])
  assert.deepEqual(await counted({ everyBelow: 4n }), [0, -1])
})

test('a count that reached its limit says from which offset on more may repeat', async (t) => {
  const { stream } = await open(t, new Writer().inserts('shop.orders', 0, 19))
  const cases: [most: number | undefined, counted: number, countedTo: bigint | null][] = [
    [undefined, 16, null],
    [16, 16, null],
    [15, 15, 19n],
    [3, 3, 7n],
  ]
  for (const [most, counted, countedTo] of cases) {
    const counter = new RepeatCounter({ ...none, anywhere: t0 + 60 }, 4n, most)
    for await (const record of timedRecords(stream, 4n, 20n)) counter.see(record)
    const { repeats } = counter
    assert.deepEqual([{ ...repeats.counts }, repeats.countedTo], [{ 'shop.orders': counted }, countedTo])
  }
})
