import type * as z from 'zod'
import { recoveryEventSchema } from '../../lib/recovery/recover.ts'
import { parseTime, timeHint } from '../../lib/time.ts'
import type { Deployment } from './command-line.ts'
import { readArguments, UsageError } from './report.ts'

/** @param program how a person starts this */
export const usage = (program: string) => `${program} <action> [flags]

  inspect                      how far the stream is, and what to run
  doctor                       the set-up, line by line
  reset                        continue where nothing is lost; refused if changes would be lost
      --to earliest|latest|committed|T | --to-offset N | --to-ledger N
      --dry-run                what it would do, and a token
      --token TOKEN            apply exactly what that dry run said
      --accept-loss            needed if changes are lost
  rollback                     undo the last move of the checkpoint, or an earlier one; with reset's other flags
      --entry N                the move to undo, as inspect numbers them: 0 (the last), 1, …; reset --to-ledger N
  pause | resume               stop and continue, keeping the position
  release                      break a lease that ends later than any run can hold it
  redrive                      send dead letters to their handlers again
      --table T --max N --dry-run
  letters                      the dead letters that come first, with their changes
      --max N
  discard --message ID         delete a dead letter, named as letters shows it; its change is then never delivered
  replay --table T             send a table's history to its handler again
      --from T | --from-offset N   [--to T | --to-offset N]   --dry-run
  look                         the newest changes of the log, masked, and whether each is done; changes nothing
      --table PATTERN --key 7|id=7 --max N   --from … --to …   --newest (with --from: the last ones of that part)

  --by NAME --reason TEXT      kept in the ledger; of discard, in the log of recovery
  --stage S (dev)  --service S (as in serverless.yml)  --region R  --json
  --source NAME                the stream of custom.sources.NAME
  --partition N                the partition, if the stream has several

T is UNIX seconds, milliseconds, or ISO 8601 such as 2026-01-31T08:00:00Z; --to-timestamp and --from-timestamp
take nothing else.`

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const
const options = {
  to: text,
  from: text,
  'to-timestamp': text,
  'to-offset': text,
  'to-ledger': text,
  entry: text,
  'from-timestamp': text,
  'from-offset': text,
  token: text,
  table: text,
  max: text,
  message: text,
  key: text,
  by: text,
  reason: text,
  stage: text,
  service: text,
  region: text,
  source: text,
  partition: text,
  'dry-run': flag,
  'accept-loss': flag,
  newest: flag,
  json: flag,
  help: flag,
} as const

export interface Call {
  readonly event: Readonly<Record<string, unknown>>
  readonly functionName: string
  readonly region: string | undefined
  /** The flags that chose the function, for commands that go to the same one. */
  readonly deployment: Deployment
  readonly json: boolean
}

/** How the program was started. */
export interface Started {
  readonly program?: string | undefined
  /** The service of the current folder. */
  readonly service?: string | undefined
}

/** @returns null when only help is asked for. @throws UsageError */
export function toEvent(argv: readonly string[], started: Started = {}): Call | null {
  const { values, positionals } = readArguments({ args: [...argv], options, allowPositionals: true })
  if (values.help) return null
  for (const [name, value] of Object.entries(values))
    if (typeof value === 'string' && value.trim() === '') throw new UsageError(`--${name} needs a value.`)
  const [action, ...rest] = positionals
  if (action === undefined || rest.length > 0) throw new UsageError('Give one action.')
  const isRollback = action === 'rollback'
  const named = target(values.to, values['to-timestamp'], values['to-offset'], values['to-ledger'])
  if (isRollback && named !== undefined)
    throw new UsageError('rollback goes where the ledger says: --entry N.')
  if (!isRollback && values.entry !== undefined) throw new UsageError('--entry belongs to rollback.')
  if (values.token !== undefined && values.entry !== undefined)
    throw new UsageError('--token says where to go: leave out --entry.')
  if (values.token !== undefined && named !== undefined)
    throw new UsageError('--token says where to go: leave out --to.')
  // A token says where to go, and whether that was a rollback.
  const to = isRollback && values.token === undefined ? { ledger: toCount(values.entry ?? '0') } : named
  const event = withoutUndefined({
    action: isRollback ? 'reset' : action,
    to,
    from: target(values.from, values['from-timestamp'], values['from-offset'], undefined),
    token: values.token,
    table: values.table,
    message: values.message,
    key: values.key,
    max: values.max === undefined ? undefined : toCount(values.max),
    by: values.by,
    reason: values.reason,
    dryRun: values['dry-run'],
    acceptLoss: values['accept-loss'],
    newest: values.newest,
  })
  // Parsed only to refuse a mistake before the function is invoked. The event is sent as it was written.
  const parsed = recoveryEventSchema.safeParse(event)
  if (!parsed.success) {
    const times = [values.to, values.from, values['to-timestamp'], values['from-timestamp']]
    const hint = times.map((time) => timeHint(time ?? '')).find((one) => one !== '') ?? ''
    throw new UsageError(
      `${action}: ${parsed.error.issues.map((issue) => describe(issue, action)).join('; ')}${hint}`,
    )
  }
  return {
    event,
    functionName: [
      values.service ?? started.service ?? 'dts-functions',
      values.stage ?? 'dev',
      'recovery',
      values.source,
    ]
      .filter((part) => part !== undefined)
      .join('-'),
    region: values.region,
    deployment: {
      program: started.program,
      stage: values.stage,
      service: values.service,
      region: values.region,
      source: values.source,
      partition: values.partition === undefined ? undefined : toPartition(values.partition),
    },
    json: values.json ?? false,
  }
}

/** The schemas describe members of an event. A user of the command line sees flags instead. */
const expectations: Readonly<Record<string, string>> = {
  from: 'where from is needed: --from T, or --from-offset and digits',
  table: '--table takes database.table, and is needed',
  max: '--max takes a whole number from 1 to 1000; of letters, to 100; of look, to 200',
  key: '--key takes a value of the key such as 7, or id=7; at most 1000 characters',
  message: '--message takes the id that letters shows, and is needed',
  by: '--by takes at most 200 characters',
  reason: '--reason takes at most 1000 characters',
}
const destinations: Readonly<Record<string, string>> = {
  reset: '--to takes earliest, latest, committed or T; --to-offset and --to-ledger take digits',
  rollback: '--entry takes a whole number',
  replay: '--to takes T; --to-offset takes digits',
  look: '--to takes T; --to-offset takes digits',
}
const flagNames: Readonly<Record<string, string>> = { acceptLoss: 'accept-loss', dryRun: 'dry-run' }

function describe(issue: z.core.$ZodIssue, action: string): string {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => `--${flagNames[key] ?? key} is not for ${action}`).join('; ')
  const key = String(issue.path[0] ?? '')
  if (key === 'action') return `there is no action ${action}`
  if (action === 'look' && key === 'from') return '--from takes T; --from-offset takes digits'
  if (action === 'look' && key === 'table') return issue.message
  return (key === 'to' ? destinations[action] : expectations[key]) ?? `${key} ${issue.message}`
}

function target(
  named: string | undefined,
  timestamp: string | undefined,
  offset: string | undefined,
  ledger: string | undefined,
): unknown {
  const given: unknown[] = []
  if (named !== undefined) given.push(parseTime(named) === null ? named : { timestamp: named })
  if (timestamp !== undefined) given.push({ timestamp })
  if (offset !== undefined) given.push({ offset })
  if (ledger !== undefined) given.push({ ledger: toCount(ledger) })
  if (given.length > 1) throw new UsageError('Give one place only.')
  return given[0]
}

function toPartition(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new UsageError('--partition takes the number of a partition.')
  return Number(text)
}

/** NaN for anything but digits. No schema accepts NaN. */
function toCount(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : Number.NaN
}

function withoutUndefined(event: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(event).filter(([, value]) => value !== undefined))
}
