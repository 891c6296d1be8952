import { RowFactory } from './row-factory.ts'
import type { ColumnReader } from './value.ts'

/** The columns of a column list that a caller wants, and how to read them. */
export interface Projection {
  /** One for each column of the record, in its order; null for a column to skip. */
  readonly columns: readonly (ColumnReader | null)[]
  /** For each skipped column: the number of consecutive skipped columns that begin with it. */
  readonly runs: Int32Array
  /** Number of columns to read. */
  readonly wanted: number
  /** Index after the last column to read. */
  readonly wantedEnd: number
  /** Makes rows from the values of the columns to read. */
  readonly rows: RowFactory
}

export function makeProjection(columns: readonly (ColumnReader | null)[]): Projection {
  const wanted = columns.filter((column) => column !== null)
  const runs = new Int32Array(columns.length)
  for (let item = columns.length - 1; item >= 0; item--) {
    runs[item] = columns[item] === null ? 1 + (runs[item + 1] ?? 0) : 0
  }
  return {
    columns,
    runs,
    wanted: wanted.length,
    wantedEnd: columns.findLastIndex((column) => column !== null) + 1,
    rows: new RowFactory(wanted.map((column) => column.name)),
  }
}
