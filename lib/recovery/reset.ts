import { z } from 'zod'
import { HeldCheckpoint } from '../checkpoint/held.ts'
import type { Start } from '../checkpoint/store.ts'
import type { Checkpoint } from '../checkpoint/types.ts'
import { DtsError } from '../errors.ts'
import type { Stream } from '../kafka/stream.ts'
import { formatTime } from '../time.ts'
import type { RecoveryDependencies } from './dependencies.ts'
import { type Landing, land, landAgain, type Move, positionOf, resume, targetSchema } from './landing.ts'
import { type Repeats, repeatsOf } from './repeats.ts'

export const resetSchema = z.strictObject({
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
  /** Changes that may be delivered again, by table, as far as the log is filled by now: an upper bound. */
  readonly repeats: Readonly<Record<string, number>>
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
 * @throws DtsError CHECKPOINT_MISSING, CHECKPOINT_OUT_OF_RANGE, DATA_GAP, LEASE_HELD, PLAN_OUTDATED
 */
export async function reset(
  event: ResetEvent,
  dependencies: RecoveryDependencies,
  stream: Stream,
): Promise<ResetResult> {
  const { store, now } = dependencies
  const read = await store.read()
  const plan = event.token === undefined ? null : parseToken(event.token)
  if (plan !== null && (plan.epoch !== (read?.epoch ?? 0) || plan.clusterId !== stream.clusterId))
    throw outdated()
  const move =
    plan === null
      ? await land(event.to, read, stream)
      : await landAgain(await asPlanned(plan, stream), read, stream)
  const { landing } = move
  const repeats = await repeatsOf(read, move, stream)
  const accepted = event.acceptLoss || (plan?.acceptLoss ?? false)
  const generation = (read?.generation ?? 0) + 1
  const result: ResetResult = {
    action: 'reset',
    applied: !event.dryRun,
    from:
      read === null
        ? null
        : { clusterId: read.clusterId, offset: String(read.offset), generation: read.generation },
    to: {
      clusterId: stream.clusterId,
      offset: String(landing.offset),
      generation,
      time: formatTime(landing.timestamp),
    },
    how: landing.how,
    repeats: repeats.counts,
    lost:
      landing.lost === null ? null : { from: formatTime(landing.lost.from), to: formatTime(landing.lost.to) },
    token: event.dryRun ? makeToken(read, landing, stream, event.acceptLoss) : null,
    note: describe(landing, repeats, event.dryRun),
  }
  if (event.dryRun) return result
  if (landing.lost !== null && !accepted) throw lossNotAccepted(landing.lost, result.how)
  const how = [
    `reset by ${landing.how}`,
    result.lost && `lost ${result.lost.from} to ${result.lost.to}`,
    event.reason,
  ]
  const start: Start = {
    clusterId: stream.clusterId,
    position: await positionOf(move, stream),
    replayUntil: repeats.until,
    entry: { at: now(), by: event.by ?? dependencies.owner, how: how.filter(Boolean).join(': ') },
  }
  await apply(dependencies, read, start)
  return result
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
  // The condition of the lease is the epoch that was read: had anything moved since, it would be refused.
  const lease = await store.acquire(read, owner, now(), leaseUntil, ['RUNNING', 'HALTED'])
  await store.reset(lease, read, start)
}

/**
 * What a reset without `to` would write, for a poller that recovers by itself; null when changes would be lost, or
 * the log has not got to the checkpoint yet.
 */
export async function startWithoutLoss(
  read: Checkpoint,
  stream: Stream,
  entry: Start['entry'],
): Promise<Start | null> {
  let move: Move
  try {
    move = await resume(read, stream)
  } catch (error) {
    if (error instanceof DtsError && error.code === 'CHECKPOINT_OUT_OF_RANGE') return null
    throw error
  }
  if (move.landing.lost !== null) return null
  return {
    clusterId: stream.clusterId,
    position: await positionOf(move, stream),
    replayUntil: (await repeatsOf(read, move, stream)).until,
    entry: { ...entry, how: `${entry.how}, by ${move.landing.how}` },
  }
}

const tokenSchema = z.strictObject({
  epoch: z.number(),
  clusterId: z.string(),
  how: z.string(),
  offset: z.string(),
  timestamp: z.number(),
  lost: z.strictObject({ from: z.number(), to: z.number() }).nullable(),
  anchor: z
    .strictObject({
      offset: z.string(),
      timestamp: z.number(),
      sourcePosition: z.string(),
      transactionId: z.string(),
      ordinal: z.number().nullable(),
      digest: z.string(),
    })
    .nullable(),
  acceptLoss: z.boolean(),
})
type Plan = z.output<typeof tokenSchema>

/** The plan itself, so that applying it cannot come to another result. */
function makeToken(read: Checkpoint | null, landing: Landing, stream: Stream, acceptLoss: boolean): string {
  const { how, offset, timestamp, lost, anchor } = landing
  const plan: Plan = {
    epoch: read?.epoch ?? 0,
    clusterId: stream.clusterId,
    how,
    offset: String(offset),
    timestamp,
    lost,
    anchor: anchor === null ? null : { ...anchor, offset: String(anchor.offset) },
    acceptLoss,
  }
  return Buffer.from(JSON.stringify(plan)).toString('base64url')
}

function parseToken(token: string): Plan {
  try {
    return tokenSchema.parse(JSON.parse(Buffer.from(token, 'base64url').toString('utf8')))
  } catch (cause) {
    throw new DtsError(
      'PLAN_OUTDATED',
      'The token is not one that a dry run gave out. Run the dry run again.',
      {
        retryable: false,
        cause,
      },
    )
  }
}

async function asPlanned(plan: Plan, stream: Stream): Promise<Landing> {
  const offset = BigInt(plan.offset)
  const { earliest, end } = await stream.range()
  if (offset < earliest || offset > end) throw outdated()
  const { timestamp, lost, anchor } = plan
  return {
    how: plan.how as Landing['how'],
    offset,
    timestamp,
    lost,
    anchor: anchor === null ? null : { ...anchor, offset: BigInt(anchor.offset) },
  }
}

function describe({ how, lost, timestamp }: Landing, { counts }: Repeats, dryRun: boolean): string {
  const loss =
    lost === null
      ? 'Nothing is lost.'
      : `Changes from ${formatTime(lost.from)} to ${formatTime(lost.to)} are lost to this stream; copy the affected ` +
        `rows from the source.${dryRun ? ' It needs "acceptLoss": true.' : ''}`
  const repeats =
    Object.keys(counts).length > 0 ? 'Some changes repeat, marked as replay.' : 'Nothing committed repeats.'
  switch (how) {
    case 'stored':
      return `The log is the one that the checkpoint belongs to; going on where it stands. ${loss} ${repeats}`
    case 'anchor':
      return `The last committed change was found in this log; going on right behind it. ${loss} ${repeats}`
    case 'time':
      return `The last committed change is not in this log; going on at ${formatTime(timestamp)}. ${loss} ${repeats}`
    default:
      return `Going on where you asked, at ${formatTime(timestamp)}. ${loss}`
  }
}

function lossNotAccepted(lost: { from: number; to: number }, how: string): DtsError {
  return new DtsError(
    'DATA_GAP',
    `Going on by ${how} loses the changes from ${formatTime(lost.from)} to ${formatTime(lost.to)}. Nothing was done. ` +
      'To accept that, repeat with "acceptLoss": true, and copy the affected rows from the source.',
    { retryable: false, facts: { from: lost.from, to: lost.to } },
  )
}

function outdated(): DtsError {
  return new DtsError(
    'PLAN_OUTDATED',
    'The checkpoint or the log moved since the dry run. Nothing was done. Run the dry run again and use its token.',
    { retryable: false },
  )
}
