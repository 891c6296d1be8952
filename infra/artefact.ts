import { writeArtefact } from '../lib/dispatch/artefact.ts'
import { routeJson } from '../lib/dispatch/settings.ts'
import type { Table } from './tables.ts'

/** The routes that the bundler puts into poller and recovery. */
export function artefactOf(tables: readonly Table[]): string {
  const routes = tables.flatMap(({ tables: { patterns, except }, key, delivery }) =>
    patterns.map((pattern) => [pattern, routeJson(key, delivery, except)] as const),
  )
  return writeArtefact({ '': Object.fromEntries(routes) })
}
