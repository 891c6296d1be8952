import type { Condition } from '../../../lib/condition/condition.ts'
import { type DeclaredTables, Pattern } from '../../../lib/dispatch/pattern.ts'
import type { Change, RowChange } from '../../../lib/dts/change.ts'
import { decodeChange } from '../../../lib/dts/decode-change.ts'
import { type ChangeOperation, carriesChange, isFiller, readHeader } from '../../../lib/dts/header.ts'
import { escapeName } from '../../../lib/dts/names.ts'
import { columnNames } from '../../../lib/dts/read-columns.ts'
import type { RecordHeader, TableName } from '../../../lib/dts/types.ts'
import { DtsError } from '../../../lib/errors.ts'
import type { LogRecord } from '../../../lib/kafka/records.ts'

/** Which changes are wanted, and which of their columns. */
export interface Selection {
  readonly tables: DeclaredTables
  /** Whether `tables` names exactly one table. */
  readonly isOneTable: boolean
  readonly operations: ReadonlySet<ChangeOperation>
  /** Statements have no row, so a condition selects none. */
  readonly condition: Condition | null
  /** In the order in which they are printed; null: all. */
  readonly columns: readonly string[] | null
}

const mostKnownTables = 10_000
const noColumns: readonly string[] = []

/** Picks the selected changes out of records. It reads of a record only what the selection needs. */
export class Selector {
  readonly #selection: Selection
  readonly #patterns: readonly Pattern[]
  readonly #except: readonly Pattern[]
  /** The columns to decode for the condition, and for printing. */
  readonly #judged: readonly string[]
  readonly #printed: readonly string[] | undefined
  /** Physical names of tables, with whether they match. */
  readonly #known = new Map<string, boolean>()
  readonly #checked = new Set<string>()
  readonly #unmatched: Set<Pattern>

  constructor(selection: Selection) {
    this.#selection = selection
    this.#patterns = selection.tables.patterns.map((text) => new Pattern(text))
    this.#except = selection.tables.except.map((text) => new Pattern(text))
    // The catch-all does not ask for a certain table, so it may find none.
    this.#unmatched = new Set(this.#patterns.filter(({ isCatchAll }) => !isCatchAll))
    this.#judged = selection.condition?.columns ?? noColumns
    this.#printed = selection.columns ?? undefined
  }

  /**
   * @returns null for a record that is not selected
   * @throws DtsError RECORD_INVALID if it cannot be decoded; COLUMN_UNKNOWN if its table lacks a column of the selection;
   *   CONDITION_INVALID
   */
  select({ offset, size, value }: LogRecord): Change | null {
    if (value === null || isFiller(size)) return null
    const header = readHeader(value)
    if (!carriesChange(header.operation)) return null
    const origin = { offset, generation: 0, replay: false }
    if (header.operation === 'DDL') {
      if (!this.#wants('DDL') || this.#selection.condition !== null) return null
      const change = decodeChange(value, header, origin)
      return this.#matchesNames(header.objectName, () => change.logical) ? change : null
    }
    const matches = this.#matchesNames(
      header.objectName,
      () => decodeChange(value, header, origin, noColumns).logical,
    )
    if (!matches || !this.#wants(header.operation)) return null
    this.#checkColumns(value, header)
    const { condition } = this.#selection
    if (condition !== null) {
      const judged = decodeChange(value, header, origin, this.#judged) as RowChange
      const before = 'before' in judged ? judged.before : null
      const after = 'after' in judged ? judged.after : null
      if (!condition.matches({ before, after })) return null
    }
    return decodeChange(value, header, origin, this.#printed)
  }

  #wants(operation: ChangeOperation): boolean {
    return this.#selection.operations.has(operation)
  }

  #matchesNames(objectName: string | null, logical: () => TableName | null): boolean {
    const name = objectName ?? ''
    let matches = this.#known.get(name)
    if (matches === undefined) {
      matches = this.#matches(name)
      if (this.#known.size < mostKnownTables) this.#known.set(name, matches)
    }
    if (matches) return true
    const other = logical()
    if (other === null) return false
    const { database, schema, table } = other
    const text = [database, schema, table].filter((part) => part !== null).map(escapeName)
    return this.#matches(text.join('.'))
  }

  #matches(name: string): boolean {
    const matching = this.#patterns.filter((pattern) => pattern.matches(name))
    for (const pattern of matching) this.#unmatched.delete(pattern)
    return matching.length > 0 && !this.#except.some((pattern) => pattern.matches(name))
  }

  /** The patterns that no table so far has matched. */
  get unmatched(): readonly string[] {
    return Array.from(this.#unmatched, ({ text }) => text)
  }

  /** The tables that records so far were of, as the records name them. A stream with ever new names does not fill it further. */
  get tables(): readonly string[] {
    return [...this.#known.keys()].filter((name) => name !== '')
  }

  /** Once for each table: a mistyped column would otherwise select nothing, or print nothing, silently. */
  #checkColumns(value: Buffer, header: RecordHeader): void {
    const table = header.objectName ?? ''
    if (this.#checked.has(table)) return
    const wanted = [...this.#judged, ...(this.#printed ?? noColumns)]
    const columns = columnNames(value, header)
    const missing = wanted.find((column) => !columns.includes(column))
    if (missing !== undefined) throw unknownColumn(missing, table, columns)
    if (this.#checked.size < mostKnownTables) this.#checked.add(table)
  }
}

function unknownColumn(column: string, table: string, columns: readonly string[]): DtsError {
  return new DtsError(
    'COLUMN_UNKNOWN',
    `${table} has no column ${column}. Its columns are ${columns.join(', ')}. Correct the name, or choose other tables.`,
    { retryable: false, facts: { column, table } },
  )
}
