import '../rig/quiet.ts'
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import {
  type AttributeValue,
  DeleteItemCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import { z } from 'zod'
import { createCheckpointTable } from '../../infra/local/dynalite.ts'
import { defineTable } from '../../lib/handler/define-table.ts'
import type { PollSummary } from '../../lib/poll/summary.ts'
import type { Inspection } from '../../lib/recovery/examine/inspect.ts'
import type { ResetResult } from '../../lib/recovery/move/reset.ts'
import type { RecoveryAnswer } from '../../lib/recovery/recover.ts'
import { context } from '../rig/context.ts'
import { type InvokeServer, startInvokeServer } from '../rig/invoke-server.ts'
import type { Parts, Source } from './parts.ts'
import { t0 } from './records.ts'

const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
const region = 'eu-central-1'
const checkpoints = 'checkpoints'
const tables = ['customers', 'orders'] as const

/** What a handler was given. */
export interface Received {
  readonly function: string
  readonly operation: string
  /** The row's id; of a DDL, its statement. */
  readonly what: number | string
  readonly offset: bigint
  readonly generation: number
  readonly replay: boolean
}

export type PollerHandler = typeof import('../../functions/poller.ts')['handler']

interface PollOptions {
  readonly environment?: Readonly<Record<string, string>>
  readonly remainingMs?: () => number
  /** A process that has run before; by default each poll is a cold start. */
  readonly poller?: PollerHandler
}

const pausedLanes = z.record(
  z.string(),
  z.looseObject({ trouble: z.looseObject({ nextAt: z.number() }).nullable() }),
)

/** Patient routes: nothing is given up while a test lasts. */
const patientRoutes = JSON.stringify({
  'shop.customers': { function: 'customers', attempts: 100 },
  'shop.orders': { function: 'orders', attempts: 100 },
})

/** The real functions between a source, DynamoDB and an Invoke endpoint. */
export interface World {
  readonly source: Source
  readonly lambda: InvokeServer
  /** DynamoDB's endpoint. */
  readonly dynamo: string
  /** In the order in which handlers finished. */
  readonly received: readonly Received[]
  /** What a handler does before it takes a change; throws to refuse it. */
  onChange: (change: Received) => Promise<void> | void
  /** Row ids that a function received, in order. */
  ids(name: (typeof tables)[number]): (number | string)[]
  coldPoller(): Promise<PollerHandler>
  poll(options?: PollOptions): Promise<PollSummary>
  /** Polls until the end of the stream; at most 20 times. */
  pollToEnd(options?: PollOptions): Promise<PollSummary[]>
  inspect(environment?: Readonly<Record<string, string>>): Promise<Inspection>
  reset(event?: object, environment?: Readonly<Record<string, string>>): Promise<ResetResult>
  recover(event: unknown, environment?: Readonly<Record<string, string>>): Promise<RecoveryAnswer>
  /** The checkpoint item as DynamoDB has it. */
  item(): Promise<Record<string, AttributeValue> | undefined>
  deleteItem(): Promise<void>
  /** Puts an item as it was back, past every condition, as a restore from a backup does. */
  restore(item: Record<string, AttributeValue>): Promise<void>
  /** As if somebody had written into the item by hand. */
  setAttribute(name: string, value: AttributeValue): Promise<void>
  /**
   * As if time had passed: the lease, whoever holds it, ran out `agoMs` ago, by default ten seconds, and no lane waits
   * before it tries again.
   */
  expireLease(agoMs?: number): Promise<void>
}

/** A test, or whatever else says when a world is not needed any more. */
export interface Lifetime {
  after(end: () => Promise<unknown>): void
}

export interface Rig {
  start(t: Lifetime, options?: { readonly partitions?: number }): Promise<World>
  stop(): Promise<void>
}

/** Starts the product between the parts under test. */
export type Start = Rig['start']

export async function startRig(parts: Parts): Promise<Rig> {
  const dynamo = await parts.startDynamo()
  const client = new DynamoDBClient({ endpoint: dynamo.endpoint, region, credentials })
  await createCheckpointTable(client, checkpoints)
  return {
    async start(t, { partitions = 1 } = {}) {
      const source = await parts.startSource({ partitions })
      const lambda = await startInvokeServer()
      t.after(() => Promise.all([source.stop(), lambda.stop()]))
      return world(source, lambda, dynamo.endpoint, client, {
        ...source.environment,
        AWS_REGION: region,
        AWS_ACCESS_KEY_ID: credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
        AWS_ENDPOINT_URL_DYNAMODB: dynamo.endpoint,
        AWS_ENDPOINT_URL_LAMBDA: lambda.endpoint,
        CHECKPOINT_TABLE: checkpoints,
        DTS_CHECKPOINT: String(t0),
        ROUTES: patientRoutes,
        FUNCTION_PREFIX: 'test-',
        HANDLER_TIMEOUT_SECONDS: '1',
      })
    },
    async stop() {
      client.destroy()
      await Promise.all([dynamo.stop(), parts.stop()])
    },
  }
}

function world(
  source: Source,
  lambda: InvokeServer,
  dynamo: string,
  client: DynamoDBClient,
  common: Readonly<Record<string, string>>,
): World {
  const received: Received[] = []
  const key = { TableName: checkpoints, Key: { pk: { S: `${source.topic}/0` } } }
  const self: World = {
    source,
    lambda,
    dynamo,
    received,
    onChange: () => {},
    ids: (name) => received.filter((change) => change.function === name).map(({ what }) => what),
    coldPoller: async () => {
      const url = `../../functions/poller.ts?cold=${randomUUID()}`
      return ((await import(url)) as typeof import('../../functions/poller.ts')).handler
    },
    async poll({ environment = {}, remainingMs = () => 60_000, poller } = {}) {
      const handler = poller ?? (await self.coldPoller())
      enter({ ...common, ...environment })
      return handler({}, context('test-poller', remainingMs))
    },
    async pollToEnd(options) {
      const summaries: PollSummary[] = []
      while (summaries.length < 20 && summaries.at(-1)?.ended !== 'end-of-stream') {
        summaries.push(await self.poll(options))
      }
      return summaries
    },
    inspect: async (environment) => (await self.recover({ action: 'inspect' }, environment)) as Inspection,
    reset: async (event, environment) =>
      (await self.recover({ action: 'reset', ...event }, environment)) as ResetResult,
    async recover(event, environment = {}) {
      const url = `../../functions/recovery.ts?cold=${randomUUID()}`
      const { handler } = (await import(url)) as typeof import('../../functions/recovery.ts')
      enter({ ...common, ...environment })
      return (await handler(
        event,
        context('test-recovery', () => 60_000),
      )) as RecoveryAnswer
    },
    item: async () => (await client.send(new GetItemCommand({ ...key, ConsistentRead: true }))).Item,
    deleteItem: async () => void (await client.send(new DeleteItemCommand(key))),
    restore: async (item) =>
      void (await client.send(new PutItemCommand({ TableName: checkpoints, Item: item }))),
    async setAttribute(name, value) {
      await client.send(
        new UpdateItemCommand({
          ...key,
          UpdateExpression: 'SET #name = :value',
          ExpressionAttributeNames: { '#name': name },
          ExpressionAttributeValues: { ':value': value },
        }),
      )
    },
    async expireLease(agoMs = 10_000) {
      await self.setAttribute('leaseUntil', { N: String(Date.now() - agoMs) })
      const lanes = pausedLanes.parse(JSON.parse((await self.item())?.lanes?.S ?? '{}'))
      for (const { trouble } of Object.values(lanes)) if (trouble !== null) trouble.nextAt = 0
      await self.setAttribute('lanes', { S: JSON.stringify(lanes) })
    },
  }
  for (const name of tables) {
    const take = async (change: Omit<Received, 'function'>) => {
      const { operation, what, offset, generation, replay } = change
      const one = { function: name, operation, what, offset, generation, replay }
      await self.onChange(one)
      received.push(one)
    }
    const handler = defineTable({
      table: `shop.${name}`,
      row: z.object({ id: z.bigint(), status: z.string() }),
      onChange: (change) =>
        take({ ...change, what: Number('after' in change ? change.after.id : change.before.id) }),
      onDdl: (change) => take({ ...change, what: change.statement }),
    })
    lambda.host(`test-${name}`, handler)
  }
  return self
}

/** Starts a poll whose handler waits at the change `what`; resolves once it waits there. */
export async function pollUntil(world: World, what: number, options?: PollOptions) {
  const waiting = Promise.withResolvers<void>()
  const mayGoOn = Promise.withResolvers<void>()
  let waited = false
  world.onChange = (change) => {
    if (change.what !== what || waited) return
    waited = true
    waiting.resolve()
    return mayGoOn.promise
  }
  const ended = world.poll(options)
  // A poll that fails before it gets there must fail the test, not hang it.
  await Promise.race([waiting.promise, ended])
  assert.ok(waited)
  return { goOn: mayGoOn.resolve, ended }
}

/** What the functions see as their environment, and nothing of an earlier test's. */
function enter(environment: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(process.env)) {
    if (
      /^(DTS|POLL|AWS|ON|DEAD|DEPLOYMENT)_|^(ROUTES|FUNCTION_PREFIX|UNROUTED_TABLES|GHOST_TABLES)$/.test(name)
    )
      delete process.env[name]
  }
  Object.assign(process.env, environment)
}
