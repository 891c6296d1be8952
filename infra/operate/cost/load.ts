import { readArguments, UsageError } from '../report.ts'

const modes = ['scheduled', 'low-latency'] as const
type Mode = (typeof modes)[number]

/** What a stream has to do. */
export interface Load {
  readonly changesPerDay: number
  /** Tables with a function of their own. The changes are spread evenly over them. */
  readonly tables: number
  /** Of a record in the stream. */
  readonly recordBytes: number
  /** The time of the handler for one change, in milliseconds. */
  readonly handlerMs: number
  /** Of a table function, in MB. */
  readonly memory: number
  /** Low latency: runs hand over (POLL_HANDOVER), so that one is always at work. */
  readonly mode: Mode
  /** POLL_LINGER_SECONDS. */
  readonly lingerSeconds: number
}

export interface CostCall {
  readonly load: Load
  /** A file with prices; undefined for the own ones. */
  readonly prices: string | undefined
}

export const usage = (program: string) => `${program} --changes-per-day N --tables M [flags]

Estimates what a stream costs in a month: the poller, its table functions, and what watches them.
  --changes-per-day N   changes of tables that have a handler, spread evenly over the day
  --tables M            table functions, which share the changes evenly
  --record-bytes N      of a record in the stream (500)
  --handler-ms N        time of a handler for one change (1)
  --memory MB           of a table function (256)
  --mode M              scheduled (a run each minute), or low-latency (POLL_HANDOVER=true)
  --linger S            POLL_LINGER_SECONDS (0), for scheduled runs
  --prices FILE         prices in the form of prices.json, instead of the list prices of us-east-1`

const text = { type: 'string' } as const
const options = {
  'changes-per-day': text,
  tables: text,
  'record-bytes': text,
  'handler-ms': text,
  memory: text,
  mode: text,
  linger: text,
  prices: text,
  help: { type: 'boolean' },
} as const

/** @returns null if only help is asked for. @throws UsageError */
export function toCostCall(argv: readonly string[]): CostCall | null {
  const { values } = readArguments({ args: [...argv], options })
  if (values.help) return null
  const whole = (name: keyof typeof values, low: number, high: number, otherwise?: number): number => {
    const value = values[name]
    if (value === undefined && otherwise !== undefined) return otherwise
    if (value === undefined) throw new UsageError(`--${name} is missing.`)
    if (!/^\d{1,15}$/.test(String(value)) || Number(value) < low || Number(value) > high) {
      const range = `${low.toLocaleString('en')} to ${high.toLocaleString('en')}`
      throw new UsageError(`--${name} takes a whole number from ${range}, not "${value}".`)
    }
    return Number(value)
  }
  const mode = modes.find((name) => name === (values.mode ?? 'scheduled'))
  if (mode === undefined) throw new UsageError(`--mode is one of ${modes.join(', ')}, not "${values.mode}".`)
  if (mode === 'low-latency' && values.linger !== undefined)
    throw new UsageError('--linger is for scheduled runs: with --mode low-latency a run is always at work.')
  if (values.prices?.trim() === '') throw new UsageError('--prices needs a file.')
  return {
    load: {
      changesPerDay: whole('changes-per-day', 0, 10_000_000_000),
      tables: whole('tables', 1, 10_000),
      recordBytes: whole('record-bytes', 50, 64_000_000, 500),
      handlerMs: decimal(values['handler-ms'] ?? '1'),
      memory: whole('memory', 128, 10_240, 256),
      mode,
      lingerSeconds: whole('linger', 0, 900, 0),
    },
    prices: values.prices,
  }
}

function decimal(value: string): number {
  const number = /^\d{1,6}(\.\d{1,6})?$/.test(value) ? Number(value) : Number.NaN
  if (number <= 900_000) return number
  throw new UsageError(
    `--handler-ms takes a number of milliseconds from 0 to 900,000, such as 0.5, not "${value}".`,
  )
}
