import { isLeaseTooLong, leaseTooLong } from '../../checkpoint/lease-limits.ts'
import type { Checkpoint } from '../../checkpoint/types.ts'
import type { StreamConfig } from '../../config.ts'
import type { DeadLetterSource } from '../../dispatch/dead-letter-source.ts'
import { hashes } from '../../dispatch/mask.ts'
import type { Route } from '../../dispatch/settings.ts'
import { asDtsError, DtsError } from '../../errors.ts'
import { committerOf } from '../../kafka/commit-mark.ts'
import { formatOffsets } from '../../kafka/data-range.ts'
import type { Stream } from '../../kafka/stream.ts'
import { type FirstStart, firstOffset } from '../../log/first-start.ts'
import { askGroup, otherDeployment, restoredFault, sharedGroup } from '../../log/group.ts'
import { timeRange } from '../../log/log-times.ts'
import { requireSameLog } from '../../log/same-log.ts'
import { serviceAdvice, serviceFault } from '../../text/service-fault.ts'
import { formatTime } from '../../time.ts'
import type { RecoveryDependencies } from '../dependencies.ts'
import { type Check, CheckList, describeFault, type Finding, found } from './checks.ts'
import { checkDelivery, checkNews } from './conditions.ts'
import { type ConnectDependencies, checkConnection } from './connect.ts'

export interface PreflightDependencies extends RecoveryDependencies, ConnectDependencies {
  readonly config: ConnectDependencies['config'] & Pick<StreamConfig, 'mode'> & FirstStart
  readonly functionNames: readonly string[]
  readonly routes: Readonly<Record<string, Route>>
  /** Reads the key of masks. @throws DtsError if it cannot be read, or is too short */
  readonly maskKey?: () => Promise<string | null>
  /** Asks Lambda whether the function could be invoked, without running it. */
  readonly probeFunction: (name: string) => Promise<void>
  /** Undefined if no queue is configured. */
  readonly deadLetters: DeadLetterSource | undefined
  /** Asks S3 for an object that does not exist in the bucket of dead letters. Undefined if no bucket is configured. */
  readonly probeBucket: (() => Promise<void>) | undefined
}

export const deliveryCheck = 'delivery'
const deadLetterCheck = 'dead-letter queue'
const bucketCheck = 'dead-letter bucket'

/** Examines the set-up from the network to the queue. Changes nothing, throws nothing. */
export async function preflight(dependencies: PreflightDependencies): Promise<Check[]> {
  const list = new CheckList()
  const stream = await checkConnection(dependencies, list)
  try {
    await checkLog(dependencies, stream, list)
  } finally {
    await stream?.close()
  }
  await list.run('functions', true, () => probeAll(dependencies))
  const { routes, maskKey } = dependencies
  if (maskKey !== undefined && Object.values(routes).some(hashes))
    await list.run('key of masks', true, async () => {
      await maskKey()
      return found('readable')
    })
  await list.run(deadLetterCheck, true, () => countLetters(dependencies))
  const { probeBucket } = dependencies
  if (probeBucket !== undefined) await list.run(bucketCheck, true, () => reachBucket(probeBucket))
  return list.checks
}

/** The checks of the log and of the checkpoint that belongs to it. */
async function checkLog(
  { config, store, now }: PreflightDependencies,
  stream: Stream | undefined,
  list: CheckList,
): Promise<void> {
  const range = await list.run('data range', stream !== undefined, () =>
    describeRange(stream as Stream, config),
  )
  await list.run('news from DTS', range === true, () => checkNews(stream as Stream, config.mode, now()))
  const stored = await list.run('checkpoint table', true, async () => {
    const item = await store.read()
    if (item !== null && isLeaseTooLong(item, now())) throw leaseTooLong(item)
    return found(describeItem(item), { item })
  })
  const item = stored?.item ?? null
  const fits = await list.run('checkpoint within the log', range === true && stored !== undefined, () =>
    checkPosition(item, stream as Stream, config),
  )
  await list.run(deliveryCheck, fits === true, () => checkDelivery(item, stream as Stream, now()))
  await list.run('consumer group', stream !== undefined && stored !== undefined, () =>
    checkGroup(item, stream as Stream),
  )
}

async function describeRange(stream: Stream, { mode }: Pick<StreamConfig, 'mode'>): Promise<Finding<true>> {
  const range = await stream.range()
  const times = await timeRange(stream, range)
  const offsets = formatOffsets(range)
  if (times !== null) return found(`${offsets}, ${formatTime(times.first)} to ${formatTime(times.last)}`)
  // DTS writes a heartbeat every second. The records of an idle plain topic may all have expired.
  if (mode === 'kafka' && range.end > 0n && range.earliest === range.end)
    return found(`${offsets}, all expired`)
  throw new DtsError(
    'CHECKPOINT_OUT_OF_RANGE',
    `The log holds no record (${offsets}). DTS may still be filling it, or the task is not running. Look at it in the ` +
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
  start: FirstStart,
): Promise<Finding<true>> {
  if (item !== null) {
    await requireSameLog(item, stream)
    return found('the log is the one that the checkpoint belongs to')
  }
  const { offset, timestamp } = await firstOffset(start, stream)
  return found(`the first run would start at ${formatTime(timestamp)}, offset ${offset}`)
}

/** Delivery does not need the group, but only its commit shows that the checkpoint was restored from a backup. */
async function checkGroup(item: Checkpoint | null, stream: Stream): Promise<Finding<true>> {
  const group = await askGroup(stream)
  if (!group.isKnown) {
    const reason = describeFault(group.error)
    return found(
      `does not show whether the checkpoint is an older one, or another deployment reads (${reason})`,
    )
  }
  const restored = item === null ? null : restoredFault(item, group)
  if (restored !== null) throw restored
  const other = otherDeployment(group)
  if (other !== null) throw new DtsError('GROUP_SHARED', sharedGroup(other), { retryable: false })
  const { committed } = group
  return found(
    committed === null ? 'no commit yet' : `offset ${committed.offset}, ${committerOf(committed.mark)}`,
  )
}

/** As many probes run at once, so that a service with many functions is examined within a minute. */
const probesAtOnce = 20
/** A line names at most this many functions. The others usually fail for the same reason. */
const shownFailures = 5

/** One line for all functions: a service may have hundreds. */
async function probeAll({ functionNames, probeFunction }: PreflightDependencies): Promise<Finding<true>> {
  const failures: { readonly name: string; readonly cause: unknown }[] = []
  for (let from = 0; from < functionNames.length; from += probesAtOnce) {
    const some = functionNames.slice(from, from + probesAtOnce)
    const results = await Promise.allSettled(some.map((name) => probeFunction(name)))
    for (const [index, result] of results.entries())
      if (result.status === 'rejected') failures.push({ name: some[index] ?? '', cause: result.reason })
    // Each request to a service that cannot be reached takes seconds, and the answer is the same for all functions.
    if (failures.some(({ cause }) => serviceFault(cause) === 'unreachable')) break
  }
  const count = functionNames.length
  const [first] = failures
  if (first === undefined) return found(`${count} with a route can be invoked`)
  const shown = failures.slice(0, shownFailures).map(({ name, cause }) => `${name} (${describeFault(cause)})`)
  const more = failures.length > shown.length ? ` and ${failures.length - shown.length} more` : ''
  const otherwise =
    'Deploy the stack with these functions, or allow them to the roles of poller and recovery.'
  throw new DtsError(
    'HANDLER_UNAVAILABLE',
    `${failures.length} of ${count} functions with a route cannot be invoked: ${shown.join(', ')}${more}. ` +
      serviceAdvice('Lambda', first.cause, otherwise),
    { retryable: true, cause: first.cause },
  )
}

/** Few letters are large enough for the bucket, so that a missing way to S3 would show late. */
async function reachBucket(probeBucket: () => Promise<void>): Promise<Finding<true>> {
  try {
    await probeBucket()
  } catch (cause) {
    // Without the right to list, S3 also refuses the question for an object that does not exist. Only the way is examined.
    if (serviceFault(cause) === 'unreachable') {
      throw new DtsError(
        'DEAD_LETTER_FAILED',
        `The dead-letter bucket cannot be reached (${describeFault(cause)}). ${serviceAdvice('S3', cause, '')} A record that ` +
          'is larger than a message then holds the stream.',
        { retryable: true, cause },
      )
    }
  }
  return found('S3 answers')
}

async function countLetters({ deadLetters }: PreflightDependencies): Promise<Finding<true>> {
  if (deadLetters === undefined)
    return found('none is configured: a change that no handler takes halts the stream')
  try {
    const count = await deadLetters.count()
    if (count === 0) return found('0 waiting')
    return {
      detail: `about ${count} changes are waiting. See why they failed, correct the handler and deploy, then redrive them.`,
      result: true,
      attention: true,
      next: [
        { action: 'redrive', dryRun: true, purpose: 'see why they failed' },
        { action: 'redrive', purpose: 'send them again after the deployment' },
      ],
    }
  } catch (cause) {
    const error = asDtsError(cause, 'DEAD_LETTER_FAILED', true)
    const otherwise =
      'Deploy the stack, or correct DEAD_LETTER_QUEUE_URL and the roles of poller and recovery.'
    throw new DtsError(
      'DEAD_LETTER_FAILED',
      `${error.message} ${serviceAdvice('SQS', error.cause, otherwise)}`,
      { retryable: true, cause },
    )
  }
}
