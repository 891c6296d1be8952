import { z } from 'zod'
import { leastMargin, type SourceTimes, startOfTimes, timesOf } from '../../checkpoint/source-times.ts'
import type { Anchor, Checkpoint } from '../../checkpoint/types.ts'
import { timeSchema } from '../../config.ts'
import { DtsError, type ErrorCode } from '../../errors.ts'
import type { Deployment } from '../../kafka/commit-mark.ts'
import type { Stream } from '../../kafka/stream.ts'
import { type DataRange, formatOffsets } from '../../kafka/types.ts'
import { askGroup, restoredFault, sharedGroup } from '../../log/group.ts'
import {
  holdsWork,
  locateTime,
  lowestNext,
  readableRecords,
  timedRecords,
  timeRange,
} from '../../log/scan.ts'
import { offsetSchema } from '../offset-schema.ts'
import {
  type Assessment,
  assess,
  type Lead,
  type Look,
  type Lost,
  locate,
  lostBetween,
  type Reference,
  type Safe,
} from './assess.ts'
import { type Known, knownByCheckpoint, knownOf, leadOf } from './known.ts'
import { moves } from './ledger.ts'

/** Where a reset may be told to go. */
export const targetSchema = z.union(
  [
    z.enum(['earliest', 'latest', 'committed']),
    z.strictObject({ timestamp: timeSchema }),
    z.strictObject({ offset: offsetSchema }),
    /** Back to where the checkpoint stood before that move; 0 is the last one of the ledger, 1 the one before; see `moves`. */
    z.strictObject({ ledger: z.int().min(0) }),
  ],
  'must be "earliest", "latest", "committed", {"timestamp":…}, {"offset":…} or {"ledger":…}',
)
export type Target = z.output<typeof targetSchema>

/** A decision about the new position, before anything is written. */
export interface Landing {
  readonly how: Safe['how'] | 'timestamp' | 'offset' | 'earliest' | 'latest' | 'committed' | 'ledger'
  readonly offset: bigint
  /** The new checkpoint's time, in seconds. */
  readonly timestamp: number
  readonly times: SourceTimes
  readonly anchor: Anchor | null
  readonly lost: Lost | null
}

/** A landing, and what is known of the changes behind it. */
export interface Move {
  readonly landing: Landing
  readonly known: Known
  readonly lead: Lead
  /** Changes from the landing on may have been handled before up to this time, in seconds; -1: none. */
  readonly handledUntil: number
  /** And only below this offset of this log; null: wherever they stand. */
  readonly handledBelow: bigint | null
}

/** @throws DtsError CHECKPOINT_MISSING, CHECKPOINT_OUT_OF_RANGE */
export async function land(
  to: Target | undefined,
  read: Checkpoint | null,
  stream: Stream,
  look: Look,
): Promise<Move> {
  if (to === undefined) return await resume(read, stream, look)
  const range = await stream.range()
  const { how, offset, timestamp } = await resolveTarget(to, read, stream, range)
  if (offset < range.earliest || offset > range.end) {
    throw new DtsError(
      'CHECKPOINT_OUT_OF_RANGE',
      `The offset ${offset} is not one where reading can begin: cluster ${stream.clusterId} has ${formatOffsets(range)}.`,
      { retryable: false, facts: { earliest: String(range.earliest), end: String(range.end) } },
    )
  }
  const time = await timeAt(stream, offset, range, timestamp)
  const times = timesAt(read, Math.min(time, (await lowestNext(stream, offset, range)) ?? time))
  const landing = { how, offset, timestamp: time, times, anchor: null }
  const known = await knownOf(read, stream)
  const assessed = await assessOrNull(known.reference, stream, look)
  const lost = await lossBefore(known.reference, assessed, landing, stream)
  return moveTo({ ...landing, lost }, known, assessed)
}

/** Where nothing is lost that is not lost already. @throws DtsError as `land`; CHECKPOINT_RESTORED */
export async function resume(read: Checkpoint | null, stream: Stream, look: Look): Promise<Move> {
  if (read === null) {
    throw new DtsError(
      'CHECKPOINT_MISSING',
      'There is no checkpoint to resume from. Say where to start: at a time, or at the earliest or latest record.',
      {
        retryable: false,
        next: [
          { action: 'reset', to: 'earliest', purpose: 'deliver everything that the log holds' },
          { action: 'reset', to: 'latest', purpose: 'deliver only what is written from now on' },
        ],
      },
    )
  }
  // Neither the item nor the group is right for everybody then: a person has to choose.
  const restored = restoredFault(read, await askGroup(stream))
  if (restored !== null) throw restored
  const assessed = await assess(read, stream, look)
  const lead = leadOf(read, assessed.lead)
  return moveTo(safeLanding(assessed.safe, read), knownByCheckpoint(read), { ...assessed, lead })
}

function safeLanding(safe: Safe, read: Checkpoint): Landing {
  const { how, offset } = safe
  switch (how) {
    case 'stored':
    case 'anchor': {
      const anchor = how === 'anchor' ? safe.anchor : read.anchor
      return { how, offset, timestamp: read.timestamp, times: timesOf(read), anchor, lost: null }
    }
    case 'time':
    case 'gap': {
      const { timestamp } = safe
      const [settled, lost] = how === 'gap' ? [safe.settled, safe.lost] : [timestamp, null]
      return { how, offset, timestamp, times: timesAt(read, settled), anchor: null, lost }
    }
  }
}

/** What was measured of the source holds at every place of every log. */
function timesAt(read: Checkpoint | null, settled: number): SourceTimes {
  if (read === null) return startOfTimes(settled)
  return { ...timesOf(read), settled, jump: null, fall: 0 }
}

function moveTo(landing: Landing, known: Known, assessed: Assessment | null): Move {
  const { reference, forgotten } = known
  if (reference === null) return { landing, known, lead: forgotten, handledUntil: -1, handledBelow: null }
  const safe = assessed?.safe ?? null
  if (assessed === null || safe?.how !== landing.how || safe.offset !== landing.offset) {
    // Whoever names a place wants everything from there on, also for those that had gone further.
    const handledBelow = safe?.how === 'stored' ? reference.offset : null
    return { landing, known, lead: forgotten, handledUntil: reference.timestamp, handledBelow }
  }
  const isExact = safe.how === 'stored' || (safe.how === 'anchor' && safe.exact)
  const handledUntil = isExact ? -1 : reference.timestamp
  return { landing, known, lead: assessed.lead, handledUntil, handledBelow: null }
}

async function resolveTarget(
  to: Target,
  read: Checkpoint | null,
  stream: Stream,
  range: DataRange,
): Promise<{ how: Landing['how']; offset: bigint; timestamp?: number }> {
  if (to === 'earliest') return { how: to, offset: range.earliest }
  if (to === 'latest') return { how: to, offset: range.end }
  if (to === 'committed') {
    const committed = await stream.committed()
    if (committed === null) throw missingTarget('The consumer group holds no offset on this cluster.')
    if (committed.mark.whose === 'another deployment')
      throw notOurs(committed.offset, committed.mark.deployment)
    return { how: to, offset: committed.offset }
  }
  if ('timestamp' in to) {
    return { how: 'timestamp', offset: await locateTime(stream, to.timestamp), timestamp: to.timestamp }
  }
  if ('offset' in to) return { how: 'offset', offset: to.offset }
  const entry = moves(read?.ledger ?? [])[to.ledger]?.from
  if (entry == null) throw missingTarget(`The ledger has no earlier position at entry ${to.ledger}.`)
  if (entry.clusterId !== stream.clusterId) {
    throw missingTarget(
      `That position belongs to cluster ${entry.clusterId}, which is not there any more (now ${stream.clusterId}). ` +
        'Use a timestamp instead.',
    )
  }
  return { how: 'ledger', offset: BigInt(entry.offset) }
}

const notAssessable: ReadonlySet<ErrorCode> = new Set([
  'CHECKPOINT_OUT_OF_RANGE',
  'BATCH_CORRUPT',
  'BATCH_TOO_LARGE',
  'SEARCH_UNFINISHED',
])

/** Null where nothing is known to compare with, or the log has not got to it yet, or cannot be read where it stands. */
async function assessOrNull(
  reference: Reference | null,
  stream: Stream,
  look: Look,
): Promise<Assessment | null> {
  try {
    return reference === null ? null : await assess(reference, stream, look)
  } catch (error) {
    if (error instanceof DtsError && notAssessable.has(error.code)) return null
    throw error
  }
}

/** What lies between where the stream could go on without loss and where it is told to go. */
async function lossBefore(
  reference: Reference | null,
  assessed: Assessment | null,
  landing: Pick<Landing, 'offset' | 'timestamp'>,
  stream: Stream,
): Promise<Lost | null> {
  if (reference === null) return null
  const lost = lostBetween(reference, landing.timestamp)
  // What the log will still bring is unknown, so going to its end may skip some of that.
  if (assessed === null) return lost
  const { safe } = assessed
  if (safe.how === 'gap') return { from: safe.lost.from, to: Math.max(safe.lost.to, lost.to) }
  if (landing.offset <= safe.offset) return null
  return (await holdsWork(stream, safe.offset, landing.offset)) ? lost : null
}

/**
 * The checkpoint's time at a place: nothing below it is younger, and nothing from there on much older.
 * @param asked the time that the place was looked up by; brokers may find one before it
 * @throws DtsError CHECKPOINT_OUT_OF_RANGE when there is no record: nobody could tell what lies before such a place
 */
async function timeAt(
  stream: Stream,
  offset: bigint,
  range: DataRange,
  asked = Number.POSITIVE_INFINITY,
): Promise<number> {
  let time = Math.min(asked, (await firstTime(stream, offset, range)) ?? (await lastTime(stream, range)))
  const from = await locate(stream, range, time - leastMargin)
  for await (const { timestamp } of readableRecords(stream, from, offset)) time = Math.max(time, timestamp)
  return time
}

async function firstTime(stream: Stream, offset: bigint, range: DataRange): Promise<number | null> {
  for await (const { timestamp } of timedRecords(stream, offset, range.end)) return timestamp
  return null
}

async function lastTime(stream: Stream, range: DataRange): Promise<number> {
  const times = await timeRange(stream, range)
  if (times !== null) return times.last
  throw new DtsError(
    'CHECKPOINT_OUT_OF_RANGE',
    `The log of cluster ${stream.clusterId} holds no record, so that no place in it can be told. ` +
      'DTS may still be filling it: wait, and run the same again.',
    { retryable: true, facts: { earliest: String(range.earliest), end: String(range.end) } },
  )
}

function notOurs(offset: bigint, other: Deployment): DtsError {
  return new DtsError(
    'GROUP_SHARED',
    `${sharedGroup(other)} Its offset ${offset} says nothing about this stream, and nothing was done. Say where to continue by a ` +
      'time or an offset instead of "committed".',
    { retryable: false, facts: { offset: String(offset) } },
  )
}

function missingTarget(message: string): DtsError {
  return new DtsError('CHECKPOINT_OUT_OF_RANGE', message, { retryable: false })
}
