import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import {
  CloudFormationClient,
  DescribeStacksCommand,
  ListStackResourcesCommand,
} from '@aws-sdk/client-cloudformation'
import { DescribeTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import {
  GetFunctionCommand,
  GetFunctionConcurrencyCommand,
  LambdaClient,
  ListFunctionsCommand,
} from '@aws-sdk/client-lambda'
import { HeadBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs'
import { artefactOf } from '../../infra/artefact.ts'
import { findTables } from '../../infra/tables.ts'
import { type PollConfig, pollConfig } from '../../lib/config.ts'
import { startMoto } from '../rig/moto.ts'
import { type RecordingProxy, startRecordingProxy } from '../rig/recording-proxy.ts'
import { deployingTo } from '../support/packaged.ts'
import type { CommandResult } from '../support/run-node.ts'
import { copyService, type ServiceCopy } from '../support/service-copy.ts'

// moto 5.2 builds no schedule, alarm or event invoke configuration from a template, and drops the architecture and
// point-in-time recovery. test/infra/serverless.test.ts checks these in the template.

/** A deployment takes longer than any test on a busy machine. */
const startUp = { timeout: 180_000 }

const stackName = 'dts-functions-dev'
const region = 'eu-west-1'
const credentials = { accessKeyId: 'testing', secretAccessKey: 'testing' }

let aws: Awaited<ReturnType<typeof startMoto>>
let proxy: RecordingProxy
let service: ServiceCopy
let clients: {
  cloudFormation: CloudFormationClient
  lambda: LambdaClient
  dynamo: DynamoDBClient
  sqs: SQSClient
  s3: S3Client
  secrets: SecretsManagerClient
}

before(async () => {
  aws = await startMoto()
  proxy = await startRecordingProxy(aws.endpoint)
  service = copyService()
  const options = { endpoint: aws.endpoint, region, credentials }
  clients = {
    cloudFormation: new CloudFormationClient(options),
    lambda: new LambdaClient(options),
    dynamo: new DynamoDBClient(options),
    sqs: new SQSClient(options),
    s3: new S3Client({ ...options, forcePathStyle: true }),
    secrets: new SecretsManagerClient(options),
  }
}, startUp)

after(async () => {
  for (const client of Object.values(clients)) client.destroy()
  service.remove()
  await proxy.stop()
  await aws.stop()
})

function run(...command: string[]) {
  return service.serverless([...command, '--region', region], deployingTo(proxy.endpoint, credentials))
}

describe('serverless deploy with a secret that does not exist', () => {
  let refused: CommandResult
  before(async () => {
    refused = await run('deploy')
  }, startUp)

  test('names the secret, and leaves no stack', async () => {
    const { code, output } = refused
    assert.equal(code, 1)
    assert.match(output, /- The secret shop\/dts \(DTS_PASSWORD_SECRET\) does not exist in eu-west-1/)
    assert.doesNotMatch(output, /^ +at /m)
    const described = clients.cloudFormation.send(new DescribeStacksCommand({ StackName: stackName }))
    await assert.rejects(described, { name: 'ValidationError' })
  })
})

describe('serverless deploy', () => {
  let deployed: CommandResult
  let config: PollConfig
  before(async () => {
    await clients.secrets.send(new CreateSecretCommand({ Name: 'shop/dts', SecretString: 'secret' }))
    deployed = await run('deploy')
  }, startUp)

  test('creates the stack', async () => {
    const { cloudFormation, lambda, dynamo, sqs, s3 } = clients
    assert.equal(deployed.code, 0, deployed.output)
    const { Stacks = [] } = await cloudFormation.send(new DescribeStacksCommand({ StackName: stackName }))
    // serverless first creates the stack with only its bucket, and then updates it.
    assert.equal(Stacks[0]?.StackStatus, 'UPDATE_COMPLETE')
    const listed = await cloudFormation.send(new ListStackResourcesCommand({ StackName: stackName }))
    const resources = (listed.StackResourceSummaries ?? []).map(
      ({ ResourceType, LogicalResourceId }) => `${ResourceType} ${LogicalResourceId}`,
    )
    for (const expected of [
      'AWS::CloudWatch::Dashboard Dashboard',
      'AWS::DynamoDB::Table CheckpointTable',
      'AWS::IAM::Role PollerRole',
      'AWS::IAM::Role PollerScheduleExecution',
      'AWS::IAM::Role RecoveryRole',
      'AWS::IAM::Role OrderUnderscoreitemsRole',
      'AWS::Lambda::Function PollerLambdaFunction',
      'AWS::Logs::LogGroup PollerLogGroup',
      'AWS::S3::Bucket DeadLetterBucket',
      'AWS::SNS::Topic AlarmTopic',
      'AWS::SQS::Queue DeadLetterQueue',
    ]) {
      assert.ok(resources.includes(expected), `${expected} is not among ${resources.join(', ')}`)
    }

    const poller = await lambda.send(new GetFunctionCommand({ FunctionName: `${stackName}-poller` }))
    const tables = await findTables(join(service.folder, 'functions/tables'))
    config = pollConfig(poller.Configuration?.Environment?.Variables ?? {}, artefactOf(tables))
    const routed = Object.values(config.routes).map(({ functionName }) => functionName)
    assert.deepEqual(routed.toSorted(), [
      `${stackName}-customers`,
      `${stackName}-order_items`,
      `${stackName}-orders`,
    ])
    for (const name of [...routed, `${stackName}-recovery`]) {
      const { Configuration } = await lambda.send(new GetFunctionCommand({ FunctionName: name }))
      assert.equal(Configuration?.Runtime, 'nodejs24.x')
      assert.notEqual(Configuration?.Role, poller.Configuration?.Role)
    }
    const concurrency = await lambda.send(
      new GetFunctionConcurrencyCommand({ FunctionName: `${stackName}-poller` }),
    )
    assert.equal(concurrency.ReservedConcurrentExecutions, 1)

    const { Table } = await dynamo.send(new DescribeTableCommand({ TableName: config.checkpointTable }))
    assert.deepEqual(Table?.KeySchema, [{ AttributeName: 'pk', KeyType: 'HASH' }])
    assert.equal(Table?.BillingModeSummary?.BillingMode, 'PAY_PER_REQUEST')

    const { deadLetterQueueUrl, deadLetterBucket } = config
    assert.match(deadLetterQueueUrl ?? '', /^http.*\/dts-functions-dev-dead-letters\.fifo$/)
    const { Attributes } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: deadLetterQueueUrl, AttributeNames: ['All'] }),
    )
    assert.equal(Attributes?.FifoQueue, 'true')
    assert.equal(Attributes?.MessageRetentionPeriod, '1209600')
    await s3.send(new HeadBucketCommand({ Bucket: deadLetterBucket }))
    const recovery = await lambda.send(new GetFunctionCommand({ FunctionName: `${stackName}-recovery` }))
    assert.deepEqual(
      recovery.Configuration?.Environment?.Variables,
      poller.Configuration?.Environment?.Variables,
    )
  })

  describe('a second time', () => {
    let again: CommandResult
    before(async () => {
      again = await run('deploy')
    }, startUp)

    test('succeeds', () => assert.equal(again.code, 0, again.output))

    test('needs no right beyond those of docs/deploy-from-ci.md, and that page lists none in vain', () => {
      const listed = new Set(rightsOf('docs/deploy-from-ci.md'))
      const needed = [...proxy.actions].filter((action) => !listed.has(action))
      assert.deepEqual(needed, [])
      // CloudFormation assumes the role itself, and serverless deletes packages only after five deployments.
      const unseen = [...listed].filter((action) => !proxy.actions.has(action))
      assert.deepEqual(unseen.sort(), ['iam:PassRole', 's3:DeleteObject'])
    })
  })

  describe('and then serverless remove', () => {
    let removed: CommandResult
    before(async () => {
      removed = await run('remove')
    }, startUp)

    test('deletes the stack', async () => {
      const { cloudFormation, lambda, dynamo } = clients
      assert.equal(removed.code, 0, removed.output)
      await assert.rejects(cloudFormation.send(new DescribeStacksCommand({ StackName: stackName })), {
        name: 'ValidationError',
      })
      assert.deepEqual((await lambda.send(new ListFunctionsCommand({}))).Functions, [])
      await assert.rejects(dynamo.send(new DescribeTableCommand({ TableName: config.checkpointTable })), {
        name: 'ResourceNotFoundException',
      })
    })
  })
})

/** The actions that the policies of a page allow. */
function rightsOf(page: string): string[] {
  const text = readFileSync(new URL(`../../${page}`, import.meta.url), 'utf8')
  const blocks = [...text.matchAll(/^```json\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? '')
  const policies = blocks.map((block) => JSON.parse(block) as { Statement: { Action: string | string[] }[] })
  const actions = policies.flatMap(({ Statement }) => Statement.flatMap(({ Action }) => Action))
  return actions.filter((action) => !action.startsWith('sts:'))
}

describe('a removed stage that keeps its data', () => {
  const stack = 'dts-functions-prod'
  const table = `${stack}-checkpoint`
  let kept: string | undefined
  let again: CommandResult
  before(async () => {
    for (const command of ['deploy', 'remove']) {
      const { code, output } = await run(command, '--stage', 'prod')
      assert.equal(code, 0, output)
    }
    const { Table } = await clients.dynamo.send(new DescribeTableCommand({ TableName: table }))
    kept = Table?.TableName
    again = await run('deploy', '--stage', 'prod')
  }, startUp)

  test('is not deployed over it: deploy names the kept table and leaves no stack', async () => {
    assert.equal(kept, table)
    assert.equal(again.code, 1)
    assert.match(
      again.output,
      /- The table dts-functions-prod-checkpoint exists, and the stack dts-functions-prod does not/,
    )
    await assert.rejects(clients.cloudFormation.send(new DescribeStacksCommand({ StackName: stack })), {
      name: 'ValidationError',
    })
  })
})
