import { keyHash } from '../../lib/dispatch/key.ts'
import { maxBatchBytes } from '../../lib/dispatch/wire.ts'
import { readHeader } from '../../lib/dts/header.ts'
import type { Random } from './random.ts'
import { ddlRecord, filler, mark, otherUnreadable, type RowRecord, rowRecord, unreadable } from './records.ts'
import type { TableFunction } from './scenario.ts'

/** How a change makes its handler fail, every time until somebody mends it. */
export type Poison = 'throws' | 'hangs' | 'crashes'

/** One offset of the log, and what should become of it. */
export interface Entry {
  readonly offset: bigint
  readonly value: Buffer | null
  /** `control` holds an offset without being a record. */
  readonly kind: 'change' | 'idle' | 'control' | 'unreadable'
  readonly table: string
  /** The functions that have to handle it. */
  readonly functions: readonly string[]
  /** A change of a table that nobody handles. */
  readonly unrouted: boolean
  /** The rows it touches; null when it stands between everything before and everything behind it. */
  readonly keys: readonly number[] | null
  readonly changesKey: boolean
  readonly isDdl: boolean
  readonly tooLarge: boolean
  readonly poison: Poison | null
  /** When it can be read, in milliseconds from the start. */
  readonly appearsAt: number
  /** The same offset in another log. */
  readonly otherValue: Buffer | null
}

const unknownTable = 'shop.unknown'

export function makeEntries(
  random: Random,
  functions: readonly TableFunction[],
  unroutedTables: 'skip' | 'halt',
): Entry[] {
  const count = random.whole(10, random.pick([30, 60, 120]))
  const backlog = random.pick([1, 0.5, 0.2])
  const rowIds = random.pick([2, 6, 30] as const)
  const rates = {
    poison: random.chance(0.25) ? random.pick([0.02, 0.1, 1]) : 0,
    unreadable: random.chance(0.15) ? random.pick([0.03, 0.6]) : 0,
    large: random.chance(0.03) ? 0.02 : 0,
    tooLarge: random.chance(0.03) ? 0.02 : 0,
    idle: random.pick([0, 0.1, 0.5]),
    ddl: random.chance(0.3) ? 0.04 : 0,
    unknown: random.chance(unroutedTables === 'halt' ? 0.2 : 0.3) ? 0.04 : 0,
    keyChange: random.chance(0.4) ? 0.15 : 0,
    keyless: random.chance(0.2) ? 0.1 : 0,
  }
  const poisonKind = random.pick(['throws', 'throws', 'throws', 'hangs', 'crashes'] as const)
  let offset = random.pick([0n, 1_000n, 1n << 60n])
  const entries: Entry[] = []
  for (let index = 0; index < count; index++) {
    if (random.chance(0.05)) offset += BigInt(random.whole(1, 5))
    const appearsAt = index < count * backlog ? 0 : random.whole(1, 240) * 1000
    const base = { offset, appearsAt, table: '', functions: [], unrouted: false, keys: null, poison: null }
    const plain = { ...base, changesKey: false, isDdl: false, tooLarge: false }
    offset += 1n
    if (index > 0 && random.chance(rates.idle)) {
      entries.push({ ...plain, ...idle(random) })
    } else if (index > 0 && random.chance(rates.unreadable)) {
      entries.push({ ...plain, kind: 'unreadable', value: unreadable, otherValue: otherUnreadable })
    } else if (index > 0 && random.chance(rates.ddl)) {
      entries.push({ ...plain, ...ddl(random, functions) })
    } else {
      const isUnknown = index > 0 && random.chance(rates.unknown)
      const { keys, ...row } = change(random, functions, { ...rates, unknown: isUnknown ? 1 : 0 }, rowIds)
      const poison = row.functions.length > 0 && random.chance(rates.poison) ? poisonKind : null
      entries.push({ ...plain, ...row, keys, poison })
    }
  }
  const times = entries.map(({ appearsAt }) => appearsAt).sort((left, right) => left - right)
  return entries.map((entry, index) => ({ ...entry, appearsAt: times[index] ?? 0 }))
}

function idle(random: Random): Pick<Entry, 'kind' | 'value' | 'otherValue'> {
  const operation = random.pick([
    'BEGIN',
    'COMMIT',
    'HEARTBEAT',
    'NOOP',
    'filler',
    'none',
    'control',
  ] as const)
  switch (operation) {
    case 'control':
      return { kind: 'control', value: null, otherValue: null }
    case 'none':
      return { kind: 'idle', value: null, otherValue: filler }
    case 'filler':
      return { kind: 'idle', value: filler, otherValue: null }
    default:
      return { kind: 'idle', value: mark(operation, 'a'), otherValue: mark(operation, 'b') }
  }
}

function ddl(random: Random, functions: readonly TableFunction[]) {
  const one = random.pick(functions as [TableFunction, ...TableFunction[]])
  const table = one.tables[0] ?? ''
  const concernedBy: readonly [
    [string | null, readonly TableFunction[]],
    ...[string | null, readonly TableFunction[]][],
  ] = [
    [table, [one]],
    ['shop', functions],
    [null, functions],
  ]
  const [objectName, concerned] = random.pick(concernedBy)
  return {
    kind: 'change' as const,
    isDdl: true,
    table: objectName ?? '',
    functions: concerned.map(({ name }) => name),
    value: ddlRecord(objectName, 'a'),
    otherValue: ddlRecord(objectName, 'b'),
  }
}

function change(
  random: Random,
  functions: readonly TableFunction[],
  rates: { unknown: number; keyChange: number; keyless: number; large: number; tooLarge: number },
  rowIds: number,
) {
  const handler = rates.unknown > 0 ? null : random.pick(functions as [TableFunction, ...TableFunction[]])
  const table = handler === null ? unknownTable : random.pick(handler.tables as [string, ...string[]])
  const operation = random.pick(['INSERT', 'UPDATE', 'UPDATE', 'DELETE'] as const)
  const id = random.whole(1, rowIds)
  const changesKey = operation === 'UPDATE' && random.chance(rates.keyChange)
  const ids = [id, changesKey ? random.whole(1, rowIds) : id] as const
  const keyed = !random.chance(rates.keyless)
  const tooLarge = operation !== 'DELETE' && random.chance(rates.tooLarge)
  const size = tooLarge ? maxBatchBytes : random.chance(rates.large) ? 200_000 : 5
  const row: RowRecord = { operation, table, ids, keyed, size }
  const wants = handler?.delivery.operations?.includes(operation) ?? true
  return {
    kind: 'change' as const,
    table,
    functions: handler !== null && wants ? [handler.name] : [],
    unrouted: handler === null,
    // Rows of two tables are never the same row; a function that has both orders them together all the same.
    keys: keyed ? ids.map((one) => one + tableNumber(table)) : null,
    changesKey: ids[0] !== ids[1],
    tooLarge,
    value: rowRecord(row, 'a'),
    otherValue: rowRecord({ ...row, size: 5 }, 'b'),
  }
}

function tableNumber(table: string): number {
  return table.includes('.u') ? 1_000 : 0
}

/** Which of `concurrency` strands has the change, by the poller's own rule. */
export function strandOf({ value }: Entry, concurrency: number): number {
  if (concurrency === 1 || value === null) return 0
  const hash = keyHash(value, readHeader(value))
  return hash === null ? 0 : hash % concurrency
}
