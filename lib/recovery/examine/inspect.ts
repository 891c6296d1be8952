import type { ColumnStore } from '../../checkpoint/column-store.ts'
import { timeOf } from '../../checkpoint/lease-limits.ts'
import { reachedTime } from '../../checkpoint/source-times.ts'
import { type Checkpoint, type Halt, haltOf, type LedgerEntry } from '../../checkpoint/types.ts'
import type { PollConfig } from '../../config.ts'
import { committerOf } from '../../kafka/commit-mark.ts'
import type { Stream } from '../../kafka/stream.ts'
import { firstLevel, type TimeRange } from '../../log/log-times.ts'
import { silentSeconds } from '../../log/silence.ts'
import { type Survey, surveyLog } from '../../log/survey.ts'
import * as z from '../../schema.ts'
import { formatTime } from '../../time.ts'
import { describeTimes } from '../move/describe.ts'
import { moves } from '../move/ledger.ts'
import { type SearchLimits, searchLimits } from '../move/plan-move.ts'
import { advise, adviseFirstStart } from './advice.ts'
import { type Check, describeFault } from './checks.ts'
import { type KeptColumns, keptColumns } from './column-versions.ts'
import { connectionChecks } from './connect.ts'
import { lagSeconds } from './lag.ts'
import { type PreflightDependencies, preflight } from './preflight.ts'
import { type Advice, afterFault, type Setup } from './setup.ts'
import { describeTrouble, failing } from './trouble.ts'

export const inspectSchema = z.strictObject({ action: z.literal('inspect') })
export const doctorSchema = z.strictObject({ action: z.literal('doctor') })

export interface DoctorResult {
  readonly action: 'doctor'
  readonly healthy: boolean
  readonly checks: readonly Check[]
}

export interface Inspection extends Advice {
  readonly action: 'inspect'
  /** The checks of the set-up, which run first. */
  readonly checks: readonly Check[]
  /** Why the checkpoint cannot be read; null if it was read, or if there is none. */
  readonly storedFault: string | null
  /** Null if nothing was read yet, or the checkpoint cannot be read. */
  readonly stored: {
    readonly offset: string
    /** In seconds. */
    readonly timestamp: number
    readonly time: string
    /** How far the source's times run out of order, as far as that was measured. */
    readonly times: string
    readonly clusterId: string
    readonly generation: number
    /** HALTED also for a pause; `halt` then has the code PAUSED and says who paused the stream and why. */
    readonly state: 'RUNNING' | 'HALTED'
    readonly halt: Halt | null
    /** Until when a run may hold the lease. */
    readonly leaseUntil: string | null
    /** Functions that are ahead of the offset, or have changes that wait to be tried again. */
    readonly lanes: Readonly<Record<string, string>>
  } | null
  /** Null if the stream cannot be reached; `checks` says why. */
  readonly found: {
    readonly clusterId: string
    readonly earliest: string
    readonly end: string
    readonly times: TimeRange | null
  } | null
  /** The commit of the consumer group; null if there is none, or the broker does not answer for the group. */
  readonly group: {
    readonly offset: string
    readonly metadata: string | null
    /** The deployment that made the commit, in words. */
    readonly by: string
  } | null
  readonly lagSeconds: number | null
  /** Null if the stored offset means nothing on this cluster. */
  readonly lagRecords: string | null
  /**
   * Seconds of source time between the oldest readable record and the position: how long the stream may be halted. Below
   * 0, the log begins after the position's time. That alone does not prove a loss; `advice` says whether there is one.
   */
  readonly secondsUntilLoss: number | null
  /** Seconds since the newest record of any kind, by its source time; null if unknown. */
  readonly silentSeconds: number | null
  /** The latest moves and actions by hand, oldest first. */
  readonly ledger: readonly NumberedEntry[]
  /** The columns of the stream's tables. Left out if they cannot be read. */
  readonly columns?: KeptColumns
}

export interface NumberedEntry extends LedgerEntry {
  /** The number by which `rollback --entry` and `{"ledger":…}` undo it; null if it cannot be undone. */
  readonly entry: number | null
}

export async function doctor(dependencies: PreflightDependencies): Promise<DoctorResult> {
  const checks = await preflight(dependencies)
  return { action: 'doctor', healthy: checks.every(({ result }) => result === 'ok'), checks }
}

export interface InspectDependencies extends PreflightDependencies, Pick<PollConfig, 'ghostTables'> {
  readonly config: PreflightDependencies['config'] & Pick<PollConfig, 'unroutedTables'>
  readonly columnStore?: Pick<ColumnStore, 'read'>
}

/** Collects everything that a person needs to decide. Changes nothing. */
export async function inspect(dependencies: InspectDependencies): Promise<Inspection> {
  const found = await inspectAll(dependencies)
  const kept = await attempt(async () => (await dependencies.columnStore?.read())?.history)
  return kept.result === undefined ? found : { ...found, columns: keptColumns(kept.result) }
}

async function inspectAll(dependencies: InspectDependencies): Promise<Inspection> {
  const { store, now, openStream, config, routes } = dependencies
  const checks = await preflight(dependencies)
  const failed = checks.find(({ name, result }) => result === 'failed' && connectionChecks.has(name))
  const read = await attempt(() => store.read())
  const opened = await attempt(openStream)
  const stored = read.result ?? null
  const storedFault = read.fault === undefined ? null : describeFault(read.fault)
  const unreadable = storedFault === null ? '' : `The checkpoint cannot be read. ${storedFault}`
  if (opened.result === undefined) {
    const unreached = `The stream cannot be reached. ${failed?.detail ?? describeFault(opened.fault)}`
    const base = { checks, stored, storedFault, now: now() }
    return {
      ...answer(base),
      ...nothingFound,
      ...afterFault([unreached, unreadable].filter(Boolean).join(' ')),
    }
  }
  const stream = opened.result
  try {
    const { unroutedTables } = config
    const { ghostTables, deadLetters } = dependencies
    const setup = { checks, routes, hasQueue: deadLetters !== undefined, unroutedTables, ghostTables }
    if (stored !== null) return await inspectStream(stored, stream, setup, searchLimits(dependencies))
    const advice =
      storedFault === null ? await adviseFirstStart(config, stream, checks) : afterFault(unreadable)
    const base = { checks, stored, storedFault, now: now() }
    const survey = await surveyLog(stream, stored)
    return { ...answer(base), ...(await findings(stored, stream, survey, now())), ...advice }
  } finally {
    await stream.close()
  }
}

/** The part of `inspect` for a stream that was read before; the set-up is examined already. */
export async function inspectStream(
  stored: Checkpoint,
  stream: Stream,
  setup: Setup,
  limits: SearchLimits,
): Promise<Inspection> {
  const now = limits.now()
  const survey = await surveyLog(stream, stored)
  return {
    ...answer({ checks: setup.checks, stored, storedFault: null, now }),
    ...(await findings(stored, stream, survey, now)),
    ...(await advise(stored, stream, setup, survey, limits)),
  }
}

type Findings = Pick<
  Inspection,
  'found' | 'group' | 'lagSeconds' | 'lagRecords' | 'secondsUntilLoss' | 'silentSeconds'
>

const nothingFound: Findings = {
  found: null,
  group: null,
  lagSeconds: null,
  lagRecords: null,
  secondsUntilLoss: null,
  silentSeconds: null,
}

async function findings(
  stored: Checkpoint | null,
  stream: Stream,
  { clusterId, range, ends, group: answer }: Survey,
  now: number,
): Promise<Findings> {
  if (ends.kind === 'damaged') throw ends.fault
  const times = ends.kind === 'empty' ? null : { first: ends.first, last: ends.last }
  const group = answer.isKnown ? answer.committed : null
  const first = await firstLevel(stream, range)
  const comparable = stored !== null && stored.clusterId === clusterId && stored.offset <= range.end
  const atEnd = comparable && stored.offset === range.end
  return {
    found: { clusterId, earliest: String(range.earliest), end: String(range.end), times },
    group:
      group === null
        ? null
        : { offset: String(group.offset), metadata: group.metadata, by: committerOf(group.mark) },
    lagSeconds: stored === null ? null : lagSeconds(stored, atEnd, now),
    lagRecords: comparable ? String(range.end - stored.offset) : null,
    secondsUntilLoss:
      stored === null || first === null ? null : reachedTime(stored, now / 1000) - first.middle,
    silentSeconds: await silentSeconds(stream, range, now, stored?.timestamp ?? null),
  }
}

interface Read {
  readonly checks: readonly Check[]
  readonly stored: Checkpoint | null
  readonly storedFault: string | null
  readonly now: number
}

function answer({ checks, stored, storedFault, now }: Read) {
  return {
    action: 'inspect' as const,
    checks,
    stored: stored === null ? null : describe(stored, now),
    storedFault,
    ledger: numbered(stored?.ledger ?? []),
  }
}

function numbered(ledger: readonly LedgerEntry[]): NumberedEntry[] {
  const numbers = new Map(moves(ledger).map((entry, number) => [entry, number]))
  return ledger.map((entry) => ({
    ...entry,
    entry: entry.from === null ? null : (numbers.get(entry) ?? null),
  }))
}

function describe(stored: Checkpoint, now: number): NonNullable<Inspection['stored']> {
  const { clusterId, generation, timestamp } = stored
  const lanes = Object.entries(stored.lanes).map(([name, { through, trouble }]) => {
    const ahead = through === null ? [] : [`done through ${through}`]
    const troubles = failing(trouble) ? [describeTrouble(trouble)] : []
    return [name, [...ahead, ...troubles].join(', ')] as const
  })
  return {
    offset: String(stored.offset),
    timestamp,
    time: formatTime(timestamp),
    times: describeTimes(stored.times),
    clusterId,
    generation,
    state: stored.state === 'RUNNING' ? 'RUNNING' : 'HALTED',
    halt: haltOf(stored),
    leaseUntil: stored.leaseUntil !== null && stored.leaseUntil > now ? timeOf(stored.leaseUntil) : null,
    lanes: Object.fromEntries(lanes.filter(([, text]) => text !== '')),
  }
}

type Attempt<Result> =
  | { readonly result: Result; readonly fault?: undefined }
  | { readonly result?: undefined; readonly fault: unknown }

/** A fault is part of the answer, and must not hide the rest. */
async function attempt<Result>(action: () => Promise<Result>): Promise<Attempt<Result>> {
  try {
    return { result: await action() }
  } catch (fault) {
    return { fault }
  }
}
