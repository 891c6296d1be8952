import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Pattern } from '../../lib/dispatch/pattern.ts'
import { lineNaming } from '../source-place.ts'
import type { Table } from '../tables.ts'
import type { Observation } from './observations.ts'
import type { TableView } from './view.ts'

/** Tables without a handler that have a line of their own. */
const mostSkipped = 8

/** The lines of tables on the screen: what handlers did, and which tables and patterns nothing happens to. */
export class TableLines {
  readonly #handlers: readonly Table[]
  readonly #root: string
  readonly #views = new Map<string, TableView>()
  /** The number of changes in the stream, by table. */
  readonly #inStream = new Map<string, number>()

  /** @param root of the service */
  constructor(handlers: readonly Table[], root: string) {
    this.#handlers = handlers
    this.#root = root
  }

  /** Counts changes that the stream got. */
  produced(table: string, count: number): void {
    this.#inStream.set(table, (this.#inStream.get(table) ?? 0) + count)
  }

  observe(observations: readonly Observation[]): void {
    for (const observation of observations) {
      if (observation.kind !== 'handled') continue
      const { table, operation, offset, replay } = observation
      const view = this.#views.get(table) ?? emptyView(table)
      this.#views.set(table, view)
      view.handled += 1
      view.replays += replay ? 1 : 0
      Object.assign(view, { lastOperation: operation, lastOffset: offset })
    }
  }

  get lines(): TableView[] {
    const names = [...this.#inStream.keys()]
    // A table that a file of a later build handles is no longer skipped, whatever the first build said.
    const known = new Set([...names.filter((name) => isHandled(this.#handlers, name)), ...this.#views.keys()])
    return [
      ...[...known].map((name) => this.#views.get(name) ?? emptyView(name)),
      ...this.#unmatched(names),
      ...this.#skippedOf(names.filter((name) => !known.has(name))),
    ]
  }

  /** A real stream can have thousands of such tables. */
  #skippedOf(names: readonly string[]): TableView[] {
    const count = (name: string) => this.#inStream.get(name) ?? 0
    const busiest = [...names].sort((one, other) => count(other) - count(one))
    const rest = busiest.splice(mostSkipped)
    const more =
      rest.length === 0
        ? []
        : [{ ...emptyView('other tables'), note: `skipped: no handler (${rest.length} tables)` }]
    return [...busiest.map((name) => this.#skipped(name)), ...more]
  }

  #skipped(table: string): TableView {
    const count = this.#inStream.get(table) ?? 0
    return {
      ...emptyView(table),
      note: `skipped: no handler (${count} ${count === 1 ? 'change' : 'changes'})`,
    }
  }

  #unmatched(names: readonly string[]): TableView[] {
    return this.#handlers.flatMap(({ file, tables: { patterns } }) =>
      patterns.flatMap((text) => {
        const pattern = new Pattern(text)
        if (pattern.isCatchAll || names.some((name) => pattern.matches(name)) || this.#views.has(text))
          return []
        const source = sourceOf(join(this.#root, file))
        // The file was corrected since the start.
        if (!source.includes(text)) return []
        const line = lineNaming(source, text)
        return [{ ...emptyView(text), note: `nothing: the stream has no such table (${file}:${line})` }]
      }),
    )
  }
}

/** Whether a file of functions/tables handles the table. */
export function isHandled(handlers: readonly Pick<Table, 'tables'>[], name: string): boolean {
  return handlers.some(({ tables: { patterns, except } }) => {
    const matches = (text: string) => new Pattern(text).matches(name)
    return patterns.some(matches) && !except.some(matches)
  })
}

/** Empty for a file that is no longer there. */
function sourceOf(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}

function emptyView(table: string): TableView {
  return { table, handled: 0, replays: 0, lastOperation: '', lastOffset: '' }
}
