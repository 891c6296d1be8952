import { z } from 'zod'
import { HeldCheckpoint } from './checkpoint/held.ts'
import type { CheckpointStore, Start } from './checkpoint/store.ts'
import type { Anchor, Checkpoint, Halt, LedgerEntry } from './checkpoint/types.ts'
import { timeSchema } from './config.ts'
import { identityOf } from './dts/digest.ts'
import { DtsError } from './errors.ts'
import type { GroupPosition, Stream } from './kafka/stream.ts'
import type { DataRange } from './kafka/types.ts'
import { locateTime, type TimeRange, timedRecords, timeRange } from './locate.ts'
import { proveSameLog, recoveryCommand, sameLogCodes } from './prove.ts'
import { formatTime } from './time.ts'

const target = z.union([
  z.literal('earliest'),
  z.literal('latest'),
  z.strictObject({ timestamp: timeSchema }),
  z.strictObject({
    offset: z
      .union([z.string().regex(/^\d{1,19}$/), z.number().int().min(0)])
      .transform((value) => BigInt(value)),
  }),
])

/** What recovery is asked to do. */
export const recoveryEventSchema = z.discriminatedUnion('action', [
  z.strictObject({ action: z.literal('inspect') }),
  z.strictObject({
    action: z.literal('reset'),
    to: target.optional(),
    dryRun: z.boolean().optional(),
    /** Who asks, and why: kept in the ledger. */
    by: z.string().max(200).optional(),
    reason: z.string().max(1_000).optional(),
  }),
])
export type RecoveryEvent = z.infer<typeof recoveryEventSchema>
type ResetEvent = Extract<RecoveryEvent, { action: 'reset' }>

export interface RecoveryDependencies {
  readonly store: CheckpointStore
  readonly openStream: () => Promise<Stream>
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Unique to this invocation. */
  readonly owner: string
}

export interface Inspection {
  readonly action: 'inspect'
  readonly stored: {
    readonly offset: string
    /** In seconds. */
    readonly timestamp: number
    readonly time: string
    readonly clusterId: string
    readonly generation: number
    readonly state: Checkpoint['state']
    readonly halt: Halt | null
    readonly leaseUntil: string | null
  } | null
  readonly found: {
    readonly clusterId: string
    readonly earliest: string
    readonly end: string
    readonly times: TimeRange | null
  }
  /** What the consumer group holds at the broker; null when nothing, or when it cannot be asked. */
  readonly group: { readonly offset: string; readonly metadata: string | null } | null
  readonly lagSeconds: number | null
  /** Null when the stored offset means nothing on the cluster that was found. */
  readonly lagRecords: string | null
  readonly ledger: readonly LedgerEntry[]
  /** What to do now, for people; with the command where there is one. */
  readonly advice: string
  readonly command: string | null
}

export interface ResetResult {
  readonly action: 'reset'
  readonly applied: boolean
  readonly from: { readonly clusterId: string; readonly offset: string; readonly generation: number } | null
  readonly to: { readonly clusterId: string; readonly offset: string; readonly generation: number }
  /** `anchor`: right behind the last committed change, nothing repeats. Others as asked for, or by time. */
  readonly how: 'anchor' | 'time' | 'offset' | 'earliest' | 'latest'
  readonly note: string
}

/** How far back from the checkpoint's time a look-up begins, in seconds: source times can go back a little. */
export const lookBackSeconds = 10
/** How far past the checkpoint's time the scan for the anchor goes, in seconds, for the same reason. */
const scanPastSeconds = 60
/** A reset decides on what it read before; this bounds how long nobody else may change it, in milliseconds. */
const recoveryLease = { worstCaseMs: 300_000, slackMs: 0 }

export function recover(
  event: RecoveryEvent,
  dependencies: RecoveryDependencies,
): Promise<Inspection | ResetResult> {
  switch (event.action) {
    case 'inspect':
      return withStream(dependencies, (stream) => inspect(dependencies, stream))
    case 'reset':
      return withStream(dependencies, (stream) => reset(event, dependencies, stream))
  }
}

async function withStream<Result>(
  { openStream }: RecoveryDependencies,
  action: (stream: Stream) => Promise<Result>,
): Promise<Result> {
  const stream = await openStream()
  try {
    return await action(stream)
  } finally {
    await stream.close()
  }
}

/** Changes nothing. */
async function inspect({ store, now }: RecoveryDependencies, stream: Stream): Promise<Inspection> {
  const stored = await store.read()
  const range = await stream.range()
  const times = await timeRange(stream, range)
  const sameCluster = stored?.clusterId === stream.clusterId
  const atEnd = sameCluster && stored.offset >= range.end
  return {
    action: 'inspect',
    stored: stored === null ? null : describe(stored, now()),
    found: { clusterId: stream.clusterId, earliest: String(range.earliest), end: String(range.end), times },
    group: describeGroup(await stream.committed().catch(() => null)),
    lagSeconds: stored === null ? null : atEnd ? 0 : Math.max(0, Math.floor(now() / 1000) - stored.timestamp),
    lagRecords: sameCluster ? String(range.end - stored.offset) : null,
    ledger: stored?.ledger ?? [],
    ...(await advise(stored, stream)),
  }
}

function describe(stored: Checkpoint, now: number): NonNullable<Inspection['stored']> {
  const { clusterId, generation, state, halt, timestamp } = stored
  return {
    offset: String(stored.offset),
    timestamp,
    time: formatTime(timestamp),
    clusterId,
    generation,
    state,
    halt,
    leaseUntil: stored.leaseUntil > now ? new Date(stored.leaseUntil).toISOString() : null,
  }
}

function describeGroup(group: GroupPosition | null): Inspection['group'] {
  return group === null ? null : { offset: String(group.offset), metadata: group.metadata }
}

async function advise(
  stored: Checkpoint | null,
  stream: Stream,
): Promise<Pick<Inspection, 'advice' | 'command'>> {
  if (stored === null) {
    return { advice: 'Nothing was read yet; the poller starts at DTS_CHECKPOINT by itself.', command: null }
  }
  try {
    await proveSameLog(stored, stream)
  } catch (error) {
    if (!(error instanceof DtsError && sameLogCodes.has(error.code))) throw error
    return {
      advice: `${error.message.split(' The stream is halted')[0]} See what a reset would do, then do it without dryRun.`,
      command: recoveryCommand('{"action":"reset","dryRun":true}'),
    }
  }
  if (stored.state === 'RUNNING')
    return { advice: 'Position and cluster agree; nothing to do.', command: null }
  return {
    advice:
      'The log is the one that the checkpoint belongs to. Once the cause of the halt is cured, resume at the stored offset.',
    command: recoveryCommand(`{"action":"reset","to":{"offset":"${stored.offset}"}}`),
  }
}

interface Landing {
  readonly how: ResetResult['how']
  readonly offset: bigint
  /** The new checkpoint's time, in seconds. */
  readonly timestamp: number
  /** Events up to this time (seconds) may have been delivered before. */
  readonly replayUntil: number
  readonly anchor: Anchor | null
  readonly note: string
}

async function reset(
  event: ResetEvent,
  dependencies: RecoveryDependencies,
  stream: Stream,
): Promise<ResetResult> {
  const { store, now, owner } = dependencies
  const read = await store.read()
  const landing = await chooseLanding(event.to, read, stream)
  const generation = (read?.generation ?? 0) + 1
  const result: ResetResult = {
    action: 'reset',
    applied: event.dryRun !== true,
    from:
      read === null
        ? null
        : { clusterId: read.clusterId, offset: String(read.offset), generation: read.generation },
    to: { clusterId: stream.clusterId, offset: String(landing.offset), generation },
    how: landing.how,
    note: landing.note,
  }
  if (event.dryRun === true) return result

  const start: Start = {
    clusterId: stream.clusterId,
    position: {
      offset: landing.offset,
      timestamp: landing.timestamp,
      anchor: landing.anchor,
      tail: null,
      progress: {},
    },
    replayUntil: landing.replayUntil,
    entry: {
      at: now(),
      by: event.by ?? owner,
      how: [`reset by ${landing.how}`, event.reason].filter(Boolean).join(': '),
    },
  }
  const leaseUntil = HeldCheckpoint.leaseUntil(now(), recoveryLease)
  if (read === null) {
    await store.release(await store.create(start, owner, leaseUntil))
  } else {
    // The condition of the lease is the epoch that was read: had anything moved since, it would be refused.
    const lease = await store.acquire(read, owner, now(), leaseUntil, ['RUNNING', 'HALTED'])
    await store.reset(lease, read, start)
  }
  return result
}

async function chooseLanding(
  to: ResetEvent['to'],
  read: Checkpoint | null,
  stream: Stream,
): Promise<Landing> {
  const range = await stream.range()
  const before = read?.timestamp ?? -1
  const chosen = {
    anchor: null,
    replayUntil: before,
    note: 'Placed where you asked; what lies between is up to you.',
  }
  if (to === undefined) return resume(read, stream, range)
  if (to === 'earliest')
    return {
      ...chosen,
      how: 'earliest',
      offset: range.earliest,
      timestamp: await timeAt(stream, range.earliest, range, before),
    }
  if (to === 'latest')
    return {
      ...chosen,
      how: 'latest',
      offset: range.end,
      timestamp: await timeAt(stream, range.end, range, before),
    }
  if ('timestamp' in to) {
    return { ...chosen, how: 'time', offset: await locateTime(stream, to.timestamp), timestamp: to.timestamp }
  }
  if (to.offset < range.earliest || to.offset > range.end) {
    throw new DtsError(
      'CHECKPOINT_OUT_OF_RANGE',
      `The offset ${to.offset} is not in the data range ${range.earliest} to ${range.end} of cluster ${stream.clusterId}.`,
      { retryable: false, facts: { earliest: String(range.earliest), end: String(range.end) } },
    )
  }
  return {
    ...chosen,
    how: 'offset',
    offset: to.offset,
    timestamp: await timeAt(stream, to.offset, range, before),
  }
}

/** The time of the first timed record from `offset` on; at the end of the log, of the last one. */
async function timeAt(stream: Stream, offset: bigint, range: DataRange, otherwise: number): Promise<number> {
  for await (const { timestamp } of timedRecords(stream, offset, range.end)) return timestamp
  return (await timeRange(stream, range))?.last ?? Math.max(0, otherwise)
}

/**
 * Where to go on without losing anything: behind the anchor, which is the last committed change, when the log
 * still holds it; else at the checkpoint's time, which repeats up to some seconds of changes.
 * @throws DtsError CHECKPOINT_MISSING, CHECKPOINT_OUT_OF_RANGE, DATA_GAP
 */
async function resume(read: Checkpoint | null, stream: Stream, range: DataRange): Promise<Landing> {
  if (read === null) {
    throw new DtsError(
      'CHECKPOINT_MISSING',
      'There is no checkpoint to resume from. Say where to start: "to" with a timestamp, "earliest" or "latest".',
      { retryable: false },
    )
  }
  const { timestamp, anchor, progress } = read
  const times = await timeRange(stream, range)
  if (times === null || times.last < timestamp - lookBackSeconds) {
    throw new DtsError(
      'CHECKPOINT_OUT_OF_RANGE',
      `The log of cluster ${stream.clusterId} ends at ${times === null ? 'no record at all' : formatTime(times.last)}, ` +
        `before the checkpoint's time ${formatTime(timestamp)}. DTS may still be filling the new cluster: ` +
        'wait, and run the same again. "to":"latest" skips ahead if you know better.',
      { retryable: true, facts: { timestamp, last: times?.last ?? null } },
    )
  }
  const located = await stream.offsetForTime(
    Math.min(timestamp, anchor?.timestamp ?? timestamp) - lookBackSeconds,
  )
  const from = located === null || located < range.earliest ? range.earliest : located
  const found = anchor === null ? null : await findAnchor(stream, anchor, from, range.end, timestamp)
  if (found !== null && anchor !== null) {
    return {
      how: 'anchor',
      offset: found + 1n,
      timestamp,
      // Functions that were ahead of the checkpoint get what they acknowledged again: their progress was offsets.
      replayUntil: Object.keys(progress).length > 0 ? times.last : -1,
      anchor: { ...anchor, offset: found },
      note: `The last committed change was found at offset ${found}: nothing is lost, nothing committed repeats.`,
    }
  }
  // Several changes share a second: a log that begins within the checkpoint's may lack some that were not committed.
  const nothingCommitted = read.tail === null && anchor === null
  if (nothingCommitted ? times.first > timestamp : times.first >= timestamp) {
    throw new DtsError(
      'DATA_GAP',
      `The oldest readable record is of ${formatTime(times.first)}, not before the checkpoint's ${formatTime(timestamp)}: ` +
        'changes between the two may be lost to this stream. To accept that, reset with "to":"earliest"; ' +
        'then copy the affected rows from the source.',
      { retryable: false, facts: { timestamp, first: times.first } },
    )
  }
  return {
    how: 'time',
    offset: from,
    timestamp,
    replayUntil: timestamp,
    anchor: null,
    note:
      `The last committed change is not in this log; going on at ${formatTime(timestamp - lookBackSeconds)}. ` +
      'Nothing is lost; changes up to the checkpoint may repeat and are marked as replay.',
  }
}

/** The first record that says the same as the anchor. Of equal records the first: repeating is better than losing. */
async function findAnchor(
  stream: Stream,
  anchor: Anchor,
  from: bigint,
  end: bigint,
  timestamp: number,
): Promise<bigint | null> {
  for await (const record of timedRecords(stream, from, end)) {
    if (record.timestamp > timestamp + scanPastSeconds) return null
    if (
      record.timestamp === anchor.timestamp &&
      record.header.sourcePosition === anchor.sourcePosition &&
      record.header.sourceTxid === anchor.transactionId &&
      identityOf(record.value, record.header) === anchor.digest
    ) {
      return record.offset
    }
  }
  return null
}
