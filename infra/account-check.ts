import { DescribeTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { GetAccountSettingsCommand, LambdaClient, type LambdaClientConfig } from '@aws-sdk/client-lambda'
import { DescribeSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { DescribeParametersCommand, GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import type { StoredPassword } from './stored-password.ts'

export interface Deployment {
  /** Region, credentials and endpoint, as serverless uses them. */
  readonly aws: LambdaClientConfig & { readonly region: string }
  readonly passwords: readonly StoredPassword[]
  /** The concurrency that all pollers reserve together. */
  readonly reservedConcurrency: number
  readonly stackName: string
  readonly checkpointTable: string
}

/**
 * Looks for what the account lacks for this deployment. It asks AWS, so it runs only before a deployment. If the deploying user lacks
 * the permission for a check, the check is skipped.
 * @returns the faults, as text
 */
export async function accountProblems(deployment: Deployment): Promise<string[]> {
  const found = await Promise.all([
    ...deployment.passwords.map((password) =>
      password.store === 'secret'
        ? secretProblem(deployment, password)
        : parameterProblem(deployment, password),
    ),
    concurrencyProblem(deployment),
    keptTableProblem(deployment),
  ])
  return found.filter((fault) => fault !== null)
}

async function secretProblem(
  { aws }: Deployment,
  { id, kind, setting }: StoredPassword,
): Promise<string | null> {
  const client = new SecretsManagerClient(aws)
  try {
    const { DeletedDate } = await client.send(new DescribeSecretCommand({ SecretId: id }))
    return DeletedDate === undefined
      ? null
      : `The secret ${id} (${setting}) is marked for deletion. Restore it, or name another one.`
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'ResourceNotFoundException') return null
    return (
      `The secret ${id} (${setting}) does not exist in ${aws.region}. Store the ${kind} there first: aws ` +
      `secretsmanager create-secret --region ${aws.region} --name ${id} --secret-string file://${kind}.txt`
    )
  } finally {
    client.destroy()
  }
}

async function parameterProblem(
  { aws }: Deployment,
  { id, kind, setting }: StoredPassword,
): Promise<string | null> {
  const client = new SSMClient(aws)
  const store = `aws ssm put-parameter --region ${aws.region} --type SecureString --name ${id} --value file://${kind}.txt`
  try {
    const type = await parameterType(client, id)
    if (type === undefined)
      return `The parameter ${id} (${setting}) does not exist in ${aws.region}. Store the ${kind} there first: ${store}`
    if (type === 'SecureString') return null
    return (
      `The parameter ${id} (${setting}) has the type ${type}, which keeps the ${kind} in plain text. Delete it, and store the ` +
      `${kind} again: ${store}`
    )
  } catch {
    return null
  } finally {
    client.destroy()
  }
}

/** Undefined if there is no such parameter. */
async function parameterType(client: SSMClient, id: string): Promise<string | undefined> {
  if (id.startsWith('arn:')) {
    // Only this request finds a parameter that another account shares. It asks for no decryption.
    const found = client.send(new GetParameterCommand({ Name: id }))
    return (await found.catch(orMissing))?.Parameter?.Type
  }
  // A person who deploys needs no right to read the parameter.
  const request = { ParameterFilters: [{ Key: 'Name', Option: 'Equals', Values: [id] }] }
  return (await client.send(new DescribeParametersCommand(request))).Parameters?.[0]?.Type
}

function orMissing(error: unknown): undefined {
  if (error instanceof Error && error.name === 'ParameterNotFound') return undefined
  throw error
}

/** Lambda refuses a reservation that leaves less than this for all other functions. */
const smallestUnreserved = 10

async function concurrencyProblem({ aws, reservedConcurrency }: Deployment): Promise<string | null> {
  if (reservedConcurrency === 0) return null
  const client = new LambdaClient(aws)
  try {
    const { AccountLimit } = await client.send(new GetAccountSettingsCommand({}))
    const limit = AccountLimit?.ConcurrentExecutions
    if (limit === undefined || limit >= smallestUnreserved + reservedConcurrency) return null
    return (
      `This account may run ${limit} functions at once in ${aws.region}, and Lambda refuses the pollers' reservation of ${reservedConcurrency} ` +
      'because it would leave less than 10. Set custom.account.reserveConcurrency to false (the lease then keeps one run at ' +
      'work), or ask AWS for a higher limit.'
    )
  } catch {
    return null
  } finally {
    client.destroy()
  }
}

/** A table that outlived its stack. CloudFormation would fail at its name, and leave a stack with nothing but a bucket. */
async function keptTableProblem({ aws, stackName, checkpointTable }: Deployment): Promise<string | null> {
  const client = new DynamoDBClient(aws)
  try {
    await client.send(new DescribeTableCommand({ TableName: checkpointTable }))
    if (await belongsToStack(aws, stackName)) return null
    return (
      `The table ${checkpointTable} exists, and the stack ${stackName} does not have it: it probably outlived a removed stack. ` +
      'It holds the position of the stream. docs/deploy.md, "Deploy again after a removal", says how the stack takes it over.'
    )
  } catch {
    return null
  } finally {
    client.destroy()
  }
}

/** @throws if CloudFormation does not say */
async function belongsToStack(aws: Deployment['aws'], stackName: string): Promise<boolean> {
  // serverless brings this package along.
  const { CloudFormationClient, DescribeStackResourcesCommand } = await import(
    '@aws-sdk/client-cloudformation'
  )
  const client = new CloudFormationClient(aws)
  try {
    // Without a name, CloudFormation answers with only 100 resources of the stack.
    const request = { StackName: stackName, LogicalResourceId: 'CheckpointTable' }
    const { StackResources = [] } = await client.send(new DescribeStackResourcesCommand(request))
    return StackResources.length > 0
  } catch (error) {
    if (error instanceof Error && /does not exist/.test(error.message)) return false
    throw error
  } finally {
    client.destroy()
  }
}
