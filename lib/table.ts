import { channel } from 'node:diagnostics_channel'
import { Logger } from '@aws-lambda-powertools/logger'
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware'
import middy from '@middy/core'
import type { Context } from 'aws-lambda'
import { z } from 'zod'
import { checkRow } from './columns/row.ts'
import { cutMessage } from './dispatch/message.ts'
import { declaredTables, problemsOf } from './dispatch/pattern.ts'
import { type Delivery, type DeliveryInput, deliverySchema } from './dispatch/settings.ts'
import { type Acknowledgement, type Batch, batchSchema, recordsOf, refusal } from './dispatch/wire.ts'
import { type Change, type DdlChange, decodeChange, type RowChange } from './dts/change.ts'
import { readHeader } from './dts/header.ts'
import { changeFromJson } from './dts/json.ts'
import { asDtsError, DtsError } from './errors.ts'
import { handledChannel } from './handled.ts'
import { toSeconds } from './time.ts'

export type { Change, DdlChange, DeleteChange, InsertChange, RowChange, UpdateChange } from './dts/change.ts'

/** Nothing: the whole run is done. Otherwise everything before `failedAt` (an index) is. */
// biome-ignore lint/suspicious/noConfusingVoidType: to the compiler a function without a return statement returns void
export type BatchResult = void | { readonly failedAt: number; readonly error?: unknown }

/** What a table's file declares; with the settings of delivery, all of which have defaults. */
export interface TableDefinition<Schema extends z.ZodObject> extends DeliveryInput {
  /**
   * `database.table` (`database.schema.table` where the source has schemas), a pattern such as `shop_*.orders_*`, or
   * `*` for every table that no other file handles. Several in a list; those with `!` in front are left out:
   * `['shop.orders_*', '!shop.orders_tmp']`.
   */
  readonly table: string | readonly string[]
  /** The columns that the handler needs and their types; no other column is decoded. `z.looseObject`: all. */
  readonly row: Schema
  /** Called for each change, in order, one at a time. It has done its work when its promise resolves. */
  readonly onChange?: (change: RowChange<z.output<Schema>>, context: Context) => Promise<void> | void
  /** Called with runs of changes instead, in order. What it returns or throws says how far the run is done. */
  readonly onBatch?: (
    changes: readonly RowChange<z.output<Schema>>[],
    context: Context,
  ) => Promise<BatchResult> | BatchResult
  /** Called for statements such as ALTER TABLE; without it they are acknowledged unseen. */
  readonly onDdl?: (change: DdlChange, context: Context) => Promise<void> | void
}

/** What a table function answers to a change that was sent by hand. */
export interface HandAnswer {
  readonly handled: number
}

/** Time that is kept back for the acknowledgement, in milliseconds. */
const closingMs = 1_500
/** A run that is acknowledged as a whole is repeated as a whole, so it is shorter unless told. */
const defaultRunSize = 100

const logger = new Logger({ serviceName: process.env.AWS_LAMBDA_FUNCTION_NAME ?? 'table' })

/**
 * The entry point of a table's function: a middy handler (`.use()` works) that carries its definition.
 * Beside the poller's batches it takes a change in its JSON form, or `{"changes":[…]}`, for trying it by hand.
 * @throws DtsError CONFIG_INVALID when the definition is not a valid one
 */
export function defineTable<Schema extends z.ZodObject>(definition: TableDefinition<Schema>) {
  const delivery = parseDefinition(definition)
  const table = new TableHandler(definition)
  // Without middy's early timeout: it answers while the handler still works, and the frozen rest would go on beside
  // the next invocation. Lambda's own timeout ends it.
  const handler = middy<unknown, Acknowledgement | HandAnswer>({ timeoutEarlyInMillis: 0 })
    .use(injectLambdaContext(logger))
    .handler((event, context) => table.handle(event, context))
  return Object.assign(handler, { definition: { table: definition.table, delivery } })
}

function parseDefinition<Schema extends z.ZodObject>(definition: TableDefinition<Schema>): Delivery {
  const { table, row: _row, onChange, onBatch, onDdl: _onDdl, ...delivery } = definition
  const problems = problemsOf(declaredTables(table))
  if ((onChange === undefined) === (onBatch === undefined)) {
    problems.push('exactly one of onChange and onBatch must be given')
  }
  const size = onBatch === undefined ? {} : { batchSize: defaultRunSize }
  const parsed = deliverySchema.safeParse({ ...size, ...delivery })
  if (!parsed.success) {
    problems.push(...parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`))
  }
  if (parsed.success && problems.length === 0) return parsed.data
  throw new DtsError('CONFIG_INVALID', `defineTable for ${nameOf(table)}: ${problems.join('; ')}.`, {
    retryable: false,
  })
}

function nameOf(table: string | readonly string[]): string {
  return typeof table === 'string' ? table : [table].flat().join(', ')
}

/** A change that is still to be decoded, so that a fault in one does not keep those before it from being done. */
interface Pending {
  readonly offset: bigint
  readonly decode: () => Change
}

class TableHandler<Schema extends z.ZodObject> {
  readonly #definition: TableDefinition<Schema>
  /** One array for all records: the decoder recognises a set of columns by its identity. Undefined: all columns. */
  readonly #columns: readonly string[] | undefined
  readonly #handled = channel(handledChannel)

  constructor(definition: TableDefinition<Schema>) {
    this.#definition = definition
    const isLoose = definition.row.def.catchall !== undefined
    this.#columns = isLoose ? undefined : Object.keys(definition.row.shape)
  }

  async handle(event: unknown, context: Context): Promise<Acknowledgement | HandAnswer> {
    const byHand = changesByHand(event)
    if (byHand === null) return await this.#handleBatch(parseBatch(event), context)
    const pending = byHand.map((json, index) => ({
      offset: BigInt(index),
      decode: () => changeFromJson(json),
    }))
    const { through, thrown } = await this.#work(pending, context)
    if (thrown !== null) throw thrown.error
    return { handled: through === null ? 0 : Number(through) + 1 }
  }

  async #handleBatch(batch: Batch, context: Context): Promise<Acknowledgement> {
    const late = refusal(batch, Date.now())
    if (late !== null) return late
    const pending = recordsOf(batch).map(({ offset, value }) => ({
      offset,
      decode: () => this.#decode(batch, offset, value),
    }))
    const { through, thrown } = await this.#work(pending, context)
    const acknowledgedThrough = through === null ? null : String(through)
    const answer = { batchId: batch.batchId, acknowledgedThrough }
    if (thrown === null) return answer
    const error = asDtsError(thrown.error, 'HANDLER_FAILED', true)
    const offset = String(thrown.offset)
    logger.error('A change failed', { code: error.code, offset, error })
    return { ...answer, failure: { offset, ...publicFacts(thrown.error) } }
  }

  /** Works until all is done, a change fails, or the time runs short; says how far it got. */
  async #work(pending: readonly Pending[], context: Context) {
    let through: bigint | null = null
    let longestMs = 0
    const run: { offset: bigint; change: RowChange<z.output<Schema>> }[] = []
    try {
      for (const { offset, decode } of pending) {
        const change = this.#tryDecode(offset, decode)
        const isRun =
          !(change instanceof Failed) && change.operation !== 'DDL' && this.#definition.onBatch !== undefined
        if (isRun) {
          run.push({ offset, change: change as RowChange<z.output<Schema>> })
          continue
        }
        through = (await this.#flush(run, context)) ?? through
        if (change instanceof Failed) throw change
        if (through !== null && context.getRemainingTimeInMillis() < longestMs * 2 + closingMs) break
        const startedAt = Date.now()
        await this.#call(offset, change, context)
        longestMs = Math.max(longestMs, Date.now() - startedAt)
        through = offset
        this.#publish(change)
      }
      through = (await this.#flush(run, context)) ?? through
      return { through, thrown: null }
    } catch (error) {
      if (!(error instanceof Failed)) throw error
      return { through: error.through ?? through, thrown: error }
    }
  }

  #tryDecode(offset: bigint, decode: Pending['decode']): Change | Failed {
    try {
      const change = decode()
      if (change.operation !== 'DDL') checkRow(this.#definition.row, change)
      return change
    } catch (error) {
      return new Failed(offset, error)
    }
  }

  async #call(offset: bigint, change: Change, context: Context): Promise<void> {
    const { onChange, onDdl } = this.#definition
    try {
      if (change.operation === 'DDL') await onDdl?.(change, context)
      else await onChange?.(change as RowChange<z.output<Schema>>, context)
    } catch (error) {
      throw new Failed(offset, error)
    }
  }

  /** @returns the last offset of the run; null when it was empty. @throws Failed */
  async #flush(
    run: { offset: bigint; change: RowChange<z.output<Schema>> }[],
    context: Context,
  ): Promise<bigint | null> {
    const items = run.splice(0)
    const [first] = items
    const { onBatch } = this.#definition
    if (first === undefined || onBatch === undefined) return null
    let result: BatchResult
    try {
      result = await onBatch(
        items.map(({ change }) => change),
        context,
      )
    } catch (error) {
      throw new Failed(first.offset, error)
    }
    const failedAt = result?.failedAt
    if (failedAt !== undefined && items[failedAt] === undefined) {
      throw new Failed(
        first.offset,
        new RangeError(`onBatch says that change ${failedAt} of ${items.length} failed`),
      )
    }
    const done = items.slice(0, failedAt)
    for (const { change } of done) this.#publish(change)
    const failed = failedAt === undefined ? undefined : items[failedAt]
    if (failed !== undefined) {
      const error = result?.error ?? new Error('onBatch reported it as failed')
      throw new Failed(failed.offset, error, done.at(-1)?.offset ?? null)
    }
    return items.at(-1)?.offset ?? null
  }

  #publish(change: Change | RowChange<z.output<Schema>>): void {
    if (this.#handled.hasSubscribers) this.#handled.publish({ table: nameOf(this.#definition.table), change })
  }

  #decode(batch: Batch, offset: bigint, bytes: Buffer): Change {
    const header = readHeader(bytes)
    const replay = toSeconds(header.sourceTimestamp) <= batch.replayUntil
    const origin = { offset, generation: batch.generation, replay }
    return decodeChange(bytes, header, origin, this.#columns)
  }
}

/** A change that was not handled, and how far the run around it got before. */
class Failed {
  readonly offset: bigint
  readonly error: unknown
  /** Undefined: as far as was known before. */
  readonly through: bigint | null | undefined

  constructor(offset: bigint, error: unknown, through?: bigint | null) {
    this.offset = offset
    this.error = error
    this.through = through
  }
}

/** Only our own messages are known to hold no row values; of a handler's error the poller is told the name. */
function publicFacts(thrown: unknown): { code: string; message: string } {
  // An answer that is too large for Lambda would be none, and the whole batch would be sent again.
  if (thrown instanceof DtsError) return { code: thrown.code, message: cutMessage(thrown.message) }
  const name = cutMessage(thrown instanceof Error ? thrown.name : typeof thrown)
  return { code: 'HANDLER_FAILED', message: `${name} was thrown; the function's own log has its message` }
}

const handSchema = z.union([
  z.looseObject({ operation: z.string() }).transform((change) => [change]),
  z
    .strictObject({ changes: z.array(z.looseObject({ operation: z.string() })).min(1) })
    .transform(({ changes }) => changes),
])

/** Changes in their JSON form; null when the event is something else. */
function changesByHand(event: unknown): readonly unknown[] | null {
  const result = handSchema.safeParse(event)
  return result.success ? result.data : null
}

function parseBatch(event: unknown): Batch {
  const result = batchSchema.safeParse(event)
  if (result.success) return result.data
  throw new DtsError(
    'CONFIG_INVALID',
    `The event is neither a batch of the poller nor a change in its JSON form: ${z.prettifyError(result.error)}. ` +
      'Poller and table functions must be of one deployment.',
    { retryable: false },
  )
}
