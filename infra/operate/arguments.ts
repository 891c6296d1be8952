import { parseArgs } from 'node:util'
import { type RecoveryEvent, recoveryEventSchema } from '../../lib/recover.ts'
import { parseTime } from '../../lib/time.ts'

export const usage = `npm run recovery -- <action> [flags]

  inspect                      where the stream stands, and what to run
  doctor                       the set-up, line by line (also: npm run doctor)
  reset                        go on where nothing is lost
      --to earliest|latest|committed|T | --to-offset N | --to-ledger N
      --dry-run                what it would do, and a token
      --token TOKEN            exactly what that dry run said
      --accept-loss            needed where changes are lost
  rollback                     undo the last move of the checkpoint, or an earlier one; with reset's other flags
      --entry N                the move to undo, as inspect numbers them: 0 (the last), 1, …; reset --to-ledger N
  pause | resume               stop and go on, keeping the position
  redrive                      dead letters to their handlers again
      --table T --max N --dry-run
  replay --table T             a table's history to its handler again
      --from T | --from-offset N   [--to T | --to-offset N]   --dry-run

  --by NAME --reason TEXT      kept in the ledger
  --stage S (dev)  --service S (dts-functions)  --region R  --json

T is UNIX seconds, milliseconds, or ISO 8601 such as 2026-01-31T08:00:00Z; --to-timestamp and --from-timestamp
take nothing else.`

/** The arguments are not of the form that `usage` describes. */
export class UsageError extends Error {}

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
  by: text,
  reason: text,
  stage: text,
  service: text,
  region: text,
  'dry-run': flag,
  'accept-loss': flag,
  json: flag,
  help: flag,
} as const

export interface Call {
  readonly event: Readonly<Record<string, unknown>>
  readonly functionName: string
  readonly region: string | undefined
  /** The flags that chose the function, for a command that goes to the same one; each with a space in front. */
  readonly deployment: string
  readonly json: boolean
}

/** @returns null when only help is asked for. @throws UsageError */
export function toEvent(argv: readonly string[]): Call | null {
  const { values, positionals } = parse(argv)
  if (values.help) return null
  const [action, ...rest] = positionals
  if (action === undefined || rest.length > 0) throw new UsageError('Give one action.')
  const isRollback = action === 'rollback'
  const named = target(values.to, values['to-timestamp'], values['to-offset'], values['to-ledger'])
  if (isRollback && named !== undefined)
    throw new UsageError('rollback goes where the ledger says: --entry N.')
  if (!isRollback && values.entry !== undefined) throw new UsageError('--entry belongs to rollback.')
  // A token says where to go, and whether that was a rollback.
  const to = isRollback && values.token === undefined ? { ledger: toCount(values.entry ?? '0') } : named
  const event = withoutUndefined({
    action: isRollback ? 'reset' : action,
    to,
    from: target(values.from, values['from-timestamp'], values['from-offset'], undefined),
    token: values.token,
    table: values.table,
    max: values.max === undefined ? undefined : toCount(values.max),
    by: values.by,
    reason: values.reason,
    dryRun: values['dry-run'],
    acceptLoss: values['accept-loss'],
  })
  // Parsed here only to refuse a mistake before anything is invoked; what is sent is what was written.
  const parsed = recoveryEventSchema.safeParse(event)
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`.trim())
    throw new UsageError(`${action}: ${problems.join('; ')}`)
  }
  return {
    event,
    functionName: `${values.service ?? 'dts-functions'}-${values.stage ?? 'dev'}-recovery`,
    region: values.region,
    deployment: (['stage', 'service', 'region'] as const)
      .map((name) => (values[name] === undefined ? '' : ` --${name} ${values[name]}`))
      .join(''),
    json: values.json ?? false,
  }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
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

/** NaN for anything but digits, which no schema takes. */
function toCount(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : Number.NaN
}

function withoutUndefined(event: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(event).filter(([, value]) => value !== undefined))
}

export type { RecoveryEvent }
