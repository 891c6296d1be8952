import { type Account, parseAccount } from './account.ts'
import { allow, arn, ownAccountOnly, ownPolicyName, type Statement } from './iam.ts'
import { namePatterns } from './invoke-patterns.ts'
import { roleId } from './logical-id.ts'
import { type StoredPassword, storedPasswords } from './stored-password.ts'
import { streamStatements } from './stream-functions.ts'
import { namesOf, pollersOf, type Stream } from './streams.ts'
import { extraStatements, type Settings, type Table } from './tables.ts'

/**
 * One role for each function, with only the rights that it needs, and one role that lets the schedule start the poller.
 * A handler runs the user's code, so it can reach neither the checkpoint nor the password.
 */
export function rolesOf(tables: readonly Table[], settings: Settings): Record<string, object> {
  const { prefix, streams } = settings
  const extra = extraStatements(tables, settings)
  const pollers = streams.flatMap(pollersOf).map(({ key }) => prefix + key)
  return {
    ...Object.assign({}, ...streams.map((stream) => streamRoles(stream, tables, settings))),
    PollerScheduleExecution: role('scheduler.amazonaws.com', [invokeOnly(pollers)], ownAccountOnly),
    ...Object.fromEntries(
      tables.map(({ key }) => [roleId(key), functionRole(prefix + key, extra.get(key) ?? [])]),
    ),
  }
}

/**
 * The roles of a stream's poller and recovery. They reach no function, queue, password or checkpoint item of another stream. All
 * streams share the bucket of large dead letters.
 */
function streamRoles(stream: Stream, tables: readonly Table[], settings: Settings): Record<string, object> {
  const { prefix } = settings
  const { recovery, queueId } = namesOf(stream)
  const passwords = storedPasswords(stream.variables)
  const own = tables.filter(({ source }) => source === stream.source).map(({ key }) => key)
  const foreign = tables.filter(({ source }) => source !== stream.source).map(({ key }) => key)
  const others = settings.streams.flatMap((one) => [
    ...pollersOf(one).map(({ key }) => key),
    namesOf(one).recovery,
  ])
  const invoked = namePatterns(own, [...others, ...foreign], prefix).map((pattern) => prefix + pattern)
  const common = [
    checkpointItems(stream, settings),
    // IAM refuses a statement without resources, so a stream without handlers gets no such statement.
    ...(invoked.length === 0 ? [] : [invokeOnly(invoked)]),
    ...passwords.map(readPassword),
    ...useKeys(parseAccount(settings.account), passwords),
  ]
  const queue = { 'Fn::GetAtt': [queueId, 'Arn'] }
  const putAside = [allow(['sqs:SendMessage'], queue), allow(['s3:PutObject'], bucketObjects)]
  const redrive = [
    allow(
      ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility', 'sqs:GetQueueAttributes'],
      queue,
    ),
    allow(['s3:GetObject'], bucketObjects),
  ]
  const added = streamStatements(settings)
  return {
    ...Object.fromEntries(
      pollersOf(stream).map(({ key }) => [
        roleId(key),
        functionRole(prefix + key, [...common, ...putAside, ...added.poller]),
      ]),
    ),
    [roleId(recovery)]: functionRole(prefix + recovery, [...common, ...redrive, ...added.recovery]),
  }
}

/** The key of an item is `<topic>/<partition>`, for a named source `<source>:<topic>/<partition>`. A topic's name has no colon. */
function checkpointItems({ source, variables }: Stream, { checkpointTable }: Settings): Statement {
  const topic = variables.DTS_TOPIC?.trim() ?? ''
  // A build machine that does not know the stream's variables packages a stream that cannot run.
  const keys = source === '' ? `${topic}/*` : `${source}:*`
  return allow(['dynamodb:GetItem', 'dynamodb:UpdateItem'], arn('dynamodb', `table/${checkpointTable}`), {
    'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [keys] },
  })
}

const bucketObjects = { 'Fn::Sub': `\${DeadLetterBucket.Arn}/*` }

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
      Policies: [
        { PolicyName: ownPolicyName, PolicyDocument: { Version: '2012-10-17', Statement: statements } },
      ],
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
function useKeys({ kmsKey, passwordKey }: Account, passwords: readonly StoredPassword[]): Statement[] {
  const keyOfPassword = passwordKey ?? kmsKey
  const through = (...services: string[]) => ({
    StringLike: { 'kms:ViaService': services.map((name) => ({ 'Fn::Sub': `${name}.\${AWS::Region}.*` })) },
  })
  return [
    ...(kmsKey === undefined
      ? []
      : [allow(['kms:Decrypt', 'kms:GenerateDataKey'], kmsKey, through('dynamodb', 'sqs', 's3'))]),
    ...(keyOfPassword === undefined
      ? []
      : [...new Set(passwords.map(({ store }) => services[store]))].map((service) =>
          allow(['kms:Decrypt'], keyOfPassword, through(service)),
        )),
  ]
}

const services = { secret: 'secretsmanager', parameter: 'ssm' } as const

function readPassword({ store, id }: StoredPassword): Statement {
  const isArn = id.startsWith('arn:')
  switch (store) {
    case 'secret':
      return allow(
        ['secretsmanager:GetSecretValue'],
        // Secrets Manager ends every ARN with "-" and six random characters, which the name does not contain.
        isArn ? id : arn('secretsmanager', `secret:${id}-??????`),
      )
    case 'parameter':
      return allow(['ssm:GetParameter'], isArn ? id : arn('ssm', `parameter/${id.replace(/^\//, '')}`))
  }
}
