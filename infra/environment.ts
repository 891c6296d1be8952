import { maskKeyVariables } from '../lib/config.ts'
import { hashes } from '../lib/dispatch/mask.ts'
import { DtsError } from '../lib/errors.ts'
import { namesOf, type Stream } from './streams.ts'
import { longestTimeoutOf, type Settings, type Table } from './tables.ts'

/**
 * The variables of the deploying shell that poller and recovery get. DTS_PASSWORD is not in the list: a deployed function
 * reads the password from Secrets Manager or SSM.
 */
export const streamVariables = [
  'DTS_BROKER_URL',
  'DTS_TOPIC',
  'DTS_PARTITION',
  'DTS_SID',
  'DTS_GROUP',
  'DTS_USER',
  'DTS_PASSWORD_SECRET',
  'DTS_PASSWORD_PARAMETER',
  ...maskKeyVariables,
  'DTS_CHECKPOINT',
  'DTS_TLS',
  'DTS_ALLOWED_NODES',
]

/** Further variables of the deploying shell that poller and recovery get. */
export const pollVariables = [
  'UNROUTED_TABLES',
  'GHOST_TABLES',
  'ON_CLUSTER_CHANGE',
  'POLL_MAX_RECORDS',
  'POLL_MAX_BYTES',
  'POLL_FETCH_BYTES',
  'POLL_LINGER_SECONDS',
  'POLL_HANDOVER',
]

/**
 * How much memory the process of poller and recovery keeps. They use little of it at once, but by default V8 keeps garbage in
 * proportion to the machine's memory. Half the default young generation costs no measurable time. The limit of the heap
 * decides how much it may grow until V8 collects all of it: by 60 % with 1,024 MB. With 256 MB, when it was 30 %, a poller
 * with 200 functions collected it twice as often; with 2,048 MB, it keeps 14 MB more. The function has less memory than that
 * limit, but what is in use of the heap is 25 to 40 MB. Outside the heap, glibc gives each thread that allocates an area of
 * its own, and V8's compiling threads fill theirs once. With two areas for all threads, a poller that has compiled everything
 * needs 6 MB less, and no measurable time more. If Lambda starts Node with options of its own, those apply.
 */
export const processEnvironment = {
  NODE_OPTIONS: '--max-semi-space-size=8 --max-old-space-size=1024',
  MALLOC_ARENA_MAX: '2',
} as const

export type Environment = Readonly<Record<string, string | undefined>>

/** A value in the template: a string, or a CloudFormation function. */
type Value = string | object

/**
 * The variables of poller and recovery: the stream, the table, the dead-letter queue. Both get the same, because a redrive
 * invokes functions as the poller does. Unset and empty variables are left out.
 */
export function streamEnvironment(
  given: Environment,
  stream: Stream,
  tables: readonly Table[],
  settings: Settings,
): Record<string, Value> {
  const own = tables.filter(({ source }) => source === stream.source)
  refuseHashWithoutKey(own, stream)
  return {
    ...stream.variables,
    ...picked(given, pollVariables),
    ...(stream.source === '' ? {} : { DTS_SOURCE: stream.source }),
    ...(stream.partitions === null ? {} : { DTS_PARTITIONS: String(stream.partitions) }),
    CHECKPOINT_TABLE: settings.checkpointTable,
    FUNCTION_PREFIX: settings.prefix,
    HANDLER_TIMEOUT_SECONDS: String(longestTimeoutOf(tables, own, settings)),
    DEAD_LETTER_QUEUE_URL: { Ref: namesOf(stream).queueId },
    DEAD_LETTER_BUCKET: { Ref: 'DeadLetterBucket' },
    DEPLOYMENT_FLAGS: settings.flags,
    DEPLOYMENT_SERVICE: settings.service,
    DEPLOYMENT_STAGE: settings.stage,
    ...processEnvironment,
  }
}

/** The poller would refuse it in each run. */
function refuseHashWithoutKey(tables: readonly Table[], { variables }: Stream): void {
  const [first] = tables.filter(({ delivery }) => hashes(delivery))
  if (first === undefined || maskKeyVariables.some((name) => variables[name] !== undefined)) return
  throw new DtsError(
    'CONFIG_INVALID',
    `${first.file} masks columns with hash, which needs a key: without one, hashes of guessed values would reveal the values. ` +
      'Store a key (openssl rand -hex 32) as a secret, and set MASK_KEY_SECRET to its name; or as an SSM parameter, and set ' +
      'MASK_KEY_PARAMETER.',
    { retryable: false },
  )
}

export function picked(given: Environment, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = given[name]
      return value === undefined || value === '' ? [] : [[name, value]]
    }),
  )
}
