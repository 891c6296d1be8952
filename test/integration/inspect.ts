import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { freePort } from '../../infra/local/ports.ts'
import { toEvent } from '../../infra/operate/arguments.ts'
import { until } from '../rig/context.ts'
import { recommended } from '../support/recommended.ts'
import { alive, now, range, shift, Writer } from '../support/records.ts'
import type { Start, World } from '../support/world.ts'
import { failingStream } from './failing-stream.ts'
import { waitingLetters } from './letters.ts'

const again = { action: 'inspect' }

/** Faults that a run refuses. They neither show a checkpoint nor prove that there is none. */
const refused: [
  what: string,
  breakIt: (world: World) => Promise<Record<string, string>>,
  code: string,
  advice: RegExp,
  event: object,
][] = [
  [
    'a missing table',
    async () => ({ CHECKPOINT_TABLE: 'no-such-table' }),
    'CHECKPOINT_TABLE_UNAVAILABLE',
    /no-such-table does not exist\. Deploy the stack/,
    again,
  ],
  [
    'DynamoDB without an answer',
    async () => ({ AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${await freePort()}` }),
    'CHECKPOINT_TABLE_UNAVAILABLE',
    /cannot be used .*DynamoDB did not answer/,
    again,
  ],
  [
    'an item of another version',
    async (world) => {
      await world.setAttribute('schemaVersion', { N: '99' })
      return {}
    },
    'CHECKPOINT_INVALID',
    /schemaVersion: is not 1/,
    again,
  ],
  [
    'a deleted item whose commit the broker still has',
    async (world) => {
      await world.deleteItem()
      return {}
    },
    'CHECKPOINT_MISSING',
    /has read it up to offset 10: the item was deleted/,
    { action: 'reset', to: 'committed' },
  ],
]

export function inspectTests(start: Start): void {
  describe('inspect', () => {
    for (const [what, breakIt, code, advice, event] of refused) {
      test(`inspect does not mistake ${what} for a stream that was never read`, async (t) => {
        const world = await start(t)
        await world.source.append(new Writer().inserts('shop.orders', 0, 9))
        await world.poll()
        const environment = await breakIt(world)
        await assert.rejects(world.poll({ environment }), { code })
        const inspection = await world.inspect(environment)
        assert.match(inspection.advice, advice)
        assert.deepEqual(recommended(inspection), event)
        assert.equal(inspection.stored, null)
        assert.equal(inspection.storedFault !== null, code !== 'CHECKPOINT_MISSING')
      })
    }

    test('before the first run, inspect recommends nothing unless DTS_CHECKPOINT is outside the data range', async (t) => {
      const world = await start(t)
      await world.source.append([...new Writer().inserts('shop.orders', 0, 9), alive()])
      const well = await world.inspect()
      assert.deepEqual([recommended(well), well.storedFault], [null, null])
      assert.match(well.advice, /the poller starts at DTS_CHECKPOINT by itself/)
      const environment = { DTS_CHECKPOINT: String(now() + 10_000) }
      await assert.rejects(world.poll({ environment }), { code: 'CHECKPOINT_OUT_OF_RANGE' })
      const inspection = await world.inspect(environment)
      assert.match(inspection.advice, /is not in the data range/)
      const correct = { action: 'deploy', change: 'Set DTS_CHECKPOINT to a time in the data range' }
      assert.deepEqual(recommended(inspection), correct)
    })

    test("if the checkpoint's time is in the future and its log is gone, inspect recommends the reset that helps", async (t) => {
      const world = await start(t)
      const future = now() + 86_400
      const environment = { DTS_CHECKPOINT: String(future) }
      await world.source.append(new Writer().inserts('shop.orders', 0, 9, future))
      await world.poll({ environment })
      await world.source.switchCluster([...shift(), ...new Writer('rewritten').inserts('shop.orders', 0, 9)])
      await assert.rejects(world.poll({ environment }), { code: 'CLUSTER_CHANGED' })
      const inspection = await world.inspect(environment)
      assert.match(inspection.advice, /which is in the future, so waiting would last until then/)
      const event = recommended(inspection)
      assert.deepEqual(event, { action: 'reset', to: 'earliest', acceptLoss: true })
      await world.recover(event, environment)
      await world.pollToEnd({ environment })
      assert.deepEqual(world.ids('orders'), [...range(0, 9), ...range(0, 9)])
    })

    test('the ledger numbers the moves that a rollback can undo, but not a resume or the first start', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 9))
      await world.poll()
      await world.reset({ to: { offset: '6' } })
      await world.reset({ to: { offset: '3' } })
      const { ledger } = await world.inspect()
      assert.deepEqual(
        ledger.map(({ entry, from, to }) => [entry, from?.offset, to.offset]),
        [
          [null, undefined, '0'],
          [1, '10', '6'],
          [0, '6', '3'],
        ],
      )
      await world.recover({ action: 'pause' })
      await world.recover({ action: 'resume' })
      const resumed = (await world.inspect()).ledger
      assert.deepEqual(
        resumed.map(({ entry }) => entry),
        [null, 1, 0, null],
      )
    })

    test('inspect reports both an unreachable broker and a missing table', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 9))
      const broker = `127.0.0.1:${await freePort()}`
      const both = { DTS_BROKER_URL: broker, CHECKPOINT_TABLE: 'no-such-table' }
      const inspection = await world.inspect(both)
      assert.match(
        inspection.advice,
        new RegExp(`${broker} does not accept a connection .*no-such-table does not exist`),
      )
      assert.deepEqual([recommended(inspection), inspection.found], [again, null])
    })

    test('inspect reports which handler fails, since when, what happens to the change, and where to find the error', async (t) => {
      const ROUTES = JSON.stringify({ 'shop.orders': { function: 'orders', attempts: 77 } })
      const { world, begun } = await failingStream(start, t, { ROUTES })
      const queue = await waitingLetters(t, 0)
      const { advice, next, stored } = await world.inspect({ ROUTES, ...queue })
      const since = /^offset 5 failed \d+ time\(s\) since (\S+)$/.exec(
        stored?.lanes['test-orders'] ?? '',
      )?.[1]
      assert.ok(Date.parse(since ?? '') >= begun, JSON.stringify(stored?.lanes))
      assert.match(
        advice,
        new RegExp(`test-orders fails at offset 5 since ${since}: \\d+ of 77 attempts failed`),
      )
      assert.match(
        advice,
        /tried again until those are used up, or for 3600 s; then it goes to the dead-letter queue/,
      )
      assert.match(
        advice,
        /\(\/aws\/lambda\/test-orders\), by that offset\. Correct the handler and deploy\.$/,
      )
      assert.deepEqual(
        next.map((step) => recommended({ next: [step] })),
        [{ action: 'deploy', change: 'Correct the handler' }, { action: 'redrive' }],
      )
      // Without a queue, or with onFailure halt, the stream halts at the change.
      assert.match((await world.inspect({ ROUTES })).advice, /; then the stream halts there\./)
      const halting = JSON.stringify({ 'shop.orders': { function: 'orders', onFailure: 'halt' } })
      const chosen = await world.inspect({ ROUTES: halting, ...queue })
      assert.match(chosen.advice, /of 5 attempts failed.*; then the stream halts there\./)
    })

    test("a change that always fails halts each resume again, and the runbook's command skips only that change", async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 9))
      world.onChange = ({ what }) => {
        if (what === 5) throw new Error('never')
      }
      const environment = {
        ROUTES: JSON.stringify({ 'shop.orders': { function: 'orders', attempts: 1, onFailure: 'halt' } }),
      }
      await assert.rejects(world.poll({ environment }), { code: 'HANDLER_FAILED', message: /at offset 5/ })
      await world.recover({ action: 'resume' }, environment)
      await assert.rejects(world.poll({ environment }), { code: 'HANDLER_FAILED', message: /at offset 5/ })
      const page = readFileSync(new URL('../../docs/runbook/HANDLER_FAILED.md', import.meta.url), 'utf8')
      const flags = /npm run recovery -- (reset --to-offset N\+1 [^`]*)`/.exec(page)?.[1] ?? ''
      const call = toEvent(flags.replace('N+1', '6').split(' '))
      assert.equal((await world.recover(call?.event, environment)).action, 'reset')
      await world.pollToEnd({ environment })
      assert.deepEqual(world.ids('orders'), [0, 1, 2, 3, 4, 6, 7, 8, 9])
    })

    test('inspect reports that the changes of a throttled function wait', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 4))
      world.lambda.fail(
        'test-orders',
        { kind: 'service', status: 429, type: 'TooManyRequestsException' },
        1_000,
      )
      const fired = () => world.lambda.faultsFired('test-orders') > 0
      await world.poll({ remainingMs: until(fired) })
      assert.ok(fired())
      world.lambda.clearFaults('test-orders')
      const { advice, stored } = await world.inspect()
      assert.match(stored?.lanes['test-orders'] ?? '', /^offset 0 could not be sent \d+ time\(s\) since /)
      assert.match(
        advice,
        /test-orders could not be run \d+ time\(s\) since \S+, at offset 0: its changes wait/,
      )
    })

    test('inspect reports a missing function even if position and log agree', async (t) => {
      const world = await start(t)
      await world.source.append([...new Writer().inserts('shop.orders', 0, 9), alive()])
      await world.poll()
      const ROUTES = JSON.stringify({ 'shop.orders': 'orders', 'shop.invoices': 'invoices' })
      const inspection = await world.inspect({ ROUTES })
      assert.match(
        inspection.advice,
        /Position and log agree\. Not all checks passed\. Functions: .*cannot be invoked: test-invoices \(/,
      )
      assert.deepEqual(recommended(inspection), again)
    })
  })
}
