import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { DtsError } from '../../lib/errors.ts'
import type { PollSummary } from '../../lib/poll/summary.ts'
import type { NewRecord, Parts } from '../support/parts.ts'
import { recommended } from '../support/recommended.ts'
import { shift, t0, Writer } from '../support/records.ts'
import { startRig, type World } from '../support/world.ts'

const switches = 20
const changesPerCluster = 5_000
/** How many changes from before a switch the new cluster holds: more than a run can leave undone. */
const overlap = 14_000

/**
 * Twenty cluster changes, each during a run. Every change reaches its handler exactly once and in order. Each time two
 * actions of an operator restore the stream: inspect and reset.
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
      test(`cluster change ${round + 1} ends the run with an error, and one reset restores the stream`, async () => {
        await world.source.append(more())
        // The switch happens while changes are left to handle, each time at another place.
        const target = world.received.length + 500 + ((round * 977) % 3_000)
        const running = world.poll({ environment }).catch((error: unknown) => error)
        let over = false
        void running.finally(() => {
          over = true
        })
        while (!over && world.received.length < target) await new Promise((resolve) => setImmediate(resolve))
        const kept = Math.max(0, all.length - overlap)
        await world.source.switchCluster([...shift(round), ...all.slice(kept)])
        // The run noticed before its end that the cluster was gone.
        assert.equal(faultOf(await running), 'BROKER_FAILED')

        await assert.rejects(world.poll({ environment }), { code: 'CLUSTER_CHANGED' })
        assert.deepEqual(recommended(await world.inspect()), { action: 'reset' })
        assert.equal((await world.reset()).how, 'anchor')
        // Every second time the next switch meets a backlog.
        if (round % 2 === 1) await world.pollToEnd({ environment })
      })
    }

    test('no change is lost and none comes twice', async () => {
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

/** The fault that ended a run. If nothing was left to fetch, this is the result of its last request, the group commit. */
function faultOf(ended: unknown): string {
  if (ended instanceof DtsError) return ended.code
  if (ended instanceof Error) throw ended
  return (ended as PollSummary).groupCommit
}
