import { lookup } from 'node:dns/promises'
import { connect } from 'node:net'
import type { Checkpoint } from '../checkpoint/types.ts'
import type { StreamConfig } from '../config.ts'
import type { DeadLetterSource } from '../dispatch/dead-letter-source.ts'
import { DtsError } from '../errors.ts'
import { type BrokerAddress, formatAddress } from '../kafka/address.ts'
import type { Stream } from '../kafka/stream.ts'
import { timeRange } from '../locate.ts'
import { proveSameLog } from '../prove.ts'
import { formatTime } from '../time.ts'
import type { RecoveryDependencies } from './dependencies.ts'

/** One line of the examination. `skipped`: a line above already says why. */
export interface Check {
  readonly name: string
  readonly result: 'ok' | 'failed' | 'skipped'
  /** What was found; where it failed, what to do. */
  readonly detail: string
}

export interface PreflightDependencies extends RecoveryDependencies {
  readonly config: Pick<StreamConfig, 'broker' | 'startTime'>
  readonly functionNames: readonly string[]
  /** Asks Lambda whether the function could be invoked, without running it. */
  readonly probeFunction: (name: string) => Promise<void>
  /** Undefined where no queue is configured. */
  readonly deadLetters: DeadLetterSource | undefined
}

const connectTimeoutMs = 5_000

/** Examines the set-up from the network to the queue. Changes nothing, throws nothing. */
export async function preflight(dependencies: PreflightDependencies): Promise<Check[]> {
  const { config, openStream, store } = dependencies
  const checks: Check[] = []
  const run = async <Result>(name: string, after: boolean, action: () => Promise<[string, Result]>) => {
    if (!after) {
      checks.push({ name, result: 'skipped', detail: 'not looked at, because of a fault above' })
      return undefined
    }
    try {
      const [detail, result] = await action()
      checks.push({ name, result: 'ok', detail })
      return result
    } catch (error) {
      checks.push({ name, result: 'failed', detail: describe(error) })
      return undefined
    }
  }
  const address = await run('DNS', true, () => resolveHost(config.broker.host))
  const proxy = await run('TCP to the broker address', address !== undefined, () => reach(config.broker))
  const stream = await run('credentials, topic, node', proxy === true, async () => {
    const opened = await openStream()
    return [`cluster ${opened.clusterId}, partition ${opened.partition} of ${opened.topic}`, opened]
  })
  try {
    await run('data range', stream !== undefined, () => describeRange(stream as Stream))
    const stored = await run('checkpoint table', true, async () => {
      const item = await store.read()
      return [describeItem(item), { item }]
    })
    await run('checkpoint within the log', stream !== undefined && stored !== undefined, () =>
      checkPosition(stored?.item ?? null, stream as Stream, config.startTime),
    )
  } finally {
    await stream?.close()
  }
  for (const name of dependencies.functionNames) {
    await run(`function ${name}`, true, async () => {
      await dependencies.probeFunction(name)
      return ['can be invoked', true]
    })
  }
  await run('dead-letter queue', true, async () => {
    if (dependencies.deadLetters === undefined)
      return ['none is configured: a change that is given up halts the stream', true]
    return [`${await dependencies.deadLetters.count()} waiting`, true]
  })
  return checks
}

async function resolveHost(host: string): Promise<[string, string]> {
  try {
    const { address } = await lookup(host)
    return [`${host} is ${address}`, address]
  } catch (cause) {
    throw new DtsError(
      'BROKER_UNREACHABLE',
      `The name ${host} cannot be resolved (${describe(cause)}). Correct DTS_BROKER_URL, or give the VPC a DNS that knows it.`,
      { retryable: true, cause },
    )
  }
}

function reach(address: BrokerAddress): Promise<[string, true]> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...address, timeout: connectTimeoutMs })
    const fail = (reason: string) => {
      socket.destroy()
      reject(
        new DtsError(
          'BROKER_UNREACHABLE',
          `${formatAddress(address)} does not accept a connection (${reason}). Check DTS_BROKER_URL, the VPC's routes ` +
            "and security groups, and DTS's own white list.",
          { retryable: true },
        ),
      )
    }
    socket.once('connect', () => {
      socket.destroy()
      resolve([`${formatAddress(address)} accepts connections`, true])
    })
    socket.once('timeout', () => fail('no answer'))
    socket.once('error', (error) => fail(error.message))
  })
}

async function describeRange(stream: Stream): Promise<[string, true]> {
  const range = await stream.range()
  const times = await timeRange(stream, range)
  const offsets = `offsets ${range.earliest} to ${range.end}`
  if (times === null) return [`${offsets}, no record in them`, true]
  return [`${offsets}, ${formatTime(times.first)} to ${formatTime(times.last)}`, true]
}

function describeItem(item: Checkpoint | null): string {
  if (item === null) return 'readable; nothing was read from the stream yet'
  return `offset ${item.offset}, generation ${item.generation}, ${item.state}${item.halt ? ` (${item.halt.code})` : ''}`
}

async function checkPosition(
  item: Checkpoint | null,
  stream: Stream,
  startTime: number | undefined,
): Promise<[string, true]> {
  if (item !== null) {
    await proveSameLog(item, stream)
    return ['the log is the one that the checkpoint belongs to', true]
  }
  if (startTime === undefined) {
    throw new DtsError(
      'CHECKPOINT_MISSING',
      'DTS_CHECKPOINT is not set: the first run would not know where to start.',
      {
        retryable: false,
      },
    )
  }
  return [`the first run would start at ${formatTime(startTime)}`, true]
}

function describe(error: unknown): string {
  if (error instanceof DtsError) return `${error.code}: ${error.message}`
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}
