import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { printable } from '../../lib/text/printable.ts'
import type { Call } from './arguments.ts'
import type { Deployment } from './command-line.ts'
import { readSources, UnknownSource, variablesOfSource } from './named-sources.ts'
import { UsageError } from './report.ts'
import { serviceOfFolder } from './service-name.ts'

export type Invoked =
  /** `failed`: the function ended with an error of Lambda's own form. */
  | { readonly kind: 'answered'; readonly failed: boolean; readonly value: unknown }
  /** The message is for people, and printable. */
  | { readonly kind: 'unreachable'; readonly message: string }

/** A deployed recovery function. */
export interface DeployedRecovery {
  /** Never rejects. */
  invoke(event: object): Promise<Invoked>
}

/** @throws UsageError if no region is known */
export async function deployedRecovery({
  functionName,
  region,
  deployment,
}: Pick<Call, 'functionName' | 'region' | 'deployment'>): Promise<DeployedRecovery> {
  const { source, partition } = deployment
  const client = new LambdaClient({ ...(region === undefined ? {} : { region }), maxAttempts: 1 })
  try {
    await client.config.region()
  } catch {
    throw new UsageError(`The region of ${functionName} is unknown: give --region, or set AWS_REGION.`)
  }
  return {
    async invoke(event) {
      try {
        const { FunctionError, Payload } = await client.send(
          // Errors and next steps come back as values, which the caller writes for its people.
          new InvokeCommand({
            FunctionName: functionName,
            Payload: JSON.stringify({ ...event, source, partition, reply: 'data' }),
          }),
        )
        const value: unknown = JSON.parse(Buffer.from(Payload ?? []).toString() || 'null')
        return { kind: 'answered', failed: FunctionError !== undefined, value }
      } catch (error) {
        const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
        const unknown =
          isMissing(error) && source !== undefined ? await unknownSource(source, deployment) : null
        const advice =
          unknown ??
          `Check ${source === undefined ? '' : '--source, '}--stage, --region and your AWS credentials.`
        const message = `${printable(functionName)} could not be invoked (${printable(reason)}).\n${advice}`
        return { kind: 'unreachable', message }
      }
    },
  }
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
