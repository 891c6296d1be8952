import { HeldLease } from '../../checkpoint/held-lease.ts'
import { generationAfter } from '../../checkpoint/transitions.ts'
import type { Checkpoint, Start } from '../../checkpoint/types.ts'
import type { Stream } from '../../kafka/stream.ts'
import { askGroup, type GroupAnswer, otherDeployment, sharedGroup, usedGeneration } from '../../log/group.ts'
import { recordsAround } from '../../log/survey-place.ts'
import * as z from '../../schema.ts'
import { formatTime } from '../../time.ts'
import type { RecoveryDependencies } from '../dependencies.ts'
import { type How, lossNotAccepted, type Move } from './decide.ts'
import { describe } from './describe.ts'
import { planMove, searchLimits } from './plan-move.ts'
import { targetSchema } from './target.ts'
import { makeToken, readToken, requireUnchanged } from './token.ts'

export const resetSchema = z
  .strictObject({
    action: z.literal('reset'),
    to: z.optional(targetSchema),
    dryRun: z._default(z.boolean(), false),
    /** From a dry run: applies exactly what the dry run announced, or refuses. */
    token: z.optional(z.string()),
    /** Accepts the loss of the changes that the answer names as lost. */
    acceptLoss: z._default(z.boolean(), false),
    /** The person who asks, and the reason: kept in the ledger. */
    by: z.optional(z.string().check(z.maxLength(200))),
    reason: z.optional(z.string().check(z.maxLength(1_000))),
  })
  .check(
    z.refine(
      ({ to, token }) => to === undefined || token === undefined,
      '"token" says where to go: leave out "to"',
    ),
  )
export type ResetEvent = z.output<typeof resetSchema>

interface LedgerPlace {
  readonly clusterId: string
  readonly offset: string
  readonly generation: number
}

export interface ResetResult {
  readonly action: 'reset'
  readonly applied: boolean
  readonly from: LedgerPlace | null
  readonly to: LedgerPlace & { readonly time: string }
  readonly how: How
  /** Changes that may be delivered again, by table: an upper bound of those that the log holds by now. */
  readonly repeats: Readonly<Record<string, number>>
  /** From this offset on more may repeat than `repeats` says; null: the count is complete. */
  readonly countedTo: string | null
  /** Between which times are changes that this stream will never deliver; null if there are none. */
  readonly lost: { readonly from: string; readonly to: string } | null
  /** Of a dry run: the value for `token`. */
  readonly token: string | null
  readonly note: string
}

/** A move that was decided, and the facts that it needs to be written. */
interface Plan {
  readonly move: Move
  readonly acceptLoss: boolean
  readonly group: GroupAnswer
  /** Digest of the first record from the place on; null at the end of the log. */
  readonly next: string | null
}

/**
 * Moves the checkpoint: reads it, surveys the log, decides, and writes once. Without `to`: to where nothing is lost.
 * @throws DtsError CHECKPOINT_MISSING, CHECKPOINT_OUT_OF_RANGE, CHECKPOINT_RESTORED, GROUP_SHARED, DATA_GAP, LEASE_HELD,
 *   LEASE_TOO_LONG, PLAN_OUTDATED, SEARCH_UNFINISHED
 */
export async function reset(
  event: ResetEvent,
  dependencies: RecoveryDependencies,
  stream: Stream,
): Promise<ResetResult> {
  const read = await dependencies.store.read()
  const plan =
    event.token === undefined
      ? await planByEvent(event, read, dependencies, stream)
      : await planByToken(event.token, event, read, stream)
  const start: Omit<Start, 'entry'> = {
    clusterId: stream.clusterId,
    position: plan.move.position,
    replayUntil: plan.move.replayUntil,
    usedGeneration: usedGeneration(plan.group),
  }
  const at = dependencies.now()
  const result = resultOf(event, plan, read, start, at)
  if (event.dryRun) return result
  const { by = dependencies.owner, reason } = event
  const how = ledgerText(plan.move, result.lost, reason)
  await write(dependencies, read, { ...start, entry: { at, by, how } })
  return result
}

async function planByEvent(
  { to, dryRun, acceptLoss }: ResetEvent,
  read: Checkpoint | null,
  dependencies: RecoveryDependencies,
  stream: Stream,
): Promise<Plan> {
  // A dry run announces a loss instead of refusing it.
  const request = { to, mayLose: acceptLoss || dryRun, countsRepeats: true, wantsNext: dryRun }
  const planned = await planMove(request, read, stream, searchLimits(dependencies))
  if (planned.decision.kind === 'refusal') throw planned.decision.error
  const { decision: move, group, next } = planned
  return { move, acceptLoss, group, next }
}

async function planByToken(
  token: string,
  { dryRun, acceptLoss }: ResetEvent,
  read: Checkpoint | null,
  stream: Stream,
): Promise<Plan> {
  const planned = readToken(token, read)
  const { move, next } = planned
  requireUnchanged(planned, await recordsAround(move.position, stream))
  const isAccepted = acceptLoss || planned.acceptLoss
  if (move.lost !== null && !isAccepted && !dryRun)
    throw lossNotAccepted(move.lost, move.how, { token }).error
  return { move, acceptLoss: isAccepted, group: await askGroup(stream), next }
}

function resultOf(
  { dryRun }: ResetEvent,
  { move, acceptLoss, group, next }: Plan,
  read: Checkpoint | null,
  { clusterId, usedGeneration }: Omit<Start, 'entry'>,
  at: number,
): ResetResult {
  const { how, position, lost, repeats } = move
  const { countedTo } = repeats
  const other = otherDeployment(group)
  return {
    action: 'reset',
    applied: !dryRun,
    from:
      read === null
        ? null
        : { clusterId: read.clusterId, offset: String(read.offset), generation: read.generation },
    to: {
      clusterId,
      offset: String(position.offset),
      generation: generationAfter(read?.generation ?? 0, at, usedGeneration),
      time: formatTime(position.timestamp),
    },
    how,
    repeats: repeats.counts,
    countedTo: countedTo === null ? null : String(countedTo),
    lost: lost === null ? null : { from: formatTime(lost.from), to: formatTime(lost.to) },
    token: dryRun ? makeToken(move, { read, clusterId, next, acceptLoss }) : null,
    note: [describe(move, read, dryRun), other && sharedGroup(other)].filter(Boolean).join(' '),
  }
}

function ledgerText({ how, source }: Move, lost: ResetResult['lost'], reason: string | undefined): string {
  const words = [
    `reset by ${how}`,
    lost && `lost ${lost.from} to ${lost.to}`,
    (source === 'unasked' || source === 'other') && 'what was read before is not known',
    reason,
  ]
  return words.filter(Boolean).join(': ')
}

/** The checkpoint that a reset read must not change until the write. This is the longest that takes, in milliseconds. */
const leaseTerms = { worstCaseMs: 60_000, slackMs: 0 }

/** One conditional write under a lease of its own. If anything else moved the checkpoint, the write fails. */
async function write(
  { store, now, owner }: RecoveryDependencies,
  read: Checkpoint | null,
  start: Start,
): Promise<void> {
  const leaseUntil = HeldLease.leaseUntil(now(), leaseTerms)
  if (read === null) {
    await store.release(await store.create(start, owner, leaseUntil))
    return
  }
  // The lease requires epoch, lease end and state as they were read. If anything moved since, one of them differs.
  const lease = await store.acquire(read, owner, now(), leaseUntil, [read.state])
  await store.reset(lease, read, start)
}

/**
 * The start of a poller that recovers by itself: what a reset without `to` would write. Null if changes would be lost.
 * @param mayContinue asked again and again during the search for the last committed change
 * @throws DtsError CHECKPOINT_OUT_OF_RANGE (retryable) if the log has not reached the checkpoint yet; SEARCH_UNFINISHED
 */
export async function startWithoutLoss(
  read: Checkpoint,
  stream: Stream,
  entry: Start['entry'],
  mayContinue: () => boolean,
): Promise<Start | null> {
  const request = { to: undefined, mayLose: false, countsRepeats: false, wantsNext: false }
  const { decision } = await planMove(request, read, stream, { now: () => entry.at, mayContinue })
  if (decision.kind === 'refusal') {
    if (decision.reason === 'loss-not-accepted') return null
    throw decision.error
  }
  const { how, position, replayUntil } = decision
  return {
    clusterId: stream.clusterId,
    position,
    replayUntil,
    entry: { ...entry, how: `${entry.how}, by ${how}` },
  }
}
