import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { startOfTimes } from '../../../../lib/checkpoint/source-times.ts'
import { freshPosition, type Position } from '../../../../lib/checkpoint/types.ts'
import { digestOf } from '../../../../lib/dts/digest.ts'
import { anchorOf, identifyRouted } from '../../../../lib/log/anchor.ts'
import { reset, resetSchema } from '../../../../lib/recovery/move/reset.ts'
import { open } from '../../../support/open-stream.ts'
import type { NewRecord } from '../../../support/parts.ts'
import { shift, t0, Writer } from '../../../support/records.ts'
import { CheckpointTable, now } from '../../checkpoint/support.ts'

const checkpoints = new CheckpointTable()
const changes = new Writer().inserts('shop.orders', 0, 39)
const rewritten = new Writer('rewritten').inserts('shop.orders', 0, 39)

function valueAt(offset: number): Buffer {
  return changes[offset]?.value ?? assert.fail(`no change at ${offset}`)
}

/** The position that a poller stores after the first twenty changes, while a lane is six changes ahead. */
function committed(): Position {
  const anchor = anchorOf({ offset: 19n, value: valueAt(19) }, 0)
  const tail = { offset: 19n, digest: digestOf(valueAt(19)) }
  const ahead = anchorOf({ offset: 25n, value: valueAt(25) }, 0, identifyRouted)
  const lanes = { orders: { through: 25n, anchor: ahead, trouble: null } }
  return freshPosition(20n, t0 + 19, anchor, tail, lanes, startOfTimes(t0 + 19))
}

interface Case {
  readonly name: string
  readonly log: readonly NewRecord[]
  readonly isSameCluster?: true
  readonly event?: object
  readonly how: string
  /** Requests to the broker: of the reset, of its dry run, and of the reset with that dry run's token. */
  readonly requests: readonly [applied: number, dryRun: number, byToken: number]
}

async function resets(t: TestContext, { log, isSameCluster, event, how }: Case): Promise<number[]> {
  const counts: number[] = []
  const run = async (more: object) => {
    const { store: broker, stream } = await open(t, log)
    const store = checkpoints.fresh()
    const clusterId = isSameCluster ? stream.clusterId : 'another'
    const start = {
      clusterId,
      position: committed(),
      replayUntil: null,
      entry: { at: now, by: 'me', how: 'start' },
    }
    await store.release(await store.create(start, 'me', now))
    // A second entry, so that the ledger has a position to go back to.
    const read = await store.read()
    assert.ok(read !== null)
    const lease = await store.acquire(read, 'me', now + 60_000, now + 120_000, ['RUNNING'])
    await store.reset(lease, read, { ...start, entry: { ...start.entry, at: now + 1 } })
    await stream.commit(20n, t0 + 19, 1)
    const dependencies = {
      store,
      openStream: async () => stream,
      now: () => now + 240_000,
      remainingMs: () => 300_000,
      owner: 'me',
    }
    const count = async (asked: object) => {
      const before = total(broker.requests)
      const result = await reset(
        resetSchema.parse({ action: 'reset', acceptLoss: true, ...asked }),
        dependencies,
        stream,
      )
      assert.equal(result.how, how)
      counts.push(total(broker.requests) - before)
      return result
    }
    const { token } = await count({ ...event, ...more })
    if (token !== null) await count({ token })
  }
  await run({})
  await run({ dryRun: true })
  return counts
}

function total(requests: Readonly<Record<string, number>>): number {
  return Object.values(requests).reduce((sum, count) => sum + count, 0)
}

const same = { log: changes, isSameCluster: true } as const
const cases: readonly Case[] = [
  { name: 'on the same log', ...same, how: 'stored', requests: [8, 9, 6] },
  { name: 'by the anchor', log: [...shift(), ...changes], how: 'anchor', requests: [10, 11, 6] },
  { name: 'by time', log: [...shift(), ...rewritten], how: 'time', requests: [14, 14, 6] },
  { name: 'over a gap', log: rewritten.slice(30), how: 'gap', requests: [13, 13, 5] },
  {
    name: 'to the earliest record',
    ...same,
    event: { to: 'earliest' },
    how: 'earliest',
    requests: [9, 9, 5],
  },
  { name: 'to the end', ...same, event: { to: 'latest' }, how: 'latest', requests: [11, 11, 5] },
  {
    name: "to the group's commit",
    ...same,
    event: { to: 'committed' },
    how: 'committed',
    requests: [11, 11, 6],
  },
  {
    name: 'to a time',
    ...same,
    event: { to: { timestamp: t0 + 10 } },
    how: 'timestamp',
    requests: [15, 15, 6],
  },
  { name: 'back by the ledger', ...same, event: { to: { ledger: 0 } }, how: 'ledger', requests: [11, 11, 6] },
  { name: 'to an offset', ...same, event: { to: { offset: 10 } }, how: 'offset', requests: [11, 11, 6] },
  {
    name: 'to an offset ahead',
    ...same,
    event: { to: { offset: 30 } },
    how: 'offset',
    requests: [12, 12, 6],
  },
  {
    name: 'to an offset of another log',
    log: [...shift(), ...changes],
    event: { to: { offset: 10 } },
    how: 'offset',
    requests: [13, 13, 6],
  },
]

describe('a reset asks the broker', () => {
  for (const one of cases) {
    const [applied, dryRun, byToken] = one.requests
    test(`${one.name}: ${applied} times, ${dryRun} in a dry run, ${byToken} with its token`, async (t) => {
      assert.deepEqual(await resets(t, one), one.requests)
    })
  }
})
