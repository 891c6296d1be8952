/**
 * The grammar of a DTS record. A record is one Kafka value: Avro binary, without a schema and without a length of its own.
 * Avro writes the fields in this order, a union as the number of its branch followed by the branch, an enum as the
 * number of its symbol, and every number as a zigzag varint.
 *
 *     Record =
 *       version               int
 *       id                    long
 *       sourceTimestamp       long       seconds since 1970; milliseconds in a synchronisation topic
 *       sourcePosition        string
 *       safeSourcePosition    string
 *       sourceTxid            string
 *       source                { sourceType enum SourceType, version string }
 *       operation             enum Operation
 *       objectName            0 null | 1 string                        header.ts reads the record up to here
 *       processTimestamps     0 null | 1 array of long
 *       tags                  map of string                            tags.ts
 *       fields                0 null | 1 string | 2 array of Field     fields.ts
 *       beforeImages          0 null | 1 string | 2 array of Value     image.ts
 *       afterImages           0 null | 1 string | 2 array of Value     (string: the statement of a DDL record)
 *       bornTimestamp         long       absent in older versions
 *
 *     Field = { name string, dataTypeNumber int }
 *
 *     Value =                                                          value.ts, fast-values.ts
 *        0 null
 *        1 Integer               { precision int, value string }       integers.ts
 *        2 Character             { charset string, value bytes }       charset.ts
 *        3 Decimal               { value string, precision int, scale int }
 *        4 Float                 { value double, precision int, scale int }
 *        5 Timestamp             { timestamp long, millis int }        datetime.ts
 *        6 DateTime              { year, month, day, hour, minute, second, millis: each 0 null | 1 int }
 *        7 TimestampWithTimeZone { value DateTime, timezone string }
 *        8 BinaryGeometry        { type string, value bytes }
 *        9 TextGeometry          { type string, value string }
 *       10 BinaryObject          { type string, value bytes }
 *       11 TextObject            { type string, value string }
 *       12 EmptyObject           enum 0 NULL | 1 NONE                  NONE: the image does not have the column
 *
 * An image has one Value for each Field. `millis` contains microseconds, as Alibaba's SDK reads it. A byte of a union
 * or an enum is twice its number, because of the zigzag encoding: the byte 4 is the branch 2.
 *
 * Alibaba's classes, which are generated from their Avro schema, write the golden records that the tests decode.
 */

/** Symbols of the enum Operation, in the order of their numbers. */
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

/** Symbols of the enum SourceType, in the order of their numbers. Versions of DTS disagree from 12 on. */
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

/** Branches of the union Value, in the order of their numbers. */
export const valueBranches = [
  'null',
  'Integer',
  'Character',
  'Decimal',
  'Float',
  'Timestamp',
  'DateTime',
  'TimestampWithTimeZone',
  'BinaryGeometry',
  'TextGeometry',
  'BinaryObject',
  'TextObject',
  'EmptyObject',
] as const
