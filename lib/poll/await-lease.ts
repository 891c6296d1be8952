import type { LeaseTerms } from '../checkpoint/held-lease.ts'
import type { Checkpoint } from '../checkpoint/types.ts'
import { DtsError } from '../errors.ts'
import { decideWait } from './decide.ts'
import type { PollDependencies } from './dependencies.ts'
import type { PollSummary } from './summary.ts'
import { refuseStopped } from './take-lease.ts'

/**
 * Waits until the lease is free, and asks its holder to hand it over. The run that waits is connected already, so that the stream
 * continues at once.
 * @param read the checkpoint as this run found it
 * @returns the checkpoint to acquire, as it is now; null if this run must end without the lease
 * @throws DtsError STREAM_HALTED, LEASE_TOO_LONG
 */
export async function awaitLease(
  dependencies: PollDependencies,
  read: Checkpoint,
  { worstCaseMs }: LeaseTerms,
  summary: PollSummary,
): Promise<Checkpoint | null> {
  const { store, now, sleep, signal, owner, remainingMs } = dependencies
  let askedAt: number | null = null
  for (let item: Checkpoint | null = read; ; item = await unlessAway(() => store.read(), item)) {
    // A person deleted it. Only the next run may ask the group whether this is a first start.
    if (item === null) return null
    refuseStopped(item, now(), summary)
    const step = decideWait({
      now: now(),
      superseded: signal.aborted,
      timeLeftMs: remainingMs() - worstCaseMs,
      firstEpoch: read.epoch,
      epoch: item.epoch,
      leaseUntil: item.leaseUntil,
      wishedAt: item.wish?.epoch === item.epoch ? item.wish.at : null,
      askedAt,
    })
    if (step.do === 'acquire') return item
    if (step.do === 'leave') return null
    if (step.do === 'wish') {
      const [asked, at] = [item, now()]
      askedAt = at
      await unlessAway(() => store.wish(asked, owner, at), undefined)
    }
    await sleep(step.milliseconds, signal)
  }
}

/** DynamoDB may work again in a moment, and the holder works meanwhile. */
async function unlessAway<Result>(ask: () => Promise<Result>, otherwise: Result): Promise<Result> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof DtsError && error.code === 'CHECKPOINT_TABLE_UNAVAILABLE' && error.retryable)
      return otherwise
    throw error
  }
}
