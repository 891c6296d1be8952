import { longestTimeoutOf, routesJson, type Settings, type Table } from './tables.ts'

/**
 * What poller and recovery take over from the environment of the deployment. DTS_PASSWORD is not among them: a
 * deployed function reads the password from Secrets Manager, by DTS_PASSWORD_SECRET.
 */
export const streamVariables = [
  'DTS_BROKER_URL',
  'DTS_TOPIC',
  'DTS_PARTITION',
  'DTS_SID',
  'DTS_GROUP',
  'DTS_USER',
  'DTS_PASSWORD_SECRET',
  'DTS_CHECKPOINT',
  'DTS_TLS',
  'DTS_ALLOWED_NODES',
]

/** What poller and recovery take over beside them. */
export const pollVariables = [
  'UNROUTED_TABLES',
  'ON_CLUSTER_CHANGE',
  'POLL_MAX_RECORDS',
  'POLL_MAX_BYTES',
  'POLL_FETCH_BYTES',
  'POLL_LINGER_SECONDS',
]

/**
 * What poller and recovery hold at once is a few megabytes however long the stream is, but V8 lets garbage stand in
 * proportion to the machine's memory unless told otherwise. Half the usual young generation costs no time that could be
 * measured, and of a heap of at most 256 MB V8 lets little stand. Where Lambda starts Node with sizes of its own, those
 * win.
 */
export const nodeOptions = '--max-semi-space-size=8 --max-old-space-size=256'

type Environment = Readonly<Record<string, string | undefined>>

/** A value of a template: a text, or what CloudFormation puts in its place. */
type Value = string | object

/**
 * The variables of poller and recovery, which have the same because a redrive sends as the poller does: the stream,
 * where each table's changes go, and where those that are given up. One that is not set, or empty, is left out.
 */
export function streamEnvironment(
  given: Environment,
  tables: readonly Table[],
  settings: Settings,
): Record<string, Value> {
  return {
    ...picked(given, streamVariables),
    ...picked(given, pollVariables),
    CHECKPOINT_TABLE: settings.checkpointTable,
    ROUTES: routesJson(tables),
    FUNCTION_PREFIX: settings.prefix,
    HANDLER_TIMEOUT_SECONDS: String(longestTimeoutOf(tables, settings)),
    DEAD_LETTER_QUEUE_URL: { Ref: 'DeadLetterQueue' },
    DEAD_LETTER_BUCKET: { Ref: 'DeadLetterBucket' },
    DEPLOYMENT_FLAGS: settings.flags,
    DEPLOYMENT_SERVICE: settings.service,
    DEPLOYMENT_STAGE: settings.stage,
    NODE_OPTIONS: nodeOptions,
  }
}

function picked(given: Environment, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = given[name]
      return value === undefined || value === '' ? [] : [[name, value]]
    }),
  )
}
