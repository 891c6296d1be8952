import type { Cursor } from './cursor.ts'
import type { ColumnField, SourceType } from './types.ts'
import type { ColumnReader } from './values.ts'

/** For each column of the record in its order: how to read it, or null to move over it. */
export type ColumnPlan = readonly (ColumnReader | null)[]

/** A table's column list, as one record wrote it, with the plans made for it. */
interface ColumnList {
  /** The bytes of `fields`: another record with these bytes has this column list. */
  readonly raw: Buffer
  readonly sourceType: SourceType
  readonly columns: readonly ColumnReader[]
  readonly projections: Map<string, ColumnPlan>
  /** The projection asked for last, by identity: callers ask with the same array for every record. */
  lastAsked: readonly string[] | undefined
  lastPlan: ColumnPlan
}

/** Tables whose column list is remembered; the one added first makes room. */
const maxTables = 2_000
/** Column lists remembered per table, and projections per list. More than these are read afresh. */
const maxLists = 4
const maxProjections = 16

const tables = new Map<string, ColumnList[]>()

/**
 * Reads `fields` (null, string, or array of Field), at which the cursor stands.
 *
 * Avro's encoding of an array ends itself, so bytes that start with those of a known list are that list: the
 * comparison needs no length, and a changed column list differs in its bytes and is read anew.
 * @param asked the columns to decode, all when undefined; names that the table lacks are left out
 * @returns null when the record has no column list
 */
export function readColumnPlan(
  cursor: Cursor,
  objectName: string,
  sourceType: SourceType,
  asked: readonly string[] | undefined,
): ColumnPlan | null {
  const known = tables.get(objectName)
  if (known !== undefined) {
    for (const list of known) {
      if (list.sourceType === sourceType && startsWith(cursor, list.raw)) {
        cursor.position += list.raw.length
        return planOf(list, asked)
      }
    }
  }
  const start = cursor.position
  const fields = readFields(cursor)
  if (fields === null) return null
  const columns = fields.map((field) => columnReader(field, sourceType))
  const list: ColumnList = {
    raw: Buffer.from(cursor.bytes.subarray(start, cursor.position)),
    sourceType,
    columns,
    projections: new Map(),
    lastAsked: undefined,
    lastPlan: columns,
  }
  remember(objectName, list)
  return planOf(list, asked)
}

/** The columns that `fields` names, null when it is null. */
export function readFields(cursor: Cursor): ColumnField[] | null {
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

function startsWith(cursor: Cursor, raw: Buffer): boolean {
  const { bytes, position, end } = cursor
  const length = raw.length
  if (end - position < length) return false
  for (let at = 0; at < length; at++) {
    if (bytes[position + at] !== raw[at]) return false
  }
  return true
}

function remember(objectName: string, list: ColumnList): void {
  const known = tables.get(objectName)
  if (known !== undefined) {
    known.unshift(list)
    if (known.length > maxLists) known.pop()
    return
  }
  if (tables.size >= maxTables) {
    for (const oldest of tables.keys()) {
      tables.delete(oldest)
      break
    }
  }
  tables.set(objectName, [list])
}

function planOf(list: ColumnList, asked: readonly string[] | undefined): ColumnPlan {
  if (asked === undefined) return list.columns
  if (asked === list.lastAsked) return list.lastPlan
  const key = JSON.stringify(asked)
  let plan = list.projections.get(key)
  if (plan === undefined) {
    const wanted = new Set(asked)
    plan = list.columns.map((column) => (wanted.has(column.name) ? column : null))
    if (list.projections.size >= maxProjections) list.projections.clear()
    list.projections.set(key, plan)
  }
  list.lastAsked = asked
  list.lastPlan = plan
  return plan
}

/** MySQL's own, and those that write its binlog types. */
const mysqlKin: ReadonlySet<SourceType> = new Set<SourceType>(['MySQL', 'DRDS'])
const postgresKin: ReadonlySet<SourceType> = new Set<SourceType>(['PostgreSQL', 'PPAS'])

/** Integer types that a number holds: TINYINT, SMALLINT, INT, MEDIUMINT, YEAR; int2 and int4. */
const mysqlNarrow: ReadonlySet<number> = new Set([1, 2, 3, 9, 13])
const postgresNarrow: ReadonlySet<number> = new Set([21, 23])

function columnReader(field: ColumnField, sourceType: SourceType): ColumnReader {
  const mysql = mysqlKin.has(sourceType)
  const postgres = postgresKin.has(sourceType)
  const narrow =
    (mysql && mysqlNarrow.has(field.dataTypeNumber)) || (postgres && postgresNarrow.has(field.dataTypeNumber))
  return { name: field.name, wide: !narrow, microsPerUnit: mysql || postgres ? 1 : 1000 }
}
