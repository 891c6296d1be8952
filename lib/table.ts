import { channel } from 'node:diagnostics_channel'
import { Logger } from '@aws-lambda-powertools/logger'
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware'
import middy from '@middy/core'
import type { Context } from 'aws-lambda'
import { z } from 'zod'
import { type Acknowledgement, type Batch, batchSchema } from './dispatch/wire.ts'
import { type Change, type DdlChange, decodeChange, type RowChange } from './dts/change.ts'
import { readHeader } from './dts/header.ts'
import type { Row } from './dts/types.ts'
import { asDtsError, DtsError } from './errors.ts'
import { handledChannel } from './handled.ts'
import { toSeconds } from './time.ts'

export type { Change, DdlChange, DeleteChange, InsertChange, RowChange, UpdateChange } from './dts/change.ts'

/** What a table's file declares. `R` is what `row` makes of a row. */
export interface TableDefinition<Schema extends z.ZodObject> {
  /** `database.table` (`database.schema.table` where the source has schemas), or a pattern: `shop_*.orders_*`. */
  readonly table: string
  /** The columns that the handler needs and their types; no other column is decoded. */
  readonly row: Schema
  /** Called for each change, in order, one at a time. It has done its work when its promise resolves. */
  readonly onChange?: (change: RowChange<z.output<Schema>>, context: Context) => Promise<void> | void
  /** Called for runs of changes instead, in order; a run is acknowledged as a whole. */
  readonly onBatch?: (
    changes: readonly RowChange<z.output<Schema>>[],
    context: Context,
  ) => Promise<void> | void
  /** The longest run for `onBatch`; 100 unless told. */
  readonly batchSize?: number
  /** Called for statements such as ALTER TABLE; without it they are acknowledged unseen. */
  readonly onDdl?: (change: DdlChange, context: Context) => Promise<void> | void
}

/** Time that is kept back for the acknowledgement, in milliseconds. */
const closingMs = 1_500

const logger = new Logger()

/** The table functions' entry point: a middy handler (`.use()` works) that carries its definition. */
export function defineTable<Schema extends z.ZodObject>(definition: TableDefinition<Schema>) {
  checkDefinition(definition)
  // One array for all records: the decoder recognises a set of columns by its identity.
  const columns = Object.keys(definition.row.shape)
  // Without middy's early timeout: it answers while the handler still works, and the frozen rest would go on beside
  // the next invocation. Lambda's own timeout ends it.
  const handler = middy<unknown, Acknowledgement>({ timeoutEarlyInMillis: 0 })
    .use(injectLambdaContext(logger))
    .handler((event, context) => handleBatch(definition, columns, event, context))
  return Object.assign(handler, { definition })
}

function checkDefinition(definition: {
  readonly table: string
  readonly onChange?: unknown
  readonly onBatch?: unknown
  readonly batchSize?: number
}): void {
  const problems: string[] = []
  if (!/^[^.\s]+(\.[^.\s]+){1,2}$/.test(definition.table)) {
    problems.push('table must be database.table or database.schema.table')
  }
  if ((definition.onChange === undefined) === (definition.onBatch === undefined)) {
    problems.push('exactly one of onChange and onBatch must be given')
  }
  if (
    definition.batchSize !== undefined &&
    !(Number.isInteger(definition.batchSize) && definition.batchSize > 0)
  ) {
    problems.push('batchSize must be a positive whole number')
  }
  if (problems.length > 0) {
    throw new DtsError('CONFIG_INVALID', `defineTable for ${definition.table}: ${problems.join('; ')}.`, {
      retryable: false,
    })
  }
}

interface Step {
  readonly lastOffset: string
  readonly run: () => Promise<void> | void
  readonly changes: readonly Change[]
}

/** Works through the batch until it is done, a change fails, or the time runs short; says how far it got. */
async function handleBatch<Schema extends z.ZodObject>(
  definition: TableDefinition<Schema>,
  columns: readonly string[],
  event: unknown,
  context: Context,
): Promise<Acknowledgement> {
  const batch = parseBatch(event)
  const handled = channel(handledChannel)
  let acknowledgedThrough: string | null = null
  let longestMs = 0
  let failedOffset = batch.records[0]?.offset ?? ''
  try {
    for (const step of stepsOf(definition, columns, batch, context, (offset) => (failedOffset = offset))) {
      const startedAt = Date.now()
      if (acknowledgedThrough !== null && context.getRemainingTimeInMillis() < longestMs * 2 + closingMs)
        break
      await step.run()
      longestMs = Math.max(longestMs, Date.now() - startedAt)
      acknowledgedThrough = step.lastOffset
      if (handled.hasSubscribers) {
        for (const change of step.changes) handled.publish({ table: definition.table, change })
      }
    }
  } catch (thrown) {
    const error = asDtsError(thrown, 'HANDLER_FAILED', true)
    logger.error('A change failed; it will be sent again', { code: error.code, offset: failedOffset, error })
    return {
      batchId: batch.batchId,
      acknowledgedThrough,
      failure: { offset: failedOffset, ...publicFacts(thrown) },
    }
  }
  return { batchId: batch.batchId, acknowledgedThrough }
}

/** Only our own messages are known to hold no row values; of a handler's error the poller is told the name. */
function publicFacts(thrown: unknown): { code: string; message: string } {
  if (thrown instanceof DtsError) return { code: thrown.code, message: thrown.message }
  const name = thrown instanceof Error ? thrown.name : typeof thrown
  return { code: 'HANDLER_FAILED', message: `${name} was thrown; the function's own log has its message` }
}

/** The calls that a batch comes down to, each decoded only when it is reached. */
function* stepsOf<Schema extends z.ZodObject>(
  definition: TableDefinition<Schema>,
  columns: readonly string[],
  batch: Batch,
  context: Context,
  reached: (offset: string) => void,
): Generator<Step> {
  const { onChange, onBatch, onDdl } = definition
  const batchSize = onBatch === undefined ? 1 : (definition.batchSize ?? 100)
  let run: { offset: string; change: RowChange<z.output<Schema>> }[] = []
  const flush = function* (): Generator<Step> {
    const changes = run.map(({ change }) => change)
    const [first, last] = [run[0], run.at(-1)]
    run = []
    if (first === undefined || last === undefined) return
    reached(first.offset)
    yield {
      lastOffset: last.offset,
      changes: changes as readonly Change[],
      run: () => (onBatch === undefined ? onChange?.(first.change, context) : onBatch(changes, context)),
    }
  }
  for (const { offset, value } of batch.records) {
    let change: RowChange<z.output<Schema>> | DdlChange
    try {
      const decoded = decode(batch, offset, value, columns)
      change = decoded.operation === 'DDL' ? decoded : withDeclaredRows(definition.row, decoded)
    } catch (error) {
      yield* flush()
      reached(offset)
      throw error
    }
    if (change.operation === 'DDL') {
      yield* flush()
      reached(offset)
      const statement = change
      yield { lastOffset: offset, changes: [change], run: () => onDdl?.(statement, context) }
      continue
    }
    run.push({ offset, change })
    if (run.length === batchSize) yield* flush()
  }
  yield* flush()
}

function decode(batch: Batch, offset: string, value: string, columns: readonly string[]): Change {
  const bytes = Buffer.from(value, 'base64')
  const header = readHeader(bytes)
  const replay = toSeconds(header.sourceTimestamp) <= batch.replayUntil
  return decodeChange(
    bytes,
    header,
    { offset: BigInt(offset), generation: batch.generation, replay },
    columns,
  )
}

/** The change with the declared row in the place of each image. @throws DtsError ROW_INVALID */
function withDeclaredRows<Schema extends z.ZodObject>(
  schema: Schema,
  change: RowChange,
): RowChange<z.output<Schema>> {
  const images: { before?: z.output<Schema>; after?: z.output<Schema> } = {}
  if ('before' in change) images.before = declaredRow(schema, change, 'before', change.before)
  if ('after' in change) images.after = declaredRow(schema, change, 'after', change.after)
  const declared = { ...change, ...images }
  // Asked of the source's values: what a schema makes of two equal ones may be two objects.
  if (change.operation === 'UPDATE') {
    Object.defineProperty(declared, 'changed', { value: (column: string) => change.changed(column) })
  }
  return declared as RowChange<z.output<Schema>>
}

function declaredRow<Schema extends z.ZodObject>(
  schema: Schema,
  change: RowChange,
  image: 'before' | 'after',
  row: Row,
): z.output<Schema> {
  const result = schema.safeParse(row)
  if (!result.success) throw rowInvalid(change, image, result.error.issues)
  return result.data
}

function rowInvalid(change: RowChange, image: string, issues: readonly z.core.$ZodIssue[]): DtsError {
  const problems = issues.map((issue) => `${String(issue.path[0] ?? 'row')}: ${issue.message}`)
  return new DtsError(
    'ROW_INVALID',
    `The ${image} image of the ${change.operation} at offset ${change.offset} in ${change.table} is not the declared ` +
      `row (${problems.join('; ')}). Correct the row schema of the handler, or make the column optional.`,
    { retryable: false, facts: { table: change.table, offset: String(change.offset), image } },
  )
}

function parseBatch(event: unknown): Batch {
  const result = batchSchema.safeParse(event)
  if (result.success) return result.data
  throw new DtsError(
    'CONFIG_INVALID',
    `The event is not a batch from the poller: ${z.prettifyError(result.error)}. Poller and handlers must be of one deployment.`,
    { retryable: false },
  )
}
