import { createHash } from 'node:crypto'
import { DtsError } from '../errors.ts'
import * as z from '../schema.ts'
import { type Route, routesSchema, toRoutes } from './settings.ts'

/**
 * The routes of a deployment as one text. Packaging writes it, and the bundler puts it into the code of poller and recovery:
 * an environment variable would hold about fifty routes.
 */

/** Rises when a reader of the old form cannot read the new one. */
const version = 1

/** The routes of one source, by table pattern. */
type WrittenRoutes = z.input<typeof routesSchema>

const versionSchema = z.looseObject({ version: z.number() })
const artefactSchema = z.strictObject({
  version: z.literal(version),
  digest: z.string(),
  /** By source. The only source of a service has the empty name. */
  sources: z.record(z.string(), routesSchema),
})

/** @param sources the routes by the name of their source */
export function writeArtefact(sources: Readonly<Record<string, WrittenRoutes>>): string {
  return JSON.stringify({ version, digest: digestOf(sources), sources })
}

/**
 * The routes of one source.
 * @param text undefined if the code was not bundled by the deployment
 * @param prefix the part of a deployed function's name before its key
 * @throws DtsError ROUTES_INVALID
 */
export function readArtefact(
  text: string | undefined,
  source: string,
  prefix: string,
): Record<string, Route> {
  if (text === undefined)
    throw invalid("The code contains no routes: a bundler without this service's settings built it.")
  const value = parsed(text)
  const written = versionSchema.safeParse(value)
  if (written.success && written.data.version !== version) {
    throw invalid(`The routes have version ${written.data.version}, and this code reads version ${version}.`)
  }
  const artefact = artefactSchema.safeParse(value)
  if (!artefact.success) {
    throw invalid(`The routes are damaged: ${z.prettifyError(artefact.error).replaceAll('\n', ' ')}.`)
  }
  const { digest, sources } = artefact.data
  if (digest !== digestOf((value as { sources: unknown }).sources)) {
    throw invalid('The routes are damaged: their digest is wrong, so they were changed after packaging.')
  }
  const routes = Object.hasOwn(sources, source) ? sources[source] : undefined
  if (routes === undefined) {
    const known = Object.keys(sources).map((name) => `"${name}"`)
    throw invalid(`The routes have no source "${source}" (known: ${known.join(', ')}).`)
  }
  return toRoutes(routes, prefix)
}

/** A parsed and written again JSON text keeps the order of its members. */
function digestOf(sources: unknown): string {
  return createHash('sha256').update(JSON.stringify(sources)).digest('hex').slice(0, 32)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw invalid(`The routes are damaged: their ${text.length} characters are not JSON.`, cause)
  }
}

function invalid(reason: string, cause?: unknown): DtsError {
  return new DtsError(
    'ROUTES_INVALID',
    `${reason} Without them no change can be delivered, so nothing was read.`,
    {
      retryable: false,
      next: [{ action: 'deploy', change: 'Package the service again' }],
      cause,
    },
  )
}
