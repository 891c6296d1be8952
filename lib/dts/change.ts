import type { Tags } from './tags.ts'
import type { Row, SourceType, TableName } from './types.ts'

/** The place of a change in the log. */
export interface ChangeOrigin {
  readonly offset: bigint
  /** Rises each time recovery moves the checkpoint. Offsets of two generations cannot be compared. */
  readonly generation: number
  /** True if the change may have been delivered before. */
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
   * The same for every delivery of this change, from another cluster too. Two changes have the same key only if they are
   * equal rows of one statement in a table without a primary key.
   */
  readonly idempotencyKey: string
}

interface RowChangeBase extends ChangeBase {
  /** `database.table` or `database.schema.table`; a dot inside a name is written `\u002E`. */
  readonly table: string
  readonly name: TableName
  /** The name that a sharded source shows to its users; null if the record has none. */
  readonly logical: TableName | null
  /** Columns of the primary key; empty if the record does not name them. */
  readonly keys: readonly string[]
}

/** A new row. INIT is a row of the full copy, which existed before the tracking began. */
export interface InsertChange<R = Row> extends RowChangeBase {
  readonly operation: 'INSERT' | 'INIT'
  readonly after: R
}

/** A changed row. An update may change the primary key. */
export interface UpdateChange<R = Row> extends RowChangeBase {
  readonly operation: 'UPDATE'
  /** Empty if the source does not log before images of updates. */
  readonly before: R
  readonly after: R
  /**
   * True if the update wrote another value to the column. A column that is absent from the after image was not written;
   * one that only the after image has was written. Buffers are compared by content, and NaN equals itself.
   */
  changed(column: keyof R & string): boolean
}

/** A deleted row. */
export interface DeleteChange<R = Row> extends RowChangeBase {
  readonly operation: 'DELETE'
  readonly before: R
}

/** A statement that changed a schema. It may name only a database, or nothing. */
export interface DdlChange extends ChangeBase {
  readonly operation: 'DDL'
  readonly statement: string
  readonly database: string | null
  readonly table: string | null
  readonly name: TableName | null
  readonly logical: TableName | null
  readonly keys: readonly string[]
}

/** A change of one row. `operation` says which images it has. */
export type RowChange<R = Row> = InsertChange<R> | UpdateChange<R> | DeleteChange<R>

/** A change as a handler gets it. */
export type Change<R = Row> = RowChange<R> | DdlChange
