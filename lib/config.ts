import { readArtefact } from './dispatch/artefact.ts'
import { hashes } from './dispatch/mask.ts'
import type { Route } from './dispatch/settings.ts'
import { DtsError } from './errors.ts'
import { type BrokerAddress, isNodePattern } from './kafka/address.ts'
import { type BrokerConfig, maxFetchBytes } from './kafka/broker-config.ts'
import type { Deployment } from './kafka/commit-mark.ts'
import * as z from './schema.ts'
import { parseTime, timeHint } from './time.ts'

/**
 * The environment, parsed once. DTS users know the names from Alibaba's SDK and connectors. An unknown name that begins with
 * `DTS_` or `POLL_` is refused: it is nearly always a known one with a spelling mistake.
 */

/** Parses a time that a person wrote into UNIX seconds. */
export const timeSchema = z.pipe(
  z.union([z.string(), z.number()]),
  z.transform((value, context) => {
    const seconds = parseTime(value)
    if (seconds === null) {
      context.issues.push({
        code: 'custom',
        input: value,
        message: `must be UNIX seconds, UNIX milliseconds, or ISO 8601 with a zone such as 2026-01-31T08:00:00Z${timeHint(value)}`,
      })
      return z.NEVER
    }
    return seconds
  }),
)

const brokerAddress = z.pipe(
  z.string(),
  z.transform((text, context): BrokerAddress => {
    const match = /^(?:\[([0-9a-fA-F:]+)\]|([^\s:/,]+)):(\d{1,5})$/.exec(text.trim())
    const port = Number(match?.[3])
    const host = match?.[1] ?? match?.[2]
    if (host === undefined || port < 1 || port > 65_535) {
      context.issues.push({
        code: 'custom',
        input: text,
        message: 'must be host:port, such as dts-cn-hangzhou.aliyuncs.com:18001',
      })
      return z.NEVER
    }
    return { host, port }
  }),
)

const nodeList = z.pipe(
  z.string(),
  z.transform((text, context): readonly string[] => {
    const parts = text
      .split(',')
      .map((part) => part.trim())
      .filter(Boolean)
    for (const part of parts) {
      if (isNodePattern(part)) continue
      context.issues.push({
        code: 'custom',
        input: text,
        message:
          `has ${JSON.stringify(part)}: each part must be a host name, an IP address, a pattern such as ` +
          '*.example.com, or *, without a port',
      })
    }
    return parts
  }),
)

/** Parameter Store's own rules. A version or label after the name would keep a rotated password in use. */
const parameterName = z
  .string()
  .check(
    z.regex(
      /^(arn:aws[a-z-]*:ssm:[a-z0-9-]+:\d{12}:parameter(\/[\w.-]+)+|(\/[\w.-]+)+|[\w.-]+)$/,
      'must be the name of an SSM parameter, such as /prod/dts, or its ARN, without a version',
    ),
  )

const required = z.string('is missing').check(z.minLength(1, 'is missing'))
const flag = z.enum(['true', 'false'], 'must be true or false')

/** Accepts only digits: `Number` would read a blank as 0, `0x10` as 16 and `1e3` as 1000. */
function whole(low: number, high: number, message = `must be a whole number from ${low} to ${high}`) {
  const digits = z.string().check(z.regex(/^\d+$/, message))
  const bounded = z.number().check(z.minimum(low, message), z.maximum(high, message))
  return z.pipe(z.pipe(digits, z.transform(Number)), bounded)
}

/** Partitions are signed 32-bit numbers in Kafka's protocol. */
const largestPartition = 2_147_483_647

const sourceFields = {
  DTS_BROKER_URL: z.pipe(required, brokerAddress),
  DTS_TOPIC: required,
  /** The consumer group id of a DTS change tracking task. */
  DTS_SID: z.optional(z.string()),
  /** The consumer group of a plain Kafka topic in DTS format. */
  DTS_GROUP: z.optional(z.string()),
  DTS_USER: z.optional(z.string()),
  DTS_PASSWORD: z.optional(z.string()),
  DTS_PASSWORD_SECRET: z.optional(z.string()),
  DTS_PASSWORD_PARAMETER: z.optional(parameterName),
  DTS_TLS: z._default(flag, 'false'),
  DTS_PARTITION: z.optional(whole(0, largestPartition, 'must be a partition number: digits, such as 0')),
  DTS_CHECKPOINT: z.optional(timeSchema),
  DTS_ALLOWED_NODES: z._default(nodeList, []),
}

const deploymentFields = {
  /** The number of partitions that have a poller of their own. Packaging sets it; recovery then needs to know which it is for. */
  DTS_PARTITIONS: z.optional(whole(2, largestPartition)),
  /** The name of the source, if the service has several streams. Packaging sets it. */
  DTS_SOURCE: z._default(
    z.string().check(z.regex(/^[a-z][a-z0-9]{0,19}$/, 'must be a name of custom.sources')),
    '',
  ),
  CHECKPOINT_TABLE: required,
  /** Service, stage and region of the deployment. They identify its commits to the consumer group. Lambda sets the region. */
  DEPLOYMENT_SERVICE: z._default(z.string(), ''),
  DEPLOYMENT_STAGE: z._default(z.string(), ''),
  AWS_REGION: z.optional(z.string()),
}

const mostRecords = 100_000_000
const mostBytes = 64 * 1024 * 1024 * 1024

/**
 * Bounds of a run, if none are set. Runs that hand over must last until the next one: after a bound, the stream would wait for it.
 * The scheduler starts a run each minute, and may be almost a minute late.
 */
const usualBounds = { records: 100_000, bytes: 256 * 1024 * 1024, lingerSeconds: 0 }
export const handOverBounds = { records: mostRecords, bytes: mostBytes, lingerSeconds: 120 }

const pollFields = {
  FUNCTION_PREFIX: z._default(z.string(), ''),
  DEAD_LETTER_QUEUE_URL: z.optional(z.string()),
  /** The bucket for dead letters that are larger than a message of the queue. */
  DEAD_LETTER_BUCKET: z.optional(z.string()),
  ON_CLUSTER_CHANGE: z._default(z.enum(['halt', 'recover'], 'must be halt or recover'), 'halt'),
  /** The secret that holds the key of masks. */
  MASK_KEY_SECRET: z.optional(z.string()),
  /** The SSM parameter that holds the key of masks. */
  MASK_KEY_PARAMETER: z.optional(parameterName),
  /** The key itself, for local use. It replaces secret and parameter. */
  MASK_KEY: z.optional(z.string()),
  UNROUTED_TABLES: z._default(z.enum(['skip', 'halt'], 'must be skip or halt'), 'skip'),
  /** The treatment of ghost tables (lib/dispatch/ghosts.ts) that no handler names. */
  GHOST_TABLES: z._default(z.enum(['skip', 'deliver'], 'must be skip or deliver'), 'skip'),
  /** The timeout of the table functions, in seconds. */
  HANDLER_TIMEOUT_SECONDS: z._default(whole(1, 900), 30),
  POLL_MAX_RECORDS: z.optional(whole(1, mostRecords)),
  POLL_MAX_BYTES: z.optional(whole(1024, mostBytes)),
  /** The poller fetches one slice while it processes another, so larger slices gain little. */
  POLL_FETCH_BYTES: z._default(whole(1024, maxFetchBytes), 2 * 1024 * 1024),
  /** The time that a run waits for news at the end of the stream, in seconds; 0 ends the run at once. */
  POLL_LINGER_SECONDS: z.optional(whole(0, 900)),
  /** A run hands the lease over to the next one before its own end. */
  POLL_HANDOVER: z._default(flag, 'false'),
}

/** Where AWS stores a text: in a secret of Secrets Manager, or in an SSM parameter. */
export type StoredText = { readonly secretId: string } | { readonly parameter: string }
/** A password or a key: the text itself, or where AWS stores it. */
export type Secret = { readonly value: string } | StoredText

/** How to reach a stream, and as whom. */
export interface SourceConfig extends BrokerConfig {
  readonly user: string | undefined
  readonly password: Secret | undefined
}

/** A stream with its checkpoint. */
export interface StreamConfig extends SourceConfig {
  /** The name of the source in the service; empty for the unnamed stream. */
  readonly source: string
  /** The start of a stream without a checkpoint, in UNIX seconds. */
  readonly startTime: number | undefined
  /** True if the topic has several partitions, each with a poller of its own. */
  readonly isOneOfSeveral: boolean
  readonly checkpointTable: string
}

export interface PollConfig extends StreamConfig {
  /** Routes by table pattern. */
  readonly routes: Readonly<Record<string, Route>>
  /** The key of masks; undefined if none is configured. Then no route hashes. */
  readonly maskKey?: Secret | undefined
  readonly unroutedTables: 'skip' | 'halt'
  readonly ghostTables: 'skip' | 'deliver'
  readonly handlerTimeoutMs: number
  readonly maxRecords: number
  readonly maxBytes: number
  readonly fetchBytes: number
  readonly lingerMs: number
  /** Runs hand the lease over: a run that starts asks the one that holds it, and takes over between two batches. */
  readonly handOver: boolean
  readonly deadLetterQueueUrl: string | undefined
  readonly deadLetterBucket: string | undefined
  /** The poller's reaction to another cluster: halt the stream, or recover by itself if nothing is lost. */
  readonly onClusterChange: 'halt' | 'recover'
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The configuration of poller and recovery.
 * @param artefact the packaged routes, as `writeArtefact` wrote them
 * @throws DtsError CONFIG_INVALID, which lists all problems of the environment; ROUTES_INVALID
 */
export function pollConfig(environment: Environment, artefact: string | undefined): PollConfig {
  const values = parse(z.object({ ...sourceFields, ...deploymentFields, ...pollFields }), environment)
  const routes = readArtefact(artefact, values.DTS_SOURCE, values.FUNCTION_PREFIX)
  const maskKey = toMaskKey(values)
  if (maskKey === undefined) refuseHashes(routes)
  const handOver = values.POLL_HANDOVER === 'true'
  const bounds = handOver ? handOverBounds : usualBounds
  return {
    ...toStreamConfig(values),
    routes,
    maskKey,
    unroutedTables: values.UNROUTED_TABLES,
    ghostTables: values.GHOST_TABLES,
    handlerTimeoutMs: values.HANDLER_TIMEOUT_SECONDS * 1000,
    maxRecords: values.POLL_MAX_RECORDS ?? bounds.records,
    maxBytes: values.POLL_MAX_BYTES ?? bounds.bytes,
    fetchBytes: values.POLL_FETCH_BYTES,
    lingerMs: (values.POLL_LINGER_SECONDS ?? bounds.lingerSeconds) * 1000,
    handOver,
    deadLetterQueueUrl: values.DEAD_LETTER_QUEUE_URL,
    deadLetterBucket: values.DEAD_LETTER_BUCKET,
    onClusterChange: values.ON_CLUSTER_CHANGE,
  }
}

function toMaskKey({
  MASK_KEY: value,
  MASK_KEY_SECRET: secretId,
  MASK_KEY_PARAMETER: parameter,
}: Values<typeof pollFields>): PollConfig['maskKey'] {
  if (value !== undefined) return { value }
  if (secretId !== undefined) return { secretId }
  return parameter === undefined ? undefined : { parameter }
}

/** Without a key, hashes of guessed values would reveal the values. */
function refuseHashes(routes: Readonly<Record<string, Route>>): void {
  const first = Object.values(routes).find(hashes)
  if (first === undefined) return
  throw new DtsError(
    'CONFIG_INVALID',
    `The handler ${first.functionName} masks columns with hash, and both MASK_KEY_SECRET and MASK_KEY_PARAMETER are ` +
      'missing: the name of a secret, or of an SSM parameter, that holds the key. Nothing was read.',
    { retryable: false },
  )
}

/** The part of the configuration that a reader without a checkpoint needs. @throws DtsError CONFIG_INVALID */
export function readerConfig(environment: Environment): SourceConfig {
  return toSourceConfig(parse(z.object(sourceFields), environment), { service: '', stage: '', table: '' })
}

const knownNames = new Set(Object.keys({ ...sourceFields, ...deploymentFields, ...pollFields }))

function parse<Schema extends z.ZodMiniType>(schema: Schema, given: Environment): z.infer<Schema> {
  const environment = withoutBlanks(given)
  const problems = Object.keys(environment)
    .filter((name) => /^(DTS|POLL)_/.test(name) && !knownNames.has(name))
    .map((name) => `${name} is not a known setting (known: ${[...knownNames].join(', ')})`)
  const blank = Object.keys(environment).filter(
    (name) => knownNames.has(name) && environment[name]?.trim() === '',
  )
  for (const name of blank)
    problems.push(`${name} contains only blanks: give it a value, or leave it empty for "not set"`)
  const result = schema.safeParse(environment)
  if (!result.success) {
    const issues = result.error.issues.filter(({ path }) => !blank.includes(String(path[0])))
    for (const { path, message } of issues) problems.push(`${path.join('.')} ${message}`)
  }
  problems.push(...contradictions(environment))
  if (problems.length === 0 && result.success) return result.data
  if (problems.length === 1 && differentGroup(environment)) {
    throw new DtsError('GROUP_REFUSED', `${problems[0]}.`, { retryable: false })
  }
  throw new DtsError(
    'CONFIG_INVALID',
    `The configuration has ${problems.length} problem(s): ${problems.join('; ')}.`,
    {
      retryable: false,
      facts: { problems: problems.length },
    },
  )
}

/**
 * In a shell or a .env file, an empty variable means "not set". Blanks around a value were pasted with it, or are line ends of a
 * file from Windows. Only lib/connect/credentials.ts may trim a password.
 */
function withoutBlanks(given: Environment): Environment {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined && value !== '')
  return Object.fromEntries(
    entries.map(([name, value = '']) => {
      const trimmed = value.trim()
      return [name, knownNames.has(name) && name !== 'DTS_PASSWORD' && trimmed !== '' ? trimmed : value]
    }),
  )
}

function differentGroup({ DTS_SID, DTS_GROUP }: Environment): boolean {
  return Boolean(DTS_SID && DTS_GROUP && DTS_SID !== DTS_GROUP)
}

/** The variables that say where the password is. One of them is enough. */
export const passwordVariables = ['DTS_PASSWORD', 'DTS_PASSWORD_SECRET', 'DTS_PASSWORD_PARAMETER'] as const

/** The variables that say where AWS stores the key of masks. */
export const maskKeyVariables = ['MASK_KEY_SECRET', 'MASK_KEY_PARAMETER'] as const

/** Problems that no single variable shows. */
function contradictions(environment: Environment): string[] {
  const { DTS_SID, DTS_GROUP, DTS_USER } = environment
  const found: string[] = []
  if (!DTS_SID && !DTS_GROUP) {
    found.push(
      'DTS_SID is missing (the consumer group id of the DTS task; for a plain Kafka topic set DTS_GROUP)',
    )
  }
  if (differentGroup(environment)) {
    found.push(
      `DTS_GROUP (${DTS_GROUP}) differs from DTS_SID (${DTS_SID}): DTS accepts only the sid as group, ` +
        'so remove DTS_GROUP, or remove DTS_SID if the topic is in a plain Kafka',
    )
  }
  if (DTS_SID && !DTS_USER)
    found.push('DTS_USER is missing (the user name of the consumer group, without the sid)')
  const passwords = passwordVariables.filter((name) => environment[name])
  if (DTS_USER && passwords.length === 0)
    found.push('DTS_PASSWORD_SECRET or DTS_PASSWORD_PARAMETER (or, for local use, DTS_PASSWORD) is missing')
  for (const names of [passwords, maskKeyVariables.filter((name) => environment[name])])
    if (names.length > 1) found.push(`${names.join(' and ')} are set together: keep one`)
  if (!DTS_USER && passwords.length > 0) found.push('a password is set without DTS_USER')
  return found
}

type Values<Fields extends z.core.$ZodShape> = z.infer<z.ZodMiniObject<Fields>>

function toStreamConfig(values: Values<typeof sourceFields & typeof deploymentFields>): StreamConfig {
  const deployment = {
    service: values.DEPLOYMENT_SERVICE,
    stage: values.DEPLOYMENT_STAGE,
    // Two sources share the table, and neither may take the other's commit for its own.
    table: [values.AWS_REGION, values.CHECKPOINT_TABLE, values.DTS_SOURCE].filter(Boolean).join('/'),
  }
  return {
    ...toSourceConfig(values, deployment),
    source: values.DTS_SOURCE,
    startTime: values.DTS_CHECKPOINT,
    isOneOfSeveral: values.DTS_PARTITIONS !== undefined,
    checkpointTable: values.CHECKPOINT_TABLE,
  }
}

function toSourceConfig(values: Values<typeof sourceFields>, deployment: Deployment): SourceConfig {
  const group = values.DTS_SID ?? values.DTS_GROUP ?? ''
  const mode = values.DTS_SID === undefined ? 'kafka' : 'dts'
  return {
    broker: values.DTS_BROKER_URL,
    topic: values.DTS_TOPIC,
    partition: values.DTS_PARTITION,
    mode,
    group,
    user: mode === 'dts' ? `${values.DTS_USER}-${group}` : values.DTS_USER,
    password: toPassword(values),
    tls: values.DTS_TLS === 'true',
    allowedNodes: values.DTS_ALLOWED_NODES,
    deployment,
  }
}

function toPassword({
  DTS_PASSWORD: value,
  DTS_PASSWORD_SECRET: secretId,
  DTS_PASSWORD_PARAMETER: parameter,
}: Values<typeof sourceFields>): Secret | undefined {
  if (secretId !== undefined) return { secretId }
  if (parameter !== undefined) return { parameter }
  return value === undefined ? undefined : { value }
}
