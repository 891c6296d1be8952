import type { $catchall, $ZodObject, $ZodType } from 'zod/v4/core'
import { catchAll, type DeclaredTable } from '../dispatch/pattern.ts'
import type { ColumnValue } from '../dts/types.ts'
import { DtsError } from '../errors.ts'
import * as z from '../schema.ts'
import { defineTable, type TableDefinition } from './define-table.ts'

type AnyRow = $ZodObject<Record<never, never>, $catchall<$ZodType<ColumnValue, ColumnValue>>>

/** All columns, with the values of the source. */
const anyRow = z.looseObject({}) as unknown as AnyRow

/** The declaration in the file of a stream's function. It has the callbacks and settings of a table. */
export interface StreamDefinition extends Omit<TableDefinition<AnyRow>, 'table' | 'row' | 'concurrency'> {
  /** Names or patterns of tables that the function leaves out. */
  readonly except?: readonly Exclude<DeclaredTable, '*'>[]
}

/**
 * The entry point of a function that gets every table that no other file handles, in the order of the stream, with all columns. As
 * the only file of a service, it gets the whole stream.
 * @throws DtsError CONFIG_INVALID when the definition is invalid
 */
export function defineStream(definition: StreamDefinition) {
  const { except = [], ...delivery } = definition ?? {}
  const given = Object.keys(delivery)
  const refused = ['table', 'row', 'concurrency'].filter((name) => given.includes(name))
  if (refused.length > 0) throw notOfStream(refused)
  const table = [catchAll, ...[except].flat().map((left) => `!${left}`)] as DeclaredTable[]
  return defineTable({ ...delivery, table, row: anyRow })
}

function notOfStream(names: readonly string[]): DtsError {
  return new DtsError(
    'CONFIG_INVALID',
    `defineStream takes no ${names.join(' and no ')}: its function gets all columns of all tables, in the order of the stream. ` +
      'Leave tables out with except, or use defineTable.',
    { retryable: false },
  )
}
