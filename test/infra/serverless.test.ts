import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { pollConfig } from '../../lib/config.ts'
import { emptySummary } from '../../lib/poll/summary.ts'
import { runMeasures } from '../../lib/poll/telemetry.ts'
import {
  given,
  type Resource,
  type Resources,
  readBundle,
  readResources,
  readRoutes,
  unzip,
} from '../support/packaged.ts'
import { copyService, type ServiceCopy } from '../support/service-copy.ts'

const tableKeys = ['customers', 'order_items', 'orders']
const arn = (rest: string) => `arn:\${AWS::Partition}:${rest}`
const here = `\${AWS::Region}:\${AWS::AccountId}`

let service: ServiceCopy
/** Packaging takes longer than any test on a busy machine. */
const startUp = { timeout: 180_000 }

before(() => {
  service = copyService()
})
after(() => service.remove())

describe('serverless package, without network and credentials', () => {
  let resources: Resources
  let artifacts: string

  before(async () => {
    artifacts = join(service.folder, 'packaged')
    const { code, output } = await service.serverless(['package', '--package', artifacts], given)
    assert.equal(code, 0, output)
    resources = readResources(artifacts)
  }, startUp)

  test('deploys the poller, recovery and one function for each file in functions/tables', () => {
    const functions = ofType(resources, 'AWS::Lambda::Function').map(({ Properties }) => ({
      name: Properties.FunctionName,
      handler: Properties.Handler,
    }))
    assert.deepEqual(
      functions.sort(byName),
      [
        ...tableKeys.map((key) => ({
          name: `dts-functions-dev-${key}`,
          handler: `functions/tables/${key}.handler`,
        })),
        { name: 'dts-functions-dev-poller', handler: 'functions/poller.handler' },
        { name: 'dts-functions-dev-recovery', handler: 'functions/recovery.handler' },
      ].sort(byName),
    )
    for (const { Properties } of ofType(resources, 'AWS::Lambda::Function')) {
      assert.equal(Properties.Runtime, 'nodejs24.x')
      assert.deepEqual(Properties.Architectures, ['arm64'])
    }
  })

  test('starts the poller every minute, one run at a time, and does not repeat a failed start', () => {
    const [schedule, ...others] = ofType(resources, 'AWS::Scheduler::Schedule')
    assert.equal(others.length, 0)
    assert.equal(schedule?.Properties.ScheduleExpression, 'rate(1 minute)')
    assert.equal(schedule?.Properties.State, 'ENABLED')
    const target = schedule?.Properties.Target as { Arn: unknown; RoleArn: unknown }
    assert.deepEqual(target.Arn, { 'Fn::GetAtt': ['PollerLambdaFunction', 'Arn'] })
    assert.deepEqual(target.RoleArn, { 'Fn::GetAtt': ['PollerScheduleExecution', 'Arn'] })
    assert.equal(resources.PollerLambdaFunction?.Properties.ReservedConcurrentExecutions, 1)
    assert.equal(resources.PollerLambdaEvConf?.Properties.MaximumRetryAttempts, 0)
  })

  test('gives the poller an environment that it accepts, and a route to every table function in its code', () => {
    const environment = environmentOf(resources, 'PollerLambdaFunction')
    const { DEAD_LETTER_QUEUE_URL, DEAD_LETTER_BUCKET, ...texts } = environment
    assert.deepEqual(DEAD_LETTER_QUEUE_URL, { Ref: 'DeadLetterQueue' })
    assert.deepEqual(DEAD_LETTER_BUCKET, { Ref: 'DeadLetterBucket' })
    assert.deepEqual(environmentOf(resources, 'RecoveryLambdaFunction'), environment)
    assert.equal(readRoutes(artifacts, 'recovery'), readRoutes(artifacts, 'poller'))
    assert.equal(readRoutes(artifacts, 'orders'), undefined)
    assert.equal(environment.DEPLOYMENT_FLAGS, '--stage dev --region us-east-1')
    assert.deepEqual([environment.DEPLOYMENT_SERVICE, environment.DEPLOYMENT_STAGE], ['dts-functions', 'dev'])
    assert.equal(environment.MALLOC_ARENA_MAX, '2')
    // Node does not start if it does not accept an option in NODE_OPTIONS.
    const env = { NODE_OPTIONS: String(environment.NODE_OPTIONS) }
    const limit = execFileSync(process.execPath, ['-p', 'v8.getHeapStatistics().heap_size_limit'], { env })
    // With twice as much, V8 lets the heap grow fourfold between collections, which the function's memory may not hold.
    assert.ok(Number(limit) < 1_100 * 1024 * 1024, String(limit))
    const config = pollConfig(texts as Record<string, string>, readRoutes(artifacts, 'poller'))
    const routes = Object.entries(config.routes).map(([table, { functionName }]) => [table, functionName])
    assert.deepEqual(Object.fromEntries(routes), {
      'shop.customers': 'dts-functions-dev-customers',
      'shop.order_items': 'dts-functions-dev-order_items',
      'shop.orders': 'dts-functions-dev-orders',
    })
    assert.equal(config.onClusterChange, 'recover')
    assert.equal(config.handlerTimeoutMs, Number(resources.OrdersLambdaFunction?.Properties.Timeout) * 1000)
    assert.equal(config.checkpointTable, resources.CheckpointTable?.Properties.TableName)
    assert.deepEqual(config.password, { secretId: 'shop/dts' })
  })

  test('gives table functions no variable of the stream', () => {
    for (const id of [
      'CustomersLambdaFunction',
      'OrderUnderscoreitemsLambdaFunction',
      'OrdersLambdaFunction',
    ]) {
      assert.ok(resources[id])
      assert.deepEqual(environmentOf(resources, id), {})
    }
  })

  test('declares the checkpoint table with a string key, on-demand billing and point-in-time recovery', () => {
    const table = resources.CheckpointTable?.Properties
    assert.deepEqual(table?.KeySchema, [{ AttributeName: 'pk', KeyType: 'HASH' }])
    assert.deepEqual(table?.AttributeDefinitions, [{ AttributeName: 'pk', AttributeType: 'S' }])
    assert.equal(table?.BillingMode, 'PAY_PER_REQUEST')
    assert.deepEqual(table?.PointInTimeRecoverySpecification, { PointInTimeRecoveryEnabled: true })
  })

  test('keeps dead letters in order and encrypted for two weeks, and large records private for a month', () => {
    const queue = resources.DeadLetterQueue
    assert.equal(queue?.Properties.QueueName, 'dts-functions-dev-dead-letters.fifo')
    assert.equal(queue?.Properties.FifoQueue, true)
    assert.equal(queue?.Properties.MessageRetentionPeriod, 14 * 86_400)
    assert.equal(queue?.Properties.SqsManagedSseEnabled, true)
    const bucket = resources.DeadLetterBucket
    assert.deepEqual(bucket?.Properties.PublicAccessBlockConfiguration, {
      BlockPublicAcls: true,
      BlockPublicPolicy: true,
      IgnorePublicAcls: true,
      RestrictPublicBuckets: true,
    })
    assert.match(JSON.stringify(bucket?.Properties.BucketEncryption), /"SSEAlgorithm":"AES256"/)
    assert.match(JSON.stringify(bucket?.Properties.LifecycleConfiguration), /"ExpirationInDays":30/)
    for (const [id, actions] of [
      ['DeadLetterQueuePolicy', 'sqs:*'],
      ['DeadLetterBucketPolicy', 's3:*'],
    ] as const) {
      const document = resources[id]?.Properties.PolicyDocument
      const [statement] = (document as { Statement: Record<string, unknown>[] }).Statement
      const { Resource: _, ...refusal } = statement ?? {}
      const Condition = { Bool: { 'aws:SecureTransport': 'false' } }
      assert.deepEqual(refusal, { Effect: 'Deny', Principal: '*', Action: actions, Condition }, id)
    }
  })

  test('names no partition, and keeps the deployment bucket private', () => {
    assert.ok(!JSON.stringify(resources).includes('arn:aws'))
    assert.deepEqual(resources.ServerlessDeploymentBucket?.Properties.PublicAccessBlockConfiguration, {
      BlockPublicAcls: true,
      BlockPublicPolicy: true,
      IgnorePublicAcls: true,
      RestrictPublicBuckets: true,
    })
  })

  test('sends alarms to the configured address, and watches only metrics that the poller publishes', () => {
    assert.deepEqual(resources.AlarmTopic?.Properties.Subscription, [
      { Protocol: 'email', Endpoint: 'night@example.com' },
    ])
    const alarms = ofType(resources, 'AWS::CloudWatch::Alarm')
    const names = alarms.map(({ Properties }) =>
      String(Properties.AlarmName).slice('dts-functions-dev-'.length),
    )
    assert.deepEqual(names.sort(), [
      'columns-changed',
      'dead-letters',
      'group-shared',
      'halted',
      'lag',
      'lease-too-long',
      'loss-near',
      'poller-errors',
      'poller-not-running',
      'source-silent',
    ])
    for (const { Properties } of alarms) assert.deepEqual(Properties.AlarmActions, [{ Ref: 'AlarmTopic' }])
    assert.equal(resources.PollerNotRunningAlarm?.Properties.TreatMissingData, 'breaching')
    const drift = { table: 'shop.orders', offset: '1', added: 'note', lost: '', retyped: '' }
    const published = runMeasures(
      {
        ...emptySummary(),
        from: '0',
        drifts: [drift],
        lagSeconds: 1,
        lagRecords: '1',
        secondsUntilLoss: 1,
        silentSeconds: 1,
      },
      null,
    )
    const known = new Set(published.map(([name]) => name))
    const watched = JSON.stringify([alarms, resources.Dashboard])
    const own = [
      ...watched.matchAll(/"Namespace":"DtsFunctions","MetricName":"(\w+)"/g),
      ...watched.matchAll(/\[\\"DtsFunctions\\",\\"(\w+)\\"/g),
    ].map((match) => match[1] ?? '')
    assert.ok(own.length > 10)
    for (const name of own) assert.ok(known.has(name), name)
    assert.ok(!watched.includes('undefined'))
  })

  test('has a dashboard of valid JSON, with a line for each table function', () => {
    const { DashboardBody } = resources.Dashboard?.Properties ?? {}
    const body = String((DashboardBody as Record<string, unknown>)['Fn::Sub'])
    const { widgets } = JSON.parse(body) as { widgets: { properties: { region: string } }[] }
    assert.ok(widgets.every(({ properties }) => properties.region === `\${AWS::Region}`))
    for (const key of tableKeys) assert.ok(body.includes(`dts-functions-dev-${key}`), key)
  })

  const checkpoint = {
    actions: ['dynamodb:GetItem', 'dynamodb:UpdateItem'],
    resources: [arn(`dynamodb:${here}:table/dts-functions-dev-checkpoint`)],
    condition: { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['cn_shop/*'] } },
  }
  const secret = {
    actions: ['secretsmanager:GetSecretValue'],
    resources: [arn(`secretsmanager:${here}:secret:shop/dts-??????`)],
  }
  const queue = { 'Fn::GetAtt': ['DeadLetterQueue', 'Arn'] }
  const objects = `\${DeadLetterBucket.Arn}/*`
  const putAside = [
    { actions: ['sqs:SendMessage'], resources: [queue] },
    { actions: ['s3:PutObject'], resources: [objects] },
  ]
  const redrive = [
    {
      actions: [
        'sqs:ReceiveMessage',
        'sqs:DeleteMessage',
        'sqs:ChangeMessageVisibility',
        'sqs:GetQueueAttributes',
      ],
      resources: [queue],
    },
    { actions: ['s3:GetObject'], resources: [objects] },
  ]
  const routed = tableKeys.map((key) => arn(`lambda:${here}:function:dts-functions-dev-${key}`))
  const invoke = { actions: ['lambda:InvokeFunction'], resources: routed }
  const expectedRoles = [
    ['poller', 'PollerRole', [checkpoint, invoke, secret, ...putAside]],
    ['recovery', 'RecoveryRole', [checkpoint, invoke, secret, ...redrive]],
    ['customers', 'CustomersRole', []],
    ['order_items', 'OrderUnderscoreitemsRole', []],
    ['orders', 'OrdersRole', []],
  ] as const
  for (const [key, roleId, beyondLogs] of expectedRoles) {
    test(`lets ${key} write its own log and do ${beyondLogs.length === 0 ? 'nothing else' : 'only its work'}`, () => {
      const lambda = ofType(resources, 'AWS::Lambda::Function').find(
        ({ Properties }) => Properties.FunctionName === `dts-functions-dev-${key}`,
      )
      assert.deepEqual(lambda?.Properties.Role, { 'Fn::Sub': `\${${roleId}.Arn}` })
      assert.deepEqual(statementsOf(resources, roleId), [
        {
          actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
          resources: [arn(`logs:${here}:log-group:/aws/lambda/dts-functions-dev-${key}:*`)],
        },
        ...beyondLogs,
      ])
    })
  }

  test('has only resources whose service the role of CloudFormation in docs/deploy-from-ci.md may use', () => {
    const page = readFileSync(new URL('../../docs/deploy-from-ci.md', import.meta.url), 'utf8')
    for (const { Type } of Object.values(resources)) {
      const service = Type.split('::')[1]?.toLowerCase()
      assert.ok(page.includes(`| \`${service}\` | `), Type)
    }
  })

  test('lets the schedule start the poller and nothing else, and has no other role', () => {
    assert.deepEqual(statementsOf(resources, 'PollerScheduleExecution'), [
      {
        actions: ['lambda:InvokeFunction'],
        resources: [arn(`lambda:${here}:function:dts-functions-dev-poller`)],
      },
    ])
    assert.equal(ofType(resources, 'AWS::IAM::Role').length, expectedRoles.length + 1)
    assert.deepEqual(resources.PollerScheduleExecution?.Properties.AssumeRolePolicyDocument, {
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Principal: { Service: 'scheduler.amazonaws.com' },
          Action: 'sts:AssumeRole',
          Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
        },
      ],
    })
  })

  test('uploads no file that contains the password', () => {
    const files = readdirSync(artifacts)
    assert.ok(files.length > tableKeys.length)
    for (const file of files) {
      const text = file.endsWith('.zip')
        ? Object.values(unzip(artifacts, file)).join('\n')
        : readFileSync(join(artifacts, file), 'utf8')
      assert.ok(!text.includes(given.DTS_PASSWORD), file)
    }
  })

  test('packages one module per function with its source map, at the path of its handler setting', () => {
    assert.deepEqual(Object.keys(unzip(artifacts, 'orders.zip')).sort(), [
      'functions/tables/orders.mjs',
      'functions/tables/orders.mjs.map',
    ])
    assert.deepEqual(Object.keys(unzip(artifacts, 'poller.zip')).sort(), [
      'functions/poller.mjs',
      'functions/poller.mjs.map',
    ])
  })

  const usualClients = ['client-dynamodb', 'client-lambda', 'client-secrets-manager']
  const parts: readonly (readonly [key: string, maxBytes: number, rooms: readonly string[]])[] = [
    [
      'poller',
      890_000,
      ['checkpoint', 'condition', 'connect', 'dispatch', 'dts', 'kafka', 'log', 'poll', 'recovery', 'text'],
    ],
    [
      'recovery',
      890_000,
      ['checkpoint', 'condition', 'connect', 'dispatch', 'dts', 'kafka', 'log', 'recovery', 'text'],
    ],
    ...tableKeys.map((key) => [key, 250_000, ['condition', 'dispatch', 'dts', 'handler', 'text']] as const),
  ]
  for (const [key, maxBytes, rooms] of parts) {
    test(`bundles into ${key} only the rooms that it uses, in at most ${maxBytes} bytes`, () => {
      const { code, sources } = readBundle(artifacts, key)
      assert.ok(Buffer.byteLength(code) <= maxBytes, `${Buffer.byteLength(code)} bytes`)
      const lib = sources.flatMap((source) => /^lib\/(\w+)\//.exec(source)?.[1] ?? [])
      assert.deepEqual([...new Set(lib)].sort(), rooms)
    })

    test(`bundles into ${key} no AWS client that it rarely needs, no translation, no explanation of an error code, no Kafka consumer, no zod schema of the usual form`, () => {
      const { sources } = readBundle(artifacts, key)
      assert.equal(
        sources.some((source) => source.includes('node_modules/kafkajs/')),
        rooms.includes('kafka'),
      )
      const clients = sources.flatMap(
        (source) => /node_modules\/@aws-sdk\/(client-[\w-]+)/.exec(source)?.[1] ?? [],
      )
      assert.deepEqual([...new Set(clients)].sort(), rooms.includes('kafka') ? usualClients : [])
      const unused = sources.filter((source) =>
        /node_modules\/(@aws-sdk\/(credential-provider-(?!env|node)|nested)|zod\/.*\/locales\/(?!en\.js)|zod\/v4\/classic\/schemas|kafkajs\/src\/(admin|consumer|producer|protocol\/requests\/(produce|joinGroup)\/v\d)\/)|^lib\/error-codes/.test(
          source,
        ),
      )
      assert.deepEqual(unused, [])
    })
  }

  test('imports into no bundle node:http, whose exports load another HTTP client at the start', () => {
    for (const [key] of parts) {
      assert.doesNotMatch(readBundle(artifacts, key).code, /\bfrom\s*["'](node:)?http["']/, key)
    }
  })

  test('imports into poller and recovery nothing but what the first line needs', () => {
    for (const key of ['poller', 'recovery']) {
      const imports = readBundle(artifacts, key).code.match(
        /\bimport\b(?:[^;"'()]*\bfrom)?\s*["'][\w@][^"']*["']/g,
      )
      assert.deepEqual(imports, ["import { createRequire as bundleRequire } from 'node:module'"], key)
    }
  })

  test('names the lines of the source in the stack traces of a bundle', async () => {
    const folder = join(artifacts, 'unpacked')
    for (const [path, text] of Object.entries(unzip(artifacts, 'orders.zip'))) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), text)
    }
    const program = `const { handler } = await import(${JSON.stringify(pathToFileURL(join(folder, 'functions/tables/orders.mjs')))})
      await handler('no batch', { getRemainingTimeInMillis: () => 1000 }).catch(({ name, code, stack }) => console.log(JSON.stringify({ name, code, stack })))`
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
    })
    const { name, stack } = JSON.parse(output.trim().split('\n').at(-1) ?? '') as {
      name: string
      stack: string
    }
    assert.equal(name, 'CONFIG_INVALID')
    assert.match(stack, /^CONFIG_INVALID: .*\n {4}at .*lib\/handler\/read-event\.ts:\d+:\d+\)?\n/)
    assert.match(stack, /lib\/handler\/define-table\.ts:\d+:\d+/)
  })
})

function ofType(resources: Resources, type: string): Resource[] {
  return Object.values(resources).filter(({ Type }) => Type === type)
}

function byName(a: { name: unknown }, b: { name: unknown }): number {
  return String(a.name).localeCompare(String(b.name))
}

function environmentOf(resources: Resources, id: string): Record<string, unknown> {
  const environment = resources[id]?.Properties.Environment as
    | { Variables?: Record<string, unknown> }
    | undefined
  return environment?.Variables ?? {}
}

interface Statement {
  readonly Action: string[]
  readonly Resource: unknown
  readonly Condition?: object
}

function statementsOf(resources: Resources, id: string): object[] {
  const policies = resources[id]?.Properties.Policies as { PolicyDocument: { Statement: Statement[] } }[]
  return policies
    .flatMap(({ PolicyDocument }) => PolicyDocument.Statement)
    .map(({ Action, Resource, Condition }) => ({
      ...(Condition === undefined ? {} : { condition: Condition }),
      actions: Action,
      resources: [Resource].flat().map((one) => (one as { 'Fn::Sub'?: string })['Fn::Sub'] ?? one),
    }))
}
