import type { CommandLine } from '../../lib/recovery/next-steps.ts'
import { printable } from '../../lib/text/printable.ts'

/** The flags that choose a deployed recovery function, as they were given. */
export interface Deployment {
  /** How a person starts the command line. */
  readonly program?: string | undefined
  readonly stage?: string | undefined
  readonly service?: string | undefined
  readonly region?: string | undefined
  readonly source?: string | undefined
  readonly partition?: number | undefined
}

/** Writes next steps as commands of npm or npx, with the flags that reach the same deployment. */
export function npmCommands(deployment: Deployment): CommandLine {
  const { stage, region } = deployment
  return {
    recovery: (event) => npmCommand({ ...event }, deployment),
    deploy: ['npx serverless deploy', ...flagsOf({ stage, region })].join(' '),
  }
}

/** The command line that `toEvent` reads as this event. @param event an action and its members, as recovery takes them */
export function npmCommand(
  event: { readonly action?: unknown; readonly [member: string]: unknown },
  { program = 'npm run recovery --', stage, service, region, source, partition }: Deployment,
): string {
  const { action, to, from, dryRun, acceptLoss, newest, ...others } = event
  const flags = [
    ...flagsOf(others),
    ...placeFlags('from', from),
    ...placeFlags('to', to),
    ...(dryRun === true ? ['--dry-run'] : []),
    ...(acceptLoss === true ? ['--accept-loss'] : []),
    ...(newest === true ? ['--newest'] : []),
    ...flagsOf({ stage, service, region, source, partition }),
  ]
  return [program, String(action), ...flags].join(' ')
}

function flagsOf(values: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `--${name} ${quoted(String(value))}`)
}

/** @param place a name such as "earliest", or one member such as `{ offset }`; a time needs no flag of its own */
function placeFlags(name: 'from' | 'to', place: unknown): string[] {
  if (place === undefined) return []
  if (typeof place !== 'object' || place === null) return flagsOf({ [name]: place })
  return Object.entries(place).flatMap(([kind, value]) =>
    flagsOf({ [kind === 'timestamp' ? name : `${name}-${kind}`]: value }),
  )
}

/** For a shell. A table's name may contain characters that a shell or a terminal interprets. */
export function quoted(text: string): string {
  // Escapes of `printable` are not the name any more; in this form, bash and zsh read them as the name.
  if (printable(text) !== text) return `$'${printable(text.replaceAll(/[\\']/g, '\\$&'))}'`
  return /^[\w.:@/+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
