import { isTableName } from '../dts/names.ts'
import { isGhost } from './ghosts.ts'
import { bySpecificity, Pattern } from './pattern.ts'
import type { Route } from './settings.ts'

/**
 * Why a change has no route: no handler matches, a handler excludes the table, the table is a ghost, or the record's name cannot
 * be the name of a table.
 */
export type LeftOut = 'unrouted' | 'excluded' | 'ghost' | 'unnamed'

/** The routes of a change. */
export interface Routing {
  /** Each function once. */
  readonly routes: readonly Route[]
  /** Why there is no route; null if there is one. */
  readonly leftOut: LeftOut | null
  /** The last round in which `ColumnLooks` looked at the table's columns. */
  lookedIn: number
}

interface Entry {
  readonly pattern: Pattern
  readonly except: readonly Pattern[]
  readonly route: Route
}

/**
 * Finds the route of a table. An exact name wins over a pattern, and a narrow pattern wins over a wide one. The physical name of a
 * sharded table wins over its logical one. The catch-all gets every table that nothing else matches. A ghost table of an online
 * schema change goes only to a route with its exact name.
 */
export class Router {
  readonly #rows: RouteTable
  readonly #statements: RouteTable
  /** Whether a route masks columns. */
  readonly masks: boolean
  /** Whether a function gets whole transactions. */
  readonly hasTransactions: boolean
  /** A cache by table name: a stream names few tables many times. */
  readonly #found = new Map<string, Routing>()

  /** @param ghosts `deliver` treats ghost tables like any other table */
  constructor(routes: Readonly<Record<string, Route>>, ghosts: 'skip' | 'deliver' = 'skip') {
    this.#rows = new RouteTable(routes, ghosts, (name) => name)
    // Some sources ignore case. So a statement may write a name in another case than the records.
    this.#statements = new RouteTable(routes, ghosts, fold)
    this.masks = Object.values(routes).some(({ mask }) => mask !== undefined)
    this.hasTransactions = Object.values(routes).some(({ transactions }) => transactions === true)
  }

  /** What `routesFor` has found for a table's rows; undefined if it must be asked. */
  known(table: string): Routing | undefined {
    return this.#found.get(table)
  }

  /**
   * The one route that handles a table's rows, or none.
   * @param table the name in the record, valid or not
   * @param logicalName reads the table's logical name from the record; undefined if the record cannot be decoded. Then the
   *   answer is not cached, and the table's next record is read.
   */
  routesFor(table: string, logicalName: () => string | null | undefined): Routing {
    const known = this.known(table)
    if (known !== undefined) return known
    const isNamed = isTableName(table)
    const logical = isNamed ? logicalName() : null
    const routing = isNamed ? this.#rows.find(table, logical ?? null) : none('unnamed')
    if (logical === undefined) return routing
    if (this.#found.size > 10_000) this.#found.clear()
    this.#found.set(table, routing)
    return routing
  }

  /**
   * The routes that a statement about a table concerns. It does not use the cache of rows: the routes of a statement must not
   * depend on the records that a run read before it.
   * @param logicalName null if the record does not have it
   */
  routesForStatement(table: string, logicalName: string | null): Routing {
    const folded = logicalName === null ? null : fold(logicalName)
    return merged([this.#rows.find(table, logicalName), this.#statements.find(fold(table), folded)])
  }

  /** The routes that may handle a table whose name is only partly known. @param parts null for an unknown part */
  routesForParts(parts: readonly (string | null)[]): Routing {
    return this.#statements.findParts(parts.map((part) => (part === null ? null : fold(part))))
  }

  /** The routes that may handle a table of a database or schema. @param name null for any database */
  routesForDatabase(name: string | null): Routing {
    return this.#statements.findDatabase(name === null ? null : fold(name))
  }
}

/** The routes of several names, each function once. */
export function merged(routings: readonly Routing[]): Routing {
  // A function with several tables gets one copy of a statement that concerns all of them.
  const byFunction = new Map(
    routings.flatMap(({ routes }) => routes).map((route) => [route.functionName, route]),
  )
  if (byFunction.size > 0) return { routes: [...byFunction.values()], leftOut: null, lookedIn: 0 }
  const reasons = routings.map(({ leftOut }) => leftOut)
  return none(reasons.includes('ghost') ? 'ghost' : reasons.includes('excluded') ? 'excluded' : 'unrouted')
}

export function none(leftOut: LeftOut): Routing {
  return { routes: [], leftOut, lookedIn: 0 }
}

function fold(name: string): string {
  return name.toLowerCase()
}

/** The routes by table name. `normal` maps names before they are compared. */
class RouteTable {
  readonly #exact = new Map<string, Entry[]>()
  /** The narrowest first. */
  readonly #patterns: readonly Entry[]
  readonly #catchAll: Entry | null
  readonly #skipsGhosts: boolean

  constructor(
    routes: Readonly<Record<string, Route>>,
    ghosts: 'skip' | 'deliver',
    normal: (name: string) => string,
  ) {
    const entries = Object.entries(routes).map(([text, route]) => ({
      pattern: new Pattern(normal(text)),
      except: (route.except ?? []).map((left) => new Pattern(normal(left))),
      route,
    }))
    this.#skipsGhosts = ghosts === 'skip'
    this.#catchAll = entries.find(({ pattern }) => pattern.isCatchAll) ?? null
    this.#patterns = entries
      .filter(({ pattern }) => !pattern.isExact && !pattern.isCatchAll)
      .sort((one, other) => bySpecificity(one.pattern, other.pattern))
    for (const entry of entries.filter(({ pattern }) => pattern.isExact)) {
      const name = entry.pattern.text
      this.#exact.set(name, [...(this.#exact.get(name) ?? []), entry])
    }
  }

  find(physical: string, logical: string | null): Routing {
    const named = this.#exact.get(physical)
    if (named !== undefined) return merged(named.map(toRouting))
    const names = logical === null ? [physical] : [physical, logical]
    const byLogical = logical === null ? undefined : this.#exact.get(logical)
    if (this.#skipsGhosts && names.some((name) => isGhost(name.slice(name.lastIndexOf('.') + 1)))) {
      return byLogical === undefined ? none('ghost') : merged(byLogical.map(toRouting))
    }
    const matching = this.#patterns.filter(({ pattern }) => pattern.matches(physical))
    const taken = matching.find((entry) => takes(entry, [physical]))
    if (taken !== undefined) return toRouting(taken)
    if (byLogical !== undefined) return merged(byLogical.map(toRouting))
    if (logical !== null) matching.push(...this.#patterns.filter(({ pattern }) => pattern.matches(logical)))
    if (this.#catchAll !== null) matching.push(this.#catchAll)
    const entry = matching.find((one) => takes(one, names))
    if (entry !== undefined) return toRouting(entry)
    return none(matching.length > 0 ? 'excluded' : 'unrouted')
  }

  findParts(parts: readonly (string | null)[]): Routing {
    const table = parts.at(-1) ?? ''
    const exact = [...this.#exact.values()].flat().filter(({ pattern }) => pattern.matchesParts(parts))
    if (this.#skipsGhosts && isGhost(table)) {
      return exact.length > 0 ? merged(exact.map(toRouting)) : none('ghost')
    }
    const matching = this.#patterns.filter(({ pattern }) => pattern.matchesParts(parts))
    return merged([...exact, ...matching, ...this.#others].map(toRouting))
  }

  findDatabase(name: string | null): Routing {
    const all = [...[...this.#exact.values()].flat(), ...this.#patterns]
    const isIn = ({ pattern }: Entry) =>
      name === null ||
      pattern.matchesPart(0, name) ||
      // In a source with schemas, a statement may name the middle part.
      (pattern.length === 3 && pattern.matchesPart(1, name))
    return merged([...all.filter(isIn), ...this.#others].map(toRouting))
  }

  get #others(): readonly Entry[] {
    return this.#catchAll === null ? [] : [this.#catchAll]
  }
}

function toRouting({ route }: Entry): Routing {
  return { routes: [route], leftOut: null, lookedIn: 0 }
}

function takes({ except }: Entry, names: readonly string[]): boolean {
  return !except.some((left) => names.some((name) => left.matches(name)))
}
