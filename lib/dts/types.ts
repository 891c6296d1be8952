import type { operations, sourceTypes } from './grammar.ts'

/** The shapes that a record decodes to; grammar.ts describes the record itself. */

export type Operation = (typeof operations)[number]
export type SourceType = (typeof sourceTypes)[number]

/**
 * The fields of a record before its tags and images. The positions and the transaction are getters, which read them
 * from the record's bytes: a copy made by spreading lacks them.
 */
export interface RecordHeader {
  readonly version: number
  readonly id: bigint
  /** When the source logged the change, in seconds since 1970 (milliseconds in a synchronisation topic). */
  readonly sourceTimestamp: number
  readonly sourcePosition: string
  readonly safeSourcePosition: string
  readonly sourceTxid: string
  readonly sourceType: SourceType
  readonly sourceVersion: string
  readonly operation: Operation
  /** As the record writes it: a dot inside a name is `\u002E`. Null when the record names no object. */
  readonly objectName: string | null
  /** Position of the first byte after the object name, where processTimestamps, tags and images begin. */
  readonly bodyStart: number
}

/** `database.table`, or `database.schema.table` if the source has schemas. The names are unescaped. */
export interface TableName {
  readonly database: string
  readonly schema: string | null
  readonly table: string
}

/**
 * One column's value. Its JavaScript type depends on the column's type alone, never on the value:
 * INT and smaller, YEAR, FLOAT, DOUBLE → number; BIGINT, BIT and integers of unknown width → bigint;
 * DECIMAL, date and time types, text, JSON, ENUM, SET, WKT → string; binary and WKB → Buffer; NULL → null.
 */
export type ColumnValue = string | number | bigint | boolean | Buffer | null

/**
 * A row image. It inherits nothing: `'toString' in row` is false, so a column may have any name. If the image does not
 * have a column, the key is absent, not undefined.
 */
export type Row = { readonly [column: string]: ColumnValue }

export interface ColumnField {
  readonly name: string
  /** The source's own type number. It is only a hint: the union branch decides how a value is read. */
  readonly dataTypeNumber: number
}
