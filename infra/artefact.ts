import { writeArtefact } from '../lib/dispatch/artefact.ts'
import { routeJson } from '../lib/dispatch/settings.ts'
import type { Table } from './tables.ts'

/** The routes that the bundler puts into pollers and recoveries. @param sources all sources, also those without a handler */
export function artefactOf(tables: readonly Table[], sources: readonly string[] = ['']): string {
  return writeArtefact(Object.fromEntries(sources.map((source) => [source, routesOf(tables, source)])))
}

function routesOf(tables: readonly Table[], source: string) {
  const own = tables.filter((table) => table.source === source)
  return Object.fromEntries(
    own.flatMap(({ tables: { patterns, except }, key, delivery }) =>
      patterns.map((pattern) => [pattern, routeJson(key, delivery, except)] as const),
    ),
  )
}
