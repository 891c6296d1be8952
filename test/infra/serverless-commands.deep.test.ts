import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { given, readBundle, readResources } from '../support/packaged.ts'
import { copyService, type ServiceCopy } from '../support/service-copy.ts'

/** Lines of `provider` in serverless.yml of a team whose account has rules. */
const inAccount = `$&
  vpc: { subnetIds: [subnet-0aa, subnet-0bb], securityGroupIds: [sg-0cc] }
  tracing: { lambda: true }
  iam:
    role:
      path: /team/
      permissionsBoundary: arn:aws:iam::111122223333:policy/boundary
      tags: { owner: data }`

const key = 'arn:aws:kms:us-east-1:111122223333:key/0a1b'
/** Lines of `custom`. */
const inCustom = `$&
  account: { kmsKey: '${key}', reserveConcurrency: false }
  stream: { poller: { statements: [{ Effect: Allow, Action: 'sns:Publish', Resource: '*' }] } }`

let service: ServiceCopy
before(() => {
  service = copyService()
})
after(() => service.remove())

test('outside the dev stage, serverless remove keeps checkpoint and dead letters, and the table is protected from deletion', async () => {
  const artifacts = join(service.folder, 'packaged-prod')
  const parameters = ['package', '--stage', 'prod', '--package', artifacts]
  const { code, output } = await service.serverless(parameters, given)
  assert.equal(code, 0, output)
  const { CheckpointTable: table, DeadLetterQueue, DeadLetterBucket } = readResources(artifacts)
  for (const resource of [table, DeadLetterQueue, DeadLetterBucket]) {
    assert.equal(resource?.DeletionPolicy, 'Retain')
  }
  assert.equal(table?.Properties.DeletionProtectionEnabled, true)
  assert.equal(table?.Properties.TableName, 'dts-functions-prod-checkpoint')
})

test('a stream without a password gives no function a secret to read', async () => {
  const artifacts = join(service.folder, 'packaged-open')
  const { code, output } = await service.serverless(['package', '--package', artifacts], {
    AWS_ENDPOINT_URL: given.AWS_ENDPOINT_URL,
  })
  assert.equal(code, 0, output)
  const template = JSON.stringify(readResources(artifacts))
  assert.ok(template.includes('dynamodb:GetItem'))
  assert.ok(!template.includes('secretsmanager'))
  // Without an address, the alarms still exist.
  assert.ok(!template.includes('AlarmTopic'))
  assert.ok(template.includes('AWS::CloudWatch::Alarm'))
})

test('package refuses an environment that Lambda would refuse, with its size and without a stack trace', async () => {
  const hosts = Array.from({ length: 110 }, (_, index) => `node-${index}.dts-cn-hangzhou.aliyuncs.com`)
  const { code, output } = await service.serverless(['package'], {
    ...given,
    DTS_ALLOWED_NODES: hosts.join(','),
  })
  assert.equal(code, 1)
  assert.match(output, /CONFIG_INVALID: the configuration has 2 faults, so nothing is deployed\./)
  assert.match(output, /- The environment of PollerLambdaFunction has \d{4} bytes, and AWS allows 4096\./)
  assert.match(output, /- The environment of RecoveryLambdaFunction has/)
  assert.doesNotMatch(output, /^\s+at /m)
})

test('deploy refuses settings that the poller would refuse, before any request to AWS', async () => {
  const { code, output } = await service.serverless(['deploy'], {
    ...given,
    DTS_BROKER_URL: 'no-port',
    DTS_TOPIC: '',
    AWS_ACCESS_KEY_ID: 'none',
    AWS_SECRET_ACCESS_KEY: 'none',
  })
  assert.equal(code, 1)
  assert.match(output, /CONFIG_INVALID/)
  assert.match(output, /DTS_BROKER_URL must be host:port/)
  assert.match(output, /DTS_TOPIC is missing/)
})

test('deploy refuses a misspelt setting, which the poller would never see', async () => {
  const { code, output } = await service.serverless(['deploy'], {
    ...given,
    DTS_CHECKPIONT: '1700000000',
    POLL_MAX_RECORD: '5',
    AWS_ACCESS_KEY_ID: 'none',
    AWS_SECRET_ACCESS_KEY: 'none',
  })
  assert.equal(code, 1)
  assert.match(output, /^- The configuration has 2 problem\(s\)/m)
  assert.match(output, /DTS_CHECKPIONT is not a known setting/)
  assert.match(output, /POLL_MAX_RECORD is not a known setting/)
  // DTS_PASSWORD is known, but only local runs use it.
  assert.doesNotMatch(output, /DTS_PASSWORD (is|and)/)
})

test('deploy refuses a poller timeout that is too short for the slowest table function', async () => {
  const slow = copyService()
  try {
    slow.configure('  tables: {}', '  tables: { orders: { timeout: 110 } }')
    const keys = { AWS_ACCESS_KEY_ID: 'none', AWS_SECRET_ACCESS_KEY: 'none' }
    const { code, output } = await slow.serverless(['deploy'], { ...given, ...keys })
    assert.equal(code, 1)
    assert.match(output, /^- The timeout of poller is 120 s\. .* run for 110 s it must be at least 140 s/m)
  } finally {
    slow.remove()
  }
})

test('in a VPC, with a boundary and tracing, every role of the packaged service has what its function needs', async () => {
  const vpc = copyService()
  try {
    vpc.configure('  versionFunctions: false', inAccount)
    vpc.configure('  tables: {}', inCustom)
    const artifacts = join(vpc.folder, 'packaged')
    const { code, output } = await vpc.serverless(['package', '--package', artifacts], given)
    assert.equal(code, 0, output)
    const resources = Object.entries(readResources(artifacts))
    const roles = resources.filter(([, { Type }]) => Type === 'AWS::IAM::Role')
    assert.deepEqual(
      roles.map(([id]) => id).sort(),
      [
        'CustomersRole',
        'OrderUnderscoreitemsRole',
        'OrdersRole',
        'PollerRole',
        'PollerScheduleExecution',
        'RecoveryRole',
      ].sort(),
    )
    for (const [id, { Properties }] of roles) {
      assert.equal(Properties.Path, '/team/', id)
      assert.equal(Properties.PermissionsBoundary, 'arn:aws:iam::111122223333:policy/boundary', id)
      assert.match(JSON.stringify(Properties.Tags), /"Key":"owner","Value":"data"/, id)
      const text = JSON.stringify(Properties.Policies)
      const isOfFunction = id !== 'PollerScheduleExecution'
      assert.equal(text.includes('"Effect":"Allow","Action":["ec2:CreateNetworkInterface"'), isOfFunction, id)
      assert.equal(text.includes('xray:PutTraceSegments'), isOfFunction, id)
      assert.equal(text.includes('kms:GenerateDataKey'), /^(Poller|Recovery)Role$/.test(id), id)
      assert.equal(text.includes('sns:Publish'), id === 'PollerRole', id)
    }
    const encrypted = resources.filter(([, { Properties }]) => JSON.stringify(Properties).includes(key))
    assert.deepEqual(encrypted.map(([id]) => id).sort(), [
      'AlarmTopic',
      'CheckpointTable',
      'CustomersLogGroup',
      'DeadLetterBucket',
      'DeadLetterQueue',
      'OrderUnderscoreitemsLogGroup',
      'OrdersLogGroup',
      'PollerLogGroup',
      'PollerRole',
      'RecoveryLogGroup',
      'RecoveryRole',
    ])
    const { PollerLambdaFunction: poller } = readResources(artifacts)
    assert.equal(poller?.Properties.ReservedConcurrentExecutions, undefined)
  } finally {
    vpc.remove()
  }
})

test('package lists every fault of the configuration once, with file and line, and no stack trace', async () => {
  const faulty = copyService()
  try {
    faulty.configure(
      '  tables: {}',
      '  tables: { }\n  account:\n    kmsKey: alias/x\n  alarms:\n    lag: 5\n  stream: { polller: {} }',
    )
    const folder = join(faulty.folder, 'functions/tables')
    writeFileSync(join(folder, 'bad.ts'), 'export const handler = 1')
    writeFileSync(join(folder, 'worse.ts'), '// A comment.\nthrow new Error("no SHOP_URL")')
    const { code, output } = await faulty.serverless(['package'], given)
    assert.equal(code, 1)
    assert.doesNotMatch(output, /^ +at /m)
    const list = output.slice(output.indexOf('CONFIG_INVALID: the configuration has 5 faults'))
    const expected = [
      /^- functions\/tables\/bad\.ts exports no table handler/m,
      /^- functions\/tables\/worse\.ts cannot be loaded to read its table \(line 2\): no SHOP_URL/m,
      /^ {2}serverless\.yml:\d+ custom\.account\.kmsKey: must be the ARN of a KMS key/m,
      /^ {2}serverless\.yml:\d+ custom\.alarms\.lag: Unrecognized key/m,
      /^ {2}serverless\.yml:\d+ custom\.stream\.polller: Unrecognized key/m,
    ]
    for (const one of expected) assert.match(list, one)
    assert.equal(list.match(/^- /gm)?.length, 5, list)
    const lines = readFileSync(join(faulty.folder, 'serverless.yml'), 'utf8').split('\n')
    const number = Number(/serverless\.yml:(\d+) custom\.account/.exec(list)?.[1])
    assert.match(lines[number - 1] ?? '', /kmsKey: alias\/x/)
  } finally {
    faulty.remove()
  }
})

test('invoke local runs a table function and ends', async () => {
  const { code, output } = await service.serverless(
    ['invoke', 'local', '-f', 'orders', '--data', '{"records":[]}'],
    given,
  )
  assert.equal(code, 1)
  assert.match(output, /"errorType": "DtsError"/)
  assert.match(output, /Poller and table functions must be of one deployment/)
})

test('invoke local ends if the function cannot start', async () => {
  const broken = join(service.folder, 'functions/tables/orders.ts')
  const text = readFileSync(broken, 'utf8')
  writeFileSync(
    broken,
    `${text}\nif (process.env.AWS_LAMBDA_FUNCTION_NAME) throw new Error('cannot start')\n`,
  )
  try {
    const failed = await service.serverless(['invoke', 'local', '-f', 'orders', '--data', '{}'], given)
    assert.equal(failed.code, 1)
    assert.match(failed.output, /cannot start/)
  } finally {
    writeFileSync(broken, text)
  }
})

test('a service may name this plugin before the bundler', async (t) => {
  const other = copyService()
  t.after(() => other.remove())
  other.configure('  - ./infra/plugin.js', '')
  other.configure('  - serverless-esbuild', '  - ./infra/plugin.js\n$&')
  const artifacts = join(other.folder, 'packaged')
  const { code, output } = await other.serverless(['package', '--package', artifacts], given)
  assert.equal(code, 0, output)
  const { sources } = readBundle(artifacts, 'poller')
  assert.ok(sources.some((source) => source.includes('@aws-sdk/client-dynamodb/')))
})
