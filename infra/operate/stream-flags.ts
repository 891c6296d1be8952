/** The flags and settings by which a command of this folder reads a stream itself. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { passwordVariables, readerConfig, type SourceConfig } from '../../lib/config.ts'
import { readSources, variablesOfSource } from './named-sources.ts'

const text = { type: 'string' } as const
export const streamOptions = {
  source: text,
  'broker-url': text,
  topic: text,
  sid: text,
  group: text,
  user: text,
  password: text,
  'password-secret': text,
  'password-parameter': text,
  partition: text,
  tls: { type: 'boolean' },
  'allowed-nodes': text,
  stage: text,
} as const

/** The flags that set a variable of the configuration. */
const variableOf: Readonly<Record<string, string>> = {
  'broker-url': 'DTS_BROKER_URL',
  topic: 'DTS_TOPIC',
  sid: 'DTS_SID',
  group: 'DTS_GROUP',
  user: 'DTS_USER',
  password: 'DTS_PASSWORD',
  'password-secret': 'DTS_PASSWORD_SECRET',
  'password-parameter': 'DTS_PASSWORD_PARAMETER',
  partition: 'DTS_PARTITION',
  'allowed-nodes': 'DTS_ALLOWED_NODES',
}

/** The names that Flink's Table API uses, and the flags that they mean. */
const tableApiNames: Readonly<Record<string, string>> = {
  'dts.server': 'broker-url',
  'dts.topic': 'topic',
  topic: 'topic',
  'dts.sid': 'sid',
  'dts.group': 'group',
  'dts.user': 'user',
  'dts.password': 'password',
  'dts.checkpoint': 'checkpoint',
  'dts-cdc.table.name': 'table',
}

/** Turns `'dts.sid'='x'`, `dts.sid=x` and `--dts.sid x` into flags. Other arguments stay as they are. */
export function asFlags(argv: readonly string[]): string[] {
  return argv.flatMap((argument, at) => {
    // The value of a flag, such as a condition on a column named topic, stays as it is.
    const before = argv[at - 1] ?? ''
    const isValue = before.startsWith('--') && !before.includes('=') && !switches.has(before)
    return isValue ? [argument] : asFlag(argument)
  })
}

/** Flags without a value. */
const switches: ReadonlySet<string> = new Set(['--tls', '--follow', '--help', '--check'])

function asFlag(argument: string): string[] {
  const [, dashes = '', name = '', value] = /^(--)?'?([\w.-]+)'?(?:\s*=\s*(.*))?$/s.exec(argument) ?? []
  const known = Object.hasOwn(tableApiNames, name) ? tableApiNames[name] : undefined
  if (known === undefined || (dashes === '' && value === undefined)) return [argument]
  return value === undefined ? [`--${known}`] : [`--${known}=${value.replace(/^'(.*)'$/s, '$1')}`]
}

/** The variables of the configuration that flags set. @param values what `parseArgs` made of `streamOptions` and others */
function variablesOf(values: Readonly<Record<string, unknown>>): Record<string, string> {
  const variables: Record<string, string> = {}
  for (const [name, variable] of Object.entries(variableOf)) {
    const value = values[name]
    if (typeof value === 'string') variables[variable] = value
  }
  if (values.tls === true) variables.DTS_TLS = 'true'
  return variables
}

type Environment = Readonly<Record<string, string | undefined>>

/** How the flags of a command choose its stream. */
export interface StreamCall {
  /** The name of a source; undefined for the stream without a name. */
  readonly source: string | undefined

  /** Variables of the configuration that flags set. */
  readonly variables: Readonly<Record<string, string>>
  readonly stage: string
}

/** @param values what `parseArgs` made of `streamOptions` and others */
export function streamCall(
  values: Readonly<Record<string, unknown>> & { readonly source?: string; readonly stage?: string },
): StreamCall {
  return { source: values.source, variables: variablesOf(values), stage: values.stage ?? 'dev' }
}

/**
 * The settings of the stream: the flags, then those of its source. Without a source: the flags, then the shell, then
 * `.env.<stage>` or else `.env`, as a deployment reads them.
 * @param folder where serverless.yml and the .env files are
 * @throws UsageError if there is no such source
 */
export async function settingsOf(call: StreamCall, shell: Environment, folder: string): Promise<Environment> {
  const { source, stage } = call
  const merged: Record<string, string | undefined> =
    source === undefined
      ? { ...writtenSettings(stage, folder), ...shell }
      : { ...variablesOfSource(await readSources(folder, stage), source) }
  for (const names of alternatives) {
    // A flag replaces the setting that contradicts it.
    if (names.some((name) => call.variables[name] !== undefined))
      for (const name of names) delete merged[name]
  }
  return { ...merged, ...call.variables }
}

function writtenSettings(stage: string, folder: string): Environment {
  const file = [`.env.${stage}`, '.env'].map((name) => join(folder, name)).find((path) => existsSync(path))
  return file === undefined ? {} : parseEnv(readFileSync(file, 'utf8'))
}

/** As `settingsOf`, parsed. @throws UsageError; DtsError CONFIG_INVALID */
export async function sourceConfig(
  call: StreamCall,
  shell: Environment,
  folder: string,
): Promise<SourceConfig> {
  return readerConfig(await settingsOf(call, shell, folder))
}

const alternatives = [['DTS_SID', 'DTS_GROUP'], passwordVariables]
