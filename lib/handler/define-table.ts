import { channel } from 'node:diagnostics_channel'
import { Logger } from '@aws-lambda-powertools/logger'
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware'
import middy from '@middy/core'
import type { Context } from 'aws-lambda'
import { z } from 'zod'
import {
  type Acknowledgement,
  type Batch,
  batchSchema,
  recordsOf,
  refusal,
} from '../dispatch/batch-format.ts'
import { cutMessage } from '../dispatch/message.ts'
import type { Change, RowChange } from '../dts/change.ts'
import { decodeChange } from '../dts/decode-change.ts'
import { readHeader } from '../dts/header.ts'
import { changeFromJson } from '../dts/json.ts'
import { DtsError, isDtsError } from '../errors.ts'
import { describeThrown, nameOf } from '../text/thrown.ts'
import { toSeconds } from '../time.ts'
import { readRunAnswer, refuseFailure, type StoppedRun } from './answers.ts'
import { checkRow } from './columns/row.ts'
import { parseDefinition, type TableDefinition, tableText } from './definition.ts'
import { handledChannel } from './handled-channel.ts'
import { throwReadable } from './throw-readable.ts'

export type { Change, DdlChange, DeleteChange, InsertChange, RowChange, UpdateChange } from '../dts/change.ts'
export type { BatchResult, TableDefinition } from './definition.ts'

/** What a table function answers to a change that was sent by hand. */
export interface HandAnswer {
  readonly handled: number
}

/** Time that is kept back for the acknowledgement, in milliseconds. */
const closingMs = 1_500
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
  const handler = middy<unknown, Acknowledgement | HandAnswer>({
    timeoutEarlyInMillis: 0,
    executionMode: throwReadable(logger),
  })
    .use(injectLambdaContext(logger))
    .handler((event, context) => table.handle(event, context))
  return Object.assign(handler, { definition: { table: definition.table, delivery } })
}

/** A change that is still to be decoded, so that a fault in one does not keep those before it from being done. */
interface Pending {
  readonly offset: bigint
  readonly decode: () => Change
  /** The same change with all of its columns. */
  readonly decodeWhole: () => Change
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
      decodeWhole: () => changeFromJson(json),
    }))
    const { through, thrown } = await this.#work(pending, context)
    if (thrown !== null) throw this.#tell(thrown)
    return { handled: through === null ? 0 : Number(through) + 1 }
  }

  async #handleBatch(batch: Batch, context: Context): Promise<Acknowledgement> {
    const late = refusal(batch, Date.now())
    if (late !== null) return late
    const replaces = this.#definition.invalidText === 'replace'
    const pending = recordsOf(batch).map(({ offset, value }) => ({
      offset,
      decode: () => decode(batch, offset, value, replaces, this.#columns),
      decodeWhole: () => decode(batch, offset, value, replaces),
    }))
    const { through, thrown } = await this.#work(pending, context)
    const acknowledgedThrough = through === null ? null : String(through)
    const answer = { batchId: batch.batchId, acknowledgedThrough }
    if (thrown === null) return answer
    this.#tell(thrown)
    return { ...answer, failure: { offset: String(thrown.offset), ...publicFacts(thrown.error) } }
  }

  /** Logs why a change failed: the one place that has all of the error. @returns what was thrown, to be thrown on */
  #tell({ offset, error }: Failed): unknown {
    const { code } = publicFacts(error)
    logger.error('A change failed', { code, offset: String(offset), error: describeThrown(error) })
    return error
  }

  /** Works until all is done, a change fails, or the time runs short; says how far it got. */
  async #work(pending: readonly Pending[], context: Context) {
    let through: bigint | null = null
    let longestMs = 0
    const run: { offset: bigint; change: RowChange<z.output<Schema>> }[] = []
    try {
      for (const item of pending) {
        const { offset } = item
        const change = this.#tryDecode(item)
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

  #tryDecode({ offset, decode, decodeWhole }: Pending): Change | Failed {
    try {
      const change = decode()
      if (change.operation !== 'DDL') checkRow(this.#definition.row, change, decodeWhole)
      return change
    } catch (error) {
      return new Failed(offset, error)
    }
  }

  async #call(offset: bigint, change: Change, context: Context): Promise<void> {
    const { onChange, onDdl } = this.#definition
    const isStatement = change.operation === 'DDL'
    try {
      const returned: unknown = isStatement
        ? await onDdl?.(change, context)
        : await onChange?.(change as RowChange<z.output<Schema>>, context)
      if (returned !== undefined) await refuseFailure(isStatement ? 'onDdl' : 'onChange', returned)
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
    let stopped: StoppedRun | null
    try {
      const changes = items.map(({ change }) => change)
      stopped = await readRunAnswer(await onBatch(changes, context), items.length)
    } catch (error) {
      throw new Failed(first.offset, error)
    }
    const done = items.slice(0, stopped?.failedAt)
    for (const { change } of done) this.#publish(change)
    const failed = stopped === null ? undefined : items[stopped.failedAt]
    if (failed !== undefined) throw new Failed(failed.offset, stopped?.error, done.at(-1)?.offset ?? null)
    return items.at(-1)?.offset ?? null
  }

  #publish(change: Change | RowChange<z.output<Schema>>): void {
    if (this.#handled.hasSubscribers)
      this.#handled.publish({ table: tableText(this.#definition.table), change })
  }
}

function decode(
  batch: Batch,
  offset: bigint,
  bytes: Buffer,
  replacesInvalidText: boolean,
  columns?: readonly string[],
): Change {
  const header = readHeader(bytes)
  const replay = toSeconds(header.sourceTimestamp) <= batch.replayUntil
  const origin = { offset, generation: batch.generation, replay }
  return decodeChange(bytes, header, origin, columns, replacesInvalidText)
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
  if (isDtsError(thrown)) return { code: thrown.code, message: cutMessage(thrown.message) }
  const name = cutMessage(nameOf(thrown))
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
