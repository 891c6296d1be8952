import { HeldCheckpoint, type LeaseTerms } from '../checkpoint/lease.ts'
import { reachedTime, startOfTimes } from '../checkpoint/source-times.ts'
import { type CheckpointStore, isLeaseTooLong, leaseTooLong, type Start } from '../checkpoint/store.ts'
import { type Checkpoint, freshPosition, type Lease, type Position } from '../checkpoint/types.ts'
import { DtsError } from '../errors.ts'
import { deploymentName } from '../kafka/commit-mark.ts'
import type { Stream } from '../kafka/stream.ts'
import { firstOffset } from '../log/first-start.ts'
import {
  askGroup,
  commitToGroup,
  type GroupAnswer,
  generationOf,
  otherDeployment,
  restoredFault,
} from '../log/group.ts'
import { proveSameLog, sameLogCodes } from '../log/same-log.ts'
import { startWithoutLoss } from '../recovery/move/reset.ts'
import { courtesy } from './courtesy.ts'
import type { LeaseMargins, Origin, PollDependencies } from './dependencies.ts'
import { corruptPauseMs, corruptTries } from './read-ahead.ts'
import { Run } from './run.ts'
import { emptySummary, type PollSummary } from './summary.ts'

const lambdaMargins: LeaseMargins = { coldStartMs: 10_000, commitMs: 5_000, slackMs: 15_000 }

/** @param handlerTimeoutMs the longest timeout of the table functions */
export function leaseTerms(
  handlerTimeoutMs: number,
  { coldStartMs, commitMs, slackMs }: LeaseMargins = lambdaMargins,
): LeaseTerms {
  return { worstCaseMs: handlerTimeoutMs + coldStartMs + commitMs, slackMs }
}

/**
 * One run of the poller: take the lease, prove that the log is the one the checkpoint belongs to, then fetch,
 * deliver and commit until a bound is reached, and give the lease back.
 * @param summary filled during the run, so that it is complete when the run throws
 * @throws DtsError for everything that a person must know: faults of set-up or broker, and every halt
 */
export async function poll(
  dependencies: PollDependencies,
  summary: PollSummary = emptySummary(),
): Promise<PollSummary> {
  const { config, store, now, owner, signal } = dependencies
  const terms = leaseTerms(config.handlerTimeoutMs, dependencies.margins)
  if (dependencies.remainingMs() <= terms.worstCaseMs) throw tooShort(dependencies, terms)
  const read = await store.read()
  if (read?.state === 'HALTED' || (read !== null && isLeaseTooLong(read, now()))) {
    // Nothing is delivered, so the log is not read, but the age of the position is known.
    summary.lagSeconds = Math.max(0, Math.floor(now() / 1000) - reachedTime(read, now() / 1000))
    if (read.state === 'RUNNING') throw leaseTooLong(read)
    summary.halted = read.halt?.code ?? 'STREAM_HALTED'
    throw streamHalted(read)
  }
  if (read !== null && read.leaseUntil >= now()) return { ...summary, ended: 'lease-held' }
  const stream = await dependencies.openStream()
  try {
    if (signal.aborted) return { ...summary, ended: 'superseded' }
    const leaseUntil = HeldCheckpoint.leaseUntil(now(), terms)
    const begun =
      read === null
        ? await firstStart(dependencies, stream, leaseUntil)
        : { lease: await store.acquire(read, owner, now(), leaseUntil, ['RUNNING']), checkpoint: read }
    const held = new HeldCheckpoint(store, begun.lease, leaseUntil, begun.checkpoint, terms, now)
    Object.assign(summary, { from: String(held.position.offset), ...placeOf(begun.checkpoint) })
    // Asked under the lease: what others have committed by now was in the item before it was read.
    const asked = courtesy(dependencies, () => askGroup(stream))
    asked.catch(() => {})
    if (read !== null) {
      try {
        const fault = await changedLog(dependencies, read, stream)
        const restored = restoredFault(read, await asked)
        if (restored !== null) return await haltAt(held, restored, summary)
        if (fault !== null)
          return await recoverOrHalt(dependencies, held, begun.lease, read, stream, fault, summary)
      } catch (error) {
        // No change was handed out yet, so the next run need not wait for this lease.
        if (summary.halted === null) await held.release().catch(() => {})
        throw error
      }
    }
    await introduce(dependencies, stream, held, begun.checkpoint, await asked, summary)
    await new Run(dependencies, stream, held, begun.checkpoint, terms.worstCaseMs, summary).work()
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

function placeOf({ clusterId, generation }: Origin) {
  return { clusterId, generation }
}

/** Starts a stream that was never read, at the configured time. */
async function firstStart(
  { config, store, owner, now }: PollDependencies,
  stream: Stream,
  leaseUntil: number,
): Promise<{ lease: Awaited<ReturnType<CheckpointStore['create']>>; checkpoint: Position & Origin }> {
  const { offset, timestamp } = await firstOffset(config.startTime, stream)
  const position = { ...freshPosition(offset, timestamp), times: startOfTimes(timestamp) }
  const start: Start = {
    clusterId: stream.clusterId,
    position,
    replayUntil: -1,
    entry: { at: now(), by: owner, how: `first start at ${timestamp}` },
  }
  const lease = await store.create(start, owner, leaseUntil)
  return {
    lease,
    checkpoint: { ...position, clusterId: stream.clusterId, generation: lease.generation, replayUntil: -1 },
  }
}

/** The reason to halt before any change is read: the log is not the checkpoint's, or cannot be compared. */
async function changedLog(
  { sleep, signal }: PollDependencies,
  read: Checkpoint,
  stream: Stream,
): Promise<DtsError | null> {
  for (let tries = 1; ; tries++) {
    try {
      await proveSameLog(read, stream)
      return null
    } catch (error) {
      if (!(error instanceof DtsError)) throw error
      if (sameLogCodes.has(error.code) || error.code === 'BATCH_TOO_LARGE') return error
      if (error.code !== 'BATCH_CORRUPT') throw error
      if (tries === corruptTries) return error
      await sleep(corruptPauseMs, signal)
    }
  }
}

/**
 * Halts, or, where that was chosen and nothing is lost by it, does what recovery would.
 * @throws DtsError CHECKPOINT_OUT_OF_RANGE when nobody can tell yet, as the log is still being filled, SEARCH_UNFINISHED
 *   when a lease is too short to look through all of it: nothing is halted, and the next run looks again
 */
async function recoverOrHalt(
  { config, store, now, owner }: PollDependencies,
  held: HeldCheckpoint,
  lease: Lease,
  read: Checkpoint,
  stream: Stream,
  fault: DtsError,
  summary: PollSummary,
): Promise<PollSummary> {
  if (config.onClusterChange === 'recover' && sameLogCodes.has(fault.code)) {
    const entry = { at: now(), by: owner, how: `recovered from ${fault.code}` }
    const start = await startWithoutLoss(read, stream, entry, () => held.lasts())
    if (start !== null) {
      await store.reset(lease, read, start)
      return { ...summary, ended: 'recovered', to: String(start.position.offset) }
    }
  }
  return await haltAt(held, fault, summary)
}

async function haltAt(held: HeldCheckpoint, fault: DtsError, summary: PollSummary): Promise<never> {
  await held.halt(fault)
  summary.halted = fault.code
  throw fault
}

/**
 * The group has to know a generation before a handler is invoked in it: it alone can show later that an item of an older
 * generation was restored.
 */
async function introduce(
  dependencies: PollDependencies,
  stream: Stream,
  { stored }: HeldCheckpoint,
  { generation }: Origin,
  answer: GroupAnswer | null,
  summary: PollSummary,
): Promise<void> {
  if (answer === null) return
  const other = otherDeployment(answer)
  if (other !== null) summary.otherDeployment = deploymentName(other)
  if (!answer.isKnown || generationOf(answer) === generation) return
  const told = await courtesy(dependencies, () => commitToGroup(stream, stored, generation))
  if (told !== null && told !== 'done') summary.groupCommit = told
}

/** Otherwise a run that can never invoke anything would end in time every minute, and all metrics would look healthy. */
function tooShort({ remainingMs }: PollDependencies, { worstCaseMs }: LeaseTerms): DtsError {
  const [left, needed] = [remainingMs(), worstCaseMs].map((milliseconds) => Math.floor(milliseconds / 1000))
  return new DtsError(
    'CONFIG_INVALID',
    `This run has ${left} s, and an invocation of the slowest table function may take ${needed} s, with its cold start ` +
      "and the commit: nothing can be delivered. Raise the poller's timeout in serverless.yml well above that, or lower " +
      "the table function's in custom.tables, and deploy.",
    { retryable: false, facts: { seconds: left ?? 0, needed: needed ?? 0 } },
  )
}

function streamHalted({ halt }: Checkpoint): DtsError {
  return new DtsError(
    'STREAM_HALTED',
    `The stream has been halted since ${new Date(halt?.at ?? 0).toISOString()} (${halt?.code}: ${halt?.message}). ` +
      'Nothing is read until recovery ends the halt.',
    {
      retryable: false,
      facts: { ...halt?.facts, halt: halt?.code ?? null },
      next: [{ action: 'inspect', purpose: 'see what ends the halt' }],
    },
  )
}
