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
import * as z from 'zod'
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
import { packageRoutes } from './test-config.ts'

const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
const region = 'eu-central-1'
const checkpoints = 'checkpoints'
const tables = ['customers', 'orders'] as const

/** A change that a handler received. */
export interface Received {
  readonly function: string
  readonly operation: string
  /** The id of the row, or the text of a DDL statement. */
  readonly what: number | string
  readonly offset: bigint
  readonly generation: number
  readonly replay: boolean
}

export type PollerHandler = typeof import('../../functions/poller.ts')['handler']

export interface PollOptions {
  readonly environment?: Readonly<Record<string, string>>
  readonly remainingMs?: () => number
  /** A warm process; by default each poll is a cold start. */
  readonly poller?: PollerHandler
}

const pausedLanes = z.record(
  z.string(),
  z.looseObject({ trouble: z.looseObject({ nextAt: z.number() }).nullable() }),
)

/** Routes with 100 attempts, so that no change becomes a dead letter during a test. */
const patientRoutes = JSON.stringify({
  'shop.customers': { function: 'customers', attempts: 100 },
  'shop.orders': { function: 'orders', attempts: 100 },
})

/** The real functions on a source, DynamoDB and an Invoke endpoint. */
export interface World {
  readonly source: Source
  readonly lambda: InvokeServer
  /** The endpoint of DynamoDB. */
  readonly dynamo: string
  /** The handled changes, in the order in which handlers finished. */
  readonly received: readonly Received[]
  /** Runs before a handler handles a change. An error makes the change fail. */
  onChange: (change: Received) => Promise<void> | void
  /** The row ids that a function handled, in order. */
  ids(name: (typeof tables)[number]): (number | string)[]
  coldPoller(): Promise<PollerHandler>
  poll(options?: PollOptions): Promise<PollSummary>
  /** Polls until the end of the stream, at most 20 times. */
  pollToEnd(options?: PollOptions): Promise<PollSummary[]>
  inspect(environment?: Readonly<Record<string, string>>): Promise<Inspection>
  reset(event?: object, environment?: Readonly<Record<string, string>>): Promise<ResetResult>
  recover(event: unknown, environment?: Readonly<Record<string, string>>): Promise<RecoveryAnswer>
  /** The checkpoint item in DynamoDB. */
  item(): Promise<Record<string, AttributeValue> | undefined>
  deleteItem(): Promise<void>
  /** Writes an earlier item without any condition, like a restore from a backup. */
  restore(item: Record<string, AttributeValue>): Promise<void>
  /** Changes the item without any condition, like a person in the console. */
  setAttribute(name: string, value: AttributeValue): Promise<void>
  /**
   * Acts as if time had passed. The lease ran out `agoMs` ago, by default ten seconds, and no lane waits for its next
   * attempt.
   */
  expireLease(agoMs?: number): Promise<void>
}

/** A test, or another owner that ends a world. */
export interface Lifetime {
  after(end: () => Promise<unknown>): void
}

export interface Rig {
  /** @param options `name`: the world is a named source of its service */
  start(t: Lifetime, options?: { readonly partitions?: number; readonly name?: string }): Promise<World>
  stop(): Promise<void>
}

/** Starts the product on the parts under test. */
export type Start = Rig['start']

export async function startRig(parts: Parts): Promise<Rig> {
  const dynamo = await parts.startDynamo()
  const client = new DynamoDBClient({ endpoint: dynamo.endpoint, region, credentials })
  await createCheckpointTable(client, checkpoints)
  return {
    async start(t, { partitions = 1, name = '' } = {}) {
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
        DTS_SOURCE: name,
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
  const stream = common.DTS_SOURCE === '' ? source.topic : `${common.DTS_SOURCE}:${source.topic}`
  const key = { TableName: checkpoints, Key: { pk: { S: `${stream}/0` } } }
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

/** Starts a poll whose handler waits at the change `what`. Resolves when it waits there. */
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
  // If the poll fails before that change, the test must fail and not hang.
  await Promise.race([waiting.promise, ended])
  assert.ok(waited)
  return { goOn: mayGoOn.resolve, ended }
}

/** Sets the functions' environment and packaged routes, and removes the variables of earlier tests. */
function enter({ ROUTES, ...environment }: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(process.env)) {
    if (
      /^(DTS|POLL|AWS|ON|DEAD|DEPLOYMENT|MASK)_|^(FUNCTION_PREFIX|UNROUTED_TABLES|GHOST_TABLES)$/.test(name)
    )
      delete process.env[name]
  }
  Object.assign(process.env, environment)
  packageRoutes(ROUTES, environment.DTS_SOURCE)
}
