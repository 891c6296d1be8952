import { z } from 'zod'
import type { Checkpoint, Halt, LedgerEntry } from '../checkpoint/types.ts'
import { DtsError } from '../errors.ts'
import type { Stream } from '../kafka/stream.ts'
import { type TimeRange, timeRange } from '../locate.ts'
import { recoveryCommand } from '../recovery-command.ts'
import { formatTime } from '../time.ts'
import { assess } from './assess.ts'
import { type Check, type PreflightDependencies, preflight } from './preflight.ts'

export const inspectSchema = z.strictObject({ action: z.literal('inspect') })
export const doctorSchema = z.strictObject({ action: z.literal('doctor') })

export interface DoctorResult {
  readonly action: 'doctor'
  readonly healthy: boolean
  readonly checks: readonly Check[]
}

export interface Inspection {
  readonly action: 'inspect'
  /** The set-up, line by line; looked at first. */
  readonly checks: readonly Check[]
  readonly stored: {
    readonly offset: string
    /** In seconds. */
    readonly timestamp: number
    readonly time: string
    readonly clusterId: string
    readonly generation: number
    readonly state: Checkpoint['state']
    readonly halt: Halt | null
    /** Until when a run may hold the lease. */
    readonly leaseUntil: string | null
    /** Functions that are ahead of the offset, or have changes that wait to be tried again. */
    readonly lanes: Readonly<Record<string, string>>
  } | null
  /** Null when the stream cannot be reached; `checks` says why. */
  readonly found: {
    readonly clusterId: string
    readonly earliest: string
    readonly end: string
    readonly times: TimeRange | null
  } | null
  /** What the consumer group holds at the broker; null when nothing, or when it cannot be asked. */
  readonly group: { readonly offset: string; readonly metadata: string | null } | null
  readonly lagSeconds: number | null
  /** Null when the stored offset means nothing on the cluster that was found. */
  readonly lagRecords: string | null
  /** Seconds of the source's time between the oldest readable record and the position: what a standstill may take. */
  readonly secondsUntilLoss: number | null
  /** The last moves of the checkpoint, oldest first. */
  readonly ledger: readonly LedgerEntry[]
  /** What to do now, for people. */
  readonly advice: string
  /** The command that does it; null when there is nothing to run. */
  readonly command: string | null
}

export async function doctor(dependencies: PreflightDependencies): Promise<DoctorResult> {
  const checks = await preflight(dependencies)
  return { action: 'doctor', healthy: checks.every(({ result }) => result === 'ok'), checks }
}

/** Everything that a person needs to decide, in one answer. Changes nothing. */
export async function inspect(dependencies: PreflightDependencies): Promise<Inspection> {
  const { store, now, openStream } = dependencies
  const checks = await preflight(dependencies)
  const failed = checks.find(({ result }) => result === 'failed')
  const stored = await orNull(() => store.read())
  const stream = await orNull(openStream)
  if (stream === null) {
    return {
      action: 'inspect',
      checks,
      stored: stored === null ? null : describe(stored, now()),
      found: null,
      group: null,
      lagSeconds: null,
      lagRecords: null,
      secondsUntilLoss: null,
      ledger: stored?.ledger ?? [],
      advice: `The stream cannot be reached. ${failed?.detail ?? ''}`,
      command: null,
    }
  }
  try {
    return await inspectStream(stored, stream, checks, now())
  } finally {
    await stream.close()
  }
}

/** What `inspect` says beside the examination of the set-up. */
export async function inspectStream(
  stored: Checkpoint | null,
  stream: Stream,
  checks: readonly Check[],
  now: number,
): Promise<Inspection> {
  const range = await stream.range()
  const times = await timeRange(stream, range)
  const group = await orNull(() => stream.committed())
  const comparable = stored !== null && stored.clusterId === stream.clusterId && stored.offset <= range.end
  const atEnd = comparable && stored.offset === range.end
  return {
    action: 'inspect',
    checks,
    stored: stored === null ? null : describe(stored, now),
    found: { clusterId: stream.clusterId, earliest: String(range.earliest), end: String(range.end), times },
    group: group === null ? null : { offset: String(group.offset), metadata: group.metadata },
    lagSeconds: stored === null ? null : atEnd ? 0 : Math.max(0, Math.floor(now / 1000) - stored.timestamp),
    lagRecords: comparable ? String(range.end - stored.offset) : null,
    secondsUntilLoss: stored === null || times === null ? null : stored.timestamp - times.first,
    ledger: stored?.ledger ?? [],
    ...(await advise(stored, stream)),
  }
}

function describe(stored: Checkpoint, now: number): NonNullable<Inspection['stored']> {
  const { clusterId, generation, state, halt, timestamp } = stored
  const lanes = Object.entries(stored.lanes).map(([name, { through, trouble }]) => {
    const ahead = through === null ? [] : [`done through ${through}`]
    const failing = trouble === null ? [] : [`offset ${trouble.offset} failed ${trouble.attempts} time(s)`]
    return [name, [...ahead, ...failing].join(', ')]
  })
  return {
    offset: String(stored.offset),
    timestamp,
    time: formatTime(timestamp),
    clusterId,
    generation,
    state,
    halt,
    leaseUntil: stored.leaseUntil > now ? new Date(stored.leaseUntil).toISOString() : null,
    lanes: Object.fromEntries(lanes),
  }
}

async function advise(
  stored: Checkpoint | null,
  stream: Stream,
): Promise<Pick<Inspection, 'advice' | 'command'>> {
  if (stored === null)
    return { advice: 'Nothing was read yet; the poller starts at DTS_CHECKPOINT by itself.', command: null }
  try {
    const { safe, lead } = await assess(stored, stream)
    switch (safe.how) {
      case 'stored':
        return stored.state === 'RUNNING'
          ? { advice: 'Position and log agree; nothing to do.', command: null }
          : {
              advice: `Position and log agree. Once the cause of the halt (${stored.halt?.code}) is cured, resume.`,
              command: recoveryCommand('{"action":"resume"}'),
            }
      case 'anchor':
        return {
          advice:
            safe.exact && lead.forgottenUntil === -1
              ? 'The log changed, and the last committed change is in the new one: a reset loses and repeats nothing.'
              : 'The log changed, and the last committed change is in the new one: a reset loses nothing; some changes repeat.',
          command: recoveryCommand('{"action":"reset"}'),
        }
      case 'time':
        return {
          advice:
            'The log changed, and the last committed change is not in the new one: a reset loses nothing; some changes repeat.',
          command: recoveryCommand('{"action":"reset"}'),
        }
      case 'gap':
        return {
          advice:
            `Changes from ${formatTime(safe.lost.from)} to ${formatTime(safe.lost.to)} can no longer be read. Copy the affected ` +
            'rows from the source, then accept the loss.',
          command: recoveryCommand('{"action":"reset","acceptLoss":true}'),
        }
    }
  } catch (error) {
    if (!(error instanceof DtsError)) throw error
    return { advice: error.message, command: recoveryCommand('{"action":"inspect"}') }
  }
}

async function orNull<Result>(action: () => Promise<Result>): Promise<Result | null> {
  try {
    return await action()
  } catch {
    return null
  }
}
