import { DtsError, isDtsError, type NextStep } from '../lib/errors.ts'
import { type CommandLine, stepLine } from '../lib/recovery/next-steps.ts'
import type { RecoveryAnswer } from '../lib/recovery/recover.ts'

/**
 * Writes next steps for people who see what the functions log, throw and answer: as commands of serverless, which reach
 * this deployment and no other.
 */

/**
 * @param flags that make serverless use this deployment; empty if the code is not deployed
 * @param source whose recovery is meant; empty for the unnamed stream
 * @param partition whose poller is meant; null if one poller reads the stream
 */
export function serverlessCommands(
  flags: string = process.env.DEPLOYMENT_FLAGS ?? '',
  source: string = process.env.DTS_SOURCE ?? '',
  partition: number | null = null,
): CommandLine {
  const address = partition === null ? {} : { partition }
  const recovery = source === '' ? 'recovery' : `recovery-${source}`
  const chosen = flags === '' ? '' : ` ${flags}`
  return {
    recovery: (event) =>
      `npx serverless invoke${chosen} -f ${recovery} --data '${JSON.stringify({ ...event, ...address }).replaceAll("'", `'\\''`)}'`,
    deploy: `npx serverless deploy${chosen}`,
  }
}

/** The same error, its message continued by what to run; a value that is not ours stays as it is. */
export function errorWithCommands(thrown: unknown, partition: number | null): unknown {
  if (!isDtsError(thrown) || thrown.next.length === 0) return thrown
  const { code, message, retryable, facts, next, cause, stack } = thrown
  const text = [message, ...commandsOf(next, partition)].join(' ')
  const written = new DtsError(code, text, { retryable, facts, next, cause })
  if (stack !== undefined) written.stack = stack.replace(message, () => text)
  return written
}

/** The same answer, with a `run` beside each `next` that is not empty. */
export function answerWithCommands(answer: RecoveryAnswer, partition: number | null): RecoveryAnswer {
  const written = <Part extends { readonly next: readonly NextStep[] }>(part: Part): Part =>
    part.next.length === 0 ? part : { ...part, run: commandsOf(part.next, partition) }
  switch (answer.action) {
    case 'inspect':
      return written({ ...answer, checks: answer.checks.map((check) => written(check)) })
    case 'doctor':
      return { ...answer, checks: answer.checks.map((check) => written(check)) }
    case 'pause':
    case 'resume':
    case 'release':
      return written(answer)
    case 'redrive':
      return written(answer)
    case 'reset':
    case 'letters':
    case 'discard':
    case 'replay':
    case 'look':
      return answer
  }
}

function commandsOf(next: readonly NextStep[], partition: number | null): string[] {
  const commands = serverlessCommands(undefined, undefined, partition)
  return next.map((step) => stepLine(step, commands))
}

/** The partition of the poller whose environment this is; null if one poller reads the stream. */
export function ownPartition({
  DTS_PARTITIONS,
  DTS_PARTITION,
}: Readonly<Record<string, string | undefined>>): number | null {
  return DTS_PARTITIONS && DTS_PARTITION ? Number(DTS_PARTITION) : null
}
