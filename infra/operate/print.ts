import type { Check } from '../../lib/recovery/examine/preflight.ts'
import type { RecoveryAnswer } from '../../lib/recovery/recover.ts'
import { printable, printableLines } from '../../lib/text/printable.ts'
import { formatTime } from '../../lib/time.ts'
import type { Call } from './arguments.ts'

/** What was asked, and of whom: every command in the answer's lines is for the same function. */
type Asked = Pick<Call, 'event' | 'deployment'>

/**
 * An answer of recovery as lines for people; an error of the function with its message. Nothing in them moves the cursor
 * of a terminal or begins another line, whatever the stream, the broker or the function put into the answer.
 */
export function print(value: unknown, asked: Asked): string[] {
  return lines(value, asked).map((text) => printable(inFlags(text, asked.deployment)))
}

/** The same as JSON, for scripts: a text that a terminal would obey is escaped there, and parses to what it was. */
export function printJson(value: unknown, { deployment }: Asked): string {
  const translate = (_key: string, part: unknown) =>
    typeof part === 'string' ? inFlags(part, deployment) : part
  return printableLines(JSON.stringify(value, translate, 2) ?? 'null')
}

/** What the function says in words of its events, as whoever came by npm would write it. */
function inFlags(text: string, deployment: string): string {
  return withFlags(withNpmCommands(text, deployment))
}

function lines(value: unknown, asked: Asked): string[] {
  if (typeof value !== 'object' || value === null) return [String(value)]
  if (!('action' in value)) {
    const { errorType = 'Error', errorMessage = JSON.stringify(value) } = value as Record<string, string>
    return [`${errorType}: ${errorMessage}`]
  }
  return printAnswer(value as RecoveryAnswer, asked)
}

/** As lib/recovery-command.ts writes them. */
const serverlessCommand = /npx serverless invoke [^']*-f recovery --data '(\{[^']*\})'/g

/** What messages and advice recommend to run. */
interface RecommendedEvent {
  readonly action: string
  readonly to?: string | { readonly offset: string } | { readonly timestamp: number }
  readonly dryRun?: true
  readonly acceptLoss?: true
}

/** The function names commands of serverless, with flags of its deployment; here those that were given reach it. */
function withNpmCommands(text: string, deployment: string): string {
  return text.replaceAll(serverlessCommand, (_command, json: string) => {
    const { action, to, acceptLoss, dryRun } = JSON.parse(json) as RecommendedEvent
    const flags = [
      ...placeFlags(to),
      ...(dryRun === undefined ? [] : ['--dry-run']),
      ...(acceptLoss === undefined ? [] : ['--accept-loss']),
    ]
    return `npm run recovery -- ${[action, ...flags].join(' ')}${deployment}`
  })
}

function placeFlags(to: RecommendedEvent['to']): string[] {
  if (to === undefined) return []
  if (typeof to === 'string') return [`--to ${to}`]
  return ['offset' in to ? `--to-offset ${to.offset}` : `--to ${to.timestamp}`]
}

/** As the events of the function call them, and as its messages therefore do. */
const flags: readonly [word: RegExp, flag: string][] = [
  [/"acceptLoss": ?true/g, '--accept-loss'],
  [/"to" with a timestamp, "earliest" or "latest"/g, '--to with a time, earliest or latest'],
  [/"to" for recovery/g, '--to for recovery'],
]

function withFlags(text: string): string {
  return flags.reduce((changed, [word, flag]) => changed.replaceAll(word, flag), text)
}

function printAnswer(answer: RecoveryAnswer, { event, deployment }: Asked): string[] {
  switch (answer.action) {
    case 'doctor':
      return [
        ...answer.checks.map(checkLine),
        '',
        answer.healthy ? 'Every line is ok.' : 'See the lines that are not ok.',
      ]
    case 'inspect': {
      const { stored, storedFault, found, group, ledger } = answer
      return [
        ...answer.checks.filter(({ result }) => result !== 'ok').map(checkLine),
        line(
          'state',
          stored === null
            ? storedFault === null
              ? 'nothing read yet'
              : 'not known'
            : stored.halt === null
              ? stored.state
              : `${stored.state}  ${stored.halt.code}`,
        ),
        ...(stored?.halt == null ? [] : [line('', stored.halt.message)]),
        ...Object.entries(stored?.halt?.facts ?? {}).map(([name, value]) => line('', `${name}: ${value}`)),
        line(
          'stored',
          stored === null
            ? (storedFault ?? 'none')
            : `offset ${stored.offset}, ${stored.time}, cluster ${stored.clusterId}, generation ${stored.generation}`,
        ),
        ...(stored === null ? [] : [line('times', stored.times)]),
        ...Object.entries(stored?.lanes ?? {}).map(([name, state]) => line('', `${name}: ${state}`)),
        ...(stored?.leaseUntil == null
          ? []
          : [line('lease', `a run may be at work until ${stored.leaseUntil}`)]),
        line(
          'found',
          found === null
            ? 'not reached'
            : `offsets from ${found.earliest}, the next one ${found.end}, cluster ${found.clusterId}`,
        ),
        ...(found?.times == null
          ? []
          : [line('', `${formatTime(found.times.first)} to ${formatTime(found.times.last)}`)]),
        line(
          'group',
          group === null
            ? 'no commit at the broker'
            : `offset ${group.offset}, ${group.by}, ${group.metadata ?? ''}`,
        ),
        line(
          'lag',
          `${unknown(answer.lagSeconds)} s, ${unknown(answer.lagRecords)} records; ${reserve(answer.secondsUntilLoss)}`,
        ),
        line('news', news(answer.silentSeconds)),
        ...ledger
          .slice(-5)
          .map((entry) =>
            line(
              'ledger',
              `${entry.entry === null ? '   ' : `#${entry.entry}`.padEnd(3)} ${new Date(entry.at).toISOString()}  ${entry.how}  ${entry.from === null ? '' : `${entry.from.offset} → `}${entry.to.offset}  by ${entry.by}`,
            ),
          ),
        '',
        answer.advice,
        ...(answer.command === null ? [] : ['', `  ${answer.command}`]),
      ]
    }
    case 'reset':
      return [
        answer.applied ? 'The checkpoint was moved.' : 'Dry run: nothing was changed.',
        line(
          'from',
          answer.from === null ? 'none' : `offset ${answer.from.offset}, cluster ${answer.from.clusterId}`,
        ),
        line(
          'to',
          `offset ${answer.to.offset}, ${answer.to.time}, cluster ${answer.to.clusterId}, generation ${answer.to.generation}`,
        ),
        line('how', answer.how),
        ...Object.entries(answer.repeats).map(([table, count]) =>
          line('repeats', `${table}: ${answer.countedTo === null ? `up to ${count}` : `${count} or more`}`),
        ),
        ...(answer.lost === null ? [] : [line('lost', `${answer.lost.from} to ${answer.lost.to}`)]),
        answer.note,
        ...(answer.token === null
          ? []
          : ['', `  npm run recovery -- reset --token ${answer.token}${deployment}`]),
      ]
    case 'pause':
    case 'resume':
    case 'release':
      return [`offset ${answer.offset}`, answer.note]
    case 'redrive':
      return [
        ...(event.dryRun ? ['Dry run: nothing was sent.'] : []),
        ...answer.letters.map((letter) =>
          line(letter.outcome, `${letter.table} offset ${letter.offset}, ${letter.at}, ${letter.error}`),
        ),
        `${event.dryRun ? '' : `${answer.redriven} redriven, `}${answer.left} left in the queue`,
        ...(answer.error === null ? [] : [answer.error]),
        ...answer.notes,
      ]
    case 'replay': {
      const { replayed, table, from, next, complete, error, note } = answer
      const changes = `${replayed} changes of ${table}, offsets ${from} to ${next}`
      return [
        ...(event.dryRun
          ? ['Dry run: nothing was sent.', `${answer.function} would get ${changes}`]
          : [`${answer.function} took ${changes}`]),
        ...(error === null ? [] : [error]),
        ...(note === '' ? [] : [note]),
        ...(complete
          ? ['Complete.']
          : [
              'Not complete. Go on with',
              '',
              `  ${replayCommand({ ...event, from: { offset: next } })}${deployment}`,
            ]),
      ]
    }
  }
}

function replayCommand({ table, from, to }: Asked['event']): string {
  const flags = [
    ['table', table],
    ...Object.entries(from ?? {}).map(([kind, value]) => [`from-${kind}`, value]),
    ...Object.entries(to ?? {}).map(([kind, value]) => [`to-${kind}`, value]),
  ]
  return `npm run recovery -- replay${flags.map(([name, value]) => ` --${name} ${quoted(String(value))}`).join('')}`
}

/** For a shell: a table's name may hold what a shell takes for its own, or a terminal. */
function quoted(text: string): string {
  // What `printable` would make of it later is no longer the name; in this form of bash and zsh it is.
  if (printable(text) !== text) return `$'${printable(text.replaceAll(/[\\']/g, '\\$&'))}'`
  return /^[\w.:@/+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

function checkLine({ name, result, detail }: Check): string {
  return `${result.padEnd(8)} ${name}: ${detail}`
}

function line(name: string, text: string): string {
  return `${name.padEnd(9)}${text}`
}

function news(seconds: number | null): string {
  return seconds === null
    ? 'the age of the newest record is not known'
    : `the newest record is ${seconds} s old`
}

/** How long the stream may stand still: told as found, as only the advice knows whether anything is lost. */
function reserve(seconds: number | null): string {
  if (seconds === null) return 'how long DTS keeps what was not read is not known'
  if (seconds >= 0) return `the log begins ${seconds} s before the position's time`
  return `the log begins ${-seconds} s after the position's time: see below what that means`
}

function unknown(value: number | string | null): string {
  return value === null ? '?' : String(value)
}
