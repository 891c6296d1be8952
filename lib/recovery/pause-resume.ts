import { clockSkewMs, isLeaseTooLong, leaseHeld, timeOf } from '../checkpoint/lease-limits.ts'
import { haltOf, resumeLater } from '../checkpoint/types.ts'
import { DtsError, type NextStep } from '../errors.ts'
import type { Stream } from '../kafka/stream.ts'
import { askGroup, restoredFault } from '../log/group.ts'
import { requireSameLog } from '../log/same-log.ts'
import * as z from '../schema.ts'
import type { RecoveryDependencies } from './dependencies.ts'
import { marginMs, type SendDependencies } from './resend/send.ts'

const who = {
  by: z.optional(z.string().check(z.maxLength(200))),
  reason: z.optional(z.string().check(z.maxLength(1_000))),
}
export const pauseSchema = z.strictObject({ action: z.literal('pause'), ...who })
export const resumeSchema = z.strictObject({ action: z.literal('resume'), ...who })

export const releaseSchema = z.strictObject({ action: z.literal('release'), ...who })

export interface StateResult {
  readonly action: 'pause' | 'resume' | 'release'
  readonly offset: string
  readonly note: string
  readonly next: readonly NextStep[]
}

/** Stops the stream at its position, until `resume`. A poller that is running finishes its run first. */
export async function pause(
  event: z.output<typeof pauseSchema>,
  { store, now, owner }: RecoveryDependencies,
): Promise<StateResult> {
  const read = await store.read()
  if (read === null) throw noCheckpoint()
  const by = event.by ?? owner
  await store.pause(read, { by, reason: event.reason || null, at: now() })
  const running = read.leaseUntil !== null && read.leaseUntil > now()
  return {
    action: 'pause',
    offset: String(read.offset),
    note: running
      ? 'Paused. A run is at work and ends by itself, within the poller’s timeout; after it, nothing is read until ' +
        'resume. A reset ends the pause, too.'
      : 'Paused. Nothing is read until resume. A reset ends the pause, too.',
    next: [resumeLater],
  }
}

/**
 * Lets a halted or paused stream continue at its position. The attempts of failed changes are counted from 0 again.
 * @throws DtsError CLUSTER_CHANGED, LOG_CHANGED, DATA_GAP if the position no longer fits the log, CHECKPOINT_RESTORED if
 *   the item is an older one: all of these need a reset
 */
export async function resumeStream(
  event: z.output<typeof resumeSchema>,
  { store, now, owner }: RecoveryDependencies,
  stream: Stream,
): Promise<StateResult> {
  const read = await store.read()
  if (read === null) throw noCheckpoint()
  if (read.state === 'RUNNING') {
    return {
      action: 'resume',
      offset: String(read.offset),
      note: 'The stream is not halted; nothing was changed.',
      next: [],
    }
  }
  const restored = restoredFault(read, await askGroup(stream))
  if (restored !== null) throw restored
  await requireSameLog(read, stream)
  const code = haltOf(read)?.code
  const how = `resume after ${code ?? 'halt'}${event.reason ? `: ${event.reason}` : ''}`
  await store.resume(read, { at: now(), by: event.by ?? owner, how })
  return {
    action: 'resume',
    offset: String(read.offset),
    note:
      `The stream is no longer halted: the next run of the poller reads on at offset ${read.offset}.` +
      (code === undefined || code === 'PAUSED'
        ? ''
        : ` While the cause of the halt (${code}) lasts, it halts again.`),
    next: [],
  }
}

/**
 * Breaks a lease that ends later than any run can hold it. The new lease lasts for the longest time of one invocation, as
 * a handler that the old holder invoked may still be running.
 * @throws DtsError LEASE_HELD if a run may hold the lease
 */
export async function release(
  event: z.output<typeof releaseSchema>,
  { store, now, owner, handlerTimeoutMs }: RecoveryDependencies & Pick<SendDependencies, 'handlerTimeoutMs'>,
): Promise<StateResult> {
  const read = await store.read()
  if (read === null) throw noCheckpoint()
  const offset = String(read.offset)
  if (read.leaseUntil === null)
    return { action: 'release', offset, note: 'No run holds the lease; nothing to do.', next: [] }
  if (!isLeaseTooLong(read, now())) throw leaseHeld(read.leaseUntil)
  const leaseUntil = now() + handlerTimeoutMs + marginMs
  const how = `broke the lease of ${read.owner} until ${timeOf(read.leaseUntil)}${event.reason ? `: ${event.reason}` : ''}`
  await store.breakLease(read, owner, leaseUntil, { at: now(), by: event.by ?? owner, how })
  return {
    action: 'release',
    offset,
    note:
      `The lease of ${read.owner}, which ended at ${timeOf(read.leaseUntil)}, is broken. The position did not move. The next ` +
      `run may start at ${timeOf(leaseUntil + clockSkewMs)}, when an invocation of the old holder must have ended. Check the ` +
      'clock of the machine that wrote that lease.',
    next: [],
  }
}

function noCheckpoint(): DtsError {
  return new DtsError('CHECKPOINT_MISSING', 'There is no checkpoint yet: the poller has not run.', {
    retryable: false,
  })
}
