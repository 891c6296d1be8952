import { isLeaseTooLong, leaseTooLong } from '../checkpoint/lease-limits.ts'
import { reachedTime, startOfTimes } from '../checkpoint/source-times.ts'
import {
  type Checkpoint,
  freshPosition,
  haltOf,
  type Lease,
  type Position,
  type Start,
} from '../checkpoint/types.ts'
import { DtsError } from '../errors.ts'
import type { Stream } from '../kafka/stream.ts'
import { firstOffset } from '../log/first-start.ts'
import type { Origin, PollDependencies } from './dependencies.ts'
import type { PollSummary } from './summary.ts'

/** A lease, and the position from which its holder continues. */
export interface Taken {
  readonly lease: Lease
  readonly checkpoint: Position & Origin
}

/** @throws DtsError STREAM_HALTED, LEASE_TOO_LONG if only a person can let this stream continue */
export function refuseStopped(read: Checkpoint, now: number, summary: PollSummary): void {
  const fault =
    read.state !== 'RUNNING' ? streamHalted(read) : isLeaseTooLong(read, now) ? leaseTooLong(read) : null
  if (fault === null) return
  // The run does not read the log, but the age of the position is known.
  summary.lagSeconds = Math.max(0, Math.floor(now / 1000) - reachedTime(read, now / 1000))
  if (read.state !== 'RUNNING') summary.halted = haltOf(read)?.code ?? 'STREAM_HALTED'
  throw fault
}

/** @throws DtsError LEASE_HELD if another run was faster; the errors of `firstOffset` */
export async function takeLease(
  dependencies: PollDependencies,
  read: Checkpoint | null,
  stream: Stream,
  leaseUntil: number,
): Promise<Taken> {
  const { store, now, owner } = dependencies
  if (read === null) return await firstStart(dependencies, stream, leaseUntil)
  return { lease: await store.acquire(read, owner, now(), leaseUntil, ['RUNNING']), checkpoint: read }
}

/** Starts a new stream at the configured time. */
async function firstStart(
  { config, store, owner, now }: PollDependencies,
  stream: Stream,
  leaseUntil: number,
): Promise<Taken> {
  const { offset, timestamp } = await firstOffset(config, stream)
  const position = { ...freshPosition(offset, timestamp), times: startOfTimes(timestamp) }
  const { clusterId } = stream
  const start: Start = {
    clusterId,
    position,
    replayUntil: null,
    entry: { at: now(), by: owner, how: `first start at ${timestamp}` },
  }
  const lease = await store.create(start, owner, leaseUntil)
  return { lease, checkpoint: { ...position, clusterId, generation: lease.generation, replayUntil: null } }
}

function streamHalted(checkpoint: Checkpoint): DtsError {
  const halt = haltOf(checkpoint)
  const why =
    halt === null
      ? 'The stream is halted, and the checkpoint does not say why. '
      : `The stream has been halted since ${new Date(halt.at).toISOString()} (${halt.code}: ${halt.message}). `
  return new DtsError('STREAM_HALTED', `${why}Nothing is read until recovery ends the halt.`, {
    retryable: false,
    facts: { ...halt?.facts, halt: halt?.code ?? null },
    next: [{ action: 'inspect', purpose: 'see what ends the halt' }],
  })
}
