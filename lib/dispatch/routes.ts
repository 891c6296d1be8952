import { DtsError } from '../errors.ts'
import type { Route } from './settings.ts'

/** The pattern of a route that takes whatever no other route names. */
export const catchAll = '*'

/**
 * Which route handles which table. A pattern is an exact name (`shop.orders`), a name in which `*` stands for any
 * run of characters but a dot (`shop_*.orders_*`), or `*` alone for every table that nothing else names. An exact
 * name wins over patterns; the physical name of a sharded table over its logical one; both over `*`.
 */
export class Router {
  readonly #exact = new Map<string, Route>()
  readonly #patterns: { readonly pattern: string; readonly matcher: RegExp; readonly route: Route }[] = []
  readonly #catchAll: Route | null
  /** Names seen so far, with their one route or none; a stream names few tables many times. */
  readonly #found = new Map<string, readonly Route[]>()

  constructor(routes: Readonly<Record<string, Route>>) {
    for (const [pattern, route] of Object.entries(routes)) {
      if (pattern === catchAll) continue
      if (pattern.includes('*')) this.#patterns.push({ pattern, matcher: toMatcher(pattern), route })
      else this.#exact.set(pattern, route)
    }
    this.#catchAll = routes[catchAll] ?? null
  }

  /**
   * The one route that handles a table's rows, or none.
   * @param logicalName reads the table's logical name from a record; undefined when this record cannot tell, so that
   *   the next one of the table is asked again
   * @throws DtsError CONFIG_INVALID when two patterns claim the table
   */
  routesFor(table: string, logicalName: () => string | null | undefined): readonly Route[] {
    const known = this.#found.get(table)
    if (known !== undefined) return known
    const named = this.#named(table)
    const logical = named === null ? logicalName() : null
    const route = named ?? this.#logical(logical ?? null) ?? this.#catchAll
    const routes = route === null ? [] : [route]
    if (logical === undefined) return routes
    if (this.#found.size > 10_000) this.#found.clear()
    this.#found.set(table, routes)
    return routes
  }

  /**
   * The route of a statement on a table, or none. What rows have told of the table does not count, since where a
   * statement goes must not depend on what else a run happened to read before it.
   * @param logicalName null where the statement does not tell it
   * @throws DtsError CONFIG_INVALID when two patterns claim the table
   */
  routesForStatement(table: string, logicalName: string | null): readonly Route[] {
    const named = this.#named(table)
    if (named !== null) return [named]
    const route = this.#logical(logicalName) ?? this.#catchAll
    return route === null ? [] : [route]
  }

  #logical(name: string | null): Route | null {
    return name === null ? null : this.#named(name)
  }

  #named(table: string): Route | null {
    const exact = this.#exact.get(table)
    if (exact !== undefined) return exact
    const matches = this.#patterns.filter(({ matcher }) => matcher.test(table))
    if (matches.length > 1) {
      throw new DtsError(
        'CONFIG_INVALID',
        `The patterns ${matches.map(({ pattern }) => pattern).join(' and ')} both match the table ${table}. ` +
          'Make them disjoint, or give the table a handler of its own, and deploy again.',
        { retryable: false, facts: { table } },
      )
    }
    return matches[0]?.route ?? null
  }

  /** The routes that may handle a table of the named database; of every database when it is null. */
  routesForDatabase(database: string | null): readonly Route[] {
    const found = new Set<Route>()
    for (const [table, route] of this.#exact) {
      if (database === null || table.startsWith(`${database}.`)) found.add(route)
    }
    for (const { pattern, route } of this.#patterns) {
      const databasePattern = pattern.slice(0, pattern.indexOf('.'))
      if (database === null || toMatcher(databasePattern).test(database)) found.add(route)
    }
    if (this.#catchAll !== null) found.add(this.#catchAll)
    // A function with several tables gets a statement that concerns them all once.
    return [...new Map([...found].map((route) => [route.functionName, route])).values()]
  }
}

function toMatcher(pattern: string): RegExp {
  return new RegExp(`^${pattern.split('*').map(RegExp.escape).join('[^.]*')}$`)
}
