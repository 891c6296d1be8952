import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { describe, type TestContext, test } from 'node:test'
import { freePort } from '../../infra/local/ports.ts'
import type { ErrorCode } from '../../lib/errors.ts'
import { alive, t0, Writer } from '../support/records.ts'
import type { Start, World } from '../support/world.ts'

interface BadInput {
  readonly what: string
  readonly code: ErrorCode
  /** The part of the message that says what to do. */
  readonly remedy: RegExp
  /** Creates the situation. Resolves to the variables that differ in the functions' environment. */
  readonly arrange: (world: World, t: TestContext) => Promise<Record<string, string>> | Record<string, string>
}

const badInputs: readonly BadInput[] = [
  {
    what: 'a wrong broker address',
    code: 'BROKER_UNREACHABLE',
    remedy: /Check DTS_BROKER_URL/,
    arrange: async () => ({ DTS_BROKER_URL: `127.0.0.1:${await freePort()}` }),
  },
  {
    what: 'a host name without an address',
    code: 'BROKER_UNREACHABLE',
    remedy: /ENOTFOUND|EAI_AGAIN/,
    arrange: () => ({ DTS_BROKER_URL: 'dts.invalid:18001' }),
  },
  {
    what: 'a reachable proxy and an unreachable node',
    code: 'NODE_UNREACHABLE',
    remedy: /answers and names 127\.0\.0\.1:\d+ as the node .* Allow the function's VPC/,
    arrange: async ({ source }) => {
      await source.hideNode()
      return {}
    },
  },
  {
    what: 'a node that is not allowed',
    code: 'NODE_NOT_ALLOWED',
    remedy: /no credentials were sent to it.*add 127\.0\.0\.1 to DTS_ALLOWED_NODES/,
    arrange: ({ source }) => ({
      // Only a resolver reads this as 127.0.0.1. So the bootstrap host is another name than the node's.
      DTS_BROKER_URL: `127.1:${source.bootstrap.port}`,
      DTS_ALLOWED_NODES: '*.example.com',
    }),
  },
  {
    what: 'a wrong password',
    code: 'AUTHENTICATION_FAILED',
    remedy: /check DTS_USER, DTS_SID and the stored password/,
    arrange: () => ({ DTS_PASSWORD: 'wrong' }),
  },
  {
    what: 'a wrong user',
    code: 'AUTHENTICATION_FAILED',
    remedy: /check DTS_USER, DTS_SID and the stored password/,
    arrange: () => ({ DTS_USER: 'nobody' }),
  },
  {
    what: 'an unknown topic',
    code: 'TOPIC_UNKNOWN',
    remedy: /has no topic no-such-topic .* Check DTS_TOPIC/,
    arrange: () => ({ DTS_TOPIC: 'no-such-topic' }),
  },
  {
    what: 'a partition that does not exist',
    code: 'PARTITION_UNKNOWN',
    remedy: /has 1 partition\(s\), and no partition 7\. Correct DTS_PARTITION/,
    arrange: () => ({ DTS_PARTITION: '7' }),
  },
  {
    what: 'a group that differs from the sid',
    code: 'GROUP_REFUSED',
    remedy: /remove DTS_GROUP, or remove DTS_SID/,
    arrange: () => ({ DTS_SID: 'one', DTS_GROUP: 'another' }),
  },
  {
    what: 'a missing DynamoDB table',
    code: 'CHECKPOINT_TABLE_UNAVAILABLE',
    remedy: /no-such-table does not exist\. Deploy the stack, or correct CHECKPOINT_TABLE/,
    arrange: () => ({ CHECKPOINT_TABLE: 'no-such-table' }),
  },
  {
    what: 'a web server at the broker address',
    code: 'PROTOCOL_UNSUPPORTED',
    remedy: /does not answer as a Kafka broker .*Check the port of DTS_BROKER_URL, and DTS_TLS/,
    arrange: async (_world, t) => {
      const port = await freePort()
      const server = createServer((_request, response) => response.end('hello'))
      await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
      t.after(() => server.close())
      return { DTS_BROKER_URL: `127.0.0.1:${port}` }
    },
  },
  {
    what: 'TLS to a broker without TLS',
    code: 'BROKER_UNREACHABLE',
    remedy: /DTS_TLS/,
    arrange: () => ({ DTS_TLS: 'true' }),
  },
  {
    what: 'a misspelt setting',
    code: 'CONFIG_INVALID',
    remedy: /DTS_PASWORD is not a known setting \(known: .*DTS_PASSWORD/,
    arrange: () => ({ DTS_PASWORD: 'x' }),
  },
]

export function badInputTests(start: Start): void {
  describe('bad input', () => {
    for (const { what, code, remedy, arrange } of badInputs) {
      test(`${what} is refused with ${code}: the message says what to do and nothing changes`, async (t) => {
        const world = await start(t)
        const write = new Writer()
        await world.source.append(write.inserts('shop.orders', 0, 4))
        await world.poll()
        await world.source.append([...write.inserts('shop.orders', 5, 9), alive()])
        const before = await world.item()
        const connections = world.source.nodeConnections
        const invocations = world.lambda.total
        const environment = await arrange(world, t)

        await assert.rejects(world.poll({ environment }), { code, message: remedy })
        if (code === 'CONFIG_INVALID' || code === 'GROUP_REFUSED') {
          await assert.rejects(world.inspect(environment), { code, message: remedy })
        } else {
          const { checks, advice } = await world.inspect(environment)
          const failed = checks.find(({ result }) => result === 'failed')
          assert.match(failed?.detail ?? '', remedy, advice)
        }
        await assert.rejects(world.reset({ to: 'earliest' }, environment), { code, message: remedy })
        assert.notEqual(before, undefined)
        assert.deepEqual(await world.item(), before)
        assert.equal(world.lambda.total, invocations)
        if (code === 'NODE_NOT_ALLOWED') assert.equal(world.source.nodeConnections, connections)
      })
    }

    test('a topic of several partitions is refused with PARTITION_UNKNOWN until DTS_PARTITION names one', async (t) => {
      const world = await start(t, { partitions: 3 })
      await world.source.append(new Writer().inserts('shop.orders', 0, 4))
      await assert.rejects(world.poll(), {
        code: 'PARTITION_UNKNOWN',
        message: /has 3 partitions\. Set DTS_PARTITIONS to that number and deploy/,
      })
      assert.equal(await world.item(), undefined)
      await world.poll({ environment: { DTS_PARTITION: '0' } })
      assert.deepEqual(world.ids('orders'), [0, 1, 2, 3, 4])
    })

    test('a halted stream refuses each run with STREAM_HALTED, the reason and the command', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append([write.insert('shop.sessions', 1, t0)])
      const environment = { UNROUTED_TABLES: 'halt' }
      await assert.rejects(world.poll({ environment }), { code: 'TABLE_UNROUTED' })
      const before = await world.item()
      const connections = world.source.nodeConnections
      await assert.rejects(world.poll(), {
        code: 'STREAM_HALTED',
        message: /TABLE_UNROUTED: .*npx serverless invoke -f recovery --data '\{"action":"inspect"\}'/,
      })
      assert.deepEqual(await world.item(), before)
      assert.equal(world.source.nodeConnections, connections)
    })

    const events: [what: string, event: unknown][] = [
      ['an empty event', {}],
      ['an unknown action', { action: 'delete' }],
      ['an unknown key', { action: 'reset', dryrun: true }],
      ['an unknown place', { action: 'reset', to: 'yesterday' }],
      ['two places', { action: 'reset', to: { offset: '1', timestamp: t0 } }],
      ['a place beside a token', { action: 'reset', to: 'earliest', token: 'x' }],
      ['a negative offset', { action: 'reset', to: { offset: '-1' } }],
      ['an invalid time', { action: 'reset', to: { timestamp: 'soon' } }],
      ['a time beyond all dates', { action: 'reset', to: { timestamp: Number.MAX_SAFE_INTEGER } }],
    ]
    for (const [what, event] of events) {
      test(`recovery refuses ${what} with CONFIG_INVALID`, async (t) => {
        const world = await start(t)
        await world.source.append(new Writer().inserts('shop.orders', 0, 4))
        await world.poll()
        const before = await world.item()
        await assert.rejects(world.recover(event), {
          code: 'CONFIG_INVALID',
          message: /Nothing was done\. To see .*'\{"action":"inspect"\}'$/,
        })
        assert.deepEqual(await world.item(), before)
      })
    }
  })
}
