import type { Trouble } from '../checkpoint/types.ts'
import type { Delivery } from './settings.ts'

/** Pure decisions after a failed invocation. */

/** The first and the longest pause after a failure, in milliseconds. */
const backoffMs = 500
const backoffCapMs = 30_000

/** A failed invocation. */
export interface Failure {
  /** The first event of the batch. */
  readonly offset: bigint
  /** How many events the batch had. */
  readonly size: number
  /** How many of them, from the first on, belong to one transaction of the source; 1 if the function does not get whole ones. */
  readonly together: number
  /** True if the handler named its first event as the failed one. */
  readonly firstIsToBlame: boolean
  /** Whether the search may split a transaction. Not if the event that it finds would halt the stream. */
  readonly maySplit: boolean
}

export type Decision =
  | { readonly kind: 'retry'; readonly trouble: Trouble }
  /** The single event that is left becomes a dead letter, or halts the stream. */
  | { readonly kind: 'dead-letter'; readonly attempts: number }

/**
 * After a failure that the events may have caused: try again within attempts and age, then halve the batch until one event
 * is left, then send that event to the dead-letter queue. A transaction is tried alone before it is halved.
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
  // The time of an outage, and of failures before it, does not count as the change's age.
  const since = same && before.attempts > 0 ? before.since : now
  const exhausted = attempts >= delivery.attempts || now - since >= delivery.maxAgeSeconds * 1_000
  if (!exhausted) {
    // A transaction that was sent whole stays whole for all of its attempts.
    const limit = same && before.limit !== null ? Math.max(before.limit, failure.together) : null
    return {
      kind: 'retry',
      trouble: { offset: failure.offset, attempts, since, nextAt: now + jitter(attempts, random), limit },
    }
  }
  const { size, together } = failure
  if (size === 1 || (size === together && !failure.maySplit)) return { kind: 'dead-letter', attempts }
  const half = Math.ceil(size / 2)
  const limit = size === together ? half : failure.firstIsToBlame ? together : Math.max(half, together)
  // Each half gets one attempt: the others were made with the whole batch. A transaction is cut only after an attempt.
  const least = size === together ? 1 : 0
  return {
    kind: 'retry',
    trouble: {
      offset: failure.offset,
      attempts: Math.max(least, delivery.attempts - 1),
      since,
      nextAt: now,
      limit,
    },
  }
}

/**
 * After a failure that the events did not cause: wait as long as needed.
 * @param notBefore the earliest time of the next attempt, in milliseconds since 1970; null for no such limit
 */
export function afterOutage(
  before: Trouble | null,
  offset: bigint,
  notBefore: number | null,
  now: number,
  random: number,
): Trouble {
  const same = before !== null && before.offset === offset
  const outages = (same ? (before.outages ?? 0) : 0) + 1
  const nextAt = Math.max(notBefore ?? now, now + jitter(outages, random))
  // Move `since` by the pause: the time of an outage does not count as the change's age.
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

/** After a success: a batch that was halved grows back step by step. Nothing else is kept. */
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

/** Full jitter: from nothing to the doubled pause, so that many tables do not retry at once. */
function jitter(attempts: number, random: number): number {
  return Math.floor(random * Math.min(backoffCapMs, backoffMs * 2 ** Math.min(attempts, 20)))
}
