import { BoundedCache, FewItems, type Slot } from './bounded-cache.ts'
import type { Cursor } from './cursor.ts'
import { endOfFields, readFields } from './fields.ts'
import { makeProjection, type Projection } from './projection.ts'
import { ownBytes, sameBytes } from './repeated-text.ts'
import type { ColumnField, SourceType } from './types.ts'
import { ColumnReader } from './value.ts'

/** Most projections of a list that are kept. */
const maxProjections = 16
/** Most lists that a table remembers. Its records look through them. */
const maxTableLists = 32
/** About the bytes of memory that all lists may use: 2,700 lists of 30 columns. */
const maxListBytes = 32 * 1024 * 1024
/** What a list takes in memory, and each of its columns apart from its name. */
const bytesPerList = 3000
const bytesPerColumn = 250
/** A name is kept as bytes, as part of the key, as text, and as part of a constructor. */
const copiesOfName = 4

/** A column list, as records write it, with the projections made for it. Tables with the same columns share it. */
class ColumnList {
  readonly #raw: Buffer
  readonly #sourceType: SourceType
  readonly #all: Projection
  /** Reads no column: for callers that need only the facts about the record. */
  readonly #none: Projection
  /** By the names asked for, as JSON. */
  readonly #projections = new BoundedCache<Projection>(maxProjections)
  /** The columns asked for last, by identity: a caller passes the same array for every record. */
  #lastAsked: readonly string[] | undefined
  #lastProjection: Projection

  /** @param raw the bytes of `fields`: every record with these bytes has this column list */
  constructor(raw: Buffer, sourceType: SourceType, columns: readonly ColumnReader[]) {
    this.#raw = raw
    this.#sourceType = sourceType
    this.#all = makeProjection(columns)
    this.#none = makeProjection(columns.map(() => null))
    this.#lastProjection = this.#all
  }

  /** Moves over `fields` if it is this list. */
  skipIn(cursor: Cursor, sourceType: SourceType): boolean {
    const { bytes, end, position } = cursor
    const raw = this.#raw
    if (this.#sourceType !== sourceType || raw.length > end - position) return false
    if (!sameBytes(bytes, position, raw, raw.length)) return false
    cursor.position = position + raw.length
    return true
  }

  project(asked: readonly string[] | undefined): Projection {
    if (asked === this.#lastAsked) return this.#lastProjection
    if (asked === undefined) return this.#all
    if (asked.length === 0) return this.#none
    const projection = this.#projectionOf(asked)
    this.#lastAsked = asked
    this.#lastProjection = projection
    return projection
  }

  #projectionOf(asked: readonly string[]): Projection {
    const key = JSON.stringify(asked)
    const known = this.#projections.get(key)?.value
    if (known) return known
    const wanted = new Set(asked)
    const projection = makeProjection(
      this.#all.columns.map((column) => (column !== null && wanted.has(column.name) ? column : null)),
    )
    this.#projections.add(key, projection, 1)
    return projection
  }
}

/** The lists of all tables, by source type and bytes. */
const lists = new BoundedCache<ColumnList>(maxListBytes)

/** The column lists of one table's records. */
export class ColumnLists {
  readonly #slots = new FewItems<Slot<ColumnList>>(maxTableLists)
  #last = 0

  /**
   * Reads `fields`, at the cursor's position.
   *
   * Avro's encoding of an array marks its own end. So bytes that begin with those of a known list are that list, and a
   * changed column list has other bytes.
   * @param asked the columns to decode; undefined means all. A name that the table lacks is left out
   * @returns null if the record has no column list
   */
  read(cursor: Cursor, sourceType: SourceType, asked: readonly string[] | undefined): Projection | null {
    const { items } = this.#slots
    // Most records have the list of the record before. If lists come in turn, the next one follows.
    for (let tried = 0, at = this.#last; tried < items.length; tried++, at++) {
      if (at === items.length) at = 0
      const list = (items[at] as Slot<ColumnList>).value
      if (list?.skipIn(cursor, sourceType)) {
        this.#last = at
        return list.project(asked)
      }
    }
    return this.#learn(cursor, sourceType)?.project(asked) ?? null
  }

  /** Finds the list among those of all tables, or reads it. */
  #learn(cursor: Cursor, sourceType: SourceType): ColumnList | null {
    const { bytes, position } = cursor
    const next = endOfFields(bytes, position, cursor.end)
    const known = next < 0 ? undefined : lists.get(keyOf(bytes, position, next, sourceType))
    if (known?.value) {
      cursor.position = next
      this.#last = this.#slots.add(known)
      return known.value
    }
    const fields = readFields(cursor)
    if (fields === null) return null
    const raw = ownBytes(bytes, position, cursor.position)
    const list = new ColumnList(
      raw,
      sourceType,
      fields.map((field) => columnReader(field, sourceType)),
    )
    const key = keyOf(bytes, position, cursor.position, sourceType)
    const size = bytesPerList + fields.length * bytesPerColumn + raw.length * copiesOfName
    const slot = lists.get(key) ?? lists.add(key, list, size)
    if (slot !== null) this.#last = this.#slots.add(slot)
    return list
  }
}

function keyOf(bytes: Buffer, start: number, end: number, sourceType: SourceType): string {
  return `${sourceType} ${bytes.toString('latin1', start, end)}`
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
