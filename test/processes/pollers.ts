import '../rig/quiet.ts'
import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { Kafka, logLevel } from 'kafkajs'
import { z } from 'zod'
import { createCheckpointTable } from '../../infra/local/dynalite.ts'
import { encodeRecord, integer, text } from '../../infra/local/encode.ts'
import { freePort } from '../../infra/local/ports.ts'
import { CheckpointStore } from '../../lib/checkpoint/store.ts'
import { defineTable } from '../../lib/table.ts'
import { startDynamoDbLocal } from '../rig/dynamodb-local.ts'
import { type InvokeServer, startInvokeServer } from '../rig/invoke-server.ts'
import { startKafka } from '../rig/kafka.ts'
import type { PollerRun, PollerTimes } from '../rig/poller-process.ts'
import { type RigProcess, scratchDirectory, startProcess } from '../rig/process.ts'
import { startProxy, type Proxy as TcpProxy } from '../rig/proxy.ts'

/** Pollers as processes, between a real Kafka, DynamoDB Local, and handlers in this process. */

export const tables = ['customers', 'items', 'orders'] as const
type Table = (typeof tables)[number]

export const batchSize = 50
const checkpoints = 'checkpoints'
const startTime = 1_790_000_000
const recordsPerSecond = 100

/** A takeover has to wait for the lease: 1.2 seconds. Handlers take 20 ms at most. */
export const times: PollerTimes = {
  handlerTimeoutMs: 400,
  margins: { coldStartMs: 200, commitMs: 200, slackMs: 400 },
  // All on one machine, with one clock.
  clockSkewMs: 20,
  runMs: 600_000,
  pauseMs: 20,
}

/** The parts that all tests of a file share. */
export interface Ground {
  /** Pollers and producers reach Kafka through it, and pollers that ask for it the other two. */
  readonly proxies: { readonly kafka: TcpProxy; readonly dynamo: TcpProxy }
  readonly dynamoEndpoint: string
  readonly client: DynamoDBClient
  createTopic(name: string): Promise<void>
  stop(): Promise<void>
}

const credentials = { accessKeyId: 'rig', secretAccessKey: 'rig' }
const region = 'us-east-1'

export async function startGround(): Promise<Ground> {
  const proxyPort = await freePort()
  const [broker, dynamo] = await Promise.all([
    startKafka({ release: 'current', sasl: false, advertisedPort: proxyPort }),
    startDynamoDbLocal(),
  ])
  const kafka = await startProxy({ host: broker.host, port: broker.port }, proxyPort)
  const dynamoProxy = await startProxy({ host: '127.0.0.1', port: Number(new URL(dynamo.endpoint).port) })
  const client = new DynamoDBClient({ endpoint: dynamo.endpoint, region, credentials })
  await createCheckpointTable(client, checkpoints)
  return {
    proxies: { kafka, dynamo: dynamoProxy },
    dynamoEndpoint: dynamo.endpoint,
    client,
    createTopic: (name) => broker.createTopic(name),
    async stop() {
      client.destroy()
      await Promise.all([kafka.stop(), dynamoProxy.stop()])
      await Promise.all([broker.stop(), dynamo.stop()])
    },
  }
}

export interface Poller {
  readonly name: string
  readonly process: RigProcess
  /** Its own Invoke endpoint, so that each delivery is known by who sent it. */
  readonly lambda: InvokeServer
  readonly lambdaProxy: TcpProxy | null
  /** Changes that were handled of those it sent. */
  handled(): number
  /** What its last runs printed. */
  runs(): PollerRun[]
  /** SIGKILL. */
  end(): Promise<void>
}

/** What the handlers of one table have seen. */
class Seen {
  /** Sequence numbers in the order in which they were handled. */
  readonly sequence: number[] = []
  highest = -1
  /** Invocations at work. */
  running = 0
  /** Those of them that have handled a change: one that is refused by the function itself overlaps with nothing. */
  handling = 0
  overlaps = 0
}

interface Invocation {
  handles: boolean
}

/** What the checker found. */
export interface Findings {
  lost: number
  outOfOrder: number
  duplicates: number
  /** Invocations that began to handle changes while another one of the same function had not ended. */
  overlaps: number
}

/** One topic with changes of three tables, numbered from 0 in each table. */
export class Scenario {
  readonly #ground: Ground
  readonly #topic: string
  readonly #store: CheckpointStore
  readonly #seen: Readonly<Record<Table, Seen>> = {
    customers: new Seen(),
    items: new Seen(),
    orders: new Seen(),
  }
  /** By table, the offset of each change. */
  readonly #offsets: Readonly<Record<Table, number[]>> = { customers: [], items: [], orders: [] }
  readonly #invocation = new AsyncLocalStorage<Invocation>()
  readonly #random: () => number
  readonly #handledOf = new Map<string, number>()
  readonly #pollers = new Set<Poller>()
  #end = 0
  #count = 0
  lastSender = ''

  constructor(ground: Ground, topic: string, random: () => number) {
    this.#ground = ground
    this.#topic = topic
    this.#random = random
    this.#store = new CheckpointStore(ground.client, checkpoints, topic, 0)
  }

  /** Appends to the topic: changes of the three tables in random order, and some records that reach no handler. */
  async produce(changes: number): Promise<void> {
    if (this.#end === 0) await this.#ground.createTopic(this.#topic)
    const { host, port } = this.#ground.proxies.kafka
    const kafka = new Kafka({ brokers: [`${host}:${port}`], logLevel: logLevel.NOTHING })
    const producer = kafka.producer()
    await producer.connect()
    let done = 0
    while (done < changes) {
      const messages: { value: Buffer; timestamp: string }[] = []
      while (messages.length < 2_000 && done < changes) {
        const seconds = startTime + Math.floor(this.#end / recordsPerSecond)
        const isMark = this.#random() < 0.05
        const value = isMark
          ? encodeRecord({ operation: 'HEARTBEAT', sourceTimestamp: seconds })
          : this.#change(seconds)
        if (!isMark) done += 1
        messages.push({ value, timestamp: String(seconds * 1_000) })
        this.#end += 1
      }
      await producer.send({ topic: this.#topic, messages })
    }
    await producer.disconnect()
  }

  #change(seconds: number): Buffer {
    const table = tables[Math.floor(this.#random() * tables.length)] ?? 'orders'
    const sequence = this.#offsets[table].push(this.#end) - 1
    return encodeRecord({
      operation: 'INSERT',
      objectName: `shop.${table}`,
      fields: [
        ['id', 8],
        ['status', 253],
      ],
      after: [integer(sequence), text('new')],
      tags: { pk_uk_info: '{"PRIMARY":["id"]}' },
      sourceTimestamp: seconds,
      sourcePosition: `${this.#end}@1`,
      sourceTxid: `tx-${this.#end}`,
    })
  }

  get changes(): number {
    return tables.reduce((sum, table) => sum + this.#offsets[table].length, 0)
  }

  /** Different changes that have been handled. */
  get handled(): number {
    return tables.reduce((sum, table) => sum + this.#seen[table].highest + 1, 0)
  }

  async poller(
    name: string,
    options: { readonly proxied?: boolean; readonly environment?: Readonly<Record<string, string>> } = {},
  ): Promise<Poller> {
    const { proxies, dynamoEndpoint } = this.#ground
    const lambda = await startInvokeServer()
    for (const table of tables) lambda.host(`rig-${table}`, this.#handler(table, name))
    const lambdaPort = Number(new URL(lambda.endpoint).port)
    const lambdaProxy = options.proxied ? await startProxy({ host: '127.0.0.1', port: lambdaPort }) : null
    const routes = tables.map((table) => [`shop.${table}`, { function: table, batchSize }])
    const child = startProcess({
      name,
      command: process.execPath,
      args: [fileURLToPath(new URL('../rig/poller-process.ts', import.meta.url)), JSON.stringify(times)],
      scratch: scratchDirectory('poller'),
      env: {
        AWS_REGION: region,
        AWS_ACCESS_KEY_ID: credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
        AWS_ENDPOINT_URL_DYNAMODB: options.proxied
          ? `http://127.0.0.1:${proxies.dynamo.port}`
          : dynamoEndpoint,
        AWS_ENDPOINT_URL_LAMBDA: `http://127.0.0.1:${lambdaProxy?.port ?? lambdaPort}`,
        CHECKPOINT_TABLE: checkpoints,
        DTS_BROKER_URL: `${proxies.kafka.host}:${proxies.kafka.port}`,
        DTS_TOPIC: this.#topic,
        DTS_GROUP: 'rig',
        DTS_CHECKPOINT: String(startTime),
        ROUTES: JSON.stringify(Object.fromEntries(routes)),
        FUNCTION_PREFIX: 'rig-',
        POLL_MAX_RECORDS: '1000000',
        // Small answers: a run then fetches many times.
        POLL_FETCH_BYTES: '262144',
        ...options.environment,
      },
    })
    const poller: Poller = {
      name,
      process: child,
      lambda,
      lambdaProxy,
      handled: () => this.#handledOf.get(name) ?? 0,
      runs: () => child.output().split('\n').flatMap(parseRun),
      end: async () => {
        await child.stop()
        this.#pollers.delete(poller)
        await this.settled()
        await Promise.all([lambdaProxy?.stop(), lambda.stop()])
      },
    }
    this.#pollers.add(poller)
    return poller
  }

  /** A table's real handler, one by change, the others by batch; each takes a few milliseconds. */
  #handler(table: Table, sender: string) {
    const seen = this.#seen[table]
    const take = ({ after }: { readonly after: { readonly id: bigint } }) => {
      const sequence = Number(after.id)
      seen.sequence.push(sequence)
      seen.highest = Math.max(seen.highest, sequence)
      this.#count += 1
      const invocation = this.#invocation.getStore()
      if (invocation === undefined) throw new Error('A change was handled outside of an invocation.')
      if (!invocation.handles) {
        invocation.handles = true
        seen.handling += 1
        if (seen.handling > 1) seen.overlaps += 1
      }
      this.#handledOf.set(sender, (this.#handledOf.get(sender) ?? 0) + 1)
      this.lastSender = sender
    }
    const work = () => sleep(this.#random() * 12)
    const row = z.object({ id: z.bigint() })
    const inserted = z.object({ after: row })
    const handler =
      table === 'orders'
        ? defineTable({
            table: `shop.${table}`,
            row,
            onChange: async (change) => {
              take(inserted.parse(change))
              if (change.offset % 16n === 0n) await work()
            },
          })
        : defineTable({
            table: `shop.${table}`,
            row,
            onBatch: async (changes) => {
              for (const change of changes) take(inserted.parse(change))
              await work()
            },
          })
    return async (event: unknown, context: Parameters<typeof handler>[1]) => {
      const invocation: Invocation = { handles: false }
      seen.running += 1
      try {
        return await this.#invocation.run(invocation, () => handler(event, context))
      } finally {
        seen.running -= 1
        if (invocation.handles) seen.handling -= 1
      }
    }
  }

  /** Resolves when no handler is at work. */
  async settled(): Promise<void> {
    while (tables.some((table) => this.#seen[table].running > 0)) await sleep(2)
  }

  /** Changes that were handled and are not committed: what a crash now makes come again, at most. */
  async uncommitted(): Promise<number> {
    const stored = await this.#store.read()
    return tables.reduce((sum, table) => {
      const offset = Number(stored?.offset ?? 0n)
      const through = Number(stored?.lanes[`rig-${table}`]?.through ?? -1n)
      let count = 0
      for (let at = this.#seen[table].highest; at >= 0; at--, count++) {
        const own = this.#offsets[table][at] ?? -1
        if (own < offset || own <= through) break
      }
      return sum + count
    }, 0)
  }

  /**
   * Waits until the condition holds, however slow the machine is.
   * @param what named in what is printed when no change has come for half a minute
   * @throws Error when a poller has ended by itself
   */
  async until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
    let count = this.#count
    let since = performance.now()
    while (!(await condition())) {
      await sleep(3)
      for (const { process } of this.#pollers) process.assertRunning()
      if (this.#count === count && performance.now() - since < 30_000) continue
      // Whoever ends a run that stands still reads here where it stood.
      if (this.#count === count) {
        const outputs = [...this.#pollers].map(
          ({ name, process }) => `${name}: ${process.output().slice(-1_500)}`,
        )
        console.error(
          `${what}: nothing came for 30 s, ${this.handled} of ${this.changes}.\n${outputs.join('\n')}`,
        )
      }
      count = this.#count
      since = performance.now()
    }
  }

  /** Waits until everything is handled and committed. */
  async finished(): Promise<void> {
    await this.until(() => this.handled === this.changes, 'all changes')
    await this.until(async () => (await this.#committed()) === this.#end, 'the commit of the last change')
  }

  /** Waits for the next commit; not at all when nothing is left to commit. */
  async nextCommit(): Promise<void> {
    const before = await this.#committed()
    const last = before === this.#end
    await this.until(async () => last || (await this.#committed()) !== before, 'the next commit')
  }

  /** The offset that the checkpoint says is next; -1 before the first run. */
  async #committed(): Promise<number> {
    return Number((await this.#store.read())?.offset ?? -1n)
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#pollers].map((poller) => poller.end()))
  }

  check(): Findings {
    const findings: Findings = { lost: 0, outOfOrder: 0, duplicates: 0, overlaps: 0 }
    for (const table of tables) {
      const { sequence, overlaps } = this.#seen[table]
      const total = this.#offsets[table].length
      const distinct = new Set(sequence)
      let previous = -1
      for (const at of sequence) {
        // Forward by one, or back to what comes again; from there forward by one again.
        if (at > previous + 1) findings.outOfOrder += 1
        previous = at
      }
      findings.lost += total - distinct.size
      findings.duplicates += sequence.length - distinct.size
      findings.overlaps += overlaps
    }
    return findings
  }
}

function parseRun(line: string): PollerRun[] {
  try {
    return [JSON.parse(line)]
  } catch {
    // The cut-off first line of a long output.
    return []
  }
}
