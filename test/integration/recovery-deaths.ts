import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { type Moment, startHttpLine } from '../rig/http-line.ts'
import { range, Writer } from '../support/records.ts'
import type { Start, World } from '../support/world.ts'
import { haltedWorld, type Item, parsed } from './recovery-support.ts'

/** The item without its lease. */
function withoutLease(item: Item): Item {
  if (item === undefined) return undefined
  const { epoch: _, owner: __, leaseUntil: ___, ...rest } = item
  return rest
}

/** A recovery that dies at its nth request to DynamoDB. Its later requests do not arrive. */
async function dyingAt(world: World, event: object, nth: number, moment: Moment) {
  let dead = false
  const line = await startHttpLine(world.dynamo, (request, now) => {
    dead ||= request === nth && now === moment
    return !dead
  })
  try {
    const ended = await world.recover(event, { AWS_ENDPOINT_URL_DYNAMODB: line.endpoint }).then(
      () => null,
      (error: unknown) => error,
    )
    assert.equal(ended !== null, dead, String(ended))
    return dead
  } finally {
    await line.stop()
  }
}

/** An operator whose recovery did not answer waits until the lease that it may have left ends, and runs it again. */
async function runAgain(world: World, event: object): Promise<void> {
  const leaseUntil = Number((await world.item())?.leaseUntil?.N ?? 0)
  if (leaseUntil > 0) {
    await assert.rejects(world.recover(event), {
      code: 'LEASE_HELD',
      message: /Wait until \S+ and run the same again/,
    })
    await world.expireLease()
  }
  await world.recover(event)
}

interface Action {
  readonly what: string
  readonly event: object
  /** Brings the stream to the point where the action is run. */
  readonly arrange: (start: Start, t: TestContext) => Promise<World>
  /** How many requests the action sends to DynamoDB, and which of them makes the change. */
  readonly requests: number
  readonly deed: number
  /** @throws AssertionError when the item is not as the whole action leaves it */
  readonly assertDone: (before: Item, after: Item) => void
  readonly again: (world: World, event: object) => Promise<void>
  readonly delivered: readonly number[]
}

const actions: readonly Action[] = [
  {
    what: 'a reset after a change of the log',
    event: { action: 'reset', by: 'me' },
    arrange: haltedWorld,
    requests: 3,
    deed: 3,
    assertDone(before, after) {
      const { clusterId, pk, schemaVersion, timestamp } = before ?? {}
      // A generation is a second, and the reset may come seconds after the write before it.
      const generation = Number(after?.generation?.N)
      assert.ok(generation > Number(before?.generation?.N))
      const { anchor, tail, ledger, ...rest } = withoutLease(after) ?? {}
      assert.deepEqual(rest, {
        pk,
        schemaVersion,
        timestamp,
        clusterId,
        offset: { N: '15' },
        generation: { N: String(generation) },
        times: before?.times,
        replayUntil: { N: '-1' },
        state: { S: 'RUNNING' },
        halt: { S: 'null' },
        lanes: { S: '{}' },
        deadLetters: { S: '{"since":0,"count":0}' },
      })
      assert.deepEqual(parsed({ anchor } as Item, 'anchor'), {
        ...(parsed(before, 'anchor') as object),
        offset: '14',
      })
      assert.equal((parsed({ tail } as Item, 'tail') as { offset: string }).offset, '14')
      const entries = parsed({ ledger } as Item, 'ledger') as { by: string; to: object }[]
      assert.equal(entries.length, 2)
      assert.deepEqual(
        [entries[1]?.by, entries[1]?.to],
        ['me', { clusterId: clusterId?.S, offset: '15', generation }],
      )
    },
    again: runAgain,
    delivered: range(0, 19),
  },
  {
    what: 'a first reset of a stream that was never read',
    event: { action: 'reset', to: { offset: '5' } },
    async arrange(start, t) {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 9))
      return world
    },
    requests: 3,
    deed: 2,
    assertDone(_before, after) {
      assert.deepEqual([after?.offset, after?.state], [{ N: '5' }, { S: 'RUNNING' }])
      assert.equal((parsed(after, 'ledger') as object[]).length, 1)
    },
    again: runAgain,
    delivered: range(5, 9),
  },
  {
    what: 'a pause',
    event: { action: 'pause', by: 'me' },
    async arrange(start, t) {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 9))
      await world.poll()
      return world
    },
    requests: 2,
    deed: 2,
    assertDone(before, after) {
      const { state, halt, ...rest } = withoutLease(after) ?? {}
      const { state: _, halt: __, ...old } = withoutLease(before) ?? {}
      assert.deepEqual(rest, old)
      assert.deepEqual(state, { S: 'HALTED' })
      assert.match(halt?.S ?? '', /"code":"PAUSED","message":"Paused by me\."/)
    },
    async again(world, event) {
      // If the pause was written, the second one is refused.
      if ((await world.item())?.state?.S === 'HALTED')
        await assert.rejects(world.recover(event), {
          code: 'STREAM_HALTED',
          message: /halted already \(PAUSED\)/,
        })
      else await world.recover(event)
      await assert.rejects(world.poll(), { code: 'STREAM_HALTED' })
      await world.recover({ action: 'resume' })
    },
    delivered: range(0, 9),
  },
  {
    what: 'a resume',
    event: { action: 'resume', by: 'me' },
    async arrange(start, t) {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 4))
      await world.poll()
      await world.recover({ action: 'pause' })
      await world.source.append(new Writer('more').inserts('shop.orders', 5, 9))
      return world
    },
    requests: 2,
    deed: 2,
    assertDone(before, after) {
      const { state, halt, ledger, ...rest } = withoutLease(after) ?? {}
      const { state: _, halt: __, ledger: ___, ...old } = withoutLease(before) ?? {}
      assert.deepEqual(rest, old)
      assert.deepEqual([state, halt], [{ S: 'RUNNING' }, { S: 'null' }])
      assert.match(ledger?.S ?? '', /"how":"resume after PAUSED"/)
    },
    again: async (world, event) => void (await world.recover(event)),
    delivered: range(0, 9),
  },
]

export function recoveryDeathTests(start: Start): void {
  describe('recovery that dies', () => {
    for (const { what, event, arrange, requests, deed, assertDone, again, delivered } of actions) {
      for (const moment of ['request', 'answer'] as const) {
        for (let nth = 1; nth <= requests; nth++) {
          const when = moment === 'request' ? 'before its request' : 'before the answer to its request'
          const isDone = nth > deed || (nth === deed && moment === 'answer')
          const outcome = isDone ? 'it is done' : 'nothing is changed'
          test(`${what} that dies ${when} ${nth}: ${outcome}; again brings the stream back`, async (t) => {
            const world = await arrange(start, t)
            const before = await world.item()
            assert.ok(await dyingAt(world, event, nth, moment))
            const after = await world.item()
            if (isDone) assertDone(before, after)
            else assert.deepEqual(withoutLease(after), withoutLease(before))
            await again(world, event)
            await world.pollToEnd()
            assert.deepEqual(world.ids('orders'), delivered)
          })
        }
      }

      test(`${what} makes no request beyond these ${requests}, and the last one does it`, async (t) => {
        const world = await arrange(start, t)
        const before = await world.item()
        assert.equal(await dyingAt(world, event, requests + 1, 'request'), false)
        assertDone(before, await world.item())
      })
    }
  })
}
