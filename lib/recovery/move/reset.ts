import { z } from 'zod'
import { HeldCheckpoint } from '../../checkpoint/lease.ts'
import { generationAfter, type Start } from '../../checkpoint/store.ts'
import type { Checkpoint } from '../../checkpoint/types.ts'
import type { NextStep } from '../../errors.ts'
import type { Stream } from '../../kafka/stream.ts'
import { askGroup, generationOf, otherDeployment, sharedGroup } from '../../log/group.ts'
import { formatTime } from '../../time.ts'
import type { RecoveryDependencies } from '../dependencies.ts'
import { lookOf } from './assess.ts'
import { describe, lossNotAccepted } from './describe.ts'
import { type Landing, land, type Move, resume, targetSchema } from './landing.ts'
import { positionOf } from './position.ts'
import { repeatsOf, replayUntilOf } from './repeats.ts'
import { makeToken, type Plan, readToken } from './token.ts'

export const resetSchema = z
  .strictObject({
    action: z.literal('reset'),
    to: targetSchema.optional(),
    dryRun: z.boolean().default(false),
    /** Of a dry run: applies exactly what it said, or refuses. */
    token: z.string().optional(),
    /** Says that changes which the answer names as lost may be lost. */
    acceptLoss: z.boolean().default(false),
    /** Who asks, and why: kept in the ledger. */
    by: z.string().max(200).optional(),
    reason: z.string().max(1_000).optional(),
  })
  .refine(
    ({ to, token }) => to === undefined || token === undefined,
    '"token" says where to go: leave out "to"',
  )
export type ResetEvent = z.output<typeof resetSchema>

interface Place {
  readonly clusterId: string
  readonly offset: string
  readonly generation: number
}

export interface ResetResult {
  readonly action: 'reset'
  readonly applied: boolean
  readonly from: Place | null
  readonly to: Place & { readonly time: string }
  readonly how: Landing['how']
  /** Changes that may be delivered again, by table, as far as the log is filled by now and was counted: an upper bound. */
  readonly repeats: Readonly<Record<string, number>>
  /** The offset from which on more may repeat than `repeats` says; null: it says all. */
  readonly countedTo: string | null
  /** Between which times are changes that this stream will never deliver; null when there are none. */
  readonly lost: { readonly from: string; readonly to: string } | null
  /** Of a dry run: what `token` takes. */
  readonly token: string | null
  readonly note: string
}

/** A reset decides on what it read before; this is the longest that nobody else may change it, in milliseconds. */
const leaseTerms = { worstCaseMs: 60_000, slackMs: 0 }

/**
 * Moves the checkpoint, in one conditional write. Without `to`: to where nothing is lost.
 * @throws DtsError CHECKPOINT_MISSING, CHECKPOINT_OUT_OF_RANGE, CHECKPOINT_RESTORED, GROUP_SHARED, DATA_GAP, LEASE_HELD,
 *   LEASE_TOO_LONG, PLAN_OUTDATED, SEARCH_UNFINISHED
 */
export async function reset(
  event: ResetEvent,
  dependencies: RecoveryDependencies,
  stream: Stream,
): Promise<ResetResult> {
  const { store, now } = dependencies
  const read = await store.read()
  const plan =
    event.token === undefined
      ? await planOf(
          await land(event.to, read, stream, lookOf(dependencies)),
          stream,
          now(),
          event.acceptLoss,
        )
      : await readToken(event.token, read, stream)
  const { how, known, position, lost } = plan
  const group = await askGroup(stream)
  const other = otherDeployment(group)
  const start: Omit<Start, 'entry'> = {
    clusterId: stream.clusterId,
    position,
    replayUntil: plan.replayUntil,
    usedGeneration: generationOf(group),
  }
  const at = now()
  const result: ResetResult = {
    action: 'reset',
    applied: !event.dryRun,
    from:
      read === null
        ? null
        : { clusterId: read.clusterId, offset: String(read.offset), generation: read.generation },
    to: {
      clusterId: stream.clusterId,
      offset: String(position.offset),
      generation: generationAfter(read?.generation ?? 0, at, start.usedGeneration),
      time: formatTime(position.timestamp),
    },
    how,
    repeats: plan.repeats,
    countedTo: plan.countedTo,
    lost: lost === null ? null : { from: formatTime(lost.from), to: formatTime(lost.to) },
    token: event.dryRun ? await makeToken(plan, read, stream) : null,
    note: [describe(plan, read, event.dryRun), other && sharedGroup(other)].filter(Boolean).join(' '),
  }
  if (event.dryRun) return result
  if (lost !== null && !event.acceptLoss && !plan.acceptLoss)
    throw lossNotAccepted(lost, how, acceptStep(event))
  const words = [
    `reset by ${how}`,
    result.lost && `lost ${result.lost.from} to ${result.lost.to}`,
    (known === 'unasked' || known === 'other') && 'what was read before is not known',
    event.reason,
  ]
  await apply(dependencies, read, {
    ...start,
    entry: { at, by: event.by ?? dependencies.owner, how: words.filter(Boolean).join(': ') },
  })
  return result
}

/** The same reset, with the loss accepted. */
function acceptStep({ to, token }: ResetEvent): NextStep {
  return {
    action: 'reset',
    ...(to === undefined
      ? {}
      : { to: typeof to === 'object' && 'offset' in to ? { offset: String(to.offset) } : to }),
    ...(token === undefined ? {} : { token }),
    acceptLoss: true,
    purpose: 'accept the loss',
  }
}

async function planOf(move: Move, stream: Stream, now: number, acceptLoss: boolean): Promise<Plan> {
  const { how, lost } = move.landing
  const { by: known } = move.known
  const { until, counts, countedTo } = await repeatsOf(move, stream, now)
  return {
    how,
    known,
    position: await positionOf(move, stream),
    replayUntil: until,
    repeats: counts,
    countedTo: countedTo === null ? null : String(countedTo),
    lost,
    acceptLoss,
  }
}

/** One conditional write under a lease of its own: whoever else moves the checkpoint meanwhile wins, or waits. */
async function apply(
  { store, now, owner }: RecoveryDependencies,
  read: Checkpoint | null,
  start: Start,
): Promise<void> {
  const leaseUntil = HeldCheckpoint.leaseUntil(now(), leaseTerms)
  if (read === null) {
    await store.release(await store.create(start, owner, leaseUntil))
    return
  }
  // The conditions of the lease are epoch, end of the lease and state as read: had anything moved since, one fails.
  const lease = await store.acquire(read, owner, now(), leaseUntil, [read.state])
  await store.reset(lease, read, start)
}

/**
 * What a reset without `to` would write, for a poller that recovers by itself; null when changes would be lost.
 * @param mayGoOn asked as long as the search for the last committed change takes
 * @throws DtsError CHECKPOINT_OUT_OF_RANGE (retryable) when the log has not got to the checkpoint yet; SEARCH_UNFINISHED
 */
export async function startWithoutLoss(
  read: Checkpoint,
  stream: Stream,
  entry: Start['entry'],
  mayGoOn: () => boolean,
): Promise<Start | null> {
  const move = await resume(read, stream, { now: entry.at, mayGoOn })
  const { how, lost } = move.landing
  if (lost !== null) return null
  return {
    clusterId: stream.clusterId,
    position: await positionOf(move, stream),
    replayUntil: await replayUntilOf(move, stream, entry.at),
    entry: { ...entry, how: `${entry.how}, by ${how}` },
  }
}
