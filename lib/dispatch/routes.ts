import { DtsError } from '../errors.ts'

/**
 * Which function handles which table. Patterns are exact names (`shop.orders`) or have `*` for any run of
 * characters other than a dot (`shop_*.orders_*`). An exact name wins over patterns.
 */
export class Router {
  readonly #exact = new Map<string, string>()
  readonly #patterns: {
    readonly pattern: string
    readonly matcher: RegExp
    readonly functionName: string
  }[] = []
  /** Names seen so far; a stream names few tables many times. */
  readonly #found = new Map<string, string | null>()

  /** @param routes table pattern → function name */
  constructor(routes: Readonly<Record<string, string>>) {
    for (const [pattern, functionName] of Object.entries(routes)) {
      if (pattern.includes('*')) this.#patterns.push({ pattern, matcher: toMatcher(pattern), functionName })
      else this.#exact.set(pattern, functionName)
    }
  }

  /** @throws DtsError CONFIG_INVALID when two patterns claim the table */
  functionFor(table: string): string | null {
    const known = this.#found.get(table)
    if (known !== undefined) return known
    const found = this.#exact.get(table) ?? this.#match(table)
    if (this.#found.size > 10_000) this.#found.clear()
    this.#found.set(table, found)
    return found
  }

  #match(table: string): string | null {
    const matches = this.#patterns.filter(({ matcher }) => matcher.test(table))
    if (matches.length > 1) {
      throw new DtsError(
        'CONFIG_INVALID',
        `The patterns ${matches.map(({ pattern }) => pattern).join(' and ')} both match the table ${table}. ` +
          'Make them disjoint, or give the table a handler of its own, and deploy again.',
        { retryable: false, facts: { table } },
      )
    }
    return matches[0]?.functionName ?? null
  }

  /** The functions that may handle a table of the named database; of every database when it is null. */
  functionsForDatabase(database: string | null): string[] {
    const found = new Set<string>()
    for (const [table, functionName] of this.#exact) {
      if (database === null || table.startsWith(`${database}.`)) found.add(functionName)
    }
    for (const { pattern, functionName } of this.#patterns) {
      const databasePattern = pattern.slice(0, pattern.indexOf('.'))
      if (database === null || toMatcher(databasePattern).test(database)) found.add(functionName)
    }
    return [...found]
  }
}

function toMatcher(pattern: string): RegExp {
  return new RegExp(`^${pattern.split('*').map(RegExp.escape).join('[^.]*')}$`)
}
