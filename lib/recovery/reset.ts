import { z } from 'zod'
import { HeldCheckpoint } from '../checkpoint/held.ts'
import type { Start } from '../checkpoint/store.ts'
import { type Anchor, type Checkpoint, freshPosition, type Position } from '../checkpoint/types.ts'
import { timeSchema } from '../config.ts'
import { digestOf } from '../dts/digest.ts'
import { carriesChange } from '../dts/header.ts'
import { DtsError } from '../errors.ts'
import type { Stream } from '../kafka/stream.ts'
import type { DataRange } from '../kafka/types.ts'
import { locateTime, timedRecords, timeRange } from '../locate.ts'
import { formatTime } from '../time.ts'
import { assess, lookBackSeconds, type Safe } from './assess.ts'
import type { RecoveryDependencies } from './dependencies.ts'
import { makeToken, type Plan, readToken } from './plan.ts'

const offsetText = z
  .union([z.string().regex(/^\d{1,19}$/, 'must be decimal digits'), z.int().min(0)])
  .transform((value) => BigInt(value))

/** Where a reset may be told to go. */
export const targetSchema = z.union(
  [
    z.enum(['earliest', 'latest', 'committed']),
    z.strictObject({ timestamp: timeSchema }),
    z.strictObject({ offset: offsetText }),
    /** Back to where the checkpoint stood before that move; 0 is the last entry of the ledger, 1 the one before. */
    z.strictObject({ ledger: z.int().min(0) }),
  ],
  'must be "earliest", "latest", "committed", {"timestamp":…}, {"offset":…} or {"ledger":…}',
)
export type Target = z.output<typeof targetSchema>

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
  readonly how: Safe['how'] | 'timestamp' | 'offset' | 'earliest' | 'latest' | 'committed' | 'ledger'
  /** Changes that may be delivered again, by table: an upper bound. */
  readonly repeats: Readonly<Record<string, number>>
  /** Changes that this stream will never deliver; null when there are none. Times with their UNIX seconds. */
  readonly lost: { readonly from: string; readonly to: string } | null
  /** Of a dry run: what `token` takes. */
  readonly token: string | null
  readonly note: string
}

/** A decision about the new position, before anything is written. */
interface Landing {
  readonly how: ResetResult['how']
  readonly offset: bigint
  /** The new checkpoint's time, in seconds. */
  readonly timestamp: number
  readonly anchor: Anchor | null
  readonly lost: { readonly from: number; readonly to: number } | null
}

/** A reset decides on what it read before; this is the longest that nobody else may change it, in milliseconds. */
const leaseTerms = { worstCaseMs: 60_000, slackMs: 0 }
/** Counting what repeats reads that part of the log; beyond so many records the answer stops counting. */
const mostCounted = 500_000

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
  const plan =
    event.token === undefined
      ? await planOf(await land(event.to, read, stream), read, stream, event.acceptLoss)
      : await readToken(event.token, read, stream)
  const { how, position, lost } = plan
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
      offset: String(position.offset),
      generation,
      time: formatTime(position.timestamp),
    },
    how,
    repeats: plan.repeats,
    lost: lost === null ? null : { from: formatTime(lost.from), to: formatTime(lost.to) },
    token: event.dryRun ? await makeToken(plan, read, stream) : null,
    note: describe(plan, event.dryRun),
  }
  if (event.dryRun) return result
  if (lost !== null && !event.acceptLoss && !plan.acceptLoss) throw lossNotAccepted(lost, how)
  const words = [
    `reset by ${how}`,
    result.lost && `lost ${result.lost.from} to ${result.lost.to}`,
    event.reason,
  ]
  await apply(dependencies, read, {
    clusterId: stream.clusterId,
    position,
    replayUntil: plan.replayUntil,
    entry: { at: now(), by: event.by ?? dependencies.owner, how: words.filter(Boolean).join(': ') },
  })
  return result
}

async function planOf(
  landing: Landing,
  read: Checkpoint | null,
  stream: Stream,
  acceptLoss: boolean,
): Promise<Plan> {
  const { how, lost } = landing
  const repeats = await countRepeats(read, landing, stream)
  const position = await positionOf(landing, stream)
  return { how, position, replayUntil: await replayUntil(read, repeats, stream), repeats, lost, acceptLoss }
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

async function land(to: Target | undefined, read: Checkpoint | null, stream: Stream): Promise<Landing> {
  if (to === undefined) return resume(read, stream)
  const range = await stream.range()
  const { how, offset, timestamp } = await resolveTarget(to, read, stream, range)
  if (offset < range.earliest || offset > range.end) {
    throw new DtsError(
      'CHECKPOINT_OUT_OF_RANGE',
      `The offset ${offset} is not in the data range ${range.earliest} to ${range.end} of cluster ${stream.clusterId}.`,
      { retryable: false, facts: { earliest: String(range.earliest), end: String(range.end) } },
    )
  }
  const landing = { how, offset, timestamp: timestamp ?? (await timeAt(stream, offset, range)), anchor: null }
  return { ...landing, lost: await lossBefore(read, landing, stream) }
}

/** Where nothing is lost that is not lost already. */
async function resume(read: Checkpoint | null, stream: Stream): Promise<Landing> {
  if (read === null) {
    throw new DtsError(
      'CHECKPOINT_MISSING',
      'There is no checkpoint to resume from. Say where to start: "to" with a timestamp, "earliest" or "latest".',
      { retryable: false },
    )
  }
  const { safe } = await assess(read, stream)
  const { how, offset } = safe
  const { timestamp } = read
  switch (how) {
    case 'stored':
      return { how, offset, timestamp, anchor: read.anchor, lost: null }
    case 'anchor':
      return { how, offset, timestamp, anchor: safe.anchor, lost: null }
    case 'time':
      return { how, offset, timestamp: Math.max(0, timestamp - lookBackSeconds), anchor: null, lost: null }
    case 'gap':
      return {
        how,
        offset,
        timestamp: safe.lostTo,
        anchor: null,
        lost: { from: safe.lostFrom, to: safe.lostTo },
      }
  }
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
  let landing: Landing
  try {
    landing = await resume(read, stream)
  } catch (error) {
    if (error instanceof DtsError && error.code === 'CHECKPOINT_OUT_OF_RANGE') return null
    throw error
  }
  if (landing.lost !== null) return null
  const plan = await planOf(landing, read, stream, false)
  return {
    clusterId: stream.clusterId,
    position: plan.position,
    replayUntil: plan.replayUntil,
    entry: { ...entry, how: `${entry.how}, by ${plan.how}` },
  }
}

async function resolveTarget(
  to: Target,
  read: Checkpoint | null,
  stream: Stream,
  range: DataRange,
): Promise<{ how: ResetResult['how']; offset: bigint; timestamp?: number }> {
  if (to === 'earliest') return { how: to, offset: range.earliest }
  if (to === 'latest') return { how: to, offset: range.end }
  if (to === 'committed') {
    const committed = await stream.committed()
    if (committed === null) throw missingTarget('The consumer group holds no offset on this cluster.')
    return { how: to, offset: committed.offset }
  }
  if ('timestamp' in to) {
    return { how: 'timestamp', offset: await locateTime(stream, to.timestamp), timestamp: to.timestamp }
  }
  if ('offset' in to) return { how: 'offset', offset: to.offset }
  const entry = read?.ledger.at(-1 - to.ledger)?.from
  if (entry == null) throw missingTarget(`The ledger has no earlier position at entry ${to.ledger}.`)
  if (entry.clusterId !== stream.clusterId) {
    throw missingTarget(
      `That position belongs to cluster ${entry.clusterId}, which is not there any more (now ${stream.clusterId}). ` +
        'Use a timestamp instead.',
    )
  }
  return { how: 'ledger', offset: BigInt(entry.offset) }
}

/** What lies between where the stream could go on without loss and where it is told to go. */
async function lossBefore(
  read: Checkpoint | null,
  landing: { offset: bigint; timestamp: number },
  stream: Stream,
): Promise<Landing['lost']> {
  if (read === null) return null
  let safe: Safe
  try {
    safe = (await assess(read, stream)).safe
  } catch (error) {
    // The log has not got to the checkpoint yet: what it will bring is unknown, so going to its end skips that.
    if (!(error instanceof DtsError && error.code === 'CHECKPOINT_OUT_OF_RANGE')) throw error
    return { from: read.timestamp, to: Math.max(read.timestamp, landing.timestamp) }
  }
  if (safe.how === 'gap') return { from: safe.lostFrom, to: Math.max(safe.lostTo, landing.timestamp) }
  if (landing.offset <= safe.offset) return null
  for await (const { header } of timedRecords(stream, safe.offset, landing.offset)) {
    if (carriesChange(header.operation))
      return { from: read.timestamp, to: Math.max(read.timestamp, landing.timestamp) }
  }
  return null
}

/** With the record below the landing, so that the next run can prove that the log is still the same. */
async function positionOf({ offset, timestamp, anchor }: Landing, stream: Stream): Promise<Position> {
  const { earliest } = await stream.range()
  if (offset <= earliest) return freshPosition(offset, timestamp, anchor)
  const { records } = await stream.fetch(offset - 1n, { maxBytes: 64 * 1024, maxWaitMs: 100 })
  const [first] = records
  const below = first?.offset === offset - 1n ? first : undefined
  const tail = below === undefined ? null : { offset: below.offset, digest: digestOf(below.value) }
  return freshPosition(offset, timestamp, anchor, tail)
}

/** The time of the first timed record from `offset` on; at the end of the log, of the last one. */
async function timeAt(stream: Stream, offset: bigint, range: DataRange): Promise<number> {
  for await (const { timestamp } of timedRecords(stream, offset, range.end)) return timestamp
  return (await timeRange(stream, range))?.last ?? 0
}

/** Changes from the landing on that may have been handled before: of times up to the checkpoint's, by table. */
async function countRepeats(
  read: Checkpoint | null,
  landing: Landing,
  stream: Stream,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = Object.create(null)
  if (read === null || landing.how === 'stored' || landing.how === 'anchor' || landing.how === 'gap')
    return counts
  const sameCluster = read.clusterId === stream.clusterId
  const { end } = await stream.range()
  const upTo = sameCluster && read.offset <= end ? read.offset : end
  let counted = 0
  for await (const { header, timestamp } of timedRecords(stream, landing.offset, upTo)) {
    if (!sameCluster && timestamp > read.timestamp + lookBackSeconds) break
    if (counted++ > mostCounted) break
    if (!carriesChange(header.operation) || timestamp > read.timestamp) continue
    const table = header.objectName ?? ''
    counts[table] = (counts[table] ?? 0) + 1
  }
  return counts
}

/** Until which source time (seconds) deliveries are to be marked as replays; -1 for none. */
async function replayUntil(
  read: Checkpoint | null,
  repeats: Readonly<Record<string, number>>,
  stream: Stream,
): Promise<number> {
  if (read === null) return -1
  // Functions that were ahead of the checkpoint get what they acknowledged again: how far they were is offsets.
  const ahead = Object.values(read.lanes).some(({ through }) => through !== null)
  if (ahead) return (await timeRange(stream, await stream.range()))?.last ?? read.timestamp
  return Object.keys(repeats).length > 0 ? read.timestamp : -1
}

function describe({ how, lost, position: { timestamp } }: Plan, dryRun: boolean): string {
  const loss =
    lost === null
      ? 'Nothing is lost.'
      : `Changes from ${formatTime(lost.from)} to ${formatTime(lost.to)} are lost to this stream; copy the affected ` +
        `rows from the source.${dryRun ? ' It needs "acceptLoss": true.' : ''}`
  switch (how) {
    case 'stored':
      return `The log is the one that the checkpoint belongs to; going on where it stands. ${loss}`
    case 'anchor':
      return `The last committed change was found in this log; going on right behind it. ${loss} Nothing committed repeats.`
    case 'time':
      return `The last committed change is not in this log; going on at ${formatTime(timestamp)}. ${loss} Some changes repeat, marked as replay.`
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

function missingTarget(message: string): DtsError {
  return new DtsError('CHECKPOINT_OUT_OF_RANGE', message, { retryable: false })
}
