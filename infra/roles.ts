import { type Account, parseAccount } from './account.ts'
import { allow, arn, ownAccountOnly, type Statement } from './iam.ts'
import { namePatterns } from './invoke-patterns.ts'
import { roleId } from './logical-id.ts'
import { streamStatements } from './stream-functions.ts'
import { extraStatements, type Settings, type Table } from './tables.ts'

/**
 * One role for each function, with only the rights that it needs, and one role that lets the schedule start the poller.
 * A handler runs the user's code, so it can reach neither the checkpoint nor the password.
 */
export function rolesOf(tables: readonly Table[], settings: Settings): Record<string, object> {
  const { prefix } = settings
  const keys = tables.map(({ key }) => key)
  const checkpoint = allow(
    ['dynamodb:GetItem', 'dynamodb:UpdateItem'],
    arn('dynamodb', `table/${settings.checkpointTable}`),
  )
  const secret = settings.secret === '' ? [] : [readSecret(settings.secret)]
  // IAM refuses a statement without resources, so a service without handlers gets no such statement.
  const invoked = namePatterns(keys, ['poller', 'recovery'], prefix).map((pattern) => prefix + pattern)
  const invoke = invoked.length === 0 ? [] : [invokeOnly(invoked)]
  const extra = extraStatements(tables, settings)
  const own = streamStatements(settings)
  const common = [
    checkpoint,
    ...invoke,
    ...secret,
    ...useKeys(parseAccount(settings.account), secret.length > 0),
  ]
  return {
    [roleId('poller')]: functionRole(`${prefix}poller`, [...common, ...putAside, ...own.poller]),
    [roleId('recovery')]: functionRole(`${prefix}recovery`, [...common, ...redrive, ...own.recovery]),
    PollerScheduleExecution: role(
      'scheduler.amazonaws.com',
      [invokeOnly([`${prefix}poller`])],
      ownAccountOnly,
    ),
    ...Object.fromEntries(
      tables.map(({ key }) => [roleId(key), functionRole(prefix + key, extra.get(key) ?? [])]),
    ),
  }
}

const queue = { 'Fn::GetAtt': ['DeadLetterQueue', 'Arn'] }
const bucketObjects = { 'Fn::Sub': `\${DeadLetterBucket.Arn}/*` }
const putAside = [allow(['sqs:SendMessage'], queue), allow(['s3:PutObject'], bucketObjects)]
const redrive = [
  allow(
    ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility', 'sqs:GetQueueAttributes'],
    queue,
  ),
  allow(['s3:GetObject'], bucketObjects),
]

function functionRole(functionName: string, statements: readonly object[]): object {
  // The log group is a resource of the stack: no function may create groups.
  const logs = allow(
    ['logs:CreateLogStream', 'logs:PutLogEvents'],
    arn('logs', `log-group:/aws/lambda/${functionName}:*`),
  )
  return role('lambda.amazonaws.com', [logs, ...statements])
}

function role(service: string, statements: readonly object[], condition?: object): object {
  const trust = { Effect: 'Allow', Principal: { Service: service }, Action: 'sts:AssumeRole' }
  return {
    Type: 'AWS::IAM::Role',
    Properties: {
      AssumeRolePolicyDocument: {
        Version: '2012-10-17',
        Statement: [condition === undefined ? trust : { ...trust, Condition: condition }],
      },
      Policies: [{ PolicyName: 'own', PolicyDocument: { Version: '2012-10-17', Statement: statements } }],
    },
  }
}

function invokeOnly(names: readonly string[]): Statement {
  return allow(
    ['lambda:InvokeFunction'],
    names.map((name) => arn('lambda', `function:${name}`)),
  )
}

/** Only through the services that store something with the key: the functions can decrypt nothing else with it. */
function useKeys({ kmsKey, passwordKey }: Account, hasSecret: boolean): Statement[] {
  const secretKey = hasSecret ? (passwordKey ?? kmsKey) : undefined
  const through = (...services: string[]) => ({
    StringLike: { 'kms:ViaService': services.map((name) => ({ 'Fn::Sub': `${name}.\${AWS::Region}.*` })) },
  })
  return [
    ...(kmsKey === undefined
      ? []
      : [allow(['kms:Decrypt', 'kms:GenerateDataKey'], kmsKey, through('dynamodb', 'sqs', 's3'))]),
    ...(secretKey === undefined ? [] : [allow(['kms:Decrypt'], secretKey, through('secretsmanager'))]),
  ]
}

function readSecret(secret: string): Statement {
  // Secrets Manager ends every ARN with "-" and six random characters, which the name does not contain.
  const resource = secret.startsWith('arn:') ? secret : arn('secretsmanager', `secret:${secret}-??????`)
  return allow(['secretsmanager:GetSecretValue'], resource)
}
