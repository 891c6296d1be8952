import type { RowChange } from '../../../lib/dts/change.ts'
import { decodeChange } from '../../../lib/dts/decode-change.ts'
import { carriesChange, isFiller, readHeader } from '../../../lib/dts/header.ts'
import { readColumns } from '../../../lib/dts/read-columns.ts'
import type { ColumnField, ColumnValue, SourceType } from '../../../lib/dts/types.ts'
import type { LogRecord } from '../../../lib/kafka/records.ts'
import type { Stream } from '../../../lib/kafka/stream.ts'
import { allRecords } from '../../../lib/log/scan.ts'

/** The JavaScript type of a column's values, as typeof names it; `Buffer` for binary columns. */
export type Kind = 'number' | 'bigint' | 'string' | 'boolean' | 'Buffer'

export interface SampledColumn extends ColumnField {
  /** The types of its values; empty if every value is NULL or absent. */
  readonly kinds: ReadonlySet<Kind>
  readonly hasNull: boolean
  /** Whether an image of a row lacks the column. */
  readonly isSometimesAbsent: boolean
}

/** What the newest changes of a table show. */
export interface TableSample {
  readonly table: string
  readonly sourceType: SourceType
  /** In the order of the newest change. */
  readonly columns: readonly SampledColumn[]
  readonly keys: readonly string[]
  readonly changes: readonly RowChange[]
}

export interface Sampling {
  readonly samples: ReadonlyMap<string, TableSample>
  /** All tables that the part of the log has, as the records name them. */
  readonly tables: ReadonlySet<string>
  /** The number of records in that part, from the end of the log. */
  readonly records: number
}

/** Enough rows to see NULL in columns that often have it. */
const wantedChanges = 500
const firstStep = 20_000n
/** The search back from the end ends after so many records. */
const mostRecords = 2_000_000
const mostTables = 1_000

/**
 * Reads the newest changes of tables, in growing steps back from the end of the log.
 * @param wants whether a table is of interest
 * @param isEnough whether the samples so far suffice; asked after each step
 * @throws DtsError as `allRecords`; RECORD_INVALID
 */
export async function sampleTables(
  stream: Stream,
  wants: (table: string) => boolean,
  isEnough: (changes: ReadonlyMap<string, number>) => boolean,
): Promise<Sampling> {
  const { earliest, end } = await stream.range()
  const tables = new Set<string>()
  const newest = new Map<string, RowChange[]>()
  const shapes = new Map<string, Shape>()
  let records = 0
  let upper = end
  for (let step = firstStep; upper > earliest && records < mostRecords; step *= 4n) {
    const reach = BigInt(Math.min(Number(step), mostRecords - records))
    const from = upper - reach < earliest ? earliest : upper - reach
    const found = new Map<string, RowChange[]>()
    const foundShapes = new Map<string, Shape>()
    for await (const record of allRecords(stream, from, upper)) {
      records += 1
      const row = rowOf(record, wants, tables)
      if (row === null) continue
      const changes = found.get(row.change.table) ?? []
      changes.push(row.change)
      if (changes.length > wantedChanges) changes.shift()
      found.set(row.change.table, changes)
      foundShapes.set(row.change.table, row.shape)
    }
    for (const [table, changes] of found) {
      newest.set(table, [...changes, ...(newest.get(table) ?? [])].slice(-wantedChanges))
    }
    for (const [table, shape] of foundShapes) if (!shapes.has(table)) shapes.set(table, shape)
    upper = from
    if (isEnough(new Map(Array.from(newest, ([table, changes]) => [table, changes.length])))) break
  }
  const samples = Array.from(newest, ([table, changes]): [string, TableSample] => [
    table,
    toSample(table, shapes.get(table), changes),
  ])
  return { samples: new Map(samples), tables, records }
}

/** Whether a sample of one table suffices. */
export function hasEnough(changes: ReadonlyMap<string, number>, table: string): boolean {
  return (changes.get(table) ?? 0) >= wantedChanges
}

/** The images of a change, without a before image that the source does not log. */
export function imagesOf(change: RowChange): { readonly [column: string]: ColumnValue }[] {
  const images = []
  if ('before' in change && Object.keys(change.before).length > 0) images.push(change.before)
  if ('after' in change) images.push(change.after)
  return images
}

interface Shape {
  readonly fields: readonly ColumnField[]
  readonly sourceType: SourceType
}

function rowOf(
  { size, value, offset }: LogRecord,
  wants: (table: string) => boolean,
  tables: Set<string>,
): { readonly change: RowChange; readonly shape: Shape } | null {
  if (value === null || isFiller(size)) return null
  const { operation, objectName, sourceType } = readHeader(value)
  if (!carriesChange(operation) || operation === 'DDL' || objectName === null) return null
  if (tables.size < mostTables) tables.add(objectName)
  if (!wants(objectName)) return null
  // A change reads some of its record's bytes later.
  const bytes = Buffer.from(value)
  const header = readHeader(bytes)
  const change = decodeChange(bytes, header, { offset, generation: 0, replay: false }, undefined, true)
  return { change: change as RowChange, shape: { fields: readColumns(bytes, header), sourceType } }
}

function toSample(table: string, shape: Shape | undefined, changes: readonly RowChange[]): TableSample {
  const { fields = [], sourceType = 'OTHER' } = shape ?? {}
  return {
    table,
    sourceType,
    keys: changes.at(-1)?.keys ?? [],
    columns: fields.map((field) => sampledColumn(field, changes)),
    changes,
  }
}

function sampledColumn(field: ColumnField, changes: readonly RowChange[]): SampledColumn {
  const kinds = new Set<Kind>()
  let hasNull = false
  let isSometimesAbsent = false
  for (const row of changes.flatMap(imagesOf)) {
    const value = row[field.name]
    if (value === undefined) isSometimesAbsent = true
    else if (value === null) hasNull = true
    else kinds.add(Buffer.isBuffer(value) ? 'Buffer' : (typeof value as Exclude<Kind, 'Buffer'>))
  }
  return { ...field, kinds, hasNull, isSometimesAbsent }
}
