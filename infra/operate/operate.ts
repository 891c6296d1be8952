import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { printable } from '../../lib/text/printable.ts'
import { toEvent, usage } from './arguments.ts'
import type { Deployment } from './command-line.ts'
import { readSources, UnknownSource, variablesOfSource } from './named-sources.ts'
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
  const { event, functionName, region, json, deployment } = call
  const { source, partition } = deployment
  const client = new LambdaClient({ ...(region === undefined ? {} : { region }), maxAttempts: 1 })
  try {
    await client.config.region()
  } catch {
    console.error(`The region of ${printable(functionName)} is unknown: give --region, or set AWS_REGION.`)
    return 2
  }
  let answer: { readonly failed: boolean; readonly value: unknown }
  try {
    const { FunctionError, Payload } = await client.send(
      // Errors and next steps come back as values, which are printed as commands of this program.
      new InvokeCommand({
        FunctionName: functionName,
        Payload: JSON.stringify({ ...event, source, partition, reply: 'data' }),
      }),
    )
    answer = {
      failed: FunctionError !== undefined,
      value: JSON.parse(Buffer.from(Payload ?? []).toString() || 'null'),
    }
  } catch (error) {
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    const unknown = isMissing(error) && source !== undefined ? await unknownSource(source, deployment) : null
    console.error(
      `${printable(functionName)} could not be invoked (${printable(reason)}).\n` +
        (unknown ??
          `Check ${source === undefined ? '' : '--source, '}--stage, --region and your AWS credentials.`),
    )
    return 1
  }
  if (json) console.log(printJson(answer.value))
  else for (const line of print(answer.value, call)) console.log(line)
  return answer.failed || fellShort(answer.value) ? 1 : 0
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && error.name === 'ResourceNotFoundException'
}

/** Names the sources that exist, if the service of this folder was meant and lacks the source. */
async function unknownSource(source: string, { service, stage = 'dev' }: Deployment): Promise<string | null> {
  if (service !== undefined && service !== serviceOfFolder()) return null
  try {
    variablesOfSource(await readSources(process.cwd(), stage), source)
    return null
  } catch (error) {
    // Without a service here, the folder says nothing about the sources.
    return error instanceof UnknownSource ? printable(error.message) : null
  }
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
