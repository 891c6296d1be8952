import { Logger } from '@aws-lambda-powertools/logger'
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware'
import middy from '@middy/core'
import type { $ZodObject } from 'zod/v4/core'
import { type Acknowledgement, type Batch, refusal } from '../dispatch/batch-format.ts'
import type { Delivery } from '../dispatch/settings.ts'
import type { Change } from '../dts/change.ts'
import { HandlerCalls, type Progress } from './call-handler.ts'
import { parseDefinition, type TableDefinition, tableText } from './definition.ts'
import { publishFailed } from './diagnostics.ts'
import { type FailedChange, reportFailure } from './failed-change.ts'
import { handleTransactions, partsOf } from './handle-transactions.ts'
import { closingMs, type HandlerContext, handlerContext } from './handler-context.ts'
import {
  type DecodedChange,
  decodePending,
  type PendingChange,
  pendingByHand,
  RecordDecoder,
} from './pending-changes.ts'
import { readEvent } from './read-event.ts'
import { withReadableErrors } from './readable-errors.ts'
import { transactionsByHand } from './transactions.ts'

export type { Change, DdlChange, DeleteChange, InsertChange, RowChange, UpdateChange } from '../dts/change.ts'
export type { BatchResult, TableDefinition } from './definition.ts'
export type { HandlerContext } from './handler-context.ts'
export type { Transaction } from './transactions.ts'

/** The answer of a table function to changes that were sent by hand. */
export interface HandAnswer {
  readonly handled: number
}

const logger = new Logger({ serviceName: process.env.AWS_LAMBDA_FUNCTION_NAME ?? 'table' })

/**
 * The entry point of a table's function: a middy handler (`.use()` works) that carries its definition.
 * It takes the poller's batches. To try it by hand, send a change in its JSON form, or `{"changes":[…]}`.
 * @throws DtsError CONFIG_INVALID when the definition is invalid
 */
export function defineTable<Schema extends $ZodObject>(definition: TableDefinition<Schema>) {
  const delivery = parseDefinition(definition)
  const table = new TableFunction(definition, delivery)
  // middy's early timeout is off: it answers while the handler still works, Lambda freezes the handler, and the next
  // invocation continues it beside its own work. Lambda's own timeout ends the process.
  const handler = middy<unknown, Acknowledgement | HandAnswer>({
    timeoutEarlyInMillis: 0,
    executionMode: withReadableErrors(logger),
  })
    .use(injectLambdaContext(logger))
    .handler((event, context) => table.handle(event, handlerContext(context)))
  return Object.assign(handler, { definition: { table: definition.table, row: definition.row, delivery } })
}

class TableFunction<Schema extends $ZodObject> {
  readonly #definition: TableDefinition<Schema>
  readonly #batchSize: number
  readonly #decoder: RecordDecoder
  readonly #calls: HandlerCalls<Schema>

  constructor(definition: TableDefinition<Schema>, { batchSize }: Pick<Delivery, 'batchSize'>) {
    this.#definition = definition
    this.#batchSize = batchSize
    this.#decoder = new RecordDecoder(definition)
    this.#calls = new HandlerCalls(definition, logger)
  }

  async handle(input: unknown, context: HandlerContext): Promise<Acknowledgement | HandAnswer> {
    const event = readEvent(input)
    return event.kind === 'batch'
      ? await this.#handleBatch(event.batch, context)
      : await this.#handleByHand(event.changes, context)
  }

  /** The poller gets an answer, not an error: it names the last offset that is done, and the change that failed. */
  async #handleBatch(batch: Batch, context: HandlerContext): Promise<Acknowledgement> {
    const late = refusal(batch, Date.now())
    if (late !== null) return late
    const pending = this.#decoder.pendingOf(batch)
    const { through, failed } =
      this.#definition.onTransaction === undefined
        ? await this.#handleInOrder(pending, context)
        : await handleTransactions(this.#own, pending, partsOf(batch), context)
    const answer = { batchId: batch.batchId, acknowledgedThrough: through === null ? null : String(through) }
    return failed === null ? answer : { ...answer, failure: this.#report(failed) }
  }

  async #handleByHand(changes: readonly unknown[], context: HandlerContext): Promise<HandAnswer> {
    const pending = pendingByHand(changes)
    const { through, failed } =
      this.#definition.onTransaction === undefined
        ? await this.#handleInOrder(pending, context)
        : await handleTransactions(this.#own, pending, transactionsByHand(changes, this.#batchSize), context)
    if (failed === null) return { handled: through === null ? 0 : Number(through) + 1 }
    this.#report(failed)
    throw failed.error
  }

  get #own() {
    return { row: this.#definition.row, calls: this.#calls }
  }

  #report(failed: FailedChange): ReturnType<typeof reportFailure> {
    publishFailed(tableText(this.#definition.table), failed)
    return reportFailure(logger, failed)
  }

  /** Decodes and handles one change after the other until all are done, one fails, or the time runs short. */
  async #handleInOrder(pending: readonly PendingChange[], context: HandlerContext): Promise<Progress> {
    let through: bigint | null = null
    let longestMs = 0
    let run: DecodedChange[] = []
    for (const next of pending) {
      const decoded = decodePending(this.#definition.row, next)
      if (!('error' in decoded) && this.#joinsRun(decoded.change)) {
        run.push(decoded)
        continue
      }
      // The run ends here: its changes come before this one.
      const before = await this.#calls.run(run, context)
      run = []
      through = before.through ?? through
      if (before.failed !== null) return { through, failed: before.failed }
      if ('error' in decoded) return { through, failed: decoded }
      // At least one change is tried, or a slow handler would never get anywhere.
      if (through !== null && context.getRemainingTimeInMillis() < longestMs * 2 + closingMs) break
      const startedAt = Date.now()
      const { failed } = await this.#calls.one(decoded, context)
      if (failed !== null) return { through, failed }
      longestMs = Math.max(longestMs, Date.now() - startedAt)
      through = decoded.offset
    }
    const last = await this.#calls.run(run, context)
    return { through: last.through ?? through, failed: last.failed }
  }

  #joinsRun(change: Change): boolean {
    return change.operation !== 'DDL' && this.#definition.onBatch !== undefined
  }
}
