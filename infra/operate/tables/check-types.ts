import { type $ZodIssue, type $ZodObject, safeParse } from 'zod/v4/core'
import { maskedRow } from '../../../lib/dispatch/mask.ts'
import { declaredTables, Pattern } from '../../../lib/dispatch/pattern.ts'
import { type Mask, requiredColumns } from '../../../lib/dts/mask-record.ts'
import { listNames } from '../../../lib/text/name-list.ts'
import { printable } from '../../../lib/text/printable.ts'
import { lineNaming } from '../../source-place.ts'
import { imagesOf, type Sampling, type TableSample } from './sample.ts'

/** A handler file, as far as the check needs it. */
export interface CheckedHandler {
  /** The file's name in messages. */
  readonly file: string
  /** Its text, to name lines. */
  readonly source: string
  readonly table: string | readonly string[]
  readonly row: $ZodObject
  /** The operations that reach the handler; all if undefined. */
  readonly operations: readonly string[] | undefined
  /** The columns that the filter reads. */
  readonly filtered: readonly string[]
  readonly mask: Mask
}

/** A place where a handler and the stream contradict each other. */
export interface Drift {
  readonly file: string
  /** Counted from 1. */
  readonly line: number
  readonly message: string
}

/** The tables of the handlers, as patterns without the exceptions. */
export function patternsOf(handlers: readonly CheckedHandler[]): Pattern[] {
  return handlers.flatMap(({ table }) => declaredTables(table).patterns.map((text) => new Pattern(text)))
}

/** Compares the rows that handlers declare with the changes of the stream. */
export function findDrift(handlers: readonly CheckedHandler[], sampling: Sampling): Drift[] {
  return handlers.flatMap((handler) => driftOf(handler, sampling))
}

function driftOf(handler: CheckedHandler, { samples, tables, records }: Sampling): Drift[] {
  const { patterns, except } = declaredTables(handler.table)
  const excluded = except.map((text) => new Pattern(text))
  const found: Drift[] = []
  const handled: TableSample[] = []
  for (const text of patterns) {
    const pattern = new Pattern(text)
    const matching = [...samples.values()].filter(
      ({ table }) => pattern.matches(table) && !excluded.some((one) => one.matches(table)),
    )
    handled.push(...matching)
    if (matching.length > 0) continue
    const known = [...tables].slice(0, 20).map(printable).join(', ') || 'none'
    found.push(
      at(handler, text, `no table of the newest ${records} records matches ${text}; they have ${known}`),
    )
  }
  for (const sample of new Set(handled)) found.push(...driftOfTable(handler, sample))
  return found
}

function driftOfTable(handler: CheckedHandler, { table, columns, changes }: TableSample): Drift[] {
  const names = columns.map(({ name }) => name)
  const found = new Map<string, string>()
  for (const [column, schema] of Object.entries(handler.row._zod.def.shape)) {
    const isOptional = safeParse(schema, undefined).success
    if (!names.includes(column) && !isOptional) {
      found.set(
        column,
        `${table} has no column ${column}; its columns are ${names.map(printable).join(', ')}`,
      )
    }
  }
  const named = [
    ...handler.filtered.map((column) => [column, 'filter'] as const),
    ...requiredColumns(handler.mask).map((column) => [column, 'mask'] as const),
  ]
  for (const [column, rule] of named) {
    if (names.includes(column)) continue
    const known = `its columns are ${listNames(names)}`
    found.set(column, `${table} has no column ${column}, which the ${rule} names; ${known}`)
  }
  for (const change of changes) {
    if (!(handler.operations?.includes(change.operation) ?? true)) continue
    for (const image of imagesOf(change)) {
      for (const issue of safeParse(handler.row, maskedRow(image, handler.mask, noKey), { reportInput: true })
        .error?.issues ?? []) {
        const column = String(issue.path[0] ?? 'row')
        if (!found.has(column))
          found.set(column, `${table}.${column} at offset ${change.offset}: ${reasonOf(issue)}`)
      }
    }
  }
  return Array.from(found, ([column, message]) => at(handler, column, message))
}

/** The type of a hash does not depend on the key. */
const noKey = ''

/** Without the value, which may be secret. */
function reasonOf(issue: $ZodIssue): string {
  if (issue.code !== 'invalid_type') return `the row schema refuses the value (${issue.code})`
  const { input } = issue
  const received =
    input === undefined
      ? 'no value'
      : input === null
        ? 'NULL'
        : Buffer.isBuffer(input)
          ? 'Buffer'
          : typeof input
  return `the handler expects ${issue.expected}, the stream has ${received}`
}

/** The line that first names the column or table. */
function at({ file, source }: CheckedHandler, name: string, message: string): Drift {
  return { file, line: lineNaming(source, name), message }
}
