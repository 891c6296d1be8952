import { types } from 'node:util'
import type { Context } from 'aws-lambda'
import type { z } from 'zod'
import { declaredTables, problemsOf } from '../dispatch/pattern.ts'
import { type Delivery, type DeliveryInput, deliverySchema } from '../dispatch/settings.ts'
import type { DdlChange, RowChange } from '../dts/change.ts'
import { DtsError } from '../errors.ts'

/** Nothing: the whole run is done. Otherwise everything before `failedAt` (an index) is. */
// biome-ignore lint/suspicious/noConfusingVoidType: to the compiler a function without a return statement returns void
export type BatchResult = void | { readonly failedAt: number; readonly error?: unknown }

/** What a table's file declares; with the settings of delivery, all of which have defaults. */
export interface TableDefinition<Schema extends z.ZodObject> extends DeliveryInput {
  /**
   * `database.table` (`database.schema.table` where the source has schemas), a pattern such as `shop_*.orders_*`, or
   * `*` for every table that no other file handles. A list may hold several, and exclusions that begin with `!`:
   * `['shop.orders_*', '!shop.orders_tmp']`.
   */
  readonly table: string | readonly string[]
  /** The columns that the handler needs and their types; no other column is decoded. `z.looseObject`: all. */
  readonly row: Schema
  /**
   * For bytes that are not text in their column's character set. `refuse` fails the change, which then follows
   * `onFailure`. `replace` reads them as U+FFFD and so loses them. Default: `refuse`.
   */
  readonly invalidText?: 'refuse' | 'replace'
  /**
   * Called for each change, in order, one at a time. It has done its work when its promise resolves. What it returns
   * does not matter, unless that says that it failed: an error, `failedAt`, `batchItemFailures`.
   */
  readonly onChange?: (change: RowChange<z.output<Schema>>, context: Context) => Promise<void> | void
  /** Called with runs of changes instead, in order. What it returns or throws says how far the run is done. */
  readonly onBatch?: (
    changes: readonly RowChange<z.output<Schema>>[],
    context: Context,
  ) => Promise<BatchResult> | BatchResult
  /** Called for statements such as ALTER TABLE; without it they are acknowledged unseen. */
  readonly onDdl?: (change: DdlChange, context: Context) => Promise<void> | void
}

/** A run that is acknowledged as a whole is repeated as a whole, so it is shorter unless told. */
const defaultRunSize = 100

/** @throws DtsError CONFIG_INVALID with everything that is wrong with a definition */
export function parseDefinition<Schema extends z.ZodObject>(definition: TableDefinition<Schema>): Delivery {
  if (typeof definition !== 'object' || definition === null) {
    throw invalid('a table', ['it takes one object: { table, row, onChange or onBatch }'])
  }
  const { table, row, onChange, onBatch, onDdl, invalidText = 'refuse', ...delivery } = definition
  const problems = [
    ...tableProblems(table),
    ...rowProblems(row),
    ...Object.entries({ onChange, onBatch, onDdl }).flatMap(([name, handler]) =>
      handlerProblems(name, handler),
    ),
  ]
  if (invalidText !== 'refuse' && invalidText !== 'replace') {
    problems.push("invalidText must be 'refuse' or 'replace'")
  }
  if ((onChange === undefined) === (onBatch === undefined)) {
    problems.push('exactly one of onChange and onBatch must be given')
  }
  const size = onBatch === undefined ? {} : { batchSize: defaultRunSize }
  const parsed = deliverySchema.safeParse({ ...size, ...delivery })
  if (!parsed.success) {
    problems.push(...parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`))
  }
  if (parsed.success && problems.length === 0) return parsed.data
  throw invalid(tableText(table), problems)
}

function tableProblems(table: unknown): string[] {
  const isDeclared = (value: unknown) => typeof value === 'string'
  if (isDeclared(table) || (Array.isArray(table) && table.every(isDeclared))) {
    return problemsOf(declaredTables(table))
  }
  return ['table must be database.table, database.schema.table, * or a list of these']
}

/** The declared tables as one text, for messages. */
export function tableText(table: unknown): string {
  const texts = [table].flat().filter((text) => typeof text === 'string')
  return texts.length === 0 ? 'a table' : texts.join(', ')
}

function rowProblems(row: unknown): string[] {
  const type = schemaType(row)
  if (type === 'object') {
    const { shape } = row as z.ZodObject
    if (!Object.hasOwn(shape, '__proto__')) return []
    return [
      'row cannot declare a column named __proto__: z.looseObject gives it to the handler as the source wrote it',
    ]
  }
  if (type === 'pipe' || type === 'transform') {
    return [
      'row must be a z.object: .transform(), .pipe() and z.preprocess make another schema of it. Transform a column ' +
        'inside the z.object, or the whole row in the handler',
    ]
  }
  if (type !== null) {
    return [
      `row must be a z.object or z.looseObject, not one of type ${type}: it names the columns to decode`,
    ]
  }
  return typeof row === 'object' && row !== null
    ? ['row must be a schema of zod: write row: z.object({ … }) around the columns']
    : [
        'row is missing: write row: z.object({ … }) with the columns, or row: z.looseObject({}) for all of them',
      ]
}

/** What kind of schema zod (4, or its mini form) calls it; null for what is none. */
function schemaType(row: unknown): string | null {
  const internals = row instanceof Object && '_zod' in row ? row._zod : null
  if (!(internals instanceof Object) || !('def' in internals)) return null
  const { def } = internals
  return def instanceof Object && 'type' in def ? String(def.type) : null
}

function handlerProblems(name: string, handler: unknown): string[] {
  if (handler === undefined) return []
  if (typeof handler !== 'function') return [`${name} must be a function`]
  // Calling one only makes the generator: its body would never run, and every change count as done.
  return types.isGeneratorFunction(handler) ? [`${name} must not be a generator function (function*)`] : []
}

function invalid(table: string, problems: readonly string[]): DtsError {
  return new DtsError('CONFIG_INVALID', `defineTable for ${table}: ${problems.join('; ')}.`, {
    retryable: false,
  })
}
