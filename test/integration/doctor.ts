import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { serverlessCommands } from '../../functions/serverless-commands.ts'
import { freePort } from '../../infra/local/ports.ts'
import type { Check } from '../../lib/recovery/examine/checks.ts'
import type { DoctorResult } from '../../lib/recovery/examine/inspect.ts'
import { stepLine } from '../../lib/recovery/next-steps.ts'
import { alive, filler, now, t0, Writer } from '../support/records.ts'
import type { Start, World } from '../support/world.ts'

/** The lines in the order of the examination. */
const network = ['DNS', 'TCP to the broker address']
const connecting = ['credentials', 'topic', 'TCP to the node']
const log = ['data range', 'news from DTS', 'checkpoint within the log', 'delivery', 'consumer group']
const lines = [
  ...network,
  ...connecting,
  'data range',
  'news from DTS',
  'checkpoint table',
  'checkpoint within the log',
  'delivery',
  'consumer group',
  'functions',
  'dead-letter queue',
]

/** A check as `serverless invoke` shows it: its detail, and what to run. */
function inWords({ detail, next }: Check): string {
  return [detail, ...next.map((step) => stepLine(step, serverlessCommands('')))].join(' ')
}

interface Broken {
  readonly what: string
  /** The name of the line that fails. */
  readonly line: string
  /** The line's error code and advice. */
  readonly advice: RegExp
  /** The lines that cannot be examined. */
  readonly skipped: readonly string[]
  /** Breaks a healthy stream. Resolves to the variables that differ in the environment. */
  readonly breakIt: (world: World, t: TestContext) => Promise<Record<string, string>>
}

const brokenThings: readonly Broken[] = [
  {
    what: 'if the name of the broker is unknown',
    line: 'DNS',
    advice:
      /^BROKER_UNREACHABLE: The name dts\.invalid cannot be resolved .*Correct DTS_BROKER_URL, or give the VPC a DNS/,
    skipped: ['TCP to the broker address', ...connecting, ...log],
    breakIt: async () => ({ DTS_BROKER_URL: 'dts.invalid:18001' }),
  },
  {
    what: 'if nothing listens at the broker address',
    line: 'TCP to the broker address',
    advice:
      /^BROKER_UNREACHABLE: .*Check DTS_BROKER_URL, the VPC's routes and security groups, and DTS's own white list/,
    skipped: [...connecting, ...log],
    breakIt: async () => ({ DTS_BROKER_URL: `127.0.0.1:${await freePort()}` }),
  },
  {
    what: 'if the password is wrong',
    line: 'credentials',
    advice: /^AUTHENTICATION_FAILED: .*check DTS_USER, DTS_SID and the stored password/,
    skipped: ['topic', 'TCP to the node', ...log],
    breakIt: async () => ({ DTS_PASSWORD: 'wrong' }),
  },
  {
    what: 'if Secrets Manager cannot be reached',
    line: 'credentials',
    advice:
      /^SECRET_UNAVAILABLE: .*Secrets Manager did not answer, so this is the network and not a right\. .*"secretsmanager"/,
    skipped: ['topic', 'TCP to the node', ...log],
    breakIt: async () => ({
      DTS_PASSWORD: '',
      DTS_PASSWORD_SECRET: 'prod/dts',
      AWS_ENDPOINT_URL_SECRETS_MANAGER: `http://127.0.0.1:${await freePort()}`,
    }),
  },
  {
    what: 'if SSM cannot be reached',
    line: 'credentials',
    advice: /^SECRET_UNAVAILABLE: The parameter \/prod\/dts .*SSM did not answer, .* a right\. .*"ssm"/,
    skipped: ['topic', 'TCP to the node', ...log],
    breakIt: async () => ({
      DTS_PASSWORD: '',
      DTS_PASSWORD_PARAMETER: '/prod/dts',
      AWS_ENDPOINT_URL_SSM: `http://127.0.0.1:${await freePort()}`,
    }),
  },
  {
    what: 'if the topic does not exist',
    line: 'topic',
    advice: /^TOPIC_UNKNOWN: .*Check DTS_TOPIC against the DTS console/,
    skipped: ['TCP to the node', ...log],
    breakIt: async () => ({ DTS_TOPIC: 'no-such-topic' }),
  },
  {
    what: 'if the partition does not exist',
    line: 'topic',
    advice: /^PARTITION_UNKNOWN: .*Correct DTS_PARTITION/,
    skipped: ['TCP to the node', ...log],
    breakIt: async () => ({ DTS_PARTITION: '7' }),
  },
  {
    what: 'if the node is unreachable',
    line: 'TCP to the node',
    advice: /^NODE_UNREACHABLE: .*Allow the function's VPC to connect to it/,
    skipped: log,
    breakIt: async ({ source }) => {
      await source.hideNode()
      return {}
    },
  },
  {
    what: 'if the node is not allowed',
    line: 'TCP to the node',
    advice: /^NODE_NOT_ALLOWED: .*add 127\.0\.0\.1 to DTS_ALLOWED_NODES/,
    skipped: log,
    breakIt: async ({ source }) => ({
      // Only a resolver reads this as 127.0.0.1. So the bootstrap host is another name than the node's.
      DTS_BROKER_URL: `127.1:${source.bootstrap.port}`,
      DTS_ALLOWED_NODES: '*.example.com',
    }),
  },
  {
    what: 'if the log holds no record',
    line: 'data range',
    advice:
      /^CHECKPOINT_OUT_OF_RANGE: The log holds no record .*Look at it in the DTS console, and repeat this/,
    skipped: ['news from DTS', 'checkpoint within the log', 'delivery'],
    breakIt: async ({ source }) => {
      await source.replaceLog(filler(t0))
      return {}
    },
  },
  {
    what: 'if the next record of the checkpoint has expired',
    line: 'checkpoint within the log',
    advice:
      /^DATA_GAP: .*To see first whether changes are lost: .*"inspect".* To move the checkpoint then: .*"reset"/,
    skipped: ['delivery'],
    breakIt: async ({ source }) => {
      await source.append([...new Writer('later').inserts('shop.orders', 10, 19), alive()])
      await source.trim(15n)
      return {}
    },
  },
  {
    what: 'if another cluster answers',
    line: 'checkpoint within the log',
    advice: /^CLUSTER_CHANGED: Cluster changed from \S+ to \S+.* To move the checkpoint then: .*"reset"/,
    skipped: ['delivery'],
    breakIt: async ({ source }) => {
      await source.switchCluster([...new Writer().inserts('shop.orders', 0, 9), alive()])
      return {}
    },
  },
  {
    what: 'if the same cluster has another log',
    line: 'checkpoint within the log',
    advice: /^LOG_CHANGED: .* To move the checkpoint then: .*"reset"/,
    skipped: ['delivery'],
    breakIt: async ({ source }) => {
      await source.replaceLog([...new Writer('other').inserts('shop.orders', 0, 19), alive()])
      return {}
    },
  },
  {
    what: 'if the item was deleted',
    line: 'checkpoint within the log',
    advice: /^CHECKPOINT_MISSING: .*Restore the table, or continue at that commit\. .*"committed"/,
    skipped: ['delivery'],
    breakIt: async (world) => {
      await world.deleteItem()
      return {}
    },
  },
  {
    what: 'if DynamoDB is unreachable',
    line: 'checkpoint table',
    advice:
      /^CHECKPOINT_TABLE_UNAVAILABLE: .*DynamoDB did not answer.*: its gateway endpoint in the route table/,
    skipped: ['checkpoint within the log', 'delivery', 'consumer group'],
    breakIt: async () => ({ AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${await freePort()}` }),
  },
  {
    what: 'if the checkpoint table does not exist',
    line: 'checkpoint table',
    advice: /^CHECKPOINT_TABLE_UNAVAILABLE: .*Deploy the stack, or correct CHECKPOINT_TABLE/,
    skipped: ['checkpoint within the log', 'delivery', 'consumer group'],
    breakIt: async () => ({ CHECKPOINT_TABLE: 'no-such-table' }),
  },
  {
    what: 'if another version wrote the item',
    line: 'checkpoint table',
    advice:
      /^CHECKPOINT_INVALID: .*schemaVersion.*deploy the version that wrote it, or restore it .*Do not delete it/,
    skipped: ['checkpoint within the log', 'delivery', 'consumer group'],
    breakIt: async (world) => {
      await world.setAttribute('schemaVersion', { N: '99' })
      return {}
    },
  },
  {
    what: 'if the lease ends years ahead',
    line: 'checkpoint table',
    advice: /^LEASE_TOO_LONG: .* ends at 2099-01-01T00:00:00.000Z.*"action":"release"/,
    skipped: ['checkpoint within the log', 'delivery', 'consumer group'],
    breakIt: async (world) => {
      await world.setAttribute('leaseUntil', { N: String(Date.UTC(2099, 0, 1)) })
      return {}
    },
  },
  {
    what: 'if a function does not exist',
    line: 'functions',
    advice:
      /^HANDLER_UNAVAILABLE: 1 of 3 .*cannot be invoked: test-invoices \(ResourceNotFound.*Deploy the stack with these functions/,
    skipped: [],
    breakIt: async () => ({
      ROUTES: JSON.stringify({
        'shop.customers': { function: 'customers' },
        'shop.orders': { function: 'orders' },
        'shop.invoices': { function: 'invoices' },
      }),
    }),
  },
  {
    what: 'if a function may not be invoked',
    line: 'functions',
    advice:
      /^HANDLER_UNAVAILABLE: 1 of 2 .*test-orders \(AccessDenied.*Lambda answered and refused.* a right is missing/,
    skipped: [],
    breakIt: async ({ lambda }) => {
      lambda.fail('test-orders', { kind: 'service', status: 403, type: 'AccessDeniedException' })
      return {}
    },
  },
  {
    what: 'if Lambda cannot be reached',
    line: 'functions',
    advice:
      /^HANDLER_UNAVAILABLE: .*Lambda did not answer, so this is the network and not a right\. .*endpoint "lambda"/,
    skipped: [],
    breakIt: async () => ({ AWS_ENDPOINT_URL_LAMBDA: `http://127.0.0.1:${await freePort()}` }),
  },
  {
    what: 'if S3 cannot be reached',
    line: 'dead-letter bucket',
    advice: /^DEAD_LETTER_FAILED: .*S3 did not answer, so this is the network.*: its gateway endpoint/,
    skipped: [],
    breakIt: async () => ({
      DEAD_LETTER_BUCKET: 'letters',
      AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${await freePort()}`,
    }),
  },
  {
    what: 'if the key of masks is too short, and only if a handler hashes',
    line: 'key of masks',
    advice: /^CONFIG_INVALID: MASK_KEY has a key of 5 characters\. Store one of at least 16/,
    skipped: [],
    breakIt: async () => ({
      MASK_KEY: 'short',
      ROUTES: JSON.stringify({ 'shop.orders': { function: 'orders', mask: { unread: 'hash-if-present' } } }),
    }),
  },
  {
    what: 'if the dead-letter queue is unreachable',
    line: 'dead-letter queue',
    advice:
      /^DEAD_LETTER_FAILED: .*SQS did not answer, so this is the network.* the interface endpoint "sqs"/,
    skipped: [],
    breakIt: async () => {
      const sqs = `http://127.0.0.1:${await freePort()}`
      return { DEAD_LETTER_QUEUE_URL: `${sqs}/1/letters.fifo`, AWS_ENDPOINT_URL_SQS: sqs }
    },
  },
]

export function doctorTests(start: Start): void {
  describe('doctor', () => {
    /** A stream that was read to its end. */
    async function wellStream(t: TestContext): Promise<World> {
      const world = await start(t)
      await world.source.append([...new Writer().inserts('shop.orders', 0, 9), alive()])
      await world.poll()
      return world
    }

    async function examine(world: World, environment: Readonly<Record<string, string>> = {}) {
      return (await world.recover({ action: 'doctor' }, environment)) as DoctorResult
    }

    test('on a healthy stream every line is ok and reports details', async (t) => {
      const world = await wellStream(t)
      const { healthy, checks } = await examine(world)
      assert.deepEqual(
        checks.map(({ name, result }) => [name, result]),
        lines.map((name) => [name, 'ok']),
      )
      assert.equal(healthy, true)
      const detail = (name: string) => checks.find((check) => check.name === name)?.detail ?? ''
      assert.match(detail('topic'), new RegExp(world.source.topic))
      assert.match(detail('TCP to the node'), new RegExp(world.source.clusterId))
      assert.match(detail('data range'), /^offsets 0 to 10; the next record gets 11, /)
      assert.match(detail('checkpoint table'), /^offset 11, generation \d+, RUNNING$/)
    })

    for (const { what, line, advice, skipped, breakIt } of brokenThings) {
      test(`${what}, the line "${line}" fails and says what to do`, async (t) => {
        const world = await wellStream(t)
        const environment = await breakIt(world, t)
        const before = await world.item()
        const invocations = world.lambda.total
        const { healthy, checks } = await examine(world, environment)
        const failed = checks.filter(({ result }) => result === 'failed')
        assert.deepEqual(
          failed.map(({ name }) => name),
          [line],
        )
        assert.match(failed.map(inWords).join(), advice)
        assert.deepEqual(
          checks.filter(({ result }) => result === 'skipped').map(({ name }) => name),
          skipped,
        )
        assert.equal(healthy, false)
        assert.deepEqual(await world.item(), before)
        assert.equal(world.lambda.total, invocations)
      })
    }

    const firstStarts: [what: string, start: string, advice: RegExp][] = [
      ['before the data range', String(t0 - 100), /^CHECKPOINT_OUT_OF_RANGE: .*Choose a time inside it/],
      ['after the data range', String(now() + 10_000), /^CHECKPOINT_OUT_OF_RANGE: .*Choose a time inside it/],
      ['not set', '', /^CHECKPOINT_MISSING: .*Set it to a time in the data range/],
    ]
    for (const [what, checkpoint, advice] of firstStarts) {
      test(`before the first run, the checkpoint's line fails if DTS_CHECKPOINT is ${what}`, async (t) => {
        const world = await start(t)
        await world.source.append([...new Writer().inserts('shop.orders', 0, 9), alive()])
        assert.equal((await examine(world)).healthy, true)
        const { checks } = await examine(world, { DTS_CHECKPOINT: checkpoint })
        const failed = checks.filter(({ result }) => result !== 'ok')
        assert.deepEqual(
          failed.map(({ name, result }) => [name, result]),
          [
            ['checkpoint within the log', 'failed'],
            ['delivery', 'skipped'],
          ],
        )
        assert.match(failed.map(inWords).join(), advice)
      })
    }

    test('if every record has expired, the data range fails for DTS but is ok for a plain topic, which may be idle', async (t) => {
      const world = await wellStream(t)
      await world.source.trim(11n)
      const { healthy, checks } = await examine(world)
      const isPlain = 'DTS_GROUP' in world.source.environment
      const range = checks.find(({ name }) => name === 'data range')
      assert.deepEqual([healthy, range?.result], [isPlain, isPlain ? 'ok' : 'failed'])
    })

    test('a password with a line break at the end works, and the credentials line mentions it', async (t) => {
      const world = await wellStream(t)
      const { DTS_PASSWORD } = world.source.environment
      const { checks } = await examine(world, { DTS_PASSWORD: `${DTS_PASSWORD}\n` })
      const line = checks.find(({ name }) => name === 'credentials')
      assert.equal(line?.result, 'ok')
      assert.match(line?.detail ?? '', / is accepted\. DTS_PASSWORD has a line break at the end/)
    })

    test('two faults at once fail two lines', async (t) => {
      const world = await wellStream(t)
      const { checks } = await examine(world, { DTS_PASSWORD: 'wrong', CHECKPOINT_TABLE: 'no-such-table' })
      assert.deepEqual(
        checks.filter(({ result }) => result === 'failed').map(({ name }) => name),
        ['credentials', 'checkpoint table'],
      )
    })
  })
}
