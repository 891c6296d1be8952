import { HeldCheckpoint } from './checkpoint/held.ts'
import type { CheckpointStore, Start } from './checkpoint/store.ts'
import type { Checkpoint } from './checkpoint/types.ts'
import type { PollConfig } from './config.ts'
import { dispatch, type Origin, type Outcome } from './dispatch/dispatch.ts'
import type { Invoke } from './dispatch/invoke.ts'
import { type Plan, planSlice, positionAt, type RoutedEvent } from './dispatch/plan.ts'
import { Router } from './dispatch/routes.ts'
import { DtsError, type ErrorCode } from './errors.ts'
import type { Fetched, Stream } from './kafka/stream.ts'
import { locateTime } from './locate.ts'
import { proveSameLog, recoveryCommand, sameLogCodes } from './prove.ts'

/** Why a run ended. Everything that needs a person is thrown instead. */
export type PollEnd =
  | 'end-of-stream'
  | 'records'
  | 'bytes'
  | 'time'
  | 'handler-failed'
  | 'lease-held'
  | 'lease-lost'
  | 'superseded'

export interface PollSummary {
  ended: PollEnd
  /** Offsets as decimal digits; null when this run never held the lease. */
  from: string | null
  to: string | null
  clusterId: string | null
  generation: number | null
  fetched: number
  bytes: number
  /** Acknowledged changes by table. */
  handled: Record<string, number>
  /** Changes of tables without a handler, by table. */
  skipped: Record<string, number>
  failures: { function: string; code: ErrorCode; message: string }[]
  /** How far behind the source the committed position is, in seconds; 0 at the end of the stream. */
  lagSeconds: number | null
  /** Offsets between the committed position and the end of the log. */
  lagRecords: string | null
  /** Whether the broker took the courtesy commit to the consumer group; the checkpoint does not depend on it. */
  groupCommit: 'none' | 'done' | ErrorCode
}

export interface PollDependencies {
  readonly config: PollConfig
  readonly store: CheckpointStore
  readonly openStream: () => Promise<Stream>
  readonly invoke: Invoke
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Milliseconds until Lambda ends this invocation. */
  readonly remainingMs: () => number
  /** Unique to this invocation. */
  readonly owner: string
  /** Aborted when a newer invocation has begun in this process, so that a thawed run does nothing more. */
  readonly signal: AbortSignal
}

/** A table function's cold start and the commit behind its answer, in milliseconds, above its own timeout. */
const coldStartMs = 10_000
const commitMs = 5_000
/** How long, beyond one invocation's worst case, a lease lasts: the time to fetch before it has to be renewed. */
const slackMs = 15_000
/** The longest time for which a fetch is held back at the end of the stream, in milliseconds. */
const longestWaitMs = 1_000
/** Faults of the log itself: another try reads the same. */
const haltingCodes: ReadonlySet<ErrorCode> = new Set(['DATA_GAP', 'BATCH_TOO_LARGE'])

/**
 * One run of the poller: take the lease, prove that the log is the one the checkpoint belongs to, then fetch,
 * dispatch and commit until a bound is reached, and give the lease back.
 * @throws DtsError whatever a person has to know: faults of set-up, of the broker, and every halt
 */
export async function poll(dependencies: PollDependencies): Promise<PollSummary> {
  const { config, store, now, owner } = dependencies
  const summary = emptySummary()
  const read = await store.read()
  if (read?.state === 'HALTED') throw streamHalted(read)
  if (read !== null && read.leaseUntil >= now()) return { ...summary, ended: 'lease-held' }
  const stream = await dependencies.openStream()
  try {
    const terms = { worstCaseMs: config.handlerTimeoutMs + coldStartMs + commitMs, slackMs }
    const leaseUntil = HeldCheckpoint.leaseUntil(now(), terms)
    const { lease, checkpoint } =
      read === null
        ? await firstStart(dependencies, stream, leaseUntil)
        : { lease: await store.acquire(read, owner, now(), leaseUntil, ['RUNNING']), checkpoint: read }
    const held = new HeldCheckpoint(store, lease, leaseUntil, checkpoint, terms, now)
    const run: Run = {
      ...dependencies,
      origin: originOf(checkpoint, stream),
      stream,
      held,
      summary,
      router: new Router(config.routes),
      timeLeftMs: () => dependencies.remainingMs() - terms.worstCaseMs,
      handlerMayRun: false,
    }
    summary.from = String(checkpoint.offset)
    summary.clusterId = checkpoint.clusterId
    summary.generation = checkpoint.generation
    await work(run, read)
    return summary
  } catch (error) {
    const code = error instanceof DtsError ? error.code : null
    if (code === 'LEASE_HELD') return { ...summary, ended: 'lease-held' }
    if (code === 'LEASE_LOST') return { ...summary, ended: 'lease-lost' }
    throw error
  } finally {
    await stream.close()
  }
}

/** What the steps of one run share. */
interface Run extends PollDependencies {
  readonly origin: Origin
  readonly stream: Stream
  readonly held: HeldCheckpoint
  readonly summary: PollSummary
  readonly router: Router
  /** Milliseconds in which another invocation may still be started. */
  readonly timeLeftMs: () => number
  /** True while handlers are at work, and when an answer never came: then the lease must not be given back. */
  handlerMayRun: boolean
}

/** A stream that was never read begins at the configured time. */
async function firstStart(
  { config, store, owner, now }: PollDependencies,
  stream: Stream,
  leaseUntil: number,
) {
  if (config.startTime === undefined) {
    throw new DtsError(
      'CHECKPOINT_MISSING',
      `There is no checkpoint of ${stream.topic}, and DTS_CHECKPOINT does not say where to start. ` +
        'Set it to a time in the data range (UNIX seconds) and deploy again.',
      { retryable: false, facts: { topic: stream.topic } },
    )
  }
  const offset = await locateTime(stream, config.startTime)
  const position = { offset, timestamp: config.startTime, anchor: null, tail: null, progress: {} }
  const start: Start = {
    clusterId: stream.clusterId,
    position,
    replayUntil: -1,
    entry: { at: now(), by: owner, how: `first start at ${config.startTime}` },
  }
  const lease = await store.create(start, owner, leaseUntil)
  return { lease, checkpoint: { ...position, clusterId: stream.clusterId, generation: 1, replayUntil: -1 } }
}

/** From the lease in hand to the lease given back. */
async function work(run: Run, read: Checkpoint | null): Promise<void> {
  try {
    if (read !== null) await haltOn(run, sameLogCodes, () => proveSameLog(read, run.stream))
    run.summary.ended = await loop(run)
    if (run.summary.ended === 'superseded') return
    await run.held.flush()
  } finally {
    run.summary.to = String(run.held.position.offset)
    // A handler that may still be running keeps the lease until it must have ended.
    if (!run.handlerMayRun && !run.signal.aborted) await run.held.release()
  }
  await commitToGroup(run)
}

async function loop(run: Run): Promise<PollEnd> {
  const { config, held, stream, summary, now, signal, timeLeftMs } = run
  let lastNews = now()
  let heldBack = false
  for (;;) {
    if (signal.aborted) return 'superseded'
    if (summary.fetched >= config.maxRecords) return 'records'
    if (summary.bytes >= config.maxBytes) return 'bytes'
    if (timeLeftMs() <= 0) return 'time'
    const lingerMs = Math.min(lastNews + config.lingerMs - now(), timeLeftMs())
    const { offset } = held.position
    const maxWaitMs = Math.max(0, Math.min(longestWaitMs, heldBack ? timeLeftMs() : lingerMs))
    const fetched = await haltOn(run, haltingCodes, () =>
      stream.fetch(offset, { maxBytes: config.fetchBytes, maxWaitMs }),
    )
    if (fetched.nextOffset === offset) {
      measureLag(run, fetched.end)
      // Below the end but not readable: records of a transaction that is still open. Asked for once more, with
      // the answer held back, and then left to the next run: without that, this loop would never rest.
      if (lingerMs <= 0 && (offset >= fetched.end || heldBack)) return 'end-of-stream'
      heldBack = offset < fetched.end
      await held.renewIfShort()
      continue
    }
    heldBack = false
    if (fetched.records.length > 0) lastNews = now()
    countFetched(summary, fetched)
    const plan = planSlice(fetched, run.router, config.unroutedTables, held.position.progress)
    for (const [table, count] of plan.skipped) add(summary.skipped, table, count)
    const stopped = await carryOut(run, plan)
    measureLag(run, fetched.end)
    if (stopped !== null) return stopped
    if (plan.stop !== null) await haltWith(run, plan.stop)
  }
}

/** Sends the plan's events and commits what is acknowledged, up to its end or the first thing that stops it. */
async function carryOut(run: Run, plan: Plan): Promise<PollEnd | null> {
  const { held, signal, timeLeftMs } = run
  const acknowledged = new Map<string, bigint>()
  let queues = plan.queues
  if (queues.size === 0) {
    held.pass(positionAt(held.position, plan, plan.nextOffset, acknowledged))
    await held.renewIfShort()
    return null
  }
  while (queues.size > 0) {
    await held.renewIfShort()
    const mayStart = () => !signal.aborted && timeLeftMs() > 0 && held.coversInvocation()
    run.handlerMayRun = true
    const outcomes = await dispatch(queues, run.origin, run.invoke, mayStart)
    run.handlerMayRun = [...outcomes.values()].some(({ unknown }) => unknown)
    if (signal.aborted) return 'superseded'
    for (const [name, { done }] of outcomes)
      count(run.summary, queues.get(name) ?? [], done, acknowledged, name)
    queues = rest(queues, outcomes)
    await held.commit(positionAt(held.position, plan, firstUndone(queues, plan.nextOffset), acknowledged))
    const failures = [...outcomes].filter(([, { failure }]) => failure !== null)
    for (const [name, { failure }] of failures) {
      if (failure === null) continue
      // A halt gives the lease back, so it waits for the next run when a handler may still be at work.
      if (failure.code === 'EVENT_TOO_LARGE' && !run.handlerMayRun) await haltWith(run, failure)
      run.summary.failures.push({ function: name, code: failure.code, message: failure.message })
    }
    if (failures.length > 0) return 'handler-failed'
    if (queues.size > 0 && timeLeftMs() <= 0) return 'time'
  }
  return null
}

type Queues = ReadonlyMap<string, readonly RoutedEvent[]>

function originOf(
  checkpoint: Pick<Origin, 'clusterId' | 'generation' | 'replayUntil'>,
  stream: Stream,
): Origin {
  const { clusterId, generation, replayUntil } = checkpoint
  return { topic: stream.topic, partition: stream.partition, clusterId, generation, replayUntil }
}

function count(
  summary: PollSummary,
  queue: readonly RoutedEvent[],
  done: number,
  acknowledged: Map<string, bigint>,
  name: string,
): void {
  for (const { table } of queue.slice(0, done)) add(summary.handled, table, 1)
  const last = queue[done - 1]
  if (last !== undefined) acknowledged.set(name, last.offset)
}

/** What is left of each queue; a queue that is done is gone. */
function rest(queues: Queues, outcomes: ReadonlyMap<string, Outcome>): Queues {
  const left = [...queues].map(([name, queue]) => [name, queue.slice(outcomes.get(name)?.done ?? 0)] as const)
  return new Map(left.filter(([, queue]) => queue.length > 0))
}

function firstUndone(queues: Queues, end: bigint): bigint {
  let first = end
  for (const [event] of queues.values()) {
    if (event !== undefined && event.offset < first) first = event.offset
  }
  return first
}

/** Halts the stream when `action` fails with one of `codes`. */
async function haltOn<Result>(
  run: Run,
  codes: ReadonlySet<ErrorCode>,
  action: () => Promise<Result>,
): Promise<Result> {
  try {
    return await action()
  } catch (error) {
    if (error instanceof DtsError && codes.has(error.code)) return await haltWith(run, error)
    throw error
  }
}

async function haltWith(run: Run, error: DtsError): Promise<never> {
  await run.held.halt(error)
  throw error
}

/** DTS carries this commit over to a new cluster; nothing here depends on it, so its failure is only reported. */
async function commitToGroup({ stream, held, summary, signal }: Run): Promise<void> {
  const { offset, timestamp } = held.position
  if (summary.from === String(offset) || signal.aborted) return
  try {
    await stream.commit(offset, timestamp)
    summary.groupCommit = 'done'
  } catch (error) {
    summary.groupCommit = error instanceof DtsError ? error.code : 'BROKER_FAILED'
  }
}

function countFetched(summary: PollSummary, { records }: Fetched): void {
  summary.fetched += records.length
  for (const { value } of records) summary.bytes += value?.length ?? 0
}

function measureLag({ held, summary, now }: Run, end: bigint): void {
  const { offset, timestamp } = held.position
  summary.lagRecords = String(end > offset ? end - offset : 0n)
  summary.lagSeconds = offset >= end ? 0 : Math.max(0, Math.floor(now() / 1000) - timestamp)
}

function add(counts: Record<string, number>, name: string, by: number): void {
  counts[name] = (counts[name] ?? 0) + by
}

function streamHalted({ halt }: Checkpoint): DtsError {
  return new DtsError(
    'STREAM_HALTED',
    `The stream is halted since ${new Date(halt?.at ?? 0).toISOString()} (${halt?.code}: ${halt?.message}) ` +
      `Nothing is read until ${recoveryCommand('{"action":"inspect"}')} and what it recommends was run.`,
    { retryable: false, facts: { halt: halt?.code ?? null } },
  )
}

function emptySummary(): PollSummary {
  return {
    ended: 'end-of-stream',
    from: null,
    to: null,
    clusterId: null,
    generation: null,
    fetched: 0,
    bytes: 0,
    handled: Object.create(null),
    skipped: Object.create(null),
    failures: [],
    lagSeconds: null,
    lagRecords: null,
    groupCommit: 'none',
  }
}
