import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { dashboardOf } from '../../infra/dashboard.ts'
import { limitProblems, type Resource, type Template } from '../../infra/limits.ts'
import { rolesOf } from '../../infra/roles.ts'
import type { Settings, Table } from '../../infra/tables.ts'
import { defaultDelivery } from '../../lib/dispatch/settings.ts'

const settings: Settings = {
  prefix: 'dts-functions-prod-',
  flags: '',
  service: 'dts-functions',
  stage: 'prod',
  checkpointTable: 'dts-functions-prod-checkpoint',
  streams: [{ source: '', variables: { DTS_PASSWORD_SECRET: 'prod/dts' }, partitions: null }],
  stream: {},
  tables: {},
  account: {},
}
const lambdaFunction = (properties: object): Resource => ({
  Type: 'AWS::Lambda::Function',
  Properties: { ...properties },
})

function problemsWith(resources: Readonly<Record<string, Resource>>): string[] {
  return limitProblems({ Resources: resources }, 150)
}

/** Files whose functions have names of this length, prefix included. */
function files(count: number, length: number): Table[] {
  return Array.from({ length: count }, (_, index) => {
    const key = `t${String(index).padStart(length - settings.prefix.length - 1, '0')}`
    return {
      key,
      source: '',
      file: `functions/tables/${key}.ts`,
      tables: { patterns: [`shop.${key}`], except: [] },
      delivery: defaultDelivery,
    }
  })
}

describe('the roles of poller and recovery', () => {
  for (const [count, length] of [
    [150, 27],
    [150, 46],
    [150, 64],
    [470, 64],
  ] as const) {
    test(`fit into IAM's limit with ${count} functions whose names have ${length} characters`, () => {
      const roles = rolesOf(files(count, length), settings) as Template['Resources']
      assert.deepEqual(problemsWith(roles), [])
    })
  }

  test('are refused with their size if a user adds more statements than fit', () => {
    const tables = files(1, 27)
    const statement = (index: number) => ({
      Effect: 'Allow',
      Action: 'sqs:SendMessage',
      Resource: `queue-${index}`,
    })
    const statements = Array.from({ length: 200 }, (_, index) => statement(index))
    const own = { ...settings, tables: { [tables[0]?.key ?? '']: { statements } } }
    const [problem, ...others] = problemsWith(rolesOf(tables, own) as Template['Resources'])
    assert.deepEqual(others, [])
    assert.match(problem ?? '', /^The policies of T\w+Role have 1\d{4} bytes, and AWS allows 10240\./)
  })
})

describe('a template that AWS would refuse', () => {
  test('with too many resources is refused with the number of files that fit, and with two ways out', () => {
    const resources = Object.fromEntries(
      Array.from({ length: 530 }, (_, index) => [`R${index}`, { Type: 'AWS::Logs::LogGroup' }]),
    )
    const problems = limitProblems({ Resources: resources }, 168)
    assert.deepEqual(problems, [
      'The stack has 530 resources, and CloudFormation allows 500: 3 for each of the 168 files in functions/tables, and ' +
        '26 others. At most 158 files fit. Join files, so that one handles several tables ' +
        "(table: ['shop.orders', 'shop.payments_*']); " +
        'or move at least 10 files to another service with a consumer group of its own.',
    ])
  })

  test('with an environment above 4 KB is refused with its largest variables', () => {
    const hosts = Array.from(
      { length: 110 },
      (_, index) => `node-${index}.dts-cn-hangzhou.aliyuncs.com`,
    ).join(',')
    const Variables = { DTS_ALLOWED_NODES: hosts, QUEUE: { Ref: 'DeadLetterQueue' }, TOPIC: 't' }
    const [problem, ...others] = problemsWith({ Poller: lambdaFunction({ Environment: { Variables } }) })
    assert.deepEqual(others, [])
    assert.match(problem ?? '', /^The environment of Poller has 4\d{3} bytes, and AWS allows 4096\./)
    assert.match(problem ?? '', /DTS_ALLOWED_NODES \(4\d{3}\), QUEUE \(15\d\), TOPIC \(6\)/)
  })

  test('with names and descriptions that are too long is refused', () => {
    const problems = problemsWith({
      Orders: lambdaFunction({ FunctionName: 'x'.repeat(65), Description: 'y'.repeat(257) }),
      Halted: { Type: 'AWS::CloudWatch::Alarm', Properties: { AlarmName: 'z'.repeat(256) } },
    })
    assert.deepEqual(
      problems.map((problem) => problem.split('.')[0]),
      [
        'The name of Orders has 65 characters, and AWS allows 64',
        'The description of Orders has 257 characters, and AWS allows 256',
        'The name of Halted has 256 characters, and AWS allows 255',
      ],
    )
  })
})

describe('the dashboard', () => {
  const dashboard = (count: number) =>
    dashboardOf({
      prefix: 'shop-dev-',
      stream: { source: '', partitions: null },
      deadLetterQueue: 'letters.fifo',
      tables: Array.from({ length: count }, (_, index) => `orders_${index}`),
    }) as Resource
  const bodyOf = ({ Properties }: Resource) => {
    const { DashboardBody } = Properties as { DashboardBody: { 'Fn::Sub': string } }
    return DashboardBody['Fn::Sub']
  }

  test('has a line for each function while these can be told apart', () => {
    assert.ok(bodyOf(dashboard(20)).includes('shop-dev-orders_19'))
  })

  test('shows the 20 functions with the highest sums if there are more, and stays as small with 470', () => {
    const [some, many] = [bodyOf(dashboard(21)), bodyOf(dashboard(470))]
    assert.equal(many.length, some.length)
    const search = `{DtsFunctions,function,service} MetricName=\\"Handled\\" service=\\"shop-dev-poller\\"`
    assert.ok(many.includes(`SORT(SEARCH('${search}', 'Sum', 60), SUM, DESC, 20)`), many)
    assert.deepEqual(problemsWith({ Dashboard: dashboard(470) }), [])
  })
})

test("resources of the user's own that contain template functions are left uncounted", () => {
  const own = {
    Role: { Type: 'AWS::IAM::Role', Properties: { Policies: [{ 'Fn::If': ['a', {}, {}] }] } },
    OtherRole: { Type: 'AWS::IAM::Role', Properties: { Policies: { 'Fn::If': ['a', [], []] } } },
    Board: {
      Type: 'AWS::CloudWatch::Dashboard',
      Properties: { DashboardBody: { 'Fn::Join': ['', ['{', '}']] } },
    },
    OtherBoard: {
      Type: 'AWS::CloudWatch::Dashboard',
      Properties: { DashboardBody: { 'Fn::Sub': ['{"widgets":[]}', { a: 'b' }] } },
    },
    Alarm: {
      Type: 'AWS::CloudWatch::Alarm',
      Properties: { AlarmName: 'a', Metrics: { 'Fn::If': ['a', [], []] } },
    },
  }
  assert.deepEqual(problemsWith(own), [])
})

test('a stack that is too large without its handler files is told to move sources, not files', () => {
  const queues = Array.from({ length: 501 }, (_, at) => [
    `Queue${at}`,
    { Type: 'AWS::SQS::Queue', Properties: {} },
  ])
  const [problem = ''] = limitProblems({ Resources: Object.fromEntries(queues) }, 0)
  assert.match(
    problem,
    /^The stack has 501 resources without those of the files .* Move sources or partitions/,
  )
})
