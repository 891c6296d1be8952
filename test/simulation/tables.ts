import { type Delivery, deliverySchema } from '../../lib/dispatch/settings.ts'
import type { Random } from './random.ts'
import type { LogicalName } from './records.ts'

/** The tables of a world's source, and the functions that handle them. */

export interface TableFunction {
  readonly name: string
  /** Table names and patterns, as its file declares them. */
  readonly routes: readonly string[]
  /** The databases of its tables. It receives statements on any of these databases as a whole. */
  readonly databases: readonly string[]
  readonly delivery: Delivery
  /** Which side of `defineTable` the function uses. */
  readonly style: 'onChange' | 'onBatch' | 'onTransaction'
  /** How long the handler works on one change, in milliseconds. */
  readonly workMs: number
}

export type RoutedBy =
  | 'exact'
  | 'exact over pattern'
  | 'pattern'
  | 'logical'
  | 'physical over logical'
  | 'catch-all'
  | 'no route'

export interface SourceTable {
  /** The name in records. */
  readonly name: string
  readonly logical: LogicalName | null
  /** The function that handles it; null: no function. */
  readonly owner: TableFunction | null
  /** The rule that routes it to its owner. */
  readonly routedBy: RoutedBy
  /** Distinguishes the row ids of one table from those of another. */
  readonly number: number
  /** The table has no primary key. */
  readonly isKeyless: boolean
  /** Its key is a text, which each change may spell in another way. */
  readonly hasTextKey: boolean
}

export interface Routing {
  readonly functions: readonly TableFunction[]
  readonly tables: readonly [SourceTable, ...SourceTable[]]
  /** Only a catch-all route matches it, if there is one. */
  readonly unknown: SourceTable
}

/** All databases of all worlds. */
export const databases = ['shop', 'shop_1', 'shop_2', 'shard_1', 'nowhere'] as const

type Shape = Pick<TableFunction, 'routes' | 'databases'> & { readonly tables: readonly NamedTable[] }
type NamedTable = Pick<SourceTable, 'name' | 'logical' | 'routedBy'>

const plainTable = (routedBy: RoutedBy, name: string): NamedTable => ({ name, logical: null, routedBy })

const shapes: Record<'exact' | 'two' | 'pattern' | 'logical' | 'catchAll', (index: number) => Shape> = {
  exact: (index) => ({
    routes: [`shop.t${index}`],
    databases: ['shop'],
    tables: [plainTable('exact', `shop.t${index}`)],
  }),
  two: (index) => ({
    routes: [`shop.t${index}`, `shop.u${index}`],
    databases: ['shop'],
    tables: [plainTable('exact', `shop.t${index}`), plainTable('exact', `shop.u${index}`)],
  }),
  pattern: (index) => ({
    routes: [`shop_*.t${index}_*`],
    databases: ['shop_1', 'shop_2'],
    tables: [plainTable('pattern', `shop_1.t${index}_1`), plainTable('pattern', `shop_2.t${index}_07`)],
  }),
  logical: (index) => ({
    routes: [`shop.l${index}`],
    databases: ['shop'],
    tables: ['1', '2'].map((shard) => ({
      name: `shard_1.l${index}_${shard}`,
      logical: { database: 'shop', table: `l${index}` },
      routedBy: 'logical',
    })),
  }),
  catchAll: (index) => ({
    routes: ['*'],
    databases,
    tables: [plainTable('catch-all', `shop.rest${index}`), plainTable('catch-all', 'other.thing')],
  }),
}

/** A function while its routes are being chosen. */
interface Draft {
  readonly kind: keyof typeof shapes
  readonly routes: string[]
  readonly databases: string[]
  readonly tables: NamedTable[]
}

/**
 * @param further chooses what most worlds have only one kind of
 * @param filters chooses the filters of handlers
 * @param batches chooses which functions get whole transactions, and the bounds of batches
 */
export function makeRouting(random: Random, further: Random, filters: Random, batches: Random): Routing {
  const count = random.whole(1, 4) + (further.chance(0.1) ? further.whole(4, 16) : 0)
  const drafts: Draft[] = []
  for (let index = 1; index <= count; index++) {
    const isRest = index > 1 && index === count && random.chance(0.2)
    const kind = isRest
      ? 'catchAll'
      : random.pick(['exact', 'exact', 'exact', 'two', 'pattern', 'logical'] as const)
    const { routes, databases: own, tables } = shapes[kind](index)
    drafts.push({ kind, routes: [...routes], databases: [...own], tables: [...tables] })
  }
  overlap(random, drafts)
  const functions = drafts.map(({ routes, databases: own }, index) => ({
    name: `f${index + 1}`,
    routes,
    databases: own,
    ...withBatches(batches, settings(random, filters)),
  }))
  const tables = drafts.flatMap(({ tables: own }, index) =>
    own.map((table) => ({ ...table, owner: functions[index] ?? null })),
  )
  const rest = functions.find(({ routes }) => routes.includes('*')) ?? null
  const keyless = further.pick([0, 0, 0.3])
  const [first, ...others] = tables.map((table, index) => ({
    ...table,
    number: index + 1,
    isKeyless: further.chance(keyless),
    hasTextKey: further.chance(0.2),
  }))
  if (first === undefined) throw new RangeError('a world without tables')
  return {
    functions,
    tables: [first, ...others],
    unknown: {
      ...plainTable(rest === null ? 'no route' : 'catch-all', 'shop.unknown'),
      owner: rest,
      number: 0,
      isKeyless: false,
      hasTextKey: false,
    },
  }
}

/** Tables that two routes match. */
function overlap(random: Random, drafts: readonly Draft[]): void {
  const patterned = drafts.findIndex(({ kind }) => kind === 'pattern')
  const owner = drafts[patterned]
  if (owner === undefined) return
  const exact = drafts.find(({ kind }) => kind === 'exact')
  if (exact !== undefined && random.chance(0.5)) {
    // An exact name wins over a pattern.
    const [table] = owner.tables.splice(0, 1)
    if (table !== undefined) {
      exact.routes.push(table.name)
      exact.databases.push('shop_1')
      exact.tables.push({ ...table, routedBy: 'exact over pattern' })
    }
  }
  const logical = drafts.findIndex(({ kind }) => kind === 'logical')
  // The physical name wins over the logical one.
  if (logical >= 0 && random.chance(0.5)) {
    owner.tables.push({
      name: `shop_2.t${patterned + 1}_l`,
      logical: { database: 'shop', table: `l${logical + 1}` },
      routedBy: 'physical over logical',
    })
  }
}

/** The first leaves out updates that keep the id, the second leaves out rows that no change found before. */
const someFilters: readonly [object, ...object[]] = [{ changed: ['id'] }, { where: "status = 'old'" }]

function settings(random: Random, filters: Random): Pick<TableFunction, 'delivery' | 'style' | 'workMs'> {
  return {
    delivery: deliverySchema.parse({
      attempts: random.whole(1, 4),
      maxAgeSeconds: random.pick([5, 60, 3_600]),
      onFailure: random.chance(0.2) ? 'halt' : 'dead-letter',
      batchSize: random.pick([1, 2, 5, 20]),
      concurrency: random.chance(0.4) ? random.whole(2, 4) : 1,
      ...(random.chance(0.2) ? { operations: ['INSERT', 'UPDATE'] } : {}),
      ...(filters.chance(0.15) ? { filter: filters.pick(someFilters) } : {}),
    }),
    style: random.chance(0.3) ? 'onBatch' : 'onChange',
    workMs: random.pick([0, 0, 5, 50, 400]),
  }
}

function withBatches<Own extends Pick<TableFunction, 'delivery' | 'style' | 'workMs'>>(
  random: Random,
  own: Own,
): Own {
  const batchWindowSeconds = random.pick([0, 0, 0, 0, 1, 1])
  const batchBytes = random.chance(0.1) ? 1_000 : own.delivery.batchBytes
  const delivery = { ...own.delivery, batchWindowSeconds, batchBytes }
  if (!random.chance(0.25)) return { ...own, delivery }
  // A handler that needs longer for a whole transaction than it may run never handles it.
  const workMs = Math.min(own.workMs, 50)
  return {
    ...own,
    workMs,
    style: 'onTransaction',
    delivery: { ...delivery, concurrency: 1, transactions: true },
  }
}
