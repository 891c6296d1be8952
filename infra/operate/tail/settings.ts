import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { readerConfig, type SourceConfig } from '../../../lib/config.ts'
import type { TailCall } from './arguments.ts'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The configuration of the stream: the flags, then the shell, then `.env.<stage>` or else `.env`, as a deployment reads them.
 * @param folder where the .env files are
 * @throws DtsError CONFIG_INVALID
 */
export function tailConfig(
  call: Pick<TailCall, 'variables' | 'stage'>,
  shell: Environment,
  folder: string,
): SourceConfig {
  const file = [`.env.${call.stage}`, '.env']
    .map((name) => join(folder, name))
    .find((path) => existsSync(path))
  const written = file === undefined ? {} : parseEnv(readFileSync(file, 'utf8'))
  const merged: Record<string, string | undefined> = { ...written, ...shell }
  for (const [first, second] of alternatives) {
    // A flag replaces the setting that contradicts it.
    if (call.variables[first] !== undefined) delete merged[second]
    if (call.variables[second] !== undefined) delete merged[first]
  }
  return readerConfig({ ...merged, ...call.variables })
}

const alternatives = [
  ['DTS_SID', 'DTS_GROUP'],
  ['DTS_PASSWORD', 'DTS_PASSWORD_SECRET'],
] as const
