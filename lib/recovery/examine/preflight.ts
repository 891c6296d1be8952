import { lookup } from 'node:dns/promises'
import { connect } from 'node:net'
import { isLeaseTooLong, leaseTooLong } from '../../checkpoint/lease-limits.ts'
import type { Checkpoint } from '../../checkpoint/types.ts'
import type { StreamConfig } from '../../config.ts'
import type { DeadLetterSource } from '../../dispatch/dead-letter-source.ts'
import { asDtsError, DtsError, type ErrorCode } from '../../errors.ts'
import { type BrokerAddress, formatAddress } from '../../kafka/address.ts'
import { committerOf } from '../../kafka/commit-mark.ts'
import { formatOffsets } from '../../kafka/data-range.ts'
import type { Stream } from '../../kafka/stream.ts'
import { firstOffset } from '../../log/first-start.ts'
import { askGroup, otherDeployment, restoredFault, sharedGroup } from '../../log/group.ts'
import { timeRange } from '../../log/log-times.ts'
import { requireSameLog } from '../../log/same-log.ts'
import { recoveryCommand } from '../../recovery-command.ts'
import { reasonOf } from '../../text/thrown.ts'
import { formatTime } from '../../time.ts'
import type { RecoveryDependencies } from '../dependencies.ts'
import { checkDelivery, checkNews, type Finding } from './conditions.ts'

/**
 * One line of the examination. `attention`: the set-up works, and something waits for a person. `skipped`: a line above
 * already says why.
 */
export interface Check {
  readonly name: string
  readonly result: 'ok' | 'attention' | 'failed' | 'skipped'
  /** What was found; where that is not ok, what to do. */
  readonly detail: string
}

export interface PreflightDependencies extends RecoveryDependencies {
  readonly config: Pick<StreamConfig, 'broker' | 'topic' | 'user' | 'mode' | 'startTime'>
  /** What was wrong with the stored password and could be put right, for people; null when nothing was. */
  readonly passwordNote: () => string | null
  readonly functionNames: readonly string[]
  /** Asks Lambda whether the function could be invoked, without running it. */
  readonly probeFunction: (name: string) => Promise<void>
  /** Undefined where no queue is configured. */
  readonly deadLetters: DeadLetterSource | undefined
}

const connectTimeoutMs = 5_000

export const deliveryCheck = 'delivery'
export const deadLetterCheck = 'dead-letter queue'

/** Examines the set-up from the network to the queue. Changes nothing, throws nothing. */
export async function preflight(dependencies: PreflightDependencies): Promise<Check[]> {
  const { config, store } = dependencies
  const checks: Check[] = []
  const run = async <Result>(name: string, after: boolean, action: () => Promise<Finding<Result>>) => {
    if (!after) {
      checks.push(skipped(name))
      return undefined
    }
    try {
      const [detail, result, attention = 'ok'] = await action()
      checks.push({ name, result: attention, detail })
      return result
    } catch (error) {
      checks.push({ name, result: 'failed', detail: describeFault(error) })
      return undefined
    }
  }
  const address = await run('DNS', true, () => resolveHost(config.broker.host))
  const proxy = await run('TCP to the broker address', address !== undefined, () => reach(config.broker))
  const stream = await connectInSteps(dependencies, proxy === true, checks)
  try {
    const range = await run('data range', stream !== undefined, () => describeRange(stream as Stream, config))
    await run('news from DTS', range === true, () =>
      checkNews(stream as Stream, config.mode, dependencies.now()),
    )
    const stored = await run('checkpoint table', true, async () => {
      const item = await store.read()
      if (item !== null && isLeaseTooLong(item, dependencies.now())) throw leaseTooLong(item)
      return [describeItem(item), { item }]
    })
    const item = stored?.item ?? null
    const fits = await run('checkpoint within the log', range === true && stored !== undefined, () =>
      checkPosition(item, stream as Stream, config.startTime),
    )
    await run(deliveryCheck, fits === true, () => checkDelivery(item, stream as Stream, dependencies.now()))
    await run('consumer group', stream !== undefined && stored !== undefined, () =>
      checkGroup(stored?.item ?? null, stream as Stream),
    )
  } finally {
    await stream?.close()
  }
  for (const name of dependencies.functionNames) {
    await run(`function ${name}`, true, () => probe(name, dependencies))
  }
  await run(deadLetterCheck, true, () => countLetters(dependencies))
  return checks
}

const connectSteps = ['credentials', 'topic', 'TCP to the node'] as const

/** The step that a fault of connecting belongs to; whatever is not named here comes before the first question. */
const stepOf: Partial<Record<ErrorCode, (typeof connectSteps)[number]>> = {
  TOPIC_UNKNOWN: 'topic',
  PARTITION_UNKNOWN: 'topic',
  NODE_NOT_ALLOWED: 'TCP to the node',
  NODE_UNREACHABLE: 'TCP to the node',
}

/** Connecting is one call; its error tells how far it got. */
async function connectInSteps(
  { config, openStream, passwordNote }: PreflightDependencies,
  after: boolean,
  checks: Check[],
): Promise<Stream | undefined> {
  if (!after) {
    checks.push(...connectSteps.map(skipped))
    return undefined
  }
  let stream: Stream | undefined
  let fault: unknown
  let failedAt: number = connectSteps.length
  try {
    stream = await openStream()
  } catch (error) {
    fault = error
    failedAt = connectSteps.indexOf((error instanceof DtsError && stepOf[error.code]) || 'credentials')
  }
  const accepted = [`${config.user} is accepted`, passwordNote()].filter((part) => part !== null)
  const found = {
    credentials: config.user === undefined ? 'none are set, and none are asked for' : accepted.join('. '),
    topic: `${config.topic} is there`,
    'TCP to the node': `cluster ${stream?.clusterId}, partition ${stream?.partition}`,
  }
  for (const [index, name] of connectSteps.entries()) {
    if (index < failedAt) checks.push({ name, result: 'ok', detail: found[name] })
    else
      checks.push(
        index === failedAt ? { name, result: 'failed', detail: describeFault(fault) } : skipped(name),
      )
  }
  return stream
}

function skipped(name: string): Check {
  return { name, result: 'skipped', detail: 'not looked at, because of a fault above' }
}

async function resolveHost(host: string): Promise<[string, string]> {
  try {
    const { address } = await lookup(host)
    return [`${host} is ${address}`, address]
  } catch (cause) {
    throw new DtsError(
      'BROKER_UNREACHABLE',
      `The name ${host} cannot be resolved (${describeFault(cause)}). Correct DTS_BROKER_URL, or give the VPC a DNS that knows it.`,
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

async function describeRange(stream: Stream, { mode }: Pick<StreamConfig, 'mode'>): Promise<[string, true]> {
  const range = await stream.range()
  const times = await timeRange(stream, range)
  const offsets = formatOffsets(range)
  if (times !== null) return [`${offsets}, ${formatTime(times.first)} to ${formatTime(times.last)}`, true]
  // DTS writes a heartbeat every second; a plain topic that stands idle may well have outlived its records.
  if (mode === 'kafka' && range.end > 0n && range.earliest === range.end)
    return [`${offsets}, all expired`, true]
  throw new DtsError(
    'CHECKPOINT_OUT_OF_RANGE',
    `The log holds no record (${offsets}). DTS may still be filling it, or the task does not run: look at it in the ` +
      'DTS console, and repeat this.',
    { retryable: true },
  )
}

function describeItem(item: Checkpoint | null): string {
  if (item === null) return 'readable; nothing was read from the stream yet'
  const halt = item.state === 'HALTED' && item.halt !== null ? ` (${item.halt.code})` : ''
  return `offset ${item.offset}, generation ${item.generation}, ${item.state}${halt}`
}

async function checkPosition(
  item: Checkpoint | null,
  stream: Stream,
  startTime: number | undefined,
): Promise<[string, true]> {
  if (item !== null) {
    await requireSameLog(item, stream)
    return ['the log is the one that the checkpoint belongs to', true]
  }
  const { offset, timestamp } = await firstOffset(startTime, stream)
  return [`the first run would start at ${formatTime(timestamp)}, offset ${offset}`, true]
}

/** The stream is delivered without the group; what it tells of the checkpoint is found nowhere else. */
async function checkGroup(item: Checkpoint | null, stream: Stream): Promise<[string, true]> {
  const group = await askGroup(stream)
  if (!group.isKnown) {
    const reason = describeFault(group.error)
    return [
      `does not tell whether the checkpoint is an older one, or another deployment reads (${reason})`,
      true,
    ]
  }
  const restored = item === null ? null : restoredFault(item, group)
  if (restored !== null) throw restored
  const other = otherDeployment(group)
  if (other !== null) throw new DtsError('GROUP_SHARED', sharedGroup(other), { retryable: false })
  const { committed } = group
  return [
    committed === null ? 'no commit yet' : `offset ${committed.offset}, ${committerOf(committed.mark)}`,
    true,
  ]
}

async function probe(name: string, { probeFunction }: PreflightDependencies): Promise<[string, true]> {
  try {
    await probeFunction(name)
    return ['can be invoked', true]
  } catch (cause) {
    throw new DtsError(
      'HANDLER_UNAVAILABLE',
      `${name} cannot be invoked (${describeFault(cause)}). Deploy the stack with this function, or allow it to the roles of ` +
        'poller and recovery.',
      { retryable: true, cause },
    )
  }
}

async function countLetters({ deadLetters }: PreflightDependencies): Promise<Finding<true>> {
  if (deadLetters === undefined)
    return ['none is configured: a change that is given up halts the stream', true]
  try {
    const count = await deadLetters.count()
    if (count === 0) return ['0 waiting', true]
    const [look, send] = ['{"action":"redrive","dryRun":true}', '{"action":"redrive"}'].map(recoveryCommand)
    return [
      `about ${count} waiting: changes that were given up. See why: ${look}; correct the handler, deploy, and send them ` +
        `again: ${send}`,
      true,
      'attention',
    ]
  } catch (cause) {
    const { message } = asDtsError(cause, 'DEAD_LETTER_FAILED', true)
    throw new DtsError(
      'DEAD_LETTER_FAILED',
      `${message} Deploy the stack, or correct DEAD_LETTER_QUEUE_URL and the roles of poller and recovery.`,
      { retryable: true, cause },
    )
  }
}

/** A fault in a line of its own. */
export function describeFault(error: unknown): string {
  return reasonOf(error)
}
