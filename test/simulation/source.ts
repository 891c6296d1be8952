import { integer, text } from '../../infra/local/encode.ts'
import { orderKey } from '../../lib/dispatch/order-key.ts'
import { maxBatchBytes } from '../../lib/dispatch/settings.ts'
import { readHeader } from '../../lib/dts/header.ts'
import type { Random } from './random.ts'
import { ddlRecord, type Origin, type RowRecord, rowRecord, t0, unreadable } from './records.ts'
import { Dating, type StrangeTimes } from './strange-times.ts'
import { databases, type RoutedBy, type Routing, type SourceTable, type TableFunction } from './tables.ts'

/** How a change makes its handler fail, each time until an operator fixes the handler. */
export type Poison = 'throws' | 'hangs' | 'crashes'

/** A record of the source, and its expected handling. It is the same on every cluster. */
export interface Entry {
  /** Its place in the order of the source. */
  readonly index: number
  /** `unreadable` bytes pass every checksum but are no record. */
  readonly kind: 'change' | 'unreadable'
  readonly table: string
  /** The rule that routes a row. */
  readonly routedBy: RoutedBy | null
  /** The functions that have to handle it. */
  readonly functions: readonly string[]
  /** No function handles this change. */
  readonly unrouted: boolean
  /** The rows that it changes; null if its table has no key: then it keeps its order with every change of the table. */
  readonly keys: readonly number[] | null
  readonly changesKey: boolean
  readonly isDdl: boolean
  /** Larger than a message of the dead-letter queue. `tooLarge` is also larger than an invocation. */
  readonly isLarge: boolean
  readonly tooLarge: boolean
  readonly poison: Poison | null
  /** The time on the source's clock, in seconds. */
  readonly clock: number
  /** The record's time, in seconds: mostly the same, sometimes a little earlier. */
  readonly time: number
  /** Its time differs from the source's clock by minutes or hours. */
  readonly isStrange: boolean
  /** Rows of one statement share it. */
  readonly statement: number
  /** Which row of its statement it is. */
  readonly ordinal: number
  readonly transaction: number
  /** No other change can be equal to it. */
  readonly isUnique: boolean
  /** When the source wrote it, in milliseconds from the start of the world. */
  readonly loggedAt: number
  /** The record as a cluster stores it. */
  readonly encode: (copy: Copy) => Buffer
}

/** How a cluster writes the source's records. */
export interface Dialect {
  /** With other identities, so that no change can be found again. */
  readonly rewritten: boolean
  /** Without the tag that names primary keys. */
  readonly untagged: boolean
}

export const plainDialect: Dialect = { rewritten: false, untagged: false }

/** The parts of a record that differ from cluster to cluster. */
export interface Copy extends Dialect {
  readonly id: bigint
}

export interface SourceSize {
  /** For worlds that test other faults: few changes fail or are unreadable, and none is larger than an invocation. */
  readonly mostlyGood: boolean
  /** The maximum number of changes. */
  readonly count: number
  /** The time within which they arrive, in milliseconds. */
  readonly spanMs: number
}

type Content = Omit<
  Entry,
  | 'index'
  | 'clock'
  | 'time'
  | 'isStrange'
  | 'statement'
  | 'ordinal'
  | 'transaction'
  | 'loggedAt'
  | 'encode'
  | 'poison'
> & { readonly write: (origin: Origin, untagged: boolean) => Buffer }

/** @param naming chooses which statements do not name their transaction */
export function makeSource(
  random: Random,
  routing: Routing,
  unroutedTables: 'skip' | 'halt',
  strange: StrangeTimes,
  size: SourceSize,
  naming: Random,
): Entry[] {
  // Without names only marks tell transactions apart, and a cluster may begin or cease to mark them.
  const unnamed = size.mostlyGood ? 0 : naming.pick([0, 0, 0, 0.3, 1])
  const count = random.whole(10, size.count)
  const backlog = random.pick([1, 0.5, 0.2])
  const rowIds = random.pick([2, 6, 30] as const)
  const rates = chooseRates(random, unroutedTables, size.mostlyGood)
  const poisonKind = random.pick(['throws', 'throws', 'throws', 'hangs', 'crashes'] as const)
  const furthestBack = random.pick([2, 5, 9] as const)
  const pace = random.pick<readonly [number, ...number[]]>([
    [0, 0, 1],
    [0, 1, 2, 3],
    [1, 1, 1, 25],
  ])
  const dating = new Dating(random, strange, count)
  const entries: Entry[] = []
  let clock = t0 + 10
  for (let statement = 1, transaction = 1; entries.length < count; statement++) {
    if (random.chance(0.6)) transaction += 1
    clock += random.pick(pace)
    const otherwise = dating.of(entries.length, transaction)
    const time = clock + otherwise - (random.chance(rates.disorder) ? random.whole(1, furthestBack) : 0)
    const areEqual = random.chance(rates.equal)
    const keyless = areEqual || random.chance(rates.keyless)
    const rows = random.pick([1, 1, 1, 2, 5] as const)
    const transactionId = naming.chance(unnamed) ? '' : `tx${transaction}`
    const touched = new Set<number>()
    let content: Content | null = null
    for (let ordinal = 0; ordinal < rows && entries.length < count; ordinal++) {
      if (content === null || !areEqual) content = makeContent(random, routing, rates, keyless, rowIds)
      const { write, ...plain } = content
      // A statement changes a row with a primary key once.
      if (plain.keys?.some((key) => touched.has(key))) break
      for (const key of plain.keys ?? []) touched.add(key)
      const alone = plain.kind === 'unreadable' || plain.isDdl
      entries.push({
        ...plain,
        index: entries.length,
        clock,
        time,
        isStrange: otherwise !== 0,
        statement,
        ordinal,
        transaction,
        poison: plain.functions.length > 0 && !plain.isDdl && random.chance(rates.poison) ? poisonKind : null,
        loggedAt: entries.length < count * backlog ? 0 : random.whole(1, size.spanMs),
        encode: ({ id, rewritten, untagged }) => {
          const position = `${statement}@${rewritten ? 'other' : 1}`
          return write({ id, time, position, transaction: transactionId }, untagged)
        },
      })
      if (alone) break
    }
  }
  const times = entries.map(({ loggedAt }) => loggedAt).sort((left, right) => left - right)
  return entries.map((entry, index) => ({ ...entry, loggedAt: times[index] ?? 0 }))
}

function chooseRates(random: Random, unroutedTables: 'skip' | 'halt', mostlyGood: boolean) {
  return {
    poison: random.chance(0.25) ? random.pick(mostlyGood ? [0.02, 0.1] : [0.02, 0.1, 1]) : 0,
    unreadable: random.chance(0.15) ? random.pick(mostlyGood ? [0.03, 0.2] : [0.03, 0.6]) : 0,
    large: random.chance(0.03) ? 0.02 : 0,
    tooLarge: !mostlyGood && random.chance(0.03) ? 0.02 : 0,
    ddl: random.chance(0.3) ? 0.04 : 0,
    unknown: random.chance(unroutedTables === 'halt' ? 0.2 : 0.3) ? 0.04 : 0,
    keyChange: random.chance(0.4) ? 0.15 : 0,
    keyless: random.chance(0.2) ? 0.1 : 0,
    equal: random.chance(0.3) ? 0.3 : 0,
    disorder: random.chance(0.4) ? 0.3 : 0,
  }
}

interface ContentRates {
  readonly unreadable: number
  readonly ddl: number
  readonly unknown: number
  readonly keyChange: number
  readonly large: number
  readonly tooLarge: number
}

function makeContent(
  random: Random,
  routing: Routing,
  rates: ContentRates,
  keyless: boolean,
  rowIds: number,
): Content {
  const common = {
    unrouted: false,
    keys: null,
    changesKey: false,
    routedBy: null,
    isDdl: false,
    isLarge: false,
    tooLarge: false,
    isUnique: true,
  }
  if (random.chance(rates.unreadable)) {
    const unhandled = { kind: 'unreadable' as const, table: '', functions: [] }
    return { ...common, ...unhandled, write: ({ id }) => unreadable(id) }
  }
  if (random.chance(rates.ddl)) return { ...common, ...ddl(random, routing) }
  return { ...common, ...rowChange(random, routing, rates, keyless, rowIds) }
}

function ddl(random: Random, { functions, tables }: Routing) {
  const table = random.pick(tables)
  const other = random.pick(tables)
  const database = random.pick(databases)
  const ownersOf = (...some: readonly SourceTable[]) =>
    [...new Set(some.flatMap(({ owner }) => owner ?? []))].map(({ name }) => name)
  const names = functions.map(({ name }) => name)
  const inDatabase = functions.filter((one) => one.databases.includes(database)).map(({ name }) => name)
  const [name, otherName] = [writtenName(table), writtenName(other)]
  const ghost = (kind: string) => name.replace('.', '._').concat('_', kind)
  const rename = `RENAME TABLE ${name} TO ${ghost('del')}, ${ghost('gho')} TO ${name}`
  const [objectName, logical, concerned, statement] = random.pick<Ddl>([
    [table.name, table.logical, ownersOf(table), `ALTER TABLE ${name} ADD c INT`],
    [table.name, table.logical, ownersOf(table, other), `DROP TABLE ${name}, ${otherName}`],
    [ghost('gho'), null, ownersOf(table), rename],
    [null, null, names, 'FLUSH PRIVILEGES'],
    [database, null, inDatabase, `DROP DATABASE ${database}`],
  ])
  return {
    kind: 'change' as const,
    isDdl: true,
    table: objectName ?? '',
    functions: concerned,
    // An unrouted DDL statement never halts the stream.
    unrouted: false,
    write: (origin: Origin) => ddlRecord(objectName, logical, statement, origin),
  }
}

type Ddl = [
  objectName: string | null,
  logical: SourceTable['logical'],
  concerned: readonly string[],
  statement: string,
]

/** The table name in a statement. Users of a sharded source write the logical name. */
function writtenName({ name, logical, routedBy }: SourceTable): string {
  return routedBy === 'logical' && logical !== null ? `${logical.database}.${logical.table}` : name
}

function rowChange(
  random: Random,
  { tables, unknown }: Routing,
  rates: ContentRates,
  keyless: boolean,
  rowIds: number,
) {
  const table = random.chance(rates.unknown) ? unknown : random.pick(tables)
  const operation = random.pick(['INSERT', 'UPDATE', 'UPDATE', 'DELETE'] as const)
  const id = random.whole(1, rowIds)
  const changesKey = operation === 'UPDATE' && random.chance(rates.keyChange)
  const ids = [id, changesKey ? random.whole(1, rowIds) : id] as const
  const keyed = !keyless && !table.isKeyless
  const tooLarge = operation !== 'DELETE' && random.chance(rates.tooLarge)
  const isLarge = random.chance(rates.large)
  const size = tooLarge ? maxBatchBytes : isLarge ? 200_000 : 5
  const written = table.hasTextKey
    ? ids.map((one, image) => text(spellingOf(one, image)))
    : ids.map((one) => integer(one))
  const [before = null, after = null] = written
  const row: RowRecord = {
    operation,
    table: table.name,
    logical: table.logical,
    ids: [before, after],
    keyed,
    size,
  }
  const { owner } = table
  const isMoved = table.hasTextKey ? spellingOf(ids[0], 0) !== spellingOf(ids[1], 1) : ids[0] !== ids[1]
  return {
    kind: 'change' as const,
    table: table.name,
    functions: owner !== null && wants(owner, operation, isMoved) ? [owner.name] : [],
    unrouted: owner === null,
    routedBy: table.routedBy,
    // Rows of two tables never share a key. A function of both tables orders them together all the same.
    keys: keyed ? ids.map((one) => one + table.number * 1_000) : null,
    changesKey: ids[0] !== ids[1],
    isLarge,
    tooLarge,
    isUnique: keyed,
    write: (origin: Origin, untagged: boolean) => rowRecord({ ...row, keyed: keyed && !untagged }, origin),
  }
}

/** Whether the function's operations and its filter let a change pass. @param isMoved its ids differ */
function wants({ delivery }: TableFunction, operation: RowRecord['operation'], isMoved: boolean): boolean {
  const { operations, filter } = delivery
  if (operations?.includes(operation) === false) return false
  if (filter?.changed !== undefined) return operation !== 'UPDATE' || isMoved
  // An update writes another status, and the row matched before it.
  return filter?.where === undefined || operation !== 'INSERT'
}

/** One of the texts that a collation treats as equal: another one before a change than after it. */
function spellingOf(id: number, image: number): string {
  const texts = spellings(id)
  return texts[(id + image) % texts.length] ?? ''
}

function spellings(id: number): readonly [string, ...string[]] {
  if (id % 5 === 0) return [`Łan ${id}`, `łan ${id}`, `ŁAN ${id}`]
  return [`Ärger-${id}`, `aerger ${id}`, `ÆRGER-0${id}`, `Ａ\u0308rger-${id}`]
}

/** The lane of a change among `concurrency` lanes, by the poller's own rule. */
export function laneOf({ encode }: Entry, concurrency: number, dialect: Dialect): number {
  if (concurrency === 1) return 0
  const value = encode({ id: 1n, ...dialect })
  const key = orderKey(value, readHeader(value))
  return key === null ? 0 : key.hash % concurrency
}
