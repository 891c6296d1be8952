import type { HeldLease } from '../checkpoint/held-lease.ts'
import type { Checkpoint, Position } from '../checkpoint/types.ts'
import { DtsError } from '../errors.ts'
import type { Stream } from '../kafka/stream.ts'
import { type GroupAnswer, restoredFault } from '../log/group.ts'
import { requireSameLog, sameLogCodes } from '../log/same-log.ts'
import { startWithoutLoss } from '../recovery/move/reset.ts'
import type { Origin, PollDependencies } from './dependencies.ts'
import { corruptPauseMs, corruptTries } from './read-ahead.ts'
import type { PollSummary } from './summary.ts'

/**
 * Compares the log with the checkpoint before any change is read.
 * @param read null if this run created the checkpoint
 * @param group the answer of the consumer group; null if there is none
 * @returns the summary of a run that ends here, because it moved the checkpoint to another log; null if the run may read
 * @throws DtsError the reason for which the stream is now halted; or a fault that the next run may not meet
 */
export async function checkLog(
  dependencies: PollDependencies,
  read: Checkpoint | null,
  checkpoint: Position & Origin,
  stream: Stream,
  lease: HeldLease,
  group: Promise<GroupAnswer | null>,
  summary: PollSummary,
): Promise<PollSummary | null> {
  try {
    const fault = read === null ? null : await changedLog(dependencies, read, stream)
    // Also for a new checkpoint: if this process froze after it had created the item, others may have continued from it.
    const restored = restoredFault(checkpoint, await group)
    if (restored !== null) return await haltAt(lease, restored, summary)
    if (read === null || fault === null) return null
    return await recoverOrHalt(dependencies, read, stream, lease, fault, summary)
  } catch (error) {
    // The run has delivered nothing, so the next one need not wait for the end of this lease.
    if (summary.halted === null) await lease.release().catch(() => {})
    throw error
  }
}

/** Why the stream must halt: the log is not the checkpoint's, or cannot be compared. Null if the log is the checkpoint's. */
async function changedLog(
  { sleep, signal }: PollDependencies,
  read: Checkpoint,
  stream: Stream,
): Promise<DtsError | null> {
  for (let tries = 1; ; tries++) {
    try {
      await requireSameLog(read, stream)
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
 * Halts the stream. With `ON_CLUSTER_CHANGE=recover`, it moves the checkpoint instead, if the move loses nothing.
 * @throws DtsError CHECKPOINT_OUT_OF_RANGE while the new log is still being filled, SEARCH_UNFINISHED if the lease is too
 *   short for the search: then the stream is not halted, and the next run searches again
 */
async function recoverOrHalt(
  { config, now, owner }: PollDependencies,
  read: Checkpoint,
  stream: Stream,
  lease: HeldLease,
  fault: DtsError,
  summary: PollSummary,
): Promise<PollSummary> {
  if (config.onClusterChange === 'recover' && sameLogCodes.has(fault.code)) {
    const entry = { at: now(), by: owner, how: `recovered from ${fault.code}` }
    const start = await startWithoutLoss(read, stream, entry, () => lease.lasts())
    if (start !== null) {
      await lease.move(read, start)
      return { ...summary, ended: 'recovered', to: String(start.position.offset) }
    }
  }
  return await haltAt(lease, fault, summary)
}

async function haltAt(lease: HeldLease, fault: DtsError, summary: PollSummary): Promise<never> {
  await lease.halt(fault)
  summary.halted = fault.code
  throw fault
}
