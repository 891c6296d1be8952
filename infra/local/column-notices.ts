import type { ColumnHistory } from '../../lib/checkpoint/column-history.ts'
import { keptColumns } from '../../lib/recovery/examine/column-versions.ts'
import { changesOf, driftText } from '../operate/print-columns.ts'

/** Says once that a table of the running stream has other columns. */
export class ColumnNotices {
  readonly #told = new Set<string>()

  /** @param history as the poller stored it last */
  news(history: ColumnHistory): string[] {
    return changesOf(keptColumns(history)).flatMap(({ table, version }) => {
      const name = `${table} ${version.version}`
      if (this.#told.has(name)) return []
      this.#told.add(name)
      return [`The columns of ${table} changed at offset ${version.offset} (${driftText(version)}).`]
    })
  }
}
