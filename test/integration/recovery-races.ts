import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { RecoveryAnswer } from '../../lib/recovery/recover.ts'
import { startHttpLine } from '../rig/http-line.ts'
import { range, Writer } from '../support/records.ts'
import { pollUntil, type Start, type World } from '../support/world.ts'
import { haltedWorld, parsed } from './recovery-support.ts'

/** A recovery that waits before its nth request to DynamoDB until `resume` is called. */
async function waitingAt(world: World, t: TestContext, event: object, nth: number) {
  const arrived = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const line = await startHttpLine(world.dynamo, async (request, moment) => {
    if (request === nth && moment === 'request') {
      arrived.resolve()
      await released.promise
    }
    return true
  })
  t.after(() => line.stop())
  const ended = outcomeOf(world.recover(event, { AWS_ENDPOINT_URL_DYNAMODB: line.endpoint }))
  await Promise.race([arrived.promise, ended])
  assert.equal(line.requests, nth)
  return { resume: released.resolve, ended }
}

function outcomeOf(recovery: Promise<RecoveryAnswer>) {
  return recovery.then(
    (answer) => ({ answer, code: null }),
    ({ code }: { readonly code?: string }) => ({ answer: null, code }),
  )
}

export function recoveryRaceTests(start: Start): void {
  describe('two recoveries at once', () => {
    /** One recovery waits before a request while the other runs to its end; then the outcomes of both. */
    const meetings: [nth: number, byToken: boolean, one: string, other: string][] = [
      [1, false, 'stored', 'anchor'],
      [2, false, 'LEASE_HELD', 'anchor'],
      [3, false, 'anchor', 'LEASE_HELD'],
      [1, true, 'PLAN_OUTDATED', 'anchor'],
      [2, true, 'LEASE_HELD', 'anchor'],
      [3, true, 'anchor', 'PLAN_OUTDATED'],
    ]
    const outcome = ({ answer, code }: { answer: object | null; code: unknown }) =>
      answer !== null && 'how' in answer ? answer.how : code
    for (const [nth, byToken, one, other] of meetings) {
      const how = byToken ? 'with the same token' : 'without a token'
      test(`${how}, one waits before its request ${nth}: exactly one moves the checkpoint`, async (t) => {
        const world = await haltedWorld(start, t)
        const { token } = await world.reset({ dryRun: true })
        const event = { action: 'reset', ...(byToken ? { token } : {}) }
        const waiting = await waitingAt(world, t, event, nth)
        const second = await outcomeOf(world.recover(event))
        waiting.resume()
        assert.deepEqual([outcome(await waiting.ended), outcome(second)], [one, other])
        const ledger = parsed(await world.item(), 'ledger') as { how: string; to: { offset: string } }[]
        assert.equal(ledger.filter((entry) => entry.how === 'reset by anchor').length, 1)
        assert.ok(ledger.slice(1).every(({ to }) => to.offset === '15'))
        await world.pollToEnd()
        assert.deepEqual(world.ids('orders'), range(0, 19))
      })
    }

    test('of six that begin together, one moves the checkpoint; the others are refused or find it moved', async (t) => {
      const world = await haltedWorld(start, t)
      const ended = await Promise.allSettled(Array.from({ length: 6 }, () => world.reset()))
      const outcomes = ended.map((one) => (one.status === 'fulfilled' ? one.value.how : one.reason.code))
      assert.equal(outcomes.filter((how) => how === 'anchor').length, 1, String(outcomes))
      assert.ok(
        outcomes.every((how) => ['anchor', 'stored', 'LEASE_HELD'].includes(how)),
        String(outcomes),
      )
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), range(0, 19))
    })
  })

  describe('recovery against a live poller', () => {
    const event = { action: 'reset', to: { offset: '7' } }

    async function begunWorld(t: TestContext): Promise<World> {
      const world = await start(t)
      const write = new Writer()
      await world.source.append(write.inserts('shop.orders', 0, 9))
      await world.poll()
      await world.source.append(write.inserts('shop.orders', 10, 14))
      return world
    }

    test('a run commits meanwhile: the reset is refused, and no change comes twice', async (t) => {
      const world = await begunWorld(t)
      const waiting = await waitingAt(world, t, event, 2)
      assert.equal((await world.poll()).to, '15')
      const before = await world.item()
      waiting.resume()
      assert.equal((await waiting.ended).code, 'LEASE_HELD')
      assert.deepEqual(await world.item(), before)
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), range(0, 14))
    })

    test('a run that starts while recovery holds the lease leaves; then only the announced changes repeat', async (t) => {
      const world = await begunWorld(t)
      const waiting = await waitingAt(world, t, event, 3)
      const invocations = world.lambda.total
      assert.equal((await world.poll()).ended, 'lease-held')
      assert.equal(world.lambda.total, invocations)
      waiting.resume()
      const { answer } = await waiting.ended
      assert.ok(answer?.action === 'reset')
      assert.deepEqual({ ...answer.repeats }, { 'shop.orders': 3 })
      await world.pollToEnd()
      assert.deepEqual(world.ids('orders'), [...range(0, 9), ...range(7, 14)])
      assert.deepEqual(
        world.received
          .slice(10)
          .filter(({ replay }) => replay)
          .map(({ what }) => what),
        [7, 8, 9],
      )
    })

    test('a run that outlives its lease cannot commit over the move', async (t) => {
      const world = await begunWorld(t)
      const late = await pollUntil(world, 12)
      await world.expireLease()
      const answer = await world.recover(event)
      assert.ok(answer.action === 'reset')
      assert.deepEqual({ ...answer.repeats }, { 'shop.orders': 3 })
      const moved = await world.item()
      late.goOn()
      assert.equal((await late.ended).ended, 'lease-lost')
      assert.deepEqual(await world.item(), moved)
      await world.pollToEnd()
      // The late run never committed its changes, so they repeat too.
      assert.deepEqual(world.ids('orders'), [...range(0, 14), ...range(7, 14)])
    })
  })
}
