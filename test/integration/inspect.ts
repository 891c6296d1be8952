import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { freePort } from '../rig/ports.ts'
import { t0, Writer } from './records.ts'
import type { Start } from './suite.ts'
import type { World } from './world.ts'

const again = `npx serverless invoke -f recovery --data '{"action":"inspect"}'`

/** What a poller refuses, and neither the checkpoint nor its absence can be read out of it. */
const refused: [
  what: string,
  breakIt: (world: World) => Promise<Record<string, string>>,
  code: string,
  advice: RegExp,
  command: string,
][] = [
  [
    'the table is missing',
    async () => ({ CHECKPOINT_TABLE: 'no-such-table' }),
    'CHECKPOINT_TABLE_UNAVAILABLE',
    /no-such-table does not exist\. Deploy the stack/,
    again,
  ],
  [
    'DynamoDB does not answer',
    async () => ({ AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${await freePort()}` }),
    'CHECKPOINT_TABLE_UNAVAILABLE',
    /cannot be used .*Check the role of this function/,
    again,
  ],
  [
    'the item was written by another version',
    async (world) => {
      await world.setAttribute('schemaVersion', { N: '99' })
      return {}
    },
    'CHECKPOINT_INVALID',
    /schemaVersion: is not 1/,
    again,
  ],
  [
    'the item was deleted, and the broker still has our commit',
    async (world) => {
      await world.deleteItem()
      return {}
    },
    'CHECKPOINT_MISSING',
    /has read it up to offset 10: the item was deleted/,
    `npx serverless invoke -f recovery --data '{"action":"reset","to":"committed"}'`,
  ],
]

export function inspectTests(start: Start): void {
  describe('inspect', () => {
    for (const [what, breakIt, code, advice, command] of refused) {
      test(`${what}: it is not taken for a stream that was never read`, async (t) => {
        const world = await start(t)
        await world.source.append(new Writer().inserts('shop.orders', 0, 9))
        await world.poll()
        const environment = await breakIt(world)
        await assert.rejects(world.poll({ environment }), { code })
        const inspection = await world.inspect(environment)
        assert.match(inspection.advice, advice)
        assert.equal(inspection.command, command)
        assert.equal(inspection.stored, null)
        assert.equal(inspection.storedFault !== null, code !== 'CHECKPOINT_MISSING')
      })
    }

    test('a stream that was never read begins by itself; with a time outside the data range it does not', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 9))
      const well = await world.inspect()
      assert.deepEqual([well.command, well.storedFault], [null, null])
      assert.match(well.advice, /the poller starts at DTS_CHECKPOINT by itself/)
      const environment = { DTS_CHECKPOINT: String(t0 + 100) }
      await assert.rejects(world.poll({ environment }), { code: 'CHECKPOINT_OUT_OF_RANGE' })
      const { advice, command } = await world.inspect(environment)
      assert.match(advice, /is not in the data range/)
      assert.equal(command, again)
    })

    test('neither stream nor table: both are told', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 9))
      const broker = `127.0.0.1:${await freePort()}`
      const both = { DTS_BROKER_URL: broker, CHECKPOINT_TABLE: 'no-such-table' }
      const { advice, command, found } = await world.inspect(both)
      assert.match(
        advice,
        new RegExp(`${broker} does not accept a connection .*no-such-table does not exist`),
      )
      assert.deepEqual([command, found], [again, null])
    })

    test('a function that is not there: that is something to do, although position and log agree', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 9))
      await world.poll()
      const ROUTES = JSON.stringify({ 'shop.orders': 'orders', 'shop.invoices': 'invoices' })
      const { advice, command } = await world.inspect({ ROUTES })
      assert.match(advice, /Position and log agree, but .*test-invoices cannot be invoked/)
      assert.equal(command, again)
    })
  })
}
