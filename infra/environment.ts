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

/** What the poller alone takes over beside them. */
export const pollVariables = [
  'UNROUTED_TABLES',
  'ON_CLUSTER_CHANGE',
  'POLL_MAX_RECORDS',
  'POLL_MAX_BYTES',
  'POLL_FETCH_BYTES',
  'POLL_LINGER_SECONDS',
]

type Environment = Readonly<Record<string, string | undefined>>

/** The variables of a function that reads the stream; one that is not set, or empty, is left out. */
export function streamEnvironment(given: Environment, settings: Settings): Record<string, string> {
  return { ...picked(given, streamVariables), CHECKPOINT_TABLE: settings.checkpointTable }
}

/** The poller's variables: those of the stream, and where each table's changes go. */
export function pollerEnvironment(
  given: Environment,
  tables: readonly Table[],
  settings: Settings,
): Record<string, string> {
  return {
    ...streamEnvironment(given, settings),
    ...picked(given, pollVariables),
    ROUTES: routesJson(tables),
    FUNCTION_PREFIX: settings.prefix,
    HANDLER_TIMEOUT_SECONDS: String(longestTimeoutOf(tables, settings)),
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
