import { allow, arn, ownPolicyName, type Statement } from './iam.ts'

/** A resource of the template that serverless has compiled. */
export interface TemplateResource {
  readonly Type: string
  Properties?: Record<string, unknown>
}
export type Template = Readonly<Record<string, TemplateResource>>

/** What `provider` in serverless.yml says for all roles. serverless applies it only to the role that it would make itself. */
export interface RoleSettings {
  readonly permissionsBoundary?: unknown
  readonly path?: unknown
  readonly tags: Readonly<Record<string, unknown>>
  /** For the roles of functions only. */
  readonly statements: readonly object[]
  readonly managedPolicies: readonly unknown[]
}

/**
 * Gives every role of the template the boundary, path and tags of the account, and each function's role the rights that the
 * function's own settings need: network interfaces, traces, its key, its file system. A function that has none of these gets
 * no further right. It reads the compiled functions, so a setting of `provider`, of a function and of a plugin counts alike.
 */
export function completeRoles(template: Template, settings: RoleSettings): void {
  for (const resource of Object.values(template)) {
    if (resource.Type === 'AWS::IAM::Role') applySettings(propertiesOf(resource), settings)
  }
  for (const lambda of Object.values(template)) {
    if (lambda.Type !== 'AWS::Lambda::Function') continue
    const role = template[roleIdOf(lambda.Properties?.Role) ?? '']
    if (role?.Type !== 'AWS::IAM::Role') continue
    const { Policies, ManagedPolicyArns } = propertiesOf(role)
    const policy = ownPolicyOf(Policies)
    // A role that the service does not make, such as one of the user's own resources, is its owner's.
    if (policy === undefined) continue
    const statements = [...rightsOf(propertiesOf(lambda)), ...settings.statements]
    policy.Statement.push(...statements)
    if (settings.managedPolicies.length === 0) continue
    propertiesOf(role).ManagedPolicyArns = [...list(ManagedPolicyArns), ...settings.managedPolicies]
  }
}

function applySettings(role: Record<string, unknown>, { permissionsBoundary, path, tags }: RoleSettings) {
  // A role of the user's own resources may say otherwise.
  if (permissionsBoundary !== undefined) role.PermissionsBoundary ??= permissionsBoundary
  if (path !== undefined) role.Path ??= path
  const entries = Object.entries(tags)
  if (entries.length > 0) role.Tags ??= entries.map(([Key, Value]) => ({ Key, Value }))
}

/** What Lambda needs of a function's role because of the function's settings. */
function rightsOf({
  FunctionName,
  VpcConfig,
  TracingConfig,
  KmsKeyArn,
  FileSystemConfigs,
}: Record<string, unknown>): Statement[] {
  return [
    ...(VpcConfig === undefined ? [] : networkInterfaces(String(FunctionName))),
    ...(TracingConfig === undefined ? [] : [traces]),
    ...(KmsKeyArn === undefined ? [] : [decryptEnvironment(String(FunctionName), KmsKeyArn)]),
    ...list(FileSystemConfigs).map((one) =>
      allow(
        ['elasticfilesystem:ClientMount', 'elasticfilesystem:ClientWrite'],
        Reflect.get(Object(one), 'Arn'),
      ),
    ),
  ]
}

const interfaceActions = [
  'ec2:CreateNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:DeleteNetworkInterface',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
]

/**
 * Lambda makes the network interfaces with the function's role. It does not say beforehand which, and the describing actions
 * accept no resource, so the resource is `*`. The code of the function may use none of it: only requests of that code carry
 * the function's ARN as a condition key.
 */
function networkInterfaces(functionName: string): Statement[] {
  return [
    allow(interfaceActions, '*'),
    {
      Effect: 'Deny',
      Action: interfaceActions,
      Resource: '*',
      Condition: { ArnEquals: { 'lambda:SourceFunctionArn': functionArn(functionName) } },
    },
  ]
}

/** X-Ray's actions accept no resource. */
const traces = allow(['xray:PutTraceSegments', 'xray:PutTelemetryRecords'], '*')

/** Of this key, only what Lambda encrypted for this function. */
function decryptEnvironment(functionName: string, key: unknown): Statement {
  return allow(['kms:Decrypt'], key, {
    StringEquals: { 'kms:EncryptionContext:aws:lambda:FunctionArn': functionArn(functionName) },
  })
}

function functionArn(name: string): object {
  return arn('lambda', `function:${name}`)
}

/** The logical id in `!Sub ${Id.Arn}` and `!GetAtt Id.Arn`. */
function roleIdOf(role: unknown): string | undefined {
  const text = Reflect.get(Object(role), 'Fn::Sub')
  if (typeof text === 'string') return /^\$\{(\w+)\.Arn\}$/.exec(text)?.[1]
  const [id] = list(Reflect.get(Object(role), 'Fn::GetAtt'))
  return typeof id === 'string' ? id : undefined
}

/** The policy that infra/roles.ts wrote. */
function ownPolicyOf(policies: unknown): { Statement: object[] } | undefined {
  const own = list(policies).find((policy) => Reflect.get(Object(policy), 'PolicyName') === ownPolicyName)
  return own === undefined ? undefined : Reflect.get(Object(own), 'PolicyDocument')
}

function propertiesOf(resource: TemplateResource): Record<string, unknown> {
  resource.Properties ??= {}
  return resource.Properties
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}
