import { types } from 'node:util'
import { type $ZodObject, type $ZodType, type output, safeParse } from 'zod/v4/core'
import { type DeclaredTable, declaredTables, problemsOf } from '../dispatch/pattern.ts'
import { type Delivery, type DeliveryInput, deliverySchema } from '../dispatch/settings.ts'
import type { DdlChange, DeleteChange, InsertChange, RowChange, UpdateChange } from '../dts/change.ts'
import { effectOn } from '../dts/mask-record.ts'
import { DtsError } from '../errors.ts'
import type { HandlerContext } from './handler-context.ts'
import type { Transaction } from './transactions.ts'

/** Nothing: the whole run is done. Otherwise the changes before the index `failedAt` are done. */
// biome-ignore lint/suspicious/noConfusingVoidType: to the compiler a function without a return statement returns void
export type BatchResult = void | { readonly failedAt: number; readonly error?: unknown }

/** The declaration in a table's file. The settings of delivery belong to it; each has a default. */
export interface TableDefinition<Schema extends $ZodObject> extends DeliveryInput {
  /**
   * `database.table` (`database.schema.table` where the source has schemas), a pattern such as `shop_*.orders_*`, or
   * `*` for every table that no other file handles. A list may contain several, and exclusions that begin with `!`:
   * `['shop.orders_*', '!shop.orders_tmp']`.
   */
  readonly table: DeclaredTable | readonly DeclaredTable[]
  /** The columns that the handler needs, and their types. No other column is decoded. `z.looseObject`: all columns. */
  readonly row: Schema
  /**
   * Decides about bytes that are not text in their column's character set. `refuse` fails the change, and `onFailure`
   * applies. `replace` reads them as U+FFFD, and so loses them. Default: `refuse`.
   */
  readonly invalidText?: 'refuse' | 'replace'
  /**
   * Called for each change without a callback of its own below, in order, one at a time. The change is done when the promise
   * resolves. The returned value does not matter, unless it means a failure: an error, `failedAt`, `batchItemFailures`.
   */
  readonly onChange?: (change: RowChange<output<Schema>>, context: HandlerContext) => Promise<void> | void
  /** Called for INSERT and INIT, instead of `onChange`. */
  readonly onInsert?: (change: InsertChange<output<Schema>>, context: HandlerContext) => Promise<void> | void
  /** Called for UPDATE, instead of `onChange`. */
  readonly onUpdate?: (change: UpdateChange<output<Schema>>, context: HandlerContext) => Promise<void> | void
  /** Called for DELETE, instead of `onChange`. */
  readonly onDelete?: (change: DeleteChange<output<Schema>>, context: HandlerContext) => Promise<void> | void
  /** Called with runs of all changes, in order, instead of the callbacks above. Its answer says how much of the run is done. */
  readonly onBatch?: (
    changes: readonly RowChange<output<Schema>>[],
    context: HandlerContext,
  ) => Promise<BatchResult> | BatchResult
  /**
   * Called with whole transactions of the source, in order, instead of the callbacks above. A transaction of more than `batchSize`
   * changes or `batchBytes` comes in parts. The transaction is done when the promise resolves; if it fails, none of its changes is done.
   */
  readonly onTransaction?: (
    transaction: Transaction<output<Schema>>,
    context: HandlerContext,
  ) => Promise<void> | void
  /** Called for statements such as ALTER TABLE. Without it, they are acknowledged and skipped. */
  readonly onDdl?: (change: DdlChange, context: HandlerContext) => Promise<void> | void
}

/** A run can fail as a whole, and then repeats as a whole. So its default is shorter than that of single changes. */
const defaultRunSize = 100

/** @throws DtsError CONFIG_INVALID with every problem of the definition */
export function parseDefinition<Schema extends $ZodObject>(definition: TableDefinition<Schema>): Delivery {
  if (typeof definition !== 'object' || definition === null) {
    throw invalid('a table', ['it takes one object: { table, row, onChange, onBatch or onTransaction }'])
  }
  const { table, row, onChange, onInsert, onUpdate, onDelete, onBatch, onTransaction, onDdl, ...options } =
    definition
  const { invalidText = 'refuse', ...delivery } = options
  const ofOperations = { onInsert, onUpdate, onDelete }
  const problems = [
    ...tableProblems(table),
    ...rowProblems(row),
    ...Object.entries({ onChange, ...ofOperations, onBatch, onTransaction, onDdl }).flatMap(
      ([name, handler]) => handlerProblems(name, handler),
    ),
    ...choiceProblems(definition),
    ...transactionProblems(definition),
  ]
  if (invalidText !== 'refuse' && invalidText !== 'replace') {
    problems.push("invalidText must be 'refuse' or 'replace'")
  }
  const size = onBatch === undefined ? {} : { batchSize: defaultRunSize }
  const transactions = onTransaction === undefined ? {} : { transactions: true }
  const parsed = deliverySchema.safeParse({ ...size, ...delivery, ...transactions })
  if (!parsed.success) {
    problems.push(...parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`))
  }
  if (parsed.success)
    problems.push(...unreachable(ofOperations, parsed.data), ...maskProblems(row, parsed.data))
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

/** The declared tables as one text, for messages. Accepts invalid declarations too. */
export function tableText(table: unknown): string {
  const texts = [table].flat().filter((text) => typeof text === 'string')
  return texts.length === 0 ? 'a table' : texts.join(', ')
}

function rowProblems(row: unknown): string[] {
  const type = schemaType(row)
  if (type === 'object') {
    const { shape } = (row as $ZodObject)._zod.def
    if (!Object.hasOwn(shape, '__proto__')) return []
    return [
      'row cannot declare a column named __proto__: use z.looseObject, which gives the source value to the handler',
    ]
  }
  if (type === 'pipe' || type === 'transform') {
    return [
      'row must be a z.object: .transform(), .pipe() and z.preprocess make another schema. Transform a column ' +
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

/** The type that zod (4, or its mini form) gives a schema; null if the value is not a schema. */
function schemaType(row: unknown): string | null {
  const internals = row instanceof Object && '_zod' in row ? row._zod : null
  if (!(internals instanceof Object) || !('def' in internals)) return null
  const { def } = internals
  return def instanceof Object && 'type' in def ? String(def.type) : null
}

function handlerProblems(name: string, handler: unknown): string[] {
  if (handler === undefined) return []
  if (typeof handler !== 'function') return [`${name} must be a function`]
  // A call only creates the generator: the body would never run, and every change would count as done.
  return types.isGeneratorFunction(handler) ? [`${name} must not be a generator function (function*)`] : []
}

/** A pseudonym has this form. */
const somePseudonym = '0123456789abcdef'.repeat(4)

/** A row schema that no masked row can fulfil would fail every change. */
function maskProblems(row: unknown, { mask = {} }: Delivery): string[] {
  if (schemaType(row) !== 'object') return []
  const { shape } = (row as $ZodObject)._zod.def
  return Object.keys(mask).flatMap((column) => {
    const schema = Object.hasOwn(shape, column) ? shape[column] : undefined
    if (schema === undefined) return []
    if (effectOn(column, mask) === 'drop')
      return [`row declares ${column}, which mask drops: remove it from row`]
    return accepts(schema, somePseudonym)
      ? []
      : [`row refuses the pseudonym of ${column}, a text of 64 hexadecimal digits: declare z.string()`]
  })
}

/** True if the schema cannot be asked here: an asynchronous check, or a transformation of the handler that throws. */
function accepts(schema: $ZodType, value: string): boolean {
  try {
    return safeParse(schema, value).success
  } catch {
    return true
  }
}

/** The callbacks of single changes, `onBatch` and `onTransaction` exclude each other: it would be unclear which gets a change. */
function choiceProblems(definition: object): string[] {
  const given = givenIn(definition)
  const single = ['onChange', ...Object.keys(operationsOf)].filter((name) => given.includes(name))
  const [first, ...others] = ['onTransaction', 'onBatch'].filter((name) => given.includes(name))
  if (first === undefined) {
    return single.length > 0
      ? []
      : ['onChange, onBatch, onTransaction, or one of onInsert, onUpdate and onDelete must be given']
  }
  const without = [...others, ...single]
  return without.length === 0 ? [] : [`${first} gets all changes, so ${without.join(' and ')} would get none`]
}

function givenIn(definition: object): string[] {
  return Object.entries(definition).flatMap(([name, value]) => (value === undefined ? [] : name))
}

function transactionProblems(definition: object): string[] {
  const given = givenIn(definition)
  const { concurrency = 1 } = definition as { concurrency?: unknown }
  return [
    // It follows from the callback.
    ...(given.includes('transactions') ? ['Unrecognized key: "transactions"'] : []),
    ...(given.includes('onTransaction') && concurrency !== 1
      ? ['onTransaction needs concurrency 1, because lanes would split a transaction by its keys']
      : []),
  ]
}

/** The operations of each callback. */
const operationsOf = {
  onInsert: ['INSERT', 'INIT'],
  onUpdate: ['UPDATE'],
  onDelete: ['DELETE'],
} as const

/** A callback that is never called is a mistake in `operations`, or in the callback's name. */
function unreachable(
  given: { readonly [Name in keyof typeof operationsOf]?: unknown },
  { operations }: Delivery,
): string[] {
  if (operations === undefined) return []
  return Object.entries(operationsOf).flatMap(([name, own]) =>
    given[name as keyof typeof operationsOf] === undefined || own.some((one) => operations.includes(one))
      ? []
      : [`${name} would get no change, because operations leaves out ${own.join(' and ')}`],
  )
}

function invalid(table: string, problems: readonly string[]): DtsError {
  return new DtsError('CONFIG_INVALID', `defineTable for ${table}: ${problems.join('; ')}.`, {
    retryable: false,
  })
}
