import type { Context } from 'aws-lambda'
import type * as z from 'zod'
import type { RowChange } from '../dts/change.ts'
import { readRunAnswer, refuseFailure } from './answers.ts'
import { type TableDefinition, tableText } from './definition.ts'
import { publishHandled } from './diagnostics.ts'
import type { FailedChange } from './failed-change.ts'
import type { DecodedChange } from './pending-changes.ts'

/** How far the handler got. */
export interface Progress {
  /** Offset of the last change that is done; null when none is. */
  readonly through: bigint | null
  readonly failed: FailedChange | null
}

/** Calls the functions of one definition, and publishes each change that is done. */
export class HandlerCalls<Schema extends z.ZodObject> {
  readonly #definition: TableDefinition<Schema>
  readonly #table: string

  constructor(definition: TableDefinition<Schema>) {
    this.#definition = definition
    this.#table = tableText(definition.table)
  }

  /** Calls `onChange`, or `onDdl` for a statement. */
  async one({ offset, change }: DecodedChange, context: Context): Promise<Progress> {
    const { onChange, onDdl } = this.#definition
    const isStatement = change.operation === 'DDL'
    try {
      const returned: unknown = isStatement
        ? await onDdl?.(change, context)
        : await onChange?.(change as RowChange<z.output<Schema>>, context)
      if (returned !== undefined) await refuseFailure(isStatement ? 'onDdl' : 'onChange', returned)
    } catch (error) {
      return { through: null, failed: { offset, error } }
    }
    publishHandled(this.#table, change)
    return { through: offset, failed: null }
  }

  /** Calls `onBatch` with a run of changes; does nothing for an empty run. */
  async run(run: readonly DecodedChange[], context: Context): Promise<Progress> {
    const [first] = run
    const { onBatch } = this.#definition
    if (first === undefined || onBatch === undefined) return { through: null, failed: null }
    const changes = run.map(({ change }) => change as RowChange<z.output<Schema>>)
    try {
      const failure = await readRunAnswer(await onBatch(changes, context), run.length)
      const done = run.slice(0, failure?.failedAt)
      for (const { change } of done) publishHandled(this.#table, change)
      const failed = failure === null ? undefined : run[failure.failedAt]
      return {
        through: done.at(-1)?.offset ?? null,
        failed: failed === undefined ? null : { offset: failed.offset, error: failure?.error },
      }
    } catch (error) {
      return { through: null, failed: { offset: first.offset, error } }
    }
  }
}
