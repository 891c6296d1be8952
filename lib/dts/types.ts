/**
 * The shapes that a DTS record decodes to. Pure types, plus the two enumerations of the record schema in the
 * order of their symbols (the order is the wire encoding).
 */

export const operations = [
  'INSERT',
  'UPDATE',
  'DELETE',
  'DDL',
  'BEGIN',
  'COMMIT',
  'ROLLBACK',
  'ABORT',
  'HEARTBEAT',
  'CHECKPOINT',
  'COMMAND',
  'FILL',
  'FINISH',
  'CONTROL',
  'RDB',
  'NOOP',
  'INIT',
] as const
export type Operation = (typeof operations)[number]

export const sourceTypes = [
  'MySQL',
  'Oracle',
  'SQLServer',
  'PostgreSQL',
  'MongoDB',
  'Redis',
  'DB2',
  'PPAS',
  'DRDS',
  'HBASE',
  'HDFS',
  'FILE',
  'OTHER',
] as const
export type SourceType = (typeof sourceTypes)[number]

/**
 * What every record says of itself before its tags and images. Its positions and transaction are read when asked for,
 * by getters: a copy by spreading lacks them.
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
  /** As on the wire, a dot inside a name still written `\u002E`; null when the record names no object. */
  readonly objectName: string | null
  /** Where in the record's bytes the part behind the object name (processTimestamps, tags, images) starts. */
  readonly bodyStart: number
}

/** `database.table`, or `database.schema.table` where the source has schemas, with names unescaped. */
export interface TableName {
  readonly database: string
  readonly schema: string | null
  readonly table: string
}

/**
 * One column's value. Which one a column has depends on its type alone, never on the value:
 * INT and smaller, YEAR, FLOAT, DOUBLE → number; BIGINT, BIT and integers of unknown width → bigint;
 * DECIMAL, date and time types, text, JSON, ENUM, SET, WKT → string; binary and WKB → Buffer; NULL → null.
 */
export type ColumnValue = string | number | bigint | boolean | Buffer | null

/**
 * A row image. It inherits nothing: `'toString' in row` is false, and a column may have any name. A column that the
 * image does not hold is absent, not undefined.
 */
export type Row = { readonly [column: string]: ColumnValue }

export interface ColumnField {
  readonly name: string
  /** The source's own type number; a hint only, the union branch decides how a value is read. */
  readonly dataTypeNumber: number
}
