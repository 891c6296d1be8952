import type { Cursor } from './cursor.ts'
import { sameBytes } from './repeated-text.ts'
import { RowFactory } from './row-factory.ts'
import type { ColumnField, SourceType } from './types.ts'
import { ColumnReader } from './value.ts'

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

function makeProjection(columns: readonly (ColumnReader | null)[]): Projection {
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

/** A table's column list, as one record wrote it, with the projections made for it. */
interface ColumnList {
  /** The bytes of `fields`: every record with these bytes has this column list. */
  readonly raw: Buffer
  readonly length: number
  readonly sourceType: SourceType
  readonly all: Projection
  readonly projections: Map<string, Projection>
  /** The columns asked for last, by identity: a caller passes the same array for every record. */
  lastAsked: readonly string[] | undefined
  lastProjection: Projection
}

/** Limits of the cache: lists of a table, columns of a list, projections of a list. Anything beyond is read each time. */
const maxLists = 4
const maxColumns = 512
const maxProjections = 16

/** The column lists of one table's records, the newest first. */
export class ColumnLists {
  readonly #lists: ColumnList[] = []

  /**
   * Reads `fields`, at the cursor's position.
   *
   * Avro's encoding of an array marks its own end. So bytes that begin with those of a cached list are that list, and a
   * changed column list has other bytes.
   * @param asked the columns to decode; undefined means all. A name that the table lacks is left out
   * @returns null if the record has no column list
   */
  read(cursor: Cursor, sourceType: SourceType, asked: readonly string[] | undefined): Projection | null {
    const { bytes, end, position } = cursor
    const lists = this.#lists
    for (let index = 0; index < lists.length; index++) {
      const list = lists[index] as ColumnList
      const { raw, length } = list
      if (
        list.sourceType === sourceType &&
        length <= end - position &&
        sameBytes(bytes, position, raw, length)
      ) {
        cursor.position = position + length
        return asked === undefined ? list.all : selectColumns(list, asked)
      }
    }
    const start = cursor.position
    const fields = readFields(cursor)
    if (fields === null) return null
    const columns = fields.map((field) => columnReader(field, sourceType))
    const all = makeProjection(columns)
    const list: ColumnList = {
      raw: Buffer.from(cursor.bytes.subarray(start, cursor.position)),
      length: cursor.position - start,
      sourceType,
      all,
      projections: new Map(),
      lastAsked: undefined,
      lastProjection: all,
    }
    if (columns.length <= maxColumns) {
      this.#lists.unshift(list)
      if (this.#lists.length > maxLists) this.#lists.pop()
    }
    return asked === undefined ? all : selectColumns(list, asked)
  }
}

function selectColumns(list: ColumnList, asked: readonly string[]): Projection {
  if (asked === list.lastAsked) return list.lastProjection
  const key = JSON.stringify(asked)
  let projection = list.projections.get(key)
  if (projection === undefined) {
    const wanted = new Set(asked)
    const columns = list.all.columns.map((column) =>
      column !== null && wanted.has(column.name) ? column : null,
    )
    projection = makeProjection(columns)
    if (list.projections.size >= maxProjections) list.projections.clear()
    list.projections.set(key, projection)
  }
  list.lastAsked = asked
  list.lastProjection = projection
  return projection
}

/** The columns that `fields` names; null if it is null. */
export function readFields(cursor: Cursor): ColumnField[] | null {
  cursor.section = 'fields'
  const start = cursor.position
  const kind = cursor.index(3, '')
  if (kind === 0) return null
  if (kind === 1) throw cursor.failAt(start, '', 'a string instead of a column list')
  const fields: ColumnField[] = []
  const names = new Set<string>()
  for (let left = cursor.block(2); left > 0; left = cursor.block(2)) {
    for (; left > 0; left--) {
      cursor.item = fields.length
      const name = cursor.string('name')
      if (names.has(name)) throw cursor.fail('name', 'the same column name twice')
      names.add(name)
      fields.push({ name, dataTypeNumber: cursor.int('dataTypeNumber') })
    }
    cursor.item = -1
  }
  return fields
}

/** Moves over `fields`. */
export function skipFields(cursor: Cursor): void {
  cursor.section = 'fields'
  const kind = cursor.index(3, '')
  if (kind === 1) cursor.skipBytes('')
  if (kind !== 2) return
  let item = 0
  for (let left = cursor.block(2); left > 0; left = cursor.block(2)) {
    for (; left > 0; left--) {
      cursor.item = item++
      cursor.skipBytes('name')
      cursor.skipVarint('dataTypeNumber')
    }
    cursor.item = -1
  }
}

/** MySQL, and the sources that write the type numbers of its binlog. */
const mysqlLike: ReadonlySet<SourceType> = new Set<SourceType>(['MySQL', 'DRDS'])
const postgresLike: ReadonlySet<SourceType> = new Set<SourceType>(['PostgreSQL', 'PPAS'])

/** Integer types that fit into a number: TINYINT, SMALLINT, INT, MEDIUMINT, YEAR; int2 and int4. */
const mysqlNarrow: ReadonlySet<number> = new Set([1, 2, 3, 9, 13])
const postgresNarrow: ReadonlySet<number> = new Set([21, 23])

function columnReader(field: ColumnField, sourceType: SourceType): ColumnReader {
  const mysql = mysqlLike.has(sourceType)
  const postgres = postgresLike.has(sourceType)
  const narrow =
    (mysql && mysqlNarrow.has(field.dataTypeNumber)) || (postgres && postgresNarrow.has(field.dataTypeNumber))
  return new ColumnReader(field.name, !narrow, sourceType)
}
