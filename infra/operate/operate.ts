import { printable } from '../../lib/text/printable.ts'
import { toEvent, usage } from './arguments.ts'
import { type DeployedRecovery, deployedRecovery } from './invoke-recovery.ts'
import { print, printJson } from './print.ts'
import { UsageError } from './report.ts'
import { serviceOfFolder } from './service-name.ts'

/**
 * Invokes the deployed recovery function and prints its answer for people, or as JSON with --json.
 * @param program how a person starts this, for the commands that it prints
 * @returns the exit code: 0 only if the action succeeded and found nothing wrong
 */
export async function operate(argv: readonly string[], program: string): Promise<number> {
  let call: ReturnType<typeof toEvent>
  try {
    call = toEvent(argv, { program, service: serviceOfFolder() })
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(`${printable(error.message)}\n\n${usage(program)}`)
    return 2
  }
  if (call === null) {
    console.log(usage(program))
    return 0
  }
  const { event, json } = call
  let recovery: DeployedRecovery
  try {
    recovery = await deployedRecovery(call)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(printable(error.message))
    return 2
  }
  const answer = await recovery.invoke(event)
  if (answer.kind === 'unreachable') {
    console.error(answer.message)
    return 1
  }
  if (json) console.log(printJson(answer.value))
  else for (const line of print(answer.value, call)) console.log(line)
  return answer.failed || fellShort(answer.value) ? 1 : 0
}

/** True for an error, an examination that found a fault, and unfinished work: the exit code says so to scripts. */
function fellShort(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const {
    healthy,
    complete,
    error = null,
  } = value as { healthy?: boolean; complete?: boolean; error?: unknown }
  return healthy === false || complete === false || error !== null
}
