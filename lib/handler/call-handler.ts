import type { Logger } from '@aws-lambda-powertools/logger'
import type { $ZodObject, output } from 'zod/v4/core'
import type { InsertChange, RowChange } from '../dts/change.ts'
import { type CallbackName, readRunAnswer, refuseFailure } from './answers.ts'
import { type TableDefinition, tableText } from './definition.ts'
import { publishHandled, publishStarted } from './diagnostics.ts'
import type { FailedChange } from './failed-change.ts'
import type { HandlerContext } from './handler-context.ts'
import type { DecodedChange } from './pending-changes.ts'
import type { Transaction } from './transactions.ts'

/** How far the handler got. */
export interface Progress {
  /** Offset of the last change that is done; null when none is. */
  readonly through: bigint | null
  readonly failed: FailedChange | null
}

/** Calls the functions of one definition, and publishes each change that is done. */
export class HandlerCalls<Schema extends $ZodObject> {
  readonly #definition: TableDefinition<Schema>
  readonly #table: string
  readonly #logger: Pick<Logger, 'warn'>
  /** Operations without a callback that the log names. */
  readonly #told = new Set<RowChange['operation']>()

  constructor(definition: TableDefinition<Schema>, logger: Pick<Logger, 'warn'>) {
    this.#definition = definition
    this.#logger = logger
    this.#table = tableText(definition.table)
  }

  /** Calls the callback of the change's operation. Without one, the change is done. */
  async one({ offset, change }: DecodedChange, context: HandlerContext): Promise<Progress> {
    publishStarted(this.#table, change, context)
    try {
      if (change.operation === 'DDL') {
        const returned: unknown = await this.#definition.onDdl?.(change, context)
        if (returned !== undefined) await refuseFailure('onDdl', returned)
      } else {
        await this.#callFor(change as RowChange<output<Schema>>, context)
      }
    } catch (error) {
      return { through: null, failed: { offset, change, error } }
    }
    publishHandled(this.#table, change)
    return { through: offset, failed: null }
  }

  async #callFor(change: RowChange<output<Schema>>, context: HandlerContext): Promise<void> {
    const { onChange, onInsert, onUpdate, onDelete } = this.#definition
    let name: CallbackName = 'onChange'
    let returned: unknown
    if (change.operation === 'UPDATE' && onUpdate !== undefined) {
      name = 'onUpdate'
      returned = await onUpdate(change, context)
    } else if (change.operation === 'DELETE' && onDelete !== undefined) {
      name = 'onDelete'
      returned = await onDelete(change, context)
    } else if (isInsert(change) && onInsert !== undefined) {
      name = 'onInsert'
      returned = await onInsert(change, context)
    } else if (onChange !== undefined) {
      returned = await onChange(change, context)
    } else {
      this.#tellOnce(change.operation)
    }
    if (returned !== undefined) await refuseFailure(name, returned)
  }

  /** A forgotten callback looks like health otherwise. One line is enough: a stream can have millions of such changes. */
  #tellOnce(operation: RowChange['operation']): void {
    if (this.#told.has(operation)) return
    this.#told.add(operation)
    this.#logger.warn(
      `${this.#table}: the handler has no callback for ${operation}, so such changes count as done. If that is intended, ` +
        'name the wanted operations in `operations`: then the poller leaves the others out.',
    )
  }

  /** Calls `onTransaction` with changes of one transaction. All of them are done, or none. */
  async transaction(
    part: Transaction['part'],
    decoded: readonly DecodedChange[],
    context: HandlerContext,
  ): Promise<Progress> {
    const [first] = decoded
    const { onTransaction } = this.#definition
    if (first === undefined) return { through: null, failed: null }
    publishStarted(this.#table, first.change, context)
    const changes = decoded.map(({ change }) => change as RowChange<output<Schema>>)
    try {
      const id = changes.find(({ transactionId }) => transactionId !== '')?.transactionId ?? ''
      const returned: unknown = await onTransaction?.({ id, part, changes }, context)
      if (returned !== undefined) await refuseFailure('onTransaction', returned)
    } catch (error) {
      return { through: null, failed: { ...first, error } }
    }
    for (const { change } of decoded) publishHandled(this.#table, change)
    return { through: decoded.at(-1)?.offset ?? null, failed: null }
  }

  /** Calls `onBatch` with a run of changes; does nothing for an empty run. */
  async run(run: readonly DecodedChange[], context: HandlerContext): Promise<Progress> {
    const [first] = run
    const { onBatch } = this.#definition
    if (first === undefined || onBatch === undefined) return { through: null, failed: null }
    publishStarted(this.#table, first.change, context)
    const changes = run.map(({ change }) => change as RowChange<output<Schema>>)
    try {
      const failure = await readRunAnswer(await onBatch(changes, context), run.length)
      const done = run.slice(0, failure?.failedAt)
      for (const { change } of done) publishHandled(this.#table, change)
      const failed = failure === null ? undefined : run[failure.failedAt]
      return {
        through: done.at(-1)?.offset ?? null,
        failed: failed === undefined ? null : { ...failed, error: failure?.error },
      }
    } catch (error) {
      return { through: null, failed: { ...first, error } }
    }
  }
}

function isInsert<Row>(change: RowChange<Row>): change is InsertChange<Row> {
  return change.operation === 'INSERT' || change.operation === 'INIT'
}
