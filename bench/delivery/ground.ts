import { type ChildProcess, execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { build } from 'esbuild'
import { Kafka, logLevel, type Producer } from 'kafkajs'
import { nodeOptions as deployedOptions } from '../../infra/environment.ts'
import { createCheckpointTable } from '../../infra/local/dynalite.ts'
import { startDynamoDbLocal } from '../../test/rig/dynamodb-local.ts'
import { type KafkaBroker, startKafka } from '../../test/rig/kafka.ts'
import { storeDirectory } from '../../test/rig/tools.ts'
import type { Handled } from './handlers.ts'
import { startTime } from './records.ts'
import type { Usage } from './usage.ts'

const run = promisify(execFile)
const here = (file: string) => fileURLToPath(new URL(file, import.meta.url))

export type Side = 'ours' | 'baseline'
/** Bundles a program with the options of serverless.yml. */
const bundles = join(storeDirectory, 'bench')
const programs: Readonly<Record<Side, string>> = { ours: 'poller', baseline: 'baseline' }

const aws = { AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'rig', AWS_SECRET_ACCESS_KEY: 'rig' }
const checkpoints = 'checkpoints'

export interface Measured {
  readonly handled: Handled
  readonly usage: Usage
  /** From the start of the process to the first batch that a handler finished, in milliseconds. */
  readonly untilFirstMs: number
}

/** Real Kafka, DynamoDB Local and the handlers' process. Runs either side on them. */
export class Ground {
  readonly #broker: KafkaBroker
  readonly #dynamo: { readonly endpoint: string; stop(): Promise<void> }
  readonly #handlers: ChildProcess
  readonly #lambda: string
  readonly #producer: Producer
  /** The number of records, by topic. */
  readonly #ends = new Map<string, number>()

  private constructor(
    broker: KafkaBroker,
    dynamo: { readonly endpoint: string; stop(): Promise<void> },
    handlers: ChildProcess,
    lambda: string,
    producer: Producer,
  ) {
    this.#broker = broker
    this.#dynamo = dynamo
    this.#handlers = handlers
    this.#lambda = lambda
    this.#producer = producer
  }

  /** @param settings of the broker */
  static async start(settings: Readonly<Record<string, string>>): Promise<Ground> {
    mkdirSync(bundles, { recursive: true })
    await build({
      entryPoints: Object.values(programs).map((name) => here(`./${name}.ts`)),
      outdir: bundles,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node24',
      external: ['@aws-sdk/*'],
      banner: {
        js: "import { createRequire as bundleRequire } from 'node:module'; const require = bundleRequire(import.meta.url);",
      },
      logLevel: 'error',
    })
    const [broker, dynamo] = await Promise.all([
      startKafka({ release: 'current', sasl: false, settings }),
      startDynamoDbLocal(),
    ])
    const credentials = { accessKeyId: 'rig', secretAccessKey: 'rig' }
    const client = new DynamoDBClient({ endpoint: dynamo.endpoint, region: aws.AWS_REGION, credentials })
    await createCheckpointTable(client, checkpoints)
    client.destroy()
    const handlers = fork(here('./handlers.ts'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const [lambda] = (await once(handlers, 'message')) as [string]
    const producer = new Kafka({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING }).producer()
    await producer.connect()
    return new Ground(broker, dynamo, handlers, lambda, producer)
  }

  async stop(): Promise<void> {
    await this.#producer.disconnect()
    this.#handlers.kill()
    await Promise.all([this.#broker.stop(), this.#dynamo.stop()])
  }

  /** Appends `count` records: repeats the given ones. Creates the topic if it is new. */
  async append(topic: string, records: readonly Buffer[], count: number): Promise<void> {
    if (!this.#ends.has(topic)) {
      await this.#broker.createTopic(topic)
      this.#ends.set(topic, 0)
    }
    for (let done = 0; done < count; ) {
      const size = Math.min(1_000, count - done)
      const messages = Array.from({ length: size }, (_, index) => ({
        value: records[(done + index) % records.length] ?? null,
        timestamp: String(startTime * 1_000),
      }))
      await this.#producer.send({ topic, messages })
      done += size
    }
    this.#ends.set(topic, (this.#ends.get(topic) ?? 0) + count)
  }

  /** Starts a side as a process and waits until it has processed the whole topic. */
  async measure(side: Side, topic: string): Promise<Measured> {
    await this.#handled(true)
    const startedAt = performance.timeOrigin + performance.now()
    const { stdout } = await run(
      process.execPath,
      [...profiling(side), join(bundles, `${programs[side]}.mjs`)],
      {
        env: {
          PATH: process.env.PATH,
          ...(side === 'ours' ? { NODE_OPTIONS: deployedOptions } : {}),
          ...aws,
          AWS_ENDPOINT_URL_DYNAMODB: this.#dynamo.endpoint,
          AWS_ENDPOINT_URL_LAMBDA: this.#lambda,
          CHECKPOINT_TABLE: checkpoints,
          DTS_BROKER_URL: this.#broker.bootstrap,
          DTS_TOPIC: topic,
          DTS_GROUP: 'ours',
          DTS_CHECKPOINT: String(startTime),
          ROUTES: JSON.stringify(
            Object.fromEntries([0, 1, 2].map((part) => [`shop.orders_${part}`, `orders_${part}`])),
          ),
          FUNCTION_PREFIX: 'bench-',
          END_OFFSET: String(this.#ends.get(topic)),
        },
        maxBuffer: 16 << 20,
        timeout: 300_000,
        killSignal: 'SIGKILL',
      },
    )
    const handled = await this.#handled(false)
    const usage: Usage = JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
    return { handled, usage, untilFirstMs: handled.firstAt - startedAt }
  }

  async #handled(reset: boolean): Promise<Handled> {
    const answer = once(this.#handlers, 'message')
    this.#handlers.send(reset)
    const [handled] = (await answer) as [Handled]
    return handled
  }
}

/** BENCH_PROFILE=directory writes a CPU profile of every run of ours. */
function profiling(side: Side): string[] {
  const directory = process.env.BENCH_PROFILE
  return directory && side === 'ours' ? ['--cpu-prof', `--cpu-prof-dir=${directory}`] : []
}
