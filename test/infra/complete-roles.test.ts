import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { completeRoles, type RoleSettings, type Template } from '../../infra/complete-roles.ts'

const none: RoleSettings = { tags: {}, statements: [], managedPolicies: [] }
const boundary = 'arn:aws:iam::111122223333:policy/boundary'
const key = 'arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555'

function role(): { Type: string; Properties: Record<string, unknown> } {
  const own = { PolicyName: 'own', PolicyDocument: { Statement: [{ Action: ['logs:PutLogEvents'] }] } }
  return { Type: 'AWS::IAM::Role', Properties: { Policies: [own] } }
}

/** A service with one table function, whose settings are given. */
function template(settings: Readonly<Record<string, unknown>> = {}) {
  const lambda = (name: string, Role: object, more: object = {}) => ({
    Type: 'AWS::Lambda::Function',
    Properties: { FunctionName: `shop-${name}`, Role, ...more },
  })
  return {
    OrdersRole: role(),
    PollerRole: role(),
    PollerScheduleExecution: role(),
    OrdersLambdaFunction: lambda('orders', { 'Fn::Sub': `\${OrdersRole.Arn}` }, settings),
    PollerLambdaFunction: lambda('poller', { 'Fn::GetAtt': ['PollerRole', 'Arn'] }),
  } satisfies Template
}

/** The statements that a role has beyond writing its log. */
function added({ Properties }: ReturnType<typeof role>): Record<string, unknown>[] {
  const [policy] = Properties.Policies as [{ PolicyDocument: { Statement: Record<string, unknown>[] } }]
  return policy.PolicyDocument.Statement.slice(1)
}

const ownArn = {
  'Fn::Sub': `arn:\${AWS::Partition}:lambda:\${AWS::Region}:\${AWS::AccountId}:function:shop-orders`,
}
const interfaces = [
  'ec2:CreateNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:DeleteNetworkInterface',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
]

describe('the role of a function', () => {
  const cases: [settings: Record<string, unknown>, statements: object[], what: string][] = [
    [{}, [], 'nothing'],
    [
      { VpcConfig: { SubnetIds: ['subnet-1'], SecurityGroupIds: ['sg-1'] } },
      [
        { Effect: 'Allow', Action: interfaces, Resource: '*' },
        {
          Effect: 'Deny',
          Action: interfaces,
          Resource: '*',
          Condition: { ArnEquals: { 'lambda:SourceFunctionArn': ownArn } },
        },
      ],
      'network interfaces for Lambda and not for its own code, in a VPC',
    ],
    [
      { TracingConfig: { Mode: 'Active' } },
      [{ Effect: 'Allow', Action: ['xray:PutTraceSegments', 'xray:PutTelemetryRecords'], Resource: '*' }],
      'traces, with tracing',
    ],
    [
      { KmsKeyArn: key },
      [
        {
          Effect: 'Allow',
          Action: ['kms:Decrypt'],
          Resource: key,
          Condition: { StringEquals: { 'kms:EncryptionContext:aws:lambda:FunctionArn': ownArn } },
        },
      ],
      'the decryption of its own variables, with a key',
    ],
    [
      { FileSystemConfigs: [{ Arn: 'arn:aws:elasticfilesystem:x', LocalMountPath: '/mnt/x' }] },
      [
        {
          Effect: 'Allow',
          Action: ['elasticfilesystem:ClientMount', 'elasticfilesystem:ClientWrite'],
          Resource: 'arn:aws:elasticfilesystem:x',
        },
      ],
      'its file system',
    ],
  ]
  for (const [settings, statements, what] of cases) {
    test(`gets ${what}, and no other role does`, () => {
      const resources = template(settings)
      completeRoles(resources, none)
      assert.deepEqual(added(resources.OrdersRole), statements)
      assert.deepEqual(resources.PollerRole, role())
      assert.deepEqual(resources.PollerScheduleExecution, role())
    })
  }

  test('that the service does not make stays as it is', () => {
    const resources: Template = {
      OrdersLambdaFunction: {
        Type: 'AWS::Lambda::Function',
        Properties: { FunctionName: 'orders', Role: 'arn:aws:iam::111122223333:role/own', VpcConfig: {} },
      },
    }
    const before = structuredClone(resources)
    completeRoles(resources, { ...none, statements: [{ Action: 's3:*' }] })
    assert.deepEqual(resources, before)
  })
})

describe('the settings of provider.iam.role', () => {
  test('reach every role; rights reach the roles of functions only', () => {
    const resources = template()
    const statement = { Effect: 'Allow', Action: 'ssm:GetParameter', Resource: '*' }
    completeRoles(resources, {
      permissionsBoundary: boundary,
      path: '/team/',
      tags: { stage: 'prod', owner: 'data' },
      statements: [statement],
      managedPolicies: ['arn:aws:iam::aws:policy/X'],
    })
    for (const one of [resources.OrdersRole, resources.PollerRole, resources.PollerScheduleExecution]) {
      assert.equal(one.Properties.PermissionsBoundary, boundary)
      assert.equal(one.Properties.Path, '/team/')
      assert.deepEqual(one.Properties.Tags, [
        { Key: 'stage', Value: 'prod' },
        { Key: 'owner', Value: 'data' },
      ])
    }
    for (const one of [resources.OrdersRole, resources.PollerRole]) {
      assert.deepEqual(added(one), [statement])
      assert.deepEqual(one.Properties.ManagedPolicyArns, ['arn:aws:iam::aws:policy/X'])
    }
    assert.deepEqual(added(resources.PollerScheduleExecution), [])
    assert.equal(resources.PollerScheduleExecution.Properties.ManagedPolicyArns, undefined)
  })

  test('leave alone what a role of the user’s own resources says', () => {
    const own = role()
    own.Properties.Path = '/mine/'
    completeRoles({ Own: own }, { ...none, path: '/team/', permissionsBoundary: boundary })
    assert.deepEqual([own.Properties.Path, own.Properties.PermissionsBoundary], ['/mine/', boundary])
  })
})

test("a role of the user's own resources gets no statements, whatever form its policies have", () => {
  const settings = { VpcConfig: { SubnetIds: ['subnet-1'], SecurityGroupIds: ['sg-1'] } }
  const forms: (unknown[] | undefined)[] = [
    undefined,
    [],
    [
      {
        PolicyName: 'theirs',
        PolicyDocument: { Statement: { Effect: 'Allow', Action: '*', Resource: '*' } },
      },
    ],
  ]
  for (const Policies of forms) {
    const resources = template(settings)
    resources.OrdersRole.Properties = { Policies }
    completeRoles(resources, { ...none, statements: [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }] })
    assert.deepEqual(resources.OrdersRole.Properties, { Policies })
  }
})
