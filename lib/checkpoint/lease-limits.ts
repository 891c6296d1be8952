import { DtsError } from '../errors.ts'
import type { Checkpoint, Lease } from './types.ts'

/** How long a lease can last, and the errors of a write whose lease is refused. */

/** A run takes over a lease only this long after its end, in milliseconds: the clocks of two machines differ. */
export const clockSkewMs = 5_000

/**
 * No run holds a lease for longer, in milliseconds. Lambda's longest timeout of a handler is 900 s, the margins of a lease
 * are 30 s, and the rest is for clocks that differ. If a lease ends later, a clock was wrong.
 */
const longestLeaseMs = 20 * 60_000

/** Whether a lease ends later than any run can hold it. @param now milliseconds since 1970 */
export function isLeaseTooLong<Read extends Pick<Checkpoint, 'leaseUntil'>>(
  read: Read,
  now: number,
): read is Read & { readonly leaseUntil: number } {
  const { leaseUntil } = read
  return leaseUntil !== null && leaseUntil > now + longestLeaseMs
}

/** @param leaseUntil null if no run holds the lease, so that another write caused the refusal */
export function leaseHeld(leaseUntil: number | null): DtsError {
  return new DtsError(
    'LEASE_HELD',
    leaseUntil === null
      ? 'Another write changed the checkpoint at the same moment, so this one was refused. Nothing was changed. The poller ' +
          'tries again at its next run.'
      : `Another run holds the lease of this stream until ${timeOf(leaseUntil + clockSkewMs)} at the latest. ` +
          'Nothing was changed. The poller tries again at its next run.',
    {
      retryable: true,
      facts: { leaseUntil },
      next:
        leaseUntil === null
          ? [{ action: 'inspect', purpose: 'see where the stream is now, before you repeat this' }]
          : [{ action: 'wait', until: timeOf(leaseUntil + clockSkewMs) }],
    },
  )
}

/** The error for a checkpoint for which `isLeaseTooLong` holds. */
export function leaseTooLong({
  leaseUntil,
  owner,
  epoch,
}: Checkpoint & { readonly leaseUntil: number }): DtsError {
  return new DtsError(
    'LEASE_TOO_LONG',
    `The lease of ${owner} (epoch ${epoch}) ends at ${timeOf(leaseUntil)}, later than any run can hold it: a clock was wrong, ` +
      'or a person wrote into the item. Nothing is delivered until then.',
    {
      retryable: false,
      facts: { leaseUntil, owner, epoch },
      next: [{ action: 'release', purpose: 'break the lease, once no run of the poller is at work' }],
    },
  )
}

export function leaseLost(lease: Pick<Lease, 'owner' | 'epoch'>): DtsError {
  return new DtsError(
    'LEASE_LOST',
    `The lease of epoch ${lease.epoch} is no longer ours; nothing was written. The run that took the lease continues.`,
    { retryable: false, facts: { epoch: lease.epoch, owner: lease.owner } },
  )
}

/** ISO 8601. A number that is no date, which a person may have written into the item, stays a number. */
export function timeOf(milliseconds: number): string {
  const date = new Date(milliseconds)
  return Number.isNaN(date.getTime()) ? String(milliseconds) : date.toISOString()
}
