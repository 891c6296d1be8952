import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { DtsError } from '../../lib/errors.ts'
import type { PollSummary } from '../../lib/poll/summary.ts'
import type { NewRecord, Parts } from './parts.ts'
import { recommended } from './recommended.ts'
import { shift, t0, Writer } from './records.ts'
import { startRig, type World } from './world.ts'

const switches = 20
const changesPerCluster = 5_000
/** How many changes from before a switch the new cluster still holds: more than a run can have left undone. */
const overlap = 14_000

/**
 * Twenty cluster changes, each while a run is at work: every change reaches its handler exactly once and in order.
 * At most the second action of an operator (inspect is the first) brings the stream back each time.
 */
export function switchTests(parts: Parts): void {
  describe(`${switches} cluster changes under load on ${parts.name}`, () => {
    const write = new Writer()
    const all: NewRecord[] = []
    const environment = { POLL_FETCH_BYTES: String(64 * 1024) }
    const ends: (() => Promise<unknown>)[] = []
    let world: World

    before(
      async () => {
        const rig = await startRig(parts)
        ends.push(() => rig.stop())
        world = await rig.start({ after: (end) => ends.push(end) })
      },
      { timeout: 180_000 },
    )
    after(async () => {
      for (const end of ends.reverse()) await end()
    })

    function more(): NewRecord[] {
      const from = all.length
      const records = Array.from({ length: changesPerCluster }, (_, i) => {
        const table = (from + i) % 3 === 0 ? 'shop.customers' : 'shop.orders'
        return write.insert(table, from + i, t0 + from + i)
      })
      all.push(...records)
      return records
    }

    for (let round = 0; round < switches; round++) {
      test(`cluster change ${round + 1}: the run notices it, and one reset brings the stream back`, async () => {
        await world.source.append(more())
        // The switch falls into the middle of what is left to handle, at another place each time.
        const target = world.received.length + 500 + ((round * 977) % 3_000)
        const running = world.poll({ environment }).catch((error: unknown) => error)
        let over = false
        void running.finally(() => {
          over = true
        })
        while (!over && world.received.length < target) await new Promise((resolve) => setImmediate(resolve))
        const kept = Math.max(0, all.length - overlap)
        await world.source.switchCluster([...shift(round), ...all.slice(kept)])
        // Whatever the run had left to do, it noticed that the cluster was gone before its end.
        assert.equal(faultOf(await running), 'BROKER_FAILED')

        await assert.rejects(world.poll({ environment }), { code: 'CLUSTER_CHANGED' })
        assert.deepEqual(recommended(await world.inspect()), { action: 'reset' })
        assert.equal((await world.reset()).how, 'anchor')
        // Every other time the next switch meets a backlog.
        if (round % 2 === 1) await world.pollToEnd({ environment })
      })
    }

    test('nothing is lost, nothing comes twice', async () => {
      await world.pollToEnd({ environment })
      assert.equal(all.length, switches * changesPerCluster)
      for (const [name, own] of [
        ['customers', (id: number) => id % 3 === 0],
        ['orders', (id: number) => id % 3 !== 0],
      ] as const) {
        const expected = Array.from(all.keys()).filter(own)
        assert.deepEqual(world.ids(name), expected, name)
      }
      assert.ok(world.received.every(({ replay }) => !replay))
    })
  })
}

/** What a run met: the fault that ended it, or, when nothing was left to fetch, the one of its last request. */
function faultOf(ended: unknown): string {
  if (ended instanceof DtsError) return ended.code
  if (ended instanceof Error) throw ended
  return (ended as PollSummary).groupCommit
}
