import type { $ZodObject, input } from 'zod/v4/core'
import { type ChangeJson, changeToJson } from '../../dts/json.ts'
import { tableOf } from '../../dts/names.ts'
import { rowChange } from '../../dts/row-change.ts'
import type { Row } from '../../dts/types.ts'
import { DtsError } from '../../errors.ts'

/** The facts of a change that a test need not repeat. */
export interface ChangeDefaults {
  /** `database.table`. Needed if the handler's declaration is a pattern or a list. */
  readonly table?: string
  /** The columns of the primary key. */
  readonly keys?: readonly string[]
  /** Source time of the first change, in seconds; each following change is one second later. Default: 2026-01-01T00:00:00Z. */
  readonly timestamp?: number
}

/** Columns that the row schema does not declare, for the handler's filter. */
export interface OtherColumns {
  readonly [column: string]: unknown
}

/** Makes changes of one table. A row has the values of the source, before the schema's own transformations. */
export interface HandlerChanges<Source> {
  insert(after: Source & OtherColumns): ChangeJson
  update(before: Partial<Source> & OtherColumns, after: Source & OtherColumns): ChangeJson
  delete(before: Source & OtherColumns): ChangeJson
  /** A statement such as ALTER TABLE. */
  ddl(statement: string): ChangeJson
}

interface Handler<Schema extends $ZodObject> {
  readonly definition: { readonly table: string | readonly string[]; readonly row: Schema }
}

const firstTimestamp = 1_767_225_600

/**
 * Builders of changes for a handler, typed by its row schema. Each change is in the JSON form, with a place of its own in the
 * stream: a position, a transaction and a time that rise.
 * @throws DtsError CONFIG_INVALID if it is unclear which table the changes are of
 */
export function changesOf<Schema extends $ZodObject>(
  handler: Handler<Schema>,
  defaults: ChangeDefaults = {},
): HandlerChanges<input<Schema>> {
  const table = tableFor(handler.definition.table, defaults.table)
  const { keys = [], timestamp = firstTimestamp } = defaults
  let count = 0
  const facts = () => {
    const at = count++
    return {
      id: BigInt(at + 1),
      timestamp: timestamp + at,
      origin: { offset: BigInt(at), generation: 1, replay: false },
      details: {
        name: tableOf(table),
        logical: null,
        keys,
        tags: {},
        sourcePosition: `${at + 1}@1`,
        transactionId: `transaction-${at + 1}`,
        idempotencyKey: `${at + 1}@1/transaction-${at + 1}/test`,
      },
    }
  }
  const make = (operation: 'INSERT' | 'UPDATE' | 'DELETE', before: object | null, after: object | null) => {
    const { id, timestamp: seconds, origin, details } = facts()
    const images = [before as Row | null, after as Row | null] as const
    return changeToJson(rowChange(operation, table, id, seconds, 'MySQL', origin, ...images, details))
  }
  return {
    insert: (after) => make('INSERT', null, after),
    update: (before, after) => make('UPDATE', before, after),
    delete: (before) => make('DELETE', before, null),
    ddl(statement) {
      const { id, timestamp: seconds, origin, details } = facts()
      const { database } = details.name
      const base = {
        operation: 'DDL',
        table,
        database,
        statement,
        id,
        timestamp: seconds,
        sourceType: 'MySQL',
      } as const
      return changeToJson({ ...base, ...origin, ...details })
    },
  }
}

/** The changes as one transaction of the source. They may be of several tables. */
export function inTransaction(
  changes: readonly ChangeJson[],
  id: string = changes[0]?.transactionId ?? '',
): ChangeJson[] {
  return changes.map((change) => ({ ...change, transactionId: id }))
}

function tableFor(declared: string | readonly string[], named: string | undefined): string {
  const [only = '', ...others] = [declared].flat()
  const table = named ?? (others.length === 0 ? only : '')
  if (table !== '' && !table.includes('*')) return table
  throw new DtsError(
    'CONFIG_INVALID',
    `The handler is for ${[declared].flat().join(', ')}, so a test has to name a table: changesOf(handler, { table: 'shop.orders' }).`,
    { retryable: false },
  )
}
