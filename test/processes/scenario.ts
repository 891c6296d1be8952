import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { CheckpointStore } from '../../lib/checkpoint/store.ts'
import { type InvokeServer, startInvokeServer } from '../rig/invoke-server.ts'
import type { PollerRun, PollerTimes } from '../rig/poller-process.ts'
import { type RigProcess, scratchDirectory, startProcess } from '../rig/process.ts'
import { startProxy, type Proxy as TcpProxy } from '../rig/proxy.ts'
import { checkpoints, credentials, type Ground, region } from './ground.ts'
import { type Effect, type Findings, Handlers } from './handlers.ts'
import { type Table, tables } from './tables.ts'
import { startTime, Topic } from './topic.ts'

export const batchSize = 50

/** A takeover has to wait for the lease: 1.2 seconds. Handlers take 20 ms at most. */
const times: PollerTimes = {
  handlerTimeoutMs: 400,
  margins: { coldStartMs: 200, commitMs: 200, slackMs: 400 },
  // All processes use one machine's clock.
  clockSkewMs: 20,
  runMs: 600_000,
  pauseMs: 20,
}

export interface Poller {
  readonly name: string
  readonly process: RigProcess
  /** Its own Invoke endpoint, which identifies the sender of each delivery. */
  readonly lambda: InvokeServer
  readonly lambdaProxy: TcpProxy | null
  /** Handled changes that it sent. */
  handled(): number
  /** The output of its last runs. */
  runs(): PollerRun[]
  /** SIGKILL. */
  end(): Promise<void>
}

/** Pollers as processes, with a real Kafka topic, DynamoDB Local, and handlers in this process. */
export class Scenario {
  readonly #ground: Ground
  readonly #topic: Topic
  readonly #store: CheckpointStore
  readonly #handlers: Handlers
  readonly #pollers = new Set<Poller>()

  /** @param effect a write outside, for each handled change */
  constructor(ground: Ground, topic: string, random: () => number, effect?: Effect) {
    this.#ground = ground
    this.#topic = new Topic(ground, topic, random)
    this.#handlers = new Handlers(random, effect)
    this.#store = new CheckpointStore(ground.client, checkpoints, topic, 0)
  }

  get changes(): number {
    return this.#topic.changes
  }

  /** The offset of each change, by table. */
  get offsets(): Readonly<Record<Table, readonly number[]>> {
    return this.#topic.offsets
  }

  /** Different changes that have been handled. */
  get handled(): number {
    return this.#handlers.handled
  }

  /** The poller whose change was handled last. */
  get lastSender(): string {
    return this.#handlers.lastSender
  }

  produce(changes: number): Promise<void> {
    return this.#topic.produce(changes)
  }

  /** Resolves when every invocation has ended. */
  settled(): Promise<void> {
    return this.#handlers.settled()
  }

  async poller(
    name: string,
    options: { readonly proxied?: boolean; readonly environment?: Readonly<Record<string, string>> } = {},
  ): Promise<Poller> {
    const { proxies, dynamoEndpoint } = this.#ground
    const lambda = await startInvokeServer()
    for (const table of tables) lambda.host(`rig-${table}`, this.#handlers.handler(table, name))
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
        DTS_TOPIC: this.#topic.name,
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
      handled: () => this.#handlers.handledOf(name),
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

  /** Handled changes that are not committed. A crash now repeats at most these. */
  async uncommitted(): Promise<number> {
    const stored = await this.#store.read()
    return tables.reduce((sum, table) => {
      const offset = Number(stored?.offset ?? 0n)
      const through = Number(stored?.lanes[`rig-${table}`]?.through ?? -1n)
      let count = 0
      for (let at = this.#handlers.highest(table); at >= 0; at--, count++) {
        const own = this.#topic.offsets[table][at] ?? -1
        if (own < offset || own <= through) break
      }
      return sum + count
    }, 0)
  }

  /**
   * Waits until the condition holds, however slow the machine is.
   * @param what the condition in words, printed if no change was handled for 30 seconds
   * @throws Error if a poller has ended by itself
   */
  async until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
    let count = this.#handlers.count
    let since = performance.now()
    while (!(await condition())) {
      // After a timeout of the test, this wait must not keep the process alive.
      await sleep(3, undefined, { ref: false })
      for (const { process } of this.#pollers) process.assertRunning()
      if (this.#handlers.count === count && performance.now() - since < 30_000) continue
      // If the run hangs, this output shows where.
      if (this.#handlers.count === count) {
        const outputs = [...this.#pollers].map(
          ({ name, process }) => `${name}: ${process.output().slice(-1_500)}`,
        )
        console.error(
          `${what}: no change was handled for 30 s, ${this.handled} of ${this.changes} are done.\n${outputs.join('\n')}`,
        )
      }
      count = this.#handlers.count
      since = performance.now()
    }
  }

  /** Waits until everything is handled and committed. */
  async finished(): Promise<void> {
    await this.until(() => this.handled === this.changes, 'all changes')
    await this.until(
      async () => (await this.#committed()) === this.#topic.end,
      'the commit of the last change',
    )
  }

  /** Waits for the next commit. Returns at once if no commit is left. */
  async nextCommit(): Promise<void> {
    const before = await this.#committed()
    const last = before === this.#topic.end
    await this.until(async () => last || (await this.#committed()) !== before, 'the next commit')
  }

  /** The next offset of the checkpoint; -1 before the first run. */
  async #committed(): Promise<number> {
    return Number((await this.#store.read())?.offset ?? -1n)
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#pollers].map((poller) => poller.end()))
  }

  check(): Findings {
    return this.#handlers.check(this.#topic.offsets)
  }
}

function parseRun(line: string): PollerRun[] {
  try {
    return [JSON.parse(line)]
  } catch {
    // The first line of a long output is cut off.
    return []
  }
}
