/**
 * The limits of AWS that a template can exceed. AWS checks them in the middle of a deployment; `package` checks them before
 * anything is uploaded.
 */

export interface Resource {
  readonly Type: string
  readonly Properties?: Readonly<Record<string, unknown>>
}

export interface Template {
  readonly Resources: Readonly<Record<string, Resource>>
}

/** A table function, its log group and its role. */
const resourcesPerFile = 3

const limits = {
  resources: 500,
  templateBytes: 1_048_576,
  environmentBytes: 4_096,
  policyBytes: 10_240,
  functionNameLength: 64,
  descriptionLength: 256,
  alarmNameLength: 255,
  alarmMetrics: 10,
  widgetMetrics: 500,
  dashboardMetrics: 2_500,
  searchLength: 1_024,
  queueNameLength: 80,
}

/**
 * Everything that AWS would refuse, a sentence each; empty if nothing is.
 * @param files the number of files in functions/tables
 */
export function limitProblems(template: Template, files: number): string[] {
  const { Resources } = template
  return [
    ...resourceProblems(Object.keys(Resources).length, files),
    ...above(
      'The template has',
      Buffer.byteLength(JSON.stringify(template)),
      'bytes',
      limits.templateBytes,
      'Split the service as for too many resources',
    ),
    ...Object.entries(Resources).flatMap(([id, resource]) => problemsOf(id, resource)),
  ]
}

function resourceProblems(count: number, files: number): string[] {
  if (count <= limits.resources) return []
  const others = count - files * resourcesPerFile
  const most = Math.floor((limits.resources - others) / resourcesPerFile)
  if (most < 0) {
    return [
      `The stack has ${others} resources without those of the files in functions/tables, and CloudFormation allows ` +
        `${limits.resources}. Move sources or partitions to another service.`,
    ]
  }
  return [
    `The stack has ${count} resources, and CloudFormation allows ${limits.resources}: ${resourcesPerFile} for each of the ` +
      `${files} files in functions/tables, and ${others} others. At most ${most} files fit. Join files, so that one handles ` +
      "several tables (table: ['shop.orders', 'shop.payments_*']); or " +
      `move at least ${files - most} files to another service with a consumer group of its own.`,
  ]
}

function problemsOf(id: string, { Type, Properties = {} }: Resource): string[] {
  switch (Type) {
    case 'AWS::Lambda::Function':
      return functionProblems(id, Properties)
    case 'AWS::IAM::Role':
      return above(
        `The policies of ${id} have`,
        policyBytes(Properties.Policies),
        'bytes',
        limits.policyBytes,
        'Take out statements, or give actions and resources by pattern',
      )
    case 'AWS::CloudWatch::Alarm':
      return alarmProblems(id, Properties)
    case 'AWS::SQS::Queue':
      return above(
        `The name of ${id} has`,
        String(Properties.QueueName ?? '').length,
        'characters',
        limits.queueNameLength,
        "Shorten the service's name or the stage's",
      )
    case 'AWS::CloudWatch::Dashboard':
      return dashboardProblems(id, Properties)
    default:
      return []
  }
}

function functionProblems(id: string, properties: Readonly<Record<string, unknown>>): string[] {
  const { FunctionName = '', Description = '', Environment } = properties
  const variables = (Environment as { Variables?: Record<string, unknown> } | undefined)?.Variables ?? {}
  const entries = Object.entries(variables).map(([name, value]) => ({
    name,
    bytes: Buffer.byteLength(name) + resolvedBytes(value),
  }))
  const largest = entries.toSorted((one, other) => other.bytes - one.bytes).slice(0, 3)
  const named = largest.map(({ name, bytes }) => `${name} (${bytes})`).join(', ')
  return [
    ...above(
      `The name of ${id} has`,
      String(FunctionName).length,
      'characters',
      limits.functionNameLength,
      "Shorten the file's name, the service's or the stage's",
    ),
    ...above(
      `The description of ${id} has`,
      String(Description).length,
      'characters',
      limits.descriptionLength,
      'Shorten it',
    ),
    ...above(
      `The environment of ${id} has`,
      entries.reduce((sum, { bytes }) => sum + bytes, 0),
      'bytes',
      limits.environmentBytes,
      `Shorten the largest variables: ${named}. DTS_ALLOWED_NODES takes patterns such as *.example.com`,
    ),
  ]
}

function alarmProblems(id: string, { AlarmName = '', Metrics = [] }: Readonly<Record<string, unknown>>) {
  // A template function in place of a list is the user's own, and cannot be counted.
  const queried = listOf(Metrics).filter((metric) => 'MetricStat' in metric).length
  return [
    ...above(
      `The name of ${id} has`,
      String(AlarmName).length,
      'characters',
      limits.alarmNameLength,
      "Shorten the service's name or the stage's",
    ),
    ...above(`${id} watches`, queried, 'metrics', limits.alarmMetrics, 'Divide it'),
  ]
}

function dashboardProblems(id: string, { DashboardBody }: Readonly<Record<string, unknown>>): string[] {
  const text = (DashboardBody as { 'Fn::Sub'?: unknown } | undefined)?.['Fn::Sub'] ?? DashboardBody
  if (typeof text !== 'string') return []
  const { widgets = [] } = JSON.parse(String(text)) as {
    widgets?: { properties?: { metrics?: unknown[] } }[]
  }
  const counts = widgets.map(({ properties }) => properties?.metrics?.length ?? 0)
  const searches = [...String(text).matchAll(/SEARCH\('(.*?)', 'Sum'/g)].map((match) =>
    JSON.parse(`"${match[1]}"`),
  )
  const sum = counts.reduce((total, count) => total + count, 0)
  return [
    ...above(`A graph of ${id} has`, Math.max(0, ...counts), 'metrics', limits.widgetMetrics, 'Divide it'),
    ...above(`${id} has`, sum, 'metrics', limits.dashboardMetrics, 'Divide it'),
    ...above(
      `A search of ${id} has`,
      Math.max(0, ...searches.map((search) => search.length)),
      'characters',
      limits.searchLength,
      "Shorten the service's name, the stage's or the source's, or choose fewer partitions",
    ),
  ]
}

function listOf(value: unknown): object[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'object' && one !== null) : []
}

function above(subject: string, found: number, unit: string, limit: number, advice: string): string[] {
  return found <= limit ? [] : [`${subject} ${found} ${unit}, and AWS allows ${limit}. ${advice}.`]
}

/** IAM does not count white space. */
function policyBytes(policies: unknown): number {
  const documents = listOf(policies).map((policy): unknown => Reflect.get(policy, 'PolicyDocument'))
  return documents.reduce<number>(
    (sum, document) => sum + (document === undefined ? 0 : resolvedBytes(document)),
    0,
  )
}

/** The longest texts that CloudFormation puts in place of a name. Other names are those of resources: ARNs, addresses. */
const longest: Readonly<Record<string, number>> = {
  'AWS::Partition': 'aws-us-gov'.length,
  'AWS::Region': 'ap-northeast-1'.length,
  'AWS::AccountId': 12,
}
const longestReference = 150

/** The bytes of a value after CloudFormation has filled in its functions, at most. */
function resolvedBytes(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value)
  return Buffer.byteLength(JSON.stringify(resolved(value)))
}

function resolved(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(resolved)
  if (typeof value !== 'object' || value === null) return value
  const [[name, argument] = ['', undefined], ...others] = Object.entries(value)
  if (others.length === 0 && name === 'Fn::Sub') {
    const text = String(Array.isArray(argument) ? argument[0] : argument)
    return text.replaceAll(/\$\{([^}!]+)\}/g, (_, key: string) =>
      'x'.repeat(longest[key] ?? longestReference),
    )
  }
  if (others.length === 0 && (name === 'Ref' || name.startsWith('Fn::'))) return 'x'.repeat(longestReference)
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, resolved(inner)]))
}
