/** The streams of `custom.sources`, for the commands of this folder. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { DtsError } from '../../lib/errors.ts'
import { sourceNames, streamsOf } from '../sources.ts'
import { UsageError } from './report.ts'

/** The service has no source of this name. The message names those that exist. */
export class UnknownSource extends UsageError {}

/** serverless takes seconds for it, so a process asks once. */
const known = new Map<string, Promise<unknown>>()

/**
 * `custom.sources` of the service in a folder, with its variables resolved as a deployment of this stage does.
 * @throws DtsError CONFIG_INVALID with the words of serverless; UsageError if there is no service here
 */
export function readSources(folder: string, stage: string): Promise<unknown> {
  const key = JSON.stringify([folder, stage])
  const reading = known.get(key) ?? askServerless(folder, stage)
  known.set(key, reading)
  return reading
}

/** The names of the sources. Null if serverless.yml does not mention any: then serverless is not started. */
export async function namesInFolder(folder: string, stage: string): Promise<string[] | null> {
  const path = join(folder, 'serverless.yml')
  const isMentioned = existsSync(path) && /^\s+sources\s*:/m.test(readFileSync(path, 'utf8'))
  return isMentioned ? sourceNames(await readSources(folder, stage)) : null
}

/**
 * The variables DTS_… of a source.
 * @param given `custom.sources`
 * @throws UnknownSource; DtsError CONFIG_INVALID
 */
export function variablesOfSource(given: unknown, name: string): Readonly<Record<string, string>> {
  const names = sourceNames(given)
  const stream =
    names.length === 0 ? undefined : streamsOf(given, false, {}).find((one) => one.source === name)
  if (stream !== undefined) return stream.variables
  throw new UnknownSource(
    names.length === 0
      ? `There is no source "${name}": custom.sources in serverless.yml names none. Leave out --source.`
      : `There is no source "${name}". custom.sources in serverless.yml has: ${names.join(', ')}.`,
  )
}

function askServerless(folder: string, stage: string): Promise<unknown> {
  const program = programOf(folder)
  if (program === null)
    throw new UsageError(
      '--source needs the folder of serverless.yml, after npm install. There is none here.',
    )
  const parameters = [program, 'print', '--path', 'custom.sources', '--format', 'json', '--stage', stage]
  return new Promise((resolve, reject) => {
    execFile(process.execPath, parameters, { cwd: folder }, (error, stdout, stderr) => {
      if (error === null) resolve(JSON.parse(stdout) ?? {})
      else if (/Path "custom\.sources" not found/.test(stdout + stderr)) resolve({})
      else reject(unreadable(stderr.trim() || stdout.trim() || error.message, error))
    })
  })
}

/** serverless of the service. Null if the folder has no service, or its packages are not installed. */
function programOf(folder: string): string | null {
  if (!existsSync(join(folder, 'serverless.yml'))) return null
  try {
    return createRequire(join(folder, 'package.json')).resolve('serverless/bin/serverless.js')
  } catch {
    return null
  }
}

function unreadable(text: string, cause: Error): DtsError {
  const message = `serverless cannot read custom.sources of serverless.yml, so the stream is unknown:\n${text}`
  return new DtsError('CONFIG_INVALID', message, { retryable: false, cause })
}
