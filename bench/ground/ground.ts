import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { processEnvironment } from '../../infra/environment.ts'
import { localAws } from '../../infra/local/dynalite.ts'
import type { Baseline } from '../programs/baseline.ts'
import type { Handled, Handlers } from '../programs/handlers.ts'
import type { Invoker } from '../programs/invoker.ts'
import type { Poller, RunReport } from '../programs/poller.ts'
import type { OpenStream, Requests, Services, StreamShape } from '../programs/services.ts'
import type { Usage } from '../programs/usage.ts'
import { type Bundles, bundlePrograms, type Program } from './bundle.ts'
import { type Answers, Caller } from './calls.ts'
import { checkpoints } from './records.ts'

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url))

/** The longest time of an invocation and a commit: a run starts none when less is left. See lib/poll/lease-terms.ts. */
const worstCaseMs = 45_000

export interface RouteSettings {
  readonly concurrency?: number
  /** Of an invocation, in milliseconds. */
  readonly delayMs?: number
  /** Further variables of the poller. */
  readonly environment?: Readonly<Record<string, string>>
}

/** One poller on one stream. */
export interface Measured {
  readonly handled: Handled
  /** Records that handlers finished per second, between the first batch and the last. */
  readonly recordsPerSecond: number
  readonly invocationsPer100000: number
  /** From the start of the process to the first batch that a handler finished, in milliseconds. */
  readonly untilFirstMs: number
  readonly pollerCpuMs: number
  readonly handlersCpuMs: number
  readonly peakMegabytes: number
  readonly requests: Pick<Requests, 'dynamo' | 'broker'>
}

/** Of poller and handlers, in microseconds. Unlike a rate, it does not depend on other work on the machine. */
export function cpuPerRecord({ pollerCpuMs, handlersCpuMs, handled }: Measured): number {
  return ((pollerCpuMs + handlersCpuMs) * 1_000) / handled.count
}

/** The processes around a measured one: emulators of DStore and DynamoDB, and the table functions. */
export class Ground {
  readonly #services: Caller<Services>
  readonly #handlers: Caller<Handlers>
  readonly #bundles: Bundles
  readonly #common: Readonly<Record<string, string>>
  readonly #profileFolder: string | null

  private constructor(
    services: Caller<Services>,
    handlers: Caller<Handlers>,
    bundles: Bundles,
    common: Readonly<Record<string, string>>,
    profileFolder: string | null,
  ) {
    this.#services = services
    this.#handlers = handlers
    this.#bundles = bundles
    this.#common = common
    this.#profileFolder = profileFolder
  }

  static async start(profileFolder: string | null): Promise<Ground> {
    if (profileFolder !== null) mkdirSync(profileFolder, { recursive: true })
    const bundles = await bundlePrograms()
    const services = new Caller<Services>(here('../programs/services.ts'))
    const handlers = new Caller<Handlers>(here('../programs/handlers.ts'))
    const common = {
      PATH: process.env.PATH ?? '',
      ...localAws,
      AWS_ENDPOINT_URL_DYNAMODB: await services.call('dynamoEndpoint', null),
      AWS_ENDPOINT_URL_LAMBDA: await handlers.call('endpoint', null),
      CHECKPOINT_TABLE: checkpoints,
      FUNCTION_PREFIX: 'bench-',
    }
    return new Ground(services, handlers, bundles, common, profileFolder)
  }

  async stop(): Promise<void> {
    await Promise.all([this.#services.stop(), this.#handlers.stop()])
    this.#bundles.remove()
  }

  /** Runs `work` on a new stream. */
  async withStream<Result>(
    shape: StreamShape,
    work: (stream: OpenStream) => Promise<Result>,
  ): Promise<Result> {
    const stream = await this.#services.call('open', shape)
    try {
      return await work(stream)
    } finally {
      await this.#services.call('close', stream.name)
    }
  }

  append(stream: OpenStream, n: number): Promise<number> {
    return this.#services.call('append', { name: stream.name, n })
  }

  appendToEach(stream: OpenStream, tables: number, n: number): Promise<void> {
    return this.#services.call('appendToEach', { name: stream.name, tables, n })
  }

  heartbeats(stream: OpenStream, count: number): Promise<void> {
    return this.#services.call('heartbeats', { name: stream.name, count })
  }

  checkpointBytes(stream: OpenStream): Promise<number> {
    return this.#services.call('checkpointBytes', stream.name)
  }

  requests(stream: OpenStream): Promise<Requests> {
    return this.#services.call('requests', stream.name)
  }

  /** What handlers did since the last call. */
  handled(): Promise<Handled> {
    return this.#handlers.call('take', null)
  }

  /** Starts a bundled program. */
  startProgram<Given extends Answers>(
    program: Program,
    environment: Readonly<Record<string, string>>,
  ): Caller<Given> {
    const isProfiled = this.#profileFolder !== null && program === 'poller'
    return new Caller<Given>(this.#bundles.fileOf(program), {
      env: { ...this.#common, ...environment },
      flags: isProfiled ? ['--cpu-prof', `--cpu-prof-dir=${this.#profileFolder}`] : [],
    })
  }

  /**
   * Starts the deployed poller on a stream. Its first run begins at once.
   * @param boundMs no invocation starts in a run after so many milliseconds
   */
  async startPoller(
    stream: OpenStream,
    tables: number,
    { concurrency = 1, delayMs = 0, environment = {} }: RouteSettings,
    boundMs: number,
  ): Promise<Caller<Poller>> {
    await this.#handlers.call('host', { tables, delay: delayMs })
    await this.handled()
    const parts = Array.from({ length: tables }, (_, part) => part)
    const routes = parts.map((part) => [`shop.orders_${part}`, { function: `orders_${part}`, concurrency }])
    return this.startProgram<Poller>('poller', {
      ...stream.environment,
      ...processEnvironment,
      ROUTES: JSON.stringify(Object.fromEntries(routes)),
      BENCH_RUN_MS: String(worstCaseMs + boundMs),
      ...environment,
    })
  }

  /** Starts a process that invokes functions which do nothing. */
  async startInvoker(): Promise<Caller<Invoker>> {
    await this.#handlers.call('host', { tables: 1, delay: 0 })
    return this.startProgram<Invoker>('invoker', processEnvironment)
  }

  /** Runs the deployed poller until the end of the stream, or for so many milliseconds. */
  async measure(shape: StreamShape, settings: RouteSettings = {}, boundMs = 60_000): Promise<Measured> {
    return await this.#measure(shape, async (stream) => {
      const poller = await this.startPoller(stream, shape.tables, settings, boundMs)
      let report = (await poller.next()) as RunReport
      while (report.ended === 'records' || report.ended === 'bytes') report = await poller.call('run', null)
      await poller.stop()
      return report
    })
  }

  /** Runs a plain consumer until the end of the stream. */
  async measureBaseline(shape: StreamShape): Promise<Measured> {
    return await this.#measure(shape, async (stream) => {
      await this.#handlers.call('host', { tables: shape.tables, delay: 0 })
      await this.handled()
      const consumer = this.startProgram<Baseline>('baseline', {
        ...stream.environment,
        END_OFFSET: String(shape.records),
        // kafkajs sets timers in the past.
        NODE_NO_WARNINGS: '1',
      })
      const report = (await consumer.next()) as Usage
      await consumer.stop()
      return report
    })
  }

  async #measure(shape: StreamShape, run: (stream: OpenStream) => Promise<Usage>): Promise<Measured> {
    return await this.withStream(shape, async (stream) => {
      const before = await this.requests(stream)
      const startedAt = performance.timeOrigin + performance.now()
      const { cpuMs, peakMegabytes } = await run(stream)
      const handled = await this.handled()
      const after = await this.requests(stream)
      const [first] = handled.batches
      const last = handled.batches.at(-1)
      if (first === undefined || last === undefined) throw new Error('No handler was invoked.')
      return {
        handled,
        recordsPerSecond: ((last.count - first.count) * 1_000) / (last.at - first.at),
        invocationsPer100000: (handled.invocations * 100_000) / handled.count,
        untilFirstMs: first.at - startedAt,
        pollerCpuMs: cpuMs,
        handlersCpuMs: handled.cpuMs,
        peakMegabytes,
        requests: { dynamo: after.dynamo - before.dynamo, broker: after.broker - before.broker },
      }
    })
  }
}
