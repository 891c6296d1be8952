import type { Cursor } from './cursor.ts'
import { sameBytes } from './repeated-text.ts'
import { RowFactory } from './row-factory.ts'
import type { ColumnField, SourceType } from './types.ts'
import { ColumnReader } from './value.ts'

/** For each column of the record in its order: how to read it, or null to move over it. */
export interface Projection {
  readonly columns: readonly (ColumnReader | null)[]
  /** For each column that is moved over: how many such stand side by side from there on. */
  readonly runs: Int32Array
  /** How many of the columns are read. */
  readonly wanted: number
  /** Position of the first column behind the last that is read. */
  readonly wantedEnd: number
  /** Makes rows of the columns that are read, in their order. */
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

/** A table's column list, as one record wrote it, with the plans made for it. */
interface ColumnList {
  /** The bytes of `fields`: another record with these bytes has this column list. */
  readonly raw: Buffer
  readonly length: number
  readonly sourceType: SourceType
  readonly all: Projection
  readonly projections: Map<string, Projection>
  /** The projection asked for last, by identity: callers ask with the same array for every record. */
  lastAsked: readonly string[] | undefined
  lastProjection: Projection
}

/** Column lists remembered per table, columns in one of them, and projections per list. More are read afresh. */
const maxLists = 4
const maxColumns = 512
const maxProjections = 16

/** The column lists that one table's records came with, the newest first. */
export class ColumnLists {
  readonly #lists: ColumnList[] = []

  /**
   * Reads `fields` (null, string, or array of Field), at which the cursor stands.
   *
   * Avro's encoding of an array ends itself, so bytes that start with those of a known list are that list: the
   * comparison needs no length, and a changed column list differs in its bytes and is read anew.
   * @param asked the columns to decode, all when undefined; names that the table lacks are left out
   * @returns null when the record has no column list
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

/** The columns that `fields` names, null when it is null. */
function readFields(cursor: Cursor): ColumnField[] | null {
  cursor.section = 'fields'
  const start = cursor.position
  const kind = cursor.index(3, '')
  if (kind === 0) return null
  if (kind === 1) throw cursor.failAt(start, '', 'a string where a column list is needed')
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

/** MySQL's own, and those that write its binlog types. */
const mysqlLike: ReadonlySet<SourceType> = new Set<SourceType>(['MySQL', 'DRDS'])
const postgresLike: ReadonlySet<SourceType> = new Set<SourceType>(['PostgreSQL', 'PPAS'])

/** Integer types that a number holds: TINYINT, SMALLINT, INT, MEDIUMINT, YEAR; int2 and int4. */
const mysqlNarrow: ReadonlySet<number> = new Set([1, 2, 3, 9, 13])
const postgresNarrow: ReadonlySet<number> = new Set([21, 23])

function columnReader(field: ColumnField, sourceType: SourceType): ColumnReader {
  const mysql = mysqlLike.has(sourceType)
  const postgres = postgresLike.has(sourceType)
  const narrow =
    (mysql && mysqlNarrow.has(field.dataTypeNumber)) || (postgres && postgresNarrow.has(field.dataTypeNumber))
  return new ColumnReader(field.name, !narrow, sourceType)
}
