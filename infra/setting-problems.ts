import { handOverProblems, type PollerSettings } from './hand-over.ts'
import { storedPasswords } from './stored-password.ts'

/**
 * Settings that AWS would refuse in the middle of a deployment, or accept and never use. infra/limits.ts checks the sizes of
 * the compiled template.
 */

/** A function as serverless holds it. */
interface ServiceFunction extends PollerSettings {
  readonly vpc?: unknown
  readonly memorySize?: unknown
  readonly layers?: readonly unknown[]
}

export interface Service {
  readonly region: string
  readonly stackName: string
  readonly functions: Readonly<Record<string, ServiceFunction>>
  readonly provider: {
    readonly vpc?: unknown
    readonly iam?: { readonly role?: unknown }
  }
  readonly account: { readonly kmsKey?: unknown; readonly passwordKey?: unknown }
  /** The variables of the deploying shell. */
  readonly given: Readonly<Record<string, string | undefined>>
}

export function settingProblems(service: Service): string[] {
  const { functions, provider } = service
  return [
    ...Object.entries(functions).flatMap(([key, one]) => functionProblems(key, one, provider)),
    ...nameProblems(service),
    ...addressProblems(service),
    ...regionProblems(service),
  ]
}

function functionProblems(key: string, one: ServiceFunction, provider: Service['provider']): string[] {
  return [
    ...vpcProblems(key, one.vpc, provider.vpc),
    ...outside(`memorySize of ${key}`, one.memorySize, 128, 10_240, 'MB'),
    ...handOverProblems(key, one),
    ...outside(`timeout of ${key}`, one.timeout, 1, 900, 's'),
    ...((one.layers?.length ?? 0) > 5
      ? [`The function ${key} has ${one.layers?.length} layers. Lambda allows 5.`]
      : []),
  ]
}

/** serverless leaves a function with an empty list outside the VPC and says nothing. The function then has no way to a private address. */
function vpcProblems(key: string, own: unknown, common: unknown): string[] {
  // `vpc: false` takes one function out of the provider's VPC.
  if (own === false || own === null || (own === undefined && common === undefined)) return []
  const missing = ['subnetIds', 'securityGroupIds'].filter((name) => {
    const value = fieldOf(own, name) ?? fieldOf(common, name)
    return value === undefined || value === null || (Array.isArray(value) && value.length === 0)
  })
  if (missing.length === 0) return []
  const names = missing.join(' and ')
  return [
    `The function ${key} has a vpc without ${names}, so Lambda would run it outside the VPC. Give ${names} in provider.vpc ` +
      "or in the function's vpc, or set its vpc to false.",
  ]
}

function outside(what: string, value: unknown, low: number, high: number, unit: string): string[] {
  if (typeof value !== 'number' || (value >= low && value <= high)) return []
  return [`The ${what} is ${value} ${unit}. Lambda allows ${low} to ${high}.`]
}

function nameProblems({ stackName, provider }: Service): string[] {
  const path = fieldOf(provider.iam?.role, 'path')
  return [
    ...(stackName.length <= 128
      ? []
      : [
          `The stack would be named "${stackName}": ${stackName.length} characters, CloudFormation allows 128.`,
        ]),
    ...(typeof path === 'string' && (!/^\/([!-~]+\/)?$/.test(path) || path.length > 512)
      ? [
          `provider.iam.role.path is "${path}". IAM asks for "/" at the beginning and the end, such as /team/.`,
        ]
      : []),
  ]
}

function addressProblems({ given: { ALARM_EMAIL = '', ALARM_TOPIC_ARN = '' } }: Service): string[] {
  const [email, topic] = [ALARM_EMAIL.trim(), ALARM_TOPIC_ARN.trim()]
  return [
    ...(email === '' || /^[^\s@]+@[^\s@]+\.[^\s@.]+$/.test(email)
      ? []
      : [`ALARM_EMAIL is "${email}", which is no mail address. SNS would refuse the subscription.`]),
    ...(topic === '' || /^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]+$/.test(topic)
      ? []
      : [`ALARM_TOPIC_ARN is "${topic}", which is not the ARN of an SNS topic.`]),
  ]
}

/** Each of these services reaches only what is in its own region. */
function regionProblems({ region, account, given, functions }: Service): string[] {
  const passwords = Object.values(functions).flatMap(({ environment = {} }) => storedPasswords(environment))
  const arns = {
    ALARM_TOPIC_ARN: given.ALARM_TOPIC_ARN?.trim(),
    ...Object.fromEntries(passwords.map(({ setting, id }) => [setting, id])),
    'custom.account.kmsKey': account.kmsKey,
    'custom.account.passwordKey': account.passwordKey,
  }
  return Object.entries(arns).flatMap(([name, value]) => {
    if (typeof value !== 'string' || !value.startsWith('arn:')) return []
    const other = value.split(':')[3] ?? ''
    if (other === region || other === '') return []
    return [`${name} is in ${other}, and the service is deployed to ${region}, which cannot use it: ${value}`]
  })
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
