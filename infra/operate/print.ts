import type { RecoveryAnswer } from '../../lib/recover.ts'
import type { Check } from '../../lib/recovery/preflight.ts'
import { formatTime } from '../../lib/time.ts'

/**
 * An answer of recovery as lines for people; an error of the function with its message.
 * @param deployment `Call.deployment`: every command in these lines is for the function that answered
 */
export function print(value: unknown, deployment: string): string[] {
  return lines(value, deployment).map((text) => withNpmCommands(text, deployment))
}

function lines(value: unknown, deployment: string): string[] {
  if (typeof value !== 'object' || value === null) return [String(value)]
  if (!('action' in value)) {
    const { errorType = 'Error', errorMessage = JSON.stringify(value) } = value as Record<string, string>
    return [`${errorType}: ${errorMessage}`]
  }
  return printAnswer(value as RecoveryAnswer, deployment)
}

/** As lib/recovery-command.ts writes them. */
const serverlessCommand = /npx serverless invoke [^']*-f recovery --data '(\{[^']*\})'/g

/** The function names commands of serverless; whoever came by npm goes on by npm. */
function withNpmCommands(text: string, deployment: string): string {
  return text.replaceAll(serverlessCommand, (_command, json: string) => {
    const { action, to, acceptLoss } = JSON.parse(json) as { action: string; to?: string; acceptLoss?: true }
    const flags = `${to === undefined ? '' : ` --to ${to}`}${acceptLoss === undefined ? '' : ' --accept-loss'}`
    return `npm run recovery -- ${action}${flags}${deployment}`
  })
}

function printAnswer(answer: RecoveryAnswer, deployment: string): string[] {
  switch (answer.action) {
    case 'doctor':
      return [
        ...answer.checks.map(checkLine),
        '',
        answer.healthy ? 'Everything is well.' : 'See the lines that failed.',
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
        ...Object.entries(stored?.lanes ?? {}).map(([name, state]) => line('', `${name}: ${state}`)),
        ...(stored?.leaseUntil == null
          ? []
          : [line('lease', `a run may be at work until ${stored.leaseUntil}`)]),
        line(
          'found',
          found === null
            ? 'not reached'
            : `offsets ${found.earliest} to ${found.end}, cluster ${found.clusterId}`,
        ),
        ...(found?.times == null
          ? []
          : [line('', `${formatTime(found.times.first)} to ${formatTime(found.times.last)}`)]),
        line(
          'group',
          group === null ? 'no commit at the broker' : `offset ${group.offset}, ${group.metadata ?? ''}`,
        ),
        line(
          'lag',
          `${unknown(answer.lagSeconds)} s, ${unknown(answer.lagRecords)} records; ${unknown(answer.secondsUntilLoss)} s until data is lost`,
        ),
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
          line('repeats', `${table}: up to ${count}`),
        ),
        ...(answer.lost === null ? [] : [line('lost', `${answer.lost.from} to ${answer.lost.to}`)]),
        answer.note,
        ...(answer.token === null
          ? []
          : ['', `  npm run recovery -- reset --token ${answer.token}${deployment}`]),
      ]
    case 'pause':
    case 'resume':
      return [`offset ${answer.offset}`, answer.note]
    case 'redrive':
      return [
        ...answer.letters.map((letter) =>
          line(letter.outcome, `${letter.table} offset ${letter.offset}, ${letter.at}, ${letter.error}`),
        ),
        `${answer.redriven} redriven, ${answer.left} left in the queue`,
        ...(answer.error === null ? [] : [answer.error]),
        ...answer.notes,
      ]
    case 'replay':
      return [
        `${answer.replayed} changes of ${answer.table} for ${answer.function}, offsets ${answer.from} to ${answer.next}`,
        answer.complete ? 'Complete.' : `Not complete: go on with --from-offset ${answer.next}`,
        ...(answer.error === null ? [] : [answer.error]),
      ]
  }
}

function checkLine({ name, result, detail }: Check): string {
  return `${result.padEnd(8)} ${name}: ${detail}`
}

function line(name: string, text: string): string {
  return `${name.padEnd(9)}${text}`
}

function unknown(value: number | string | null): string {
  return value === null ? '?' : String(value)
}
