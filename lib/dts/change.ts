import type { Tags } from './tags.ts'
import type { Row, SourceType, TableName } from './types.ts'

/** Where a change stands in the log. */
export interface ChangeOrigin {
  readonly offset: bigint
  /** Rises with every recovery that moved the checkpoint; offsets compare only within one generation. */
  readonly generation: number
  /** True when the change may have been delivered before. */
  readonly replay: boolean
}

interface ChangeBase extends ChangeOrigin {
  readonly id: bigint
  /** When the source logged the change, in seconds since 1970 (milliseconds in a synchronisation topic). */
  readonly timestamp: number
  readonly sourceType: SourceType
  readonly sourcePosition: string
  readonly transactionId: string
  readonly tags: Tags
  /**
   * The same for every delivery of this change, also from another cluster as far as the source tells changes apart
   * (equal rows of one statement in a table without a primary key have the same key).
   */
  readonly idempotencyKey: string
}

interface RowChangeBase extends ChangeBase {
  /** `database.table` or `database.schema.table`; a dot inside a name is written `\u002E`. */
  readonly table: string
  readonly name: TableName
  /** The name that a sharded source shows to its users; null where the record carries none. */
  readonly logical: TableName | null
  /** Columns of the primary key; empty where the record does not name them. */
  readonly keys: readonly string[]
}

/** A new row; INIT is a row of a full copy that was there before the tracking began. */
export interface InsertChange<R = Row> extends RowChangeBase {
  readonly operation: 'INSERT' | 'INIT'
  readonly after: R
}

export interface UpdateChange<R = Row> extends RowChangeBase {
  readonly operation: 'UPDATE'
  /** Empty where the source logs no image before an update. */
  readonly before: R
  readonly after: R
  /**
   * True when the update wrote another value to the column. A column that the after image does not hold was not
   * written; one that only the after image holds was. Buffers are compared by content, and NaN equals itself.
   */
  changed(column: keyof R & string): boolean
}

export interface DeleteChange<R = Row> extends RowChangeBase {
  readonly operation: 'DELETE'
  readonly before: R
}

/** A statement that changed a schema. It may name a database alone, or nothing. */
export interface DdlChange extends ChangeBase {
  readonly operation: 'DDL'
  readonly statement: string
  readonly database: string | null
  readonly table: string | null
  readonly name: TableName | null
  readonly logical: TableName | null
  readonly keys: readonly string[]
}

export type RowChange<R = Row> = InsertChange<R> | UpdateChange<R> | DeleteChange<R>

/** What a handler gets. */
export type Change<R = Row> = RowChange<R> | DdlChange
