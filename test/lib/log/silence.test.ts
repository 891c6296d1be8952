import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { silentSeconds } from '../../../lib/log/silence.ts'
import { open } from '../../support/open-stream.ts'
import type { NewRecord } from '../../support/parts.ts'
import { filler, t0, Writer } from '../../support/records.ts'
import { damagedAt } from '../../support/streams.ts'

const write = new Writer()
const beat = (seconds: number) => write.mark('HEARTBEAT', seconds)
/** Half a minute after the last heartbeat of most logs below. */
const now = (t0 + 130) * 1000

const beats = (count: number, last = t0 + 100) =>
  Array.from({ length: count }, (_, i) => beat(last - count + 1 + i))

const logs: [what: string, records: NewRecord[], expected: number | null][] = [
  ['heartbeats', beats(5), 30],
  [
    'a change is a record as well as a heartbeat',
    [...beats(5), write.insert('shop.orders', 1, t0 + 110)],
    20,
  ],
  ['filler at the end has no time', [...beats(3), ...filler(t0 + 129), ...filler(t0 + 129)], 30],
  [
    'more filler than one read sees',
    [...beats(3), ...Array.from({ length: 40 }, () => filler(t0)).flat()],
    30,
  ],
  [
    'rows of a long transaction have old times',
    [...beats(3), write.insert('shop.orders', 1, t0 - 9_000)],
    30,
  ],
  [
    'one change dated in the future is ignored',
    [...beats(3), write.insert('shop.orders', 1, t0 + 9_000)],
    30,
  ],
  [
    'more changes dated in the future than one read sees are ignored',
    [...beats(3), ...write.inserts('shop.orders', 1, 100, t0 + 9_000)],
    30,
  ],
  ['a source clock that is a little ahead counts as no silence', beats(3, t0 + 150), 0],
  ['unknown if all records are dated far ahead', beats(3, t0 + 9_000), null],
  ['unknown if there is only filler', filler(t0), null],
]
for (const [what, records, expected] of logs) {
  test(`how long DTS has been silent: ${what}`, async (t: TestContext) => {
    const { stream } = await open(t, records)
    assert.equal(await silentSeconds(stream, await stream.range(), now), expected)
  })
}

test("the checkpoint's time counts only after the whole log has expired", async (t) => {
  const empty = await open(t, filler(t0))
  const range = await empty.stream.range()
  assert.equal(await silentSeconds(empty.stream, range, now, t0 + 40), 90)
  assert.equal(await silentSeconds(empty.stream, range, now, t0 + 9_000), null)
  const { stream } = await open(t, beats(3))
  assert.equal(await silentSeconds(stream, await stream.range(), now, t0 + 129), 30)
})

test('a damaged batch at the end does not hide the records before it', async (t) => {
  const { stream } = await open(t, [...beats(5), beat(t0 + 129)])
  assert.equal(await silentSeconds(damagedAt(stream, 5n), await stream.range(), now), 30)
})
