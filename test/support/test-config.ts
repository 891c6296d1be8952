import { type PollConfig, pollConfig } from '../../lib/config.ts'
import { writeArtefact } from '../../lib/dispatch/artefact.ts'

/** The configuration of an environment that also contains the routes: `ROUTES`, as JSON. */
export function testConfig({
  ROUTES,
  ...environment
}: Readonly<Record<string, string | undefined>>): PollConfig {
  return pollConfig(environment, testArtefact(ROUTES, environment.DTS_SOURCE))
}

/** @param routes the routes of a source, as JSON; undefined: none are packaged */
export function testArtefact(routes: string | undefined, source = ''): string | undefined {
  return routes === undefined ? undefined : writeArtefact({ [source]: JSON.parse(routes) })
}

/** Acts as the bundler: the functions of this process find these routes in their code. */
export function packageRoutes(routes: string | undefined, source?: string): void {
  Object.assign(globalThis, { DTS_ROUTES: testArtefact(routes, source) })
}
