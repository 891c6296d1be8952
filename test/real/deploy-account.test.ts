import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation'
import { GetFunctionCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { GetBucketEncryptionCommand, S3Client } from '@aws-sdk/client-s3'
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs'
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import * as z from 'zod'
import { startMoto } from '../rig/moto.ts'
import { pythonEnvironment } from '../rig/tools.ts'
import { deployingTo } from '../support/packaged.ts'
import type { CommandResult } from '../support/run-node.ts'
import { copyService, type ServiceCopy } from '../support/service-copy.ts'

// The stack of a team whose account has rules, as AWS has it after the deployment. moto 5.2 drops the table's key and
// the queue's policy; test/infra checks these in the template.

const region = 'eu-west-1'
const credentials = { accessKeyId: 'testing', secretAccessKey: 'testing' }
/** moto's account. */
const account = '123456789012'
const key = `arn:aws:kms:${region}:${account}:key/0a1b-2c3d`
const boundary = `arn:aws:iam::${account}:policy/boundary`
const prefix = 'dts-functions-dev-'
const own = (service: string, resource: string) => `arn:aws:${service}:${region}:${account}:${resource}`

const inProvider = `$&
  vpc: { subnetIds: [subnet-0a1b2c3d, subnet-1a1b2c3d], securityGroupIds: [sg-0a1b2c3d] }
  tracing: { lambda: true }
  iam:
    role:
      path: /team/
      permissionsBoundary: ${boundary}
      tags: { owner: data }`
const inCustom = `$&
  account: { kmsKey: '${key}', reserveConcurrency: false }
  stream: { poller: { statements: [{ Effect: Allow, Action: ['sns:Publish'], Resource: '*' }] } }`

const statementSchema = z.strictObject({
  Effect: z.enum(['Allow', 'Deny']),
  Action: z.unknown(),
  Resource: z.unknown(),
  Condition: z.unknown().optional(),
})
const rolesSchema = z.array(
  z.strictObject({
    name: z.string(),
    path: z.string(),
    boundary: z.string().nullable(),
    tags: z.record(z.string(), z.string()),
    trust: z.array(z.unknown()),
    statements: z.array(statementSchema),
  }),
)

/** A deployment takes longer than any test on a busy machine. */
const startUp = { timeout: 180_000 }

describe('a stack in an account with rules, read back from AWS', () => {
  let aws: Awaited<ReturnType<typeof startMoto>>
  let service: ServiceCopy
  let refused: CommandResult
  let roles: z.output<typeof rolesSchema>
  const options = () => ({ endpoint: aws.endpoint, region, credentials })
  const environment = () => {
    const { DTS_PASSWORD_SECRET: _, ...others } = deployingTo(aws.endpoint, credentials)
    return { ...others, DTS_PASSWORD_PARAMETER: '/shop/dts' }
  }

  before(async () => {
    aws = await startMoto()
    service = copyService()
    service.configure('  versionFunctions: false', inProvider)
    service.configure('  tables: {}', inCustom)
    const deploy = () => service.serverless(['deploy', '--region', region], environment())
    refused = await deploy()
    const ssm = new SSMClient(options())
    await ssm.send(new PutParameterCommand({ Name: '/shop/dts', Type: 'SecureString', Value: 'password' }))
    ssm.destroy()
    const { code, output } = await deploy()
    assert.equal(code, 0, output)
    const python = join(await pythonEnvironment(), 'bin/python')
    const script = fileURLToPath(new URL('../rig/roles.py', import.meta.url))
    const { stdout } = await promisify(execFile)(python, [script, aws.endpoint])
    roles = rolesSchema.parse(JSON.parse(stdout))
  }, startUp)

  after(async () => {
    service.remove()
    await aws.stop()
  })

  test('without the parameter of the password, deploy is refused', () => {
    assert.equal(refused.code, 1)
    assert.match(
      refused.output,
      /- The parameter \/shop\/dts \(DTS_PASSWORD_PARAMETER\) does not exist in eu-west-1/,
    )
  })

  test('every role has the boundary, the path and the tags', () => {
    assert.equal(roles.length, 6)
    for (const role of roles) {
      assert.equal(role.path, '/team/', role.name)
      assert.equal(role.boundary, boundary, role.name)
      assert.equal(role.tags.owner, 'data', role.name)
      assert.equal(role.tags.stage, 'dev', role.name)
    }
  })

  const interfaces = [
    'ec2:CreateNetworkInterface',
    'ec2:DescribeNetworkInterfaces',
    'ec2:DescribeSubnets',
    'ec2:DeleteNetworkInterface',
    'ec2:AssignPrivateIpAddresses',
    'ec2:UnassignPrivateIpAddresses',
  ]
  const log = (name: string) => ({
    Effect: 'Allow',
    Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
    Resource: own('logs', `log-group:/aws/lambda/${prefix}${name}:*`),
  })
  const network = (name: string) => [
    { Effect: 'Allow', Action: interfaces, Resource: '*' },
    {
      Effect: 'Deny',
      Action: interfaces,
      Resource: '*',
      Condition: { ArnEquals: { 'lambda:SourceFunctionArn': own('lambda', `function:${prefix}${name}`) } },
    },
    { Effect: 'Allow', Action: ['xray:PutTraceSegments', 'xray:PutTelemetryRecords'], Resource: '*' },
  ]
  const via = (...services: string[]) => ({
    StringLike: { 'kms:ViaService': services.map((one) => `${one}.${region}.*`) },
  })
  const queue = own('sqs', `${prefix}dead-letters.fifo`)
  const common = [
    {
      Effect: 'Allow',
      Action: ['dynamodb:GetItem', 'dynamodb:UpdateItem'],
      Resource: own('dynamodb', `table/${prefix}checkpoint`),
      Condition: { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['cn_shop/*'] } },
    },
    {
      Effect: 'Allow',
      Action: ['lambda:InvokeFunction'],
      Resource: ['customers', 'order_items', 'orders'].map((name) =>
        own('lambda', `function:${prefix}${name}`),
      ),
    },
    {
      Effect: 'Allow',
      Action: ['ssm:GetParameter'],
      Resource: own('ssm', 'parameter/shop/dts'),
    },
    {
      Effect: 'Allow',
      Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
      Resource: key,
      Condition: via('dynamodb', 'sqs', 's3'),
    },
    { Effect: 'Allow', Action: ['kms:Decrypt'], Resource: key, Condition: via('ssm') },
  ]
  const more: Readonly<Record<string, readonly object[]>> = {
    customers: [],
    order_items: [],
    orders: [],
    poller: [
      ...common,
      { Effect: 'Allow', Action: ['sqs:SendMessage'], Resource: queue },
      { Effect: 'Allow', Action: ['s3:PutObject'], Resource: 'BUCKET/*' },
      { Effect: 'Allow', Action: ['sns:Publish'], Resource: '*' },
    ],
    recovery: [
      ...common,
      {
        Effect: 'Allow',
        Action: [
          'sqs:ReceiveMessage',
          'sqs:DeleteMessage',
          'sqs:ChangeMessageVisibility',
          'sqs:GetQueueAttributes',
        ],
        Resource: queue,
      },
      { Effect: 'Allow', Action: ['s3:GetObject'], Resource: 'BUCKET/*' },
    ],
  }

  for (const [name, statements] of Object.entries(more)) {
    test(`the role of ${name} has exactly these statements`, async () => {
      const { bucket, role } = await deployed(name)
      assert.deepEqual(
        statementsOf(role).map((statement) =>
          JSON.parse(JSON.stringify(statement).replaceAll(`arn:aws:s3:::${bucket}`, 'BUCKET')),
        ),
        [log(name), ...statements, ...network(name)],
      )
    })
  }

  test('the schedule may start the poller, only on behalf of this account', () => {
    const schedule = roles.find(({ trust }) => JSON.stringify(trust).includes('scheduler.amazonaws.com'))
    assert.deepEqual(schedule?.statements, [
      {
        Effect: 'Allow',
        Action: ['lambda:InvokeFunction'],
        Resource: [own('lambda', `function:${prefix}poller`)],
      },
    ])
    assert.deepEqual(schedule?.trust, [
      {
        Effect: 'Allow',
        Principal: { Service: 'scheduler.amazonaws.com' },
        Action: 'sts:AssumeRole',
        Condition: { StringEquals: { 'aws:SourceAccount': account } },
      },
    ])
  })

  test('queue and bucket have the key', async () => {
    const { bucket, queueUrl } = await deployed('poller')
    const sqs = new SQSClient(options())
    const { Attributes } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['All'] }),
    )
    sqs.destroy()
    assert.equal(Attributes?.KmsMasterKeyId, key)
    const s3 = new S3Client({ ...options(), forcePathStyle: true })
    const encryption = await s3.send(new GetBucketEncryptionCommand({ Bucket: bucket }))
    const [rule] = encryption.ServerSideEncryptionConfiguration?.Rules ?? []
    assert.deepEqual(rule?.ApplyServerSideEncryptionByDefault, {
      SSEAlgorithm: 'aws:kms',
      KMSMasterKeyID: key,
    })
    s3.destroy()
  })

  test('the stack has the tags of the provider', async () => {
    const cloudFormation = new CloudFormationClient(options())
    const { Stacks } = await cloudFormation.send(
      new DescribeStacksCommand({ StackName: 'dts-functions-dev' }),
    )
    cloudFormation.destroy()
    const tags = Object.fromEntries((Stacks?.[0]?.Tags ?? []).map(({ Key, Value }) => [Key, Value]))
    assert.deepEqual([tags.service, tags.stage], ['dts-functions', 'dev'])
  })

  test('deploy function replaces the code of one function and keeps its role', async () => {
    const before = await deployed('orders')
    const { code, output } = await service.serverless(
      ['deploy', 'function', '-f', 'orders', '--region', region],
      environment(),
    )
    assert.equal(code, 0, output)
    assert.match(output, /Function code deployed|Code did not change/)
    assert.equal((await deployed('orders')).role, before.role)
  })

  async function deployed(name: string) {
    const lambda = new LambdaClient(options())
    const functions = await Promise.all(
      [name, 'poller'].map((one) => lambda.send(new GetFunctionCommand({ FunctionName: prefix + one }))),
    )
    lambda.destroy()
    const [, poller] = functions
    const variables = poller?.Configuration?.Environment?.Variables ?? {}
    return {
      role: functions[0]?.Configuration?.Role ?? '',
      bucket: variables.DEAD_LETTER_BUCKET ?? '',
      queueUrl: variables.DEAD_LETTER_QUEUE_URL ?? '',
    }
  }

  function statementsOf(roleArn: string) {
    const role = roles.find(({ name }) => roleArn.endsWith(`/${name}`))
    assert.ok(role, roleArn)
    return role.statements
  }
})
