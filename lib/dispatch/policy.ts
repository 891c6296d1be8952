import type { Trouble } from '../checkpoint/types.ts'
import type { Delivery } from './settings.ts'

/** Pure decisions about what follows a failed invocation. */

/** First pause after a failure, and the longest, in milliseconds. */
const backoffMs = 500
const backoffCapMs = 30_000

/** What failed. */
export interface Failure {
  /** The first event of the batch. */
  readonly offset: bigint
  /** How many events the batch had. */
  readonly size: number
  /** True when the handler named its first event as the one that failed. */
  readonly firstIsToBlame: boolean
}

export type Decision =
  | { readonly kind: 'retry'; readonly trouble: Trouble }
  /** The one event that is left is given up. */
  | { readonly kind: 'give-up'; readonly attempts: number }

/**
 * After a failure that may be the events' own: try again within attempts and age, then halve the batch until the
 * one event is found that cannot be handled, then give that one up.
 * @param random from 0 to 1, for full jitter
 */
export function afterEventFailure(
  delivery: Pick<Delivery, 'attempts' | 'maxAgeSeconds'>,
  before: Trouble | null,
  failure: Failure,
  now: number,
  random: number,
): Decision {
  const same = before !== null && before.offset === failure.offset
  const attempts = (same ? before.attempts : 0) + 1
  // Waiting for a function that could not be run, and what failed before it, do not make a change old.
  const since = same && before.attempts > 0 ? before.since : now
  const exhausted = attempts >= delivery.attempts || now - since >= delivery.maxAgeSeconds * 1_000
  if (!exhausted) {
    const limit = same ? before.limit : null
    return {
      kind: 'retry',
      trouble: { offset: failure.offset, attempts, since, nextAt: now + jitter(attempts, random), limit },
    }
  }
  if (failure.size === 1) return { kind: 'give-up', attempts }
  const limit = failure.firstIsToBlame ? 1 : Math.ceil(failure.size / 2)
  // Each half gets one try of its own: the attempts were made with the whole.
  return {
    kind: 'retry',
    trouble: {
      offset: failure.offset,
      attempts: Math.max(0, delivery.attempts - 1),
      since,
      nextAt: now,
      limit,
    },
  }
}

/** After a failure that is not the events': wait, as long as it takes. */
export function afterOutage(
  before: Trouble | null,
  offset: bigint,
  notBefore: number,
  now: number,
  random: number,
): Trouble {
  const same = before !== null && before.offset === offset
  const outages = (same ? (before.outages ?? 0) : 0) + 1
  const nextAt = Math.max(notBefore, now + jitter(outages, random))
  // When the next try is due, the change is as old as it was when this one was: what an outage takes is not its age.
  const outageMs = same && before.attempts > 0 ? nextAt - before.nextAt : 0
  return {
    offset,
    attempts: same ? before.attempts : 0,
    since: same ? before.since + outageMs : now,
    limit: same ? before.limit : null,
    nextAt,
    outages,
  }
}

/** After events went through: a batch that was made smaller grows back step by step, and nothing else is kept. */
export function afterSuccess(
  before: Trouble | null,
  done: number,
  batchSize: number,
  nextOffset: bigint | null,
): Trouble | null {
  if (before?.limit == null || nextOffset === null) return null
  const limit = done < before.limit ? before.limit : before.limit * 2
  if (limit >= batchSize) return null
  return { offset: nextOffset, attempts: 0, since: before.since, nextAt: 0, limit }
}

/** Full jitter: anything from nothing to the doubled pause, so that many tables do not return at once. */
function jitter(attempts: number, random: number): number {
  return Math.floor(random * Math.min(backoffCapMs, backoffMs * 2 ** Math.min(attempts, 20)))
}
