import { parseEnv } from 'node:util'
import * as z from 'zod'
import { maskKeyVariables } from '../lib/config.ts'
import { DtsError } from '../lib/errors.ts'
import { type Environment, picked, streamVariables } from './environment.ts'
import { invalidSetting } from './setting-error.ts'
import type { Stream } from './streams.ts'

/** Each partition has a poller, and the stack has room for some hundred resources. */
const mostPartitions = 16
const partitionCount = z.int().min(2).max(mostPartitions)

/** Blanks around a value were pasted with it. lib/config.ts leaves them out, too. */
const text = z.string().trim().min(1)

/** A source in `custom.sources`. docs/sources.md describes its members. */
const sourceSchema = z
  .strictObject({
    address: text,
    topic: text,
    sid: text.optional(),
    group: text.optional(),
    user: text.optional(),
    secret: text.optional(),
    parameter: text.optional(),
    start: z.union([z.string().min(1), z.number()]).optional(),
    tls: z.boolean().default(false),
    allowedNodes: z.array(z.string().min(1)).default([]),
    partitions: partitionCount.optional(),
  })
  .refine(
    ({ sid, partitions }) => sid === undefined || partitions === undefined,
    'has partitions, but a DTS task has one partition: only a topic in a plain Kafka (group) can have more',
  )
  .refine(
    ({ sid, group }) => (sid === undefined) !== (group === undefined),
    'needs either sid (DTS) or group',
  )

/** Part of function names, which separate it by "-", and of logical ids. */
const sourceName = /^[a-z][a-z0-9]{0,19}$/
const sourcesSchema = z.record(z.string(), sourceSchema)

/** The names of the sources, without looking at their settings. */
export function sourceNames(given: unknown): string[] {
  return Object.keys(readSources(given))
}

/**
 * The streams of the service. Handlers outside the folders of named sources belong to the unnamed stream; without named sources
 * it always exists.
 * @param given `custom.sources`
 * @param unnamed whether there are handlers outside these folders
 * @throws DtsError CONFIG_INVALID
 */
export function streamsOf(given: unknown, unnamed: boolean, environment: Environment): Stream[] {
  const named = Object.entries(readSources(given)).map(([source, settings]) => ({
    source,
    // One key for all sources, so that their hashes can be joined.
    variables: { ...variablesOf(settings), ...picked(environment, maskKeyVariables) },
    partitions: settings.partitions ?? null,
  }))
  const streams = named.length > 0 && !unnamed ? named : [unnamedStream(environment), ...named]
  refuseSharedGroups(streams)
  return streams
}

/**
 * The only stream of a local run, under the name of its source. It has the local broker, not the source's own.
 * @param environment of the local stack
 */
export function localStream(source: string, environment: Environment): Stream {
  return { source, variables: picked(environment, streamVariables), partitions: null }
}

function unnamedStream(environment: Environment): Stream {
  const variables = picked(environment, streamVariables)
  const { DTS_PARTITIONS: count, DTS_PARTITION: one, DTS_SID: sid } = environment
  if (count === undefined || count === '') return { source: '', variables, partitions: null }
  const parsed = partitionCount.safeParse(/^\d+$/.test(count) ? Number(count) : count)
  if (!parsed.success) {
    throw invalid(
      `DTS_PARTITIONS must be a whole number from 2 to ${mostPartitions}, not ${JSON.stringify(count)}.`,
    )
  }
  if (sid || one) {
    throw invalid(
      `DTS_PARTITIONS cannot be set together with ${sid ? 'DTS_SID: a DTS task has one partition' : 'DTS_PARTITION: keep one'}.`,
    )
  }
  return { source: '', variables, partitions: parsed.data }
}

function readSources(given: unknown): z.output<typeof sourcesSchema> {
  const parsed = sourcesSchema.safeParse(given)
  if (parsed.success) {
    const wrong = Object.keys(parsed.data).find((name) => !sourceName.test(name))
    if (wrong === undefined) return parsed.data
    throw invalid(
      `custom.sources in serverless.yml names ${JSON.stringify(wrong)}. A name has 1 to 20 lower-case letters and digits, and ` +
        'begins with a letter: it is a part of function names.',
    )
  }
  throw invalidSetting('sources', parsed.error)
}

function variablesOf(source: z.output<typeof sourceSchema>): Record<string, string> {
  const { address, topic, sid, group, user, secret, parameter, start, tls, allowedNodes } = source
  const variables = {
    DTS_BROKER_URL: address,
    DTS_TOPIC: topic,
    DTS_SID: sid,
    DTS_GROUP: group,
    DTS_USER: user,
    DTS_PASSWORD_SECRET: secret,
    DTS_PASSWORD_PARAMETER: parameter,
    DTS_CHECKPOINT: start === undefined ? undefined : String(start),
    DTS_TLS: tls ? 'true' : undefined,
    DTS_ALLOWED_NODES: allowedNodes.length === 0 ? undefined : allowedNodes.join(','),
  }
  return picked(variables, Object.keys(variables))
}

/** DTS lets one consumer of a group read at a time, and both streams would overwrite the group's commit. */
function refuseSharedGroups(streams: readonly Stream[]): void {
  const taken = new Map<string, string>()
  for (const { source, variables } of streams) {
    const { DTS_SID, DTS_GROUP, DTS_BROKER_URL, DTS_TOPIC } = variables
    const [sid, group, address, topic] = [DTS_SID, DTS_GROUP, DTS_BROKER_URL, DTS_TOPIC].map((one) =>
      one?.trim(),
    )
    // A sid is unique in DTS. In Kafka, the same group may read other topics.
    const identity =
      sid !== undefined ? `sid ${sid}` : group !== undefined ? `group ${group} of ${address} ${topic}` : null
    if (identity === null) continue
    const other = taken.get(identity)
    if (other !== undefined) {
      throw invalid(
        `${other} and ${nameOf(source)} have the same ${identity}. Each stream needs a consumer group of its own: both would ` +
          "read every change, and overwrite each other's commit.",
      )
    }
    taken.set(identity, nameOf(source))
  }
}

/** A file of variables for another stage. */
export interface StageFile {
  readonly name: string
  readonly text: string
}

/**
 * The sids that a file of variables gives to another stage, in whatever variable: both stages would read as one consumer. A stage
 * whose variables are not in this folder is found at run time only (GROUP_SHARED).
 * @returns the faults, as text
 */
export function sidsOfOtherStages(
  streams: readonly Pick<Stream, 'source' | 'variables'>[],
  files: readonly StageFile[],
): string[] {
  const faults = files.flatMap(({ name, text: lines }) => {
    const values = new Set(Object.values(parseEnv(lines)).map((value) => value?.trim()))
    return streams.flatMap(({ source, variables }) => {
      const sid = variables.DTS_SID?.trim()
      if (sid === undefined || !values.has(sid)) return []
      return [
        `${nameOf(source)} has the sid ${sid}, and ${name} gives it to another stage. Create a consumer group for each ` +
          'stage: DTS lets one consumer of a group read at a time.',
      ]
    })
  })
  return [...new Set(faults)]
}

function nameOf(source: string): string {
  return source === '' ? 'The stream of the variables DTS_…' : `custom.sources.${source}`
}

function invalid(message: string): DtsError {
  return new DtsError('CONFIG_INVALID', message, { retryable: false })
}
