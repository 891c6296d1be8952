import { parseCondition } from '../../../lib/condition/condition.ts'
import { declaredTables, problemsOf } from '../../../lib/dispatch/pattern.ts'
import type { ChangeOperation } from '../../../lib/dts/header.ts'
import { parseTime, timeHint } from '../../../lib/time.ts'
import { readArguments, UsageError } from '../report.ts'
import { asFlags, type StreamCall, streamCall, streamOptions } from '../stream-flags.ts'
import type { FormatName } from './formats.ts'
import type { Selection } from './select.ts'

export const usage = (program: string) => `${program} [flags]

Prints the changes of a stream. It reads beside the poller: no checkpoint and no commit of the group is read or written.

  The stream. A flag overrides the variable of .env.<stage>, .env or the shell, or the setting of the source:
  --source NAME           the stream of custom.sources.NAME in serverless.yml
  --broker-url HOST:PORT  --topic T  --sid S  --user U  --password P      (DTS_BROKER_URL, DTS_TOPIC, …)
  --group G               a plain Kafka topic in DTS format, instead of --sid
  --partition N  --tls  --allowed-nodes LIST  --stage S (dev)
  --password-secret NAME | --password-parameter NAME                      a secret, or an SSM parameter
  dts.server=HOST:PORT topic=T dts.sid=S …                                the spellings of Flink's Table API

  Which changes:
  --table PATTERN         database.table, *.orders_*, or !shop.audit to leave one out; several times or with commas
  --operation LIST        insert, update, delete, init, ddl
  --where CONDITION       "status = 'paid' and total > 100", "changed(status)", "before.total is null"
  --from PLACE            earliest (default), latest, a time, or offset:N; also --checkpoint T, --from-offset N
  --to PLACE              a time or offset:N, without the change there; also --to-offset N
  --limit N               end after N changes
  --follow                wait for new changes at the end; starts at latest unless --from says otherwise

  How they are printed:
  --format pretty | json | changelog | csv
  --columns LIST          only these columns, in this order

A time is UNIX seconds, milliseconds, or ISO 8601 such as 2026-01-31T08:00:00Z. Prefer the others to --password:
other users of the machine can see the arguments of a process.`

/** A place in the log. Times are in seconds. */
export type Place =
  | { readonly kind: 'earliest' | 'latest' }
  | { readonly kind: 'offset'; readonly offset: bigint }
  | { readonly kind: 'time'; readonly seconds: number }

export interface TailCall extends StreamCall {
  readonly selection: Selection
  readonly from: Place
  /** Null: the end of the log, or never with `follow`. */
  readonly to: Place | null
  readonly follow: boolean
  readonly limit: number
  readonly format: FormatName
}

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const
const list = { type: 'string', multiple: true } as const
const options = {
  ...streamOptions,
  checkpoint: text,
  table: list,
  operation: list,
  where: text,
  columns: list,
  from: text,
  'from-offset': text,
  to: text,
  'to-offset': text,
  limit: text,
  follow: flag,
  format: text,
  help: flag,
} as const

const operationNames: readonly ChangeOperation[] = ['INSERT', 'UPDATE', 'DELETE', 'INIT', 'DDL']
const formatNames: readonly FormatName[] = ['pretty', 'json', 'changelog', 'csv']

/** @returns null if only help is asked for. @throws UsageError; DtsError CONDITION_INVALID */
export function toTailCall(argv: readonly string[]): TailCall | null {
  const { values } = readArguments({ args: asFlags(argv), options })
  if (values.help) return null
  for (const [name, value] of Object.entries(values))
    if ([value].flat().some((one) => typeof one === 'string' && one.trim() === ''))
      throw new UsageError(`--${name} needs a value.`)
  if (values.from !== undefined && values.checkpoint !== undefined)
    throw new UsageError('--checkpoint and --from are both places to start: keep one.')
  const follow = values.follow ?? false
  const to = place('to', values.to, values['to-offset'])
  if (follow && to !== null) throw new UsageError('--follow never ends, so leave out --to.')
  const from =
    place('from', values.from ?? values.checkpoint, values['from-offset']) ??
    ({ kind: follow ? 'latest' : 'earliest' } as const)
  const format = oneOf('format', values.format ?? 'pretty', formatNames)
  const selection = toSelection(values)
  if (format === 'csv' && selection.columns === null && !selection.isOneTable)
    throw new UsageError('csv has one header: give --columns, or one --table without a *.')
  return {
    ...streamCall(values),
    selection,
    from,
    to,
    follow,
    limit: values.limit === undefined ? Number.POSITIVE_INFINITY : positive('limit', values.limit),
    format,
  }
}

type Values = ReturnType<typeof readArguments<{ options: typeof options }>>['values']

function toSelection(values: Values): Selection {
  const tables = declaredTables(split(values.table) ?? ['*'])
  // Exceptions alone leave tables out of all.
  const declared = tables.patterns.length === 0 ? { ...tables, patterns: ['*'] } : tables
  const problems = problemsOf(declared)
  if (problems.length > 0) throw new UsageError(`--table: ${problems.join('; ')}`)
  const operations = split(values.operation)?.map((name) =>
    oneOf('operation', name.toUpperCase(), operationNames),
  )
  return {
    tables: declared,
    isOneTable: declared.patterns.length === 1 && !declared.patterns[0]?.includes('*'),
    operations: new Set(operations ?? operationNames),
    condition: values.where === undefined ? null : parseCondition(values.where),
    columns: split(values.columns) ?? null,
  }
}

function split(values: readonly string[] | undefined): string[] | undefined {
  return values?.flatMap((value) => value.split(',').map((part) => part.trim()))
}

/** A place that flags name; null if they name none. @throws UsageError */
export function place(
  name: 'from' | 'to',
  value: string | undefined,
  offset: string | undefined,
): Place | null {
  if (value !== undefined && offset !== undefined)
    throw new UsageError(`--${name} and --${name}-offset are both places: keep one.`)
  const digits = offset ?? /^offset:(.*)$/.exec(value ?? '')?.[1]
  if (digits !== undefined) {
    if (!/^\d{1,19}$/.test(digits)) throw new UsageError(`--${name}: an offset is digits, not "${digits}".`)
    return { kind: 'offset', offset: BigInt(digits) }
  }
  if (value === undefined) return null
  if (name === 'from' && (value === 'earliest' || value === 'latest')) return { kind: value }
  const seconds = parseTime(value)
  if (seconds === null)
    throw new UsageError(
      `--${name} takes ${name === 'from' ? 'earliest, latest, ' : ''}a time or offset:N, not "${value}"${timeHint(value)}.`,
    )
  return { kind: 'time', seconds }
}

function oneOf<Name extends string>(flagName: string, value: string, names: readonly Name[]): Name {
  const found = names.find((name) => name === value)
  if (found === undefined)
    throw new UsageError(`--${flagName} is one of ${names.join(', ').toLowerCase()}, not "${value}".`)
  return found
}

function positive(name: string, value: string): number {
  if (!/^[1-9]\d{0,14}$/.test(value))
    throw new UsageError(`--${name} takes a whole number from 1, not "${value}".`)
  return Number(value)
}
