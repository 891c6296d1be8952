import { defaultDelivery, maxBatchBytes } from '../../../lib/dispatch/settings.ts'
import { leaseTerms } from '../../../lib/poll/lease-terms.ts'
import type { Coefficients } from './coefficients.ts'
import type { Load } from './load.ts'

/** What a stream uses in a day, by a model of the poller's rules. docs/cost.md describes the model. */
export interface DayOfUse {
  readonly runs: number
  readonly invocations: number
  readonly pollerGbSeconds: number
  readonly handlerGbSeconds: number
  readonly dynamoReads: number
  readonly dynamoWrites: number
  readonly logBytes: number
  /** Custom metrics that have values, on average over the hours. */
  readonly metrics: number
  /** Why the stream cannot keep up with this load; empty if it can. */
  readonly limits: readonly string[]
}

const daySeconds = 86_400
/** The schedule, and the defaults of infra/stream-functions.ts and infra/tables.ts. */
const everySeconds = 60
const pollerTimeoutSeconds = 120
const pollerMemory = 512
const handlerTimeoutMs = 30_000
/** Lambda gives a function as much of a processor as it has of this memory, in MB. */
const memoryOfProcessor = 1769

/** Not measured: they depend on the networks. A request to DTS in another cloud, one to DynamoDB, and one to Lambda. */
const brokerMs = 20
const dynamoMs = 5
const invokeMs = 10
/** The lines START, END and REPORT, which Lambda writes for each invocation. */
const lambdaLogBytes = 350
/** Batches grow over so much of the log while more is known to follow. */
const growBytes = 16 * 1024 * 1024
/** The poller commits no more often than this. */
const commitSeconds = 0.2
/** How often a run looks whether the next one asks for the lease, if it commits nothing. */
const looksPerSecond = 4

/** How long the poller is awake and asleep in turn. */
interface Rhythm {
  readonly cycleSeconds: number
  /** At the end of the stream, where each change is delivered at once. */
  readonly awakeSeconds: number
}

export function dayOfUse(load: Load, measured: Coefficients): DayOfUse {
  const { changesPerDay, tables, memory, handlerMs } = load
  const { run, work, invocation, change } = measured
  const perSecond = changesPerDay / daySeconds
  const ofTable = perSecond / tables
  const rhythm = rhythmOf(load)
  const { cycleSeconds, awakeSeconds } = rhythm
  const runs = daySeconds / cycleSeconds
  const busyRuns = runs * atLeastOne(perSecond * cycleSeconds)
  const backlog = backlogOf(load, cycleSeconds - awakeSeconds)
  const livePerSecond = tables * livePerSecondOf(ofTable, handlerMs)
  const invocations = runs * (backlog.invocations + awakeSeconds * livePerSecond)

  // The work of large records grows with their bytes.
  const sized = changesPerDay * Math.max(1, load.recordBytes / change.bytes)
  const deliveryMs =
    (busyRuns * work.cpuMs + invocations * invocation.pollerCpuMs + sized * change.pollerCpuMs) *
      slowdown(pollerMemory) +
    runs * backlog.waitMs
  const requestsMs = run.brokerRequests * brokerMs + (run.dynamoReads + run.dynamoWrites) * dynamoMs
  const isAlwaysOn = load.mode === 'low-latency'
  const startSeconds = (requestsMs + run.cpuMs * slowdown(pollerMemory)) / 1000
  const neededSeconds = deliveryMs / 1000 + runs * startSeconds
  const pollerSeconds = isAlwaysOn
    ? // The next run connects while the last one still works.
      daySeconds + runs * startSeconds
    : Math.min(daySeconds, Math.max(neededSeconds, runs * awakeSeconds))
  const handlerCpuMs = invocations * invocation.handlerCpuMs + sized * change.handlerCpuMs
  const handlerSeconds = (changesPerDay * handlerMs + handlerCpuMs * slowdown(memory)) / 1000

  // A measured run has one commit in it. Heartbeats alone are committed at the end of a run.
  const backlogCommits = Math.max(0, deliveryMs / 1000 / commitSeconds - busyRuns)
  const liveCommits = livePerSecond === 0 ? 0 : (runs * awakeSeconds) / (commitSeconds + 1 / livePerSecond)
  const writes =
    runs * run.dynamoWrites +
    busyRuns * work.dynamoWrites +
    (awakeSeconds === 0 ? backlogCommits : liveCommits)
  // A run that may be asked to hand over looks at the item between its commits.
  const looks = isAlwaysOn ? Math.max(0, daySeconds * looksPerSecond - liveCommits) : 0
  const reported = runs * tables * atLeastOne(ofTable * cycleSeconds)
  return {
    runs,
    invocations,
    pollerGbSeconds: pollerSeconds * (pollerMemory / 1024),
    handlerGbSeconds: handlerSeconds * (memory / 1024),
    dynamoReads: (runs * run.dynamoReads + looks) * Math.ceil(measured.checkpointBytes / 4096),
    dynamoWrites: writes * Math.ceil(measured.checkpointBytes / 1024),
    logBytes: runs * run.logBytes + reported * invocation.logBytes + (runs + invocations) * lambdaLogBytes,
    // CloudWatch charges for a metric in each hour in which it has a value.
    metrics: run.metrics + tables * invocation.metrics * atLeastOne(ofTable * 3600),
    limits: limitsOf(load, neededSeconds),
  }
}

/**
 * Without a linger, each start of the schedule is a short run. With one, the heartbeats of DTS keep a run awake until it has
 * only the time of one more invocation. The schedule starts the next one at the next full minute.
 */
function rhythmOf({ mode, lingerSeconds }: Load): Rhythm {
  if (mode === 'low-latency') return { cycleSeconds: everySeconds, awakeSeconds: everySeconds }
  if (lingerSeconds === 0) return { cycleSeconds: everySeconds, awakeSeconds: 0 }
  const awakeSeconds = pollerTimeoutSeconds - leaseTerms(handlerTimeoutMs).worstCaseMs / 1000
  return { cycleSeconds: Math.ceil(awakeSeconds / everySeconds) * everySeconds, awakeSeconds }
}

/** What a run finds at its start, after the poller has slept. */
function backlogOf({ changesPerDay, tables, recordBytes, handlerMs }: Load, asleepSeconds: number) {
  const changes = (changesPerDay / daySeconds) * asleepSeconds
  const ofTable = changes / tables
  const fullBatch = Math.max(1, Math.min(defaultDelivery.batchSize, Math.floor(maxBatchBytes / recordBytes)))
  const stretches = Math.max(1, partsOf(changes, growBytes / recordBytes))
  // A batch ends when it is full, or at the end of its stretch of the log.
  const batches = Math.max(partsOf(ofTable, fullBatch), stretches * atLeastOne(ofTable / stretches))
  return {
    invocations: tables * batches,
    /** Functions work at the same time, so that the run waits for one of them. */
    waitMs: atLeastOne(changes) * (Math.max(1, batches) * invokeMs + Math.max(1, ofTable) * handlerMs),
  }
}

/**
 * In how many parts of `size` changes come on average, if so many are expected. Whether there is one more part is a matter of chance:
 * of 1,010 expected changes, more than 1,000 come in six of ten runs.
 */
function partsOf(expected: number, size: number): number {
  const spread = Math.sqrt(expected)
  const sure = Math.max(0, Math.floor((expected - 5 * spread) / size))
  let parts = sure === 0 ? atLeastOne(expected) : sure
  for (let at = Math.max(1, sure); at * size < expected + 5 * spread; at++)
    parts += moreThan(at * size, expected, spread)
  return parts
}

/** The probability of more than `count` changes: a logistic curve, close to the normal distribution. */
function moreThan(count: number, expected: number, spread: number): number {
  return 1 / (1 + Math.exp((1.702 * (count + 0.5 - expected)) / spread))
}

/**
 * Invocations of a function a second while the poller is awake. A change that comes during an invocation waits for its end, and
 * all that waited travel together.
 */
function livePerSecondOf(changesPerSecond: number, handlerMs: number): number {
  if (changesPerSecond === 0) return 0
  const busyShare = Math.min(0.99, (changesPerSecond * handlerMs) / 1000)
  const busySeconds = (invokeMs + handlerMs) / 1000 / (1 - busyShare)
  return 1 / (busySeconds + Math.exp(-changesPerSecond * busySeconds) / changesPerSecond)
}

/** The probability that something happens that is expected so often. */
function atLeastOne(expected: number): number {
  return 1 - Math.exp(-expected)
}

/** How much longer work takes with so much memory than with a whole processor. */
function slowdown(memory: number): number {
  return Math.max(1, memoryOfProcessor / memory)
}

function limitsOf({ changesPerDay, tables, handlerMs }: Load, neededSeconds: number): string[] {
  const busySeconds = (changesPerDay / tables) * (handlerMs / 1000)
  const hours = (seconds: number) => `${Math.ceil(seconds / 3600).toLocaleString('en')} hours a day`
  return [
    ...(busySeconds < daySeconds
      ? []
      : [
          `The handler of a table needs ${hours(busySeconds)}. Raise its concurrency, or let onBatch handle many changes at once.`,
        ]),
    ...(neededSeconds < daySeconds
      ? []
      : [
          `The poller needs ${hours(neededSeconds)}. Raise memorySize of custom.stream.poller, or split the stream.`,
        ]),
  ]
}
