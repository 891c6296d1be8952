import type { Logger } from '@aws-lambda-powertools/logger'
import { Metrics, MetricUnit as Unit } from '@aws-lambda-powertools/metrics'
import { isDtsError, loggedError } from '../errors.ts'
import { printableValue } from '../text/printable.ts'
import { type PollSummary, unreadable } from './summary.ts'

/**
 * The report of a run: one log line, and metrics in CloudWatch's embedded format, which are log lines too. Both contain counts,
 * offsets, times, names of functions and tables, and codes, but no value of a row, no raw bytes and no secret. docs/telemetry.md
 * describes them.
 */

export const metricNamespace = 'DtsFunctions'

type UnitName = (typeof Unit)[keyof typeof Unit]
export type Measure = readonly [name: string, unit: UnitName, value: number]

/** Measures of the whole run. Unknown values are left out: 0 would look healthy. */
export function runMeasures(summary: PollSummary, thrown: unknown): Measure[] {
  const { ended, drifts, fetched, bytes, handled, skipped, filtered, ghosts, deadLettered, retried } = summary
  const { commits, milliseconds, lagSeconds, lagRecords, secondsUntilLoss, silentSeconds, halted } = summary
  const ran = summary.from !== null
  const ends = (end: PollSummary['ended']) => Number(thrown === null && ended === end)
  const isPaused = halted === 'PAUSED'
  return [
    ['Halted', Unit.Count, Number(halted !== null && !isPaused)],
    ['Paused', Unit.Count, Number(isPaused)],
    ['Failed', Unit.Count, Number(thrown !== null && halted === null)],
    ['LeaseHeld', Unit.Count, ends('lease-held')],
    ['LeaseLost', Unit.Count, ends('lease-lost')],
    ['Superseded', Unit.Count, ends('superseded')],
    ['Recovered', Unit.Count, ends('recovered')],
    ['LeaseTooLong', Unit.Count, Number(isDtsError(thrown) && thrown.code === 'LEASE_TOO_LONG')],
    ['GroupShared', Unit.Count, Number(summary.otherDeployment !== null || isShared(thrown))],
    // Only when there is one: CloudWatch charges for a metric in each hour in which it has a value.
    ...known('ColumnsChanged', Unit.Count, drifts.length === 0 ? null : drifts.length),
    ...known('LagSeconds', Unit.Seconds, lagSeconds),
    ...known('LagRecords', Unit.Count, lagRecords === null ? null : Number(lagRecords)),
    ...known('SecondsUntilLoss', Unit.Seconds, secondsUntilLoss),
    ...known('SourceSilentSeconds', Unit.Seconds, silentSeconds),
    ...(ran
      ? ([
          ['Fetched', Unit.Count, fetched],
          ['FetchedBytes', Unit.Bytes, bytes],
          ['Handled', Unit.Count, sum(handled)],
          ['Skipped', Unit.Count, sum(skipped)],
          ['Filtered', Unit.Count, sum(filtered)],
          ['Ghosts', Unit.Count, sum(ghosts)],
          ['Retried', Unit.Count, retried],
          ['DeadLettered', Unit.Count, sum(deadLettered)],
          ['Commits', Unit.Count, commits],
          ['FetchTime', Unit.Milliseconds, milliseconds.fetch],
          ['WaitTime', Unit.Milliseconds, milliseconds.wait],
          ['HandlerTime', Unit.Milliseconds, milliseconds.handlers],
          ['CommitTime', Unit.Milliseconds, milliseconds.commit],
        ] as const)
      : []),
  ]
}

/**
 * Measures of each table function that got changes. By function, not by table: there are as many functions as files, while the
 * source decides how many tables match a pattern, and their names.
 */
export function functionMeasures({ functions }: PollSummary): Map<string, Measure[]> {
  return new Map(
    Object.entries(functions).map(([name, { handled, retried, deadLettered, milliseconds }]) => [
      name === unreadable ? 'unreadable' : name,
      [
        ['Handled', Unit.Count, handled],
        ['Retried', Unit.Count, retried],
        ['DeadLettered', Unit.Count, deadLettered],
        ['HandlerTime', Unit.Milliseconds, milliseconds],
      ],
    ]),
  )
}

/** Reports how runs of the poller ended. */
export class Telemetry {
  readonly #logger: Logger
  readonly #run: Metrics
  readonly #function: Metrics

  /** @param service the poller's function name: a dimension of every metric */
  constructor(logger: Logger, service: string) {
    this.#logger = logger
    this.#run = new Metrics({ namespace: metricNamespace, serviceName: service })
    this.#function = new Metrics({ namespace: metricNamespace, serviceName: service })
  }

  /** @param thrown the error that ended the run; null if there was none */
  runEnded(summary: PollSummary, thrown: unknown): void {
    const code = summary.halted ?? (isDtsError(thrown) ? thrown.code : null)
    this.#log(summary, thrown)
    this.#run.addMetadata('ended', thrown === null ? summary.ended : 'thrown')
    if (code !== null) this.#run.addMetadata('code', code)
    publish(this.#run, runMeasures(summary, thrown))
    for (const [name, measures] of functionMeasures(summary)) {
      this.#function.addDimension('function', name)
      publish(this.#function, measures)
    }
  }

  #log(counted: PollSummary, thrown: unknown): void {
    // Its keys are names of tables, which come from the stream, and people read logs in terminals.
    const summary = printableValue(shortened(counted))
    for (const drift of summary.drifts) this.#logger.warn('Columns changed', { drift })
    if (thrown === null) {
      const isWell = counted.failures.length === 0 && counted.otherDeployment === null
      this.#logger[isWell ? 'info' : 'error']('Poll ended', { summary })
    } else {
      this.#logger.error('Poll failed', { ...loggedError(thrown), summary })
    }
  }
}

/** A log line may have 256 KB, and a catch-all handler can get thousands of tables. */
const shownTables = 100

/** The same summary with fewer tables: those with the highest numbers, and those whose columns changed first. */
function shortened(summary: PollSummary): PollSummary {
  const { handled, skipped, filtered, ghosts, deadLettered } = summary
  return {
    ...summary,
    handled: highest(handled),
    skipped: highest(skipped),
    filtered: highest(filtered),
    ghosts: highest(ghosts),
    deadLettered: highest(deadLettered),
    drifts: summary.drifts.slice(0, shownTables),
  }
}

function highest(counts: Readonly<Record<string, number>>): Record<string, number> {
  const entries = Object.entries(counts).sort(([, one], [, other]) => other - one)
  const rest = entries.splice(shownTables)
  const others = rest.reduce((sum, [, count]) => sum + count, 0)
  return {
    ...Object.fromEntries(entries),
    ...(rest.length === 0 ? {} : { [`${rest.length} other tables`]: others }),
  }
}

function isShared(thrown: unknown): boolean {
  return isDtsError(thrown) && thrown.code === 'GROUP_SHARED'
}

/** Writes one line and empties the instance. */
function publish(metrics: Metrics, measures: readonly Measure[]): void {
  for (const [name, unit, value] of measures) metrics.addMetric(name, unit, value)
  metrics.publishStoredMetrics()
}

function known(name: string, unit: UnitName, value: number | null): Measure[] {
  return value === null ? [] : [[name, unit, value]]
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0)
}
