import { HeldLease, type LeaseTerms } from '../checkpoint/held-lease.ts'
import type { Checkpoint } from '../checkpoint/types.ts'
import { DtsError } from '../errors.ts'
import type { Stream } from '../kafka/stream.ts'
import { askGroup } from '../log/group.ts'
import { awaitLease } from './await-lease.ts'
import { checkLog } from './check-log.ts'
import type { PollDependencies } from './dependencies.ts'
import { announceGeneration } from './group-commit.ts'
import { checkTime, leaseTerms } from './lease-terms.ts'
import { optionalWork } from './optional-work.ts'
import { Run } from './run.ts'
import { emptySummary, type PollSummary } from './summary.ts'
import { refuseStopped, takeLease } from './take-lease.ts'

/**
 * One run of the poller: take the lease, prove that the log is the checkpoint's, then fetch, deliver and commit until a bound
 * is reached, and release the lease.
 * @param summary filled during the run, so that it is complete if the run throws
 * @throws DtsError for everything that a person must know: faults of set-up or broker, and every halt
 */
export async function poll(
  dependencies: PollDependencies,
  summary: PollSummary = emptySummary(),
): Promise<PollSummary> {
  const { config, store, now } = dependencies
  const terms = leaseTerms(config.handlerTimeoutMs, dependencies.margins)
  checkTime(dependencies, terms)
  const read = await store.read()
  if (read !== null) {
    refuseStopped(read, now(), summary)
    const isHeld = read.leaseUntil !== null && read.leaseUntil >= now()
    if (isHeld && !config.handOver) return { ...summary, ended: 'lease-held' }
  }
  const stream = await dependencies.openStream()
  try {
    const waits = read !== null && config.handOver
    const free = waits ? await awaitLease(dependencies, read, terms, summary) : read
    if (read !== null && free === null) return { ...summary, ended: 'lease-held' }
    return await pollStream(dependencies, free, stream, terms, summary)
  } catch (error) {
    const code = error instanceof DtsError ? error.code : null
    if (code === 'LEASE_HELD') return { ...summary, ended: 'lease-held' }
    if (code === 'LEASE_LOST') return { ...summary, ended: 'lease-lost' }
    // Another first run may have created the item, and committed to the group, since the item was found missing.
    if (code === 'CHECKPOINT_MISSING' && read === null && (await store.read()) !== null)
      return { ...summary, ended: 'lease-held' }
    throw error
  } finally {
    await stream.close()
  }
}

async function pollStream(
  dependencies: PollDependencies,
  read: Checkpoint | null,
  stream: Stream,
  terms: LeaseTerms,
  summary: PollSummary,
): Promise<PollSummary> {
  const { store, now, signal } = dependencies
  if (signal.aborted) return { ...summary, ended: 'superseded' }
  const leaseUntil = HeldLease.leaseUntil(now(), terms)
  const { lease: taken, checkpoint } = await takeLease(dependencies, read, stream, leaseUntil)
  const lease = new HeldLease(store, taken, leaseUntil, checkpoint, terms, now)
  const { clusterId, generation } = checkpoint
  Object.assign(summary, { from: String(checkpoint.offset), clusterId, generation })
  // Asked under the lease: if another run has committed to the group by now, the item had that position before it was read.
  const group = optionalWork(dependencies, () => askGroup(stream))
  group.catch(() => {})
  const ended = await checkLog(dependencies, read, checkpoint, stream, lease, group, summary)
  if (ended !== null) return ended
  await announceGeneration(dependencies, stream, lease.stored, generation, await group, summary)
  await new Run(dependencies, stream, lease, checkpoint, terms.worstCaseMs, summary).work()
  return summary
}
