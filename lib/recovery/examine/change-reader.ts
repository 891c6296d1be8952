import { laneIndex, laneName } from '../../dispatch/function-queue.ts'
import type { Masker } from '../../dispatch/mask.ts'
import { Pattern } from '../../dispatch/pattern.ts'
import { type RoutedPart, routeSlice } from '../../dispatch/route-slice.ts'
import { Router } from '../../dispatch/routes.ts'
import { judge, judgedRecord } from '../../dispatch/row-filter.ts'
import type { Route } from '../../dispatch/settings.ts'
import { decodeChange } from '../../dts/decode-change.ts'
import { carriesChange, isFiller, readHeader } from '../../dts/header.ts'
import { effectOn } from '../../dts/mask-record.ts'
import { escapeName } from '../../dts/names.ts'
import type { RecordHeader } from '../../dts/types.ts'
import { asDtsError } from '../../errors.ts'
import type { LogRecords } from '../../kafka/records.ts'
import { printable } from '../../text/printable.ts'
import { toSeconds } from '../../time.ts'
import { type DescribedChange, describeChange } from './describe-change.ts'
import type { Fate } from './fate.ts'
import { isOfRow } from './row-key.ts'

/** A change as a person may see it. */
export interface SeenChange extends DescribedChange {
  readonly functions: readonly string[]
  readonly lanes: readonly string[]
  /** Columns whose values the mask of the handler hides, each with its effect. */
  readonly masked: readonly string[]
  /** Why its values are left out; null if they are not. */
  readonly withheld: string | null
  /** Its fate, if that does not depend on the checkpoint. */
  readonly settled: Fate | null
}

/** What a record is to a look: null for anything but a wanted change. */
export interface Seen {
  readonly table: string
  readonly operation: string
  /** `counted`: it is not to be listed. `other`: of another row. `hidden`: of an unknown row, because its values must not be seen. */
  readonly row: SeenChange | 'counted' | 'other' | 'hidden'
}

/** Which changes a look wants. */
export interface Wanted {
  /** Null: every table. */
  readonly table: string | null
  /** The parts of the key; empty: every row. */
  readonly key: readonly string[]
}

const origin = { offset: 0n, generation: 0, replay: false }
const noColumns: readonly string[] = []
const mostKnownTables = 10_000

/**
 * Reads changes for people: masked as their function gets them. A row that no function gets is shown without its values, because no
 * mask says what may be seen: it can be the copy of a masked table.
 */
export class ChangeReader {
  readonly #router: Router
  /** Routes with their filters, by those without. */
  readonly #whole = new Map<Route, Route>()
  readonly #masker: Masker
  readonly #pattern: Pattern | null
  readonly #key: readonly string[]
  /** By the table's name in the record. */
  readonly #matches = new Map<string, boolean>()

  constructor(
    routes: Readonly<Record<string, Route>>,
    ghosts: 'skip' | 'deliver',
    masker: Masker,
    { table, key }: Wanted,
  ) {
    const unfiltered = Object.entries(routes).map(([pattern, route]): [string, Route] => {
      const { operations: _, filter: __, ...bare } = route
      this.#whole.set(bare, route)
      return [pattern, bare]
    })
    this.#router = new Router(Object.fromEntries(unfiltered), ghosts)
    this.#masker = masker
    this.#pattern = table === null ? null : new Pattern(table)
    this.#key = key
  }

  /** The route of a table's rows; null if it has none. @param table a name that `read` returned */
  routeOf(table: string): Route | null {
    return this.#router.routesFor(table, () => null).routes[0] ?? null
  }

  /** @param isListed false: the change is only counted */
  read(records: LogRecords, index: number, isListed: boolean): Seen | null {
    const value = records.at(index)?.value ?? null
    if (value === null || isFiller(value.length)) return null
    const offset = records.offset(index)
    let header: RecordHeader
    try {
      header = readHeader(value)
    } catch (thrown) {
      const error = asDtsError(thrown, 'RECORD_INVALID', false)
      return this.#pattern === null ? this.#unreadable(offset, error.message) : null
    }
    const { operation } = header
    if (!carriesChange(operation)) return null
    const table = header.objectName ?? ''
    if (!this.#wants(table, value, header)) return null
    const isSearch = this.#key.length > 0
    if (operation === 'DDL' && isSearch) return null
    if (!isListed && !isSearch) return { table, operation, row: 'counted' }
    const part = { records, from: index, to: index + 1, nextOffset: offset + 1n }
    const change = this.#change(routeSlice(part, this.#router, 'skip', this.#masker), value, header, offset)
    const isHidden = isSearch && change !== null && change.withheld !== null
    return { table, operation, row: isHidden ? 'hidden' : (change ?? 'other') }
  }

  #wants(table: string, value: Buffer, header: RecordHeader): boolean {
    const pattern = this.#pattern
    if (pattern === null) return true
    let matches = this.#matches.get(table)
    if (matches === undefined) {
      matches = pattern.matches(table) || pattern.matches(logicalName(value, header))
      if (this.#matches.size < mostKnownTables) this.#matches.set(table, matches)
    }
    return matches
  }

  /** Null: the key does not match. */
  #change(routed: RoutedPart, value: Buffer, header: RecordHeader, offset: bigint): SeenChange | null {
    const { events, unreadable, halt, ghosts } = routed
    const bare = withoutValues(header, offset)
    const [unread] = unreadable
    if (unread !== undefined) return { ...bare, withheld: unread.error.message, settled: noFunction }
    if (halt !== null) return { ...bare, functions: [String(halt.facts.function)], withheld: halt.message }
    const [first] = events
    if (first === undefined || first.value === null) {
      const reason = ghosts.size > 0 ? 'ghost table of an online schema change' : 'no handler'
      return { ...bare, withheld: unmasked, settled: { kind: 'unhandled', reason } }
    }
    const { route } = first
    const functions = events.map((event) => event.route.functionName)
    const lanes = events.map(({ key, route: { functionName, concurrency } }) =>
      laneName(functionName, laneIndex(key, concurrency), concurrency),
    )
    try {
      const change = decodeChange(first.value, header, { ...origin, offset }, undefined, true)
      if (this.#key.length > 0 && !isOfRow(change, this.#key)) return null
      const whole = this.#whole.get(route) ?? route
      const isFiltered =
        judge(whole, header.operation as SeenOperation, () => judgedRecord(value, offset)) === 'filtered'
      return {
        ...bare,
        ...describeChange(change),
        functions,
        lanes,
        masked: change.operation === 'DDL' ? [] : maskedColumns(route),
        settled: isFiltered ? { kind: 'filtered', reason: null } : null,
      }
    } catch (thrown) {
      return { ...bare, functions, lanes, withheld: asDtsError(thrown, 'RECORD_INVALID', false).message }
    }
  }

  #unreadable(offset: bigint, reason: string): Seen {
    const operation = 'UNREADABLE'
    const change = { ...nothing, offset, operation, withheld: reason, settled: noFunction }
    return { table: '', operation, row: this.#key.length > 0 ? 'hidden' : change }
  }
}

type SeenOperation = Parameters<typeof judge>[1]

const noFunction: Fate = {
  kind: 'unhandled',
  reason: 'it is a dead letter of no function, or halts the stream',
}
const unmasked = 'No function gets this row, so no mask says which values may be seen: they are left out.'

const nothing = {
  id: '',
  table: '',
  key: '',
  at: 0,
  columns: [],
  text: null,
  functions: [],
  lanes: [],
  masked: [],
  settled: null,
} satisfies Partial<SeenChange>

function withoutValues({ operation, objectName, sourceTimestamp }: RecordHeader, offset: bigint): SeenChange {
  const at = toSeconds(sourceTimestamp) * 1_000
  return { ...nothing, offset, operation, table: objectName ?? '', at, withheld: null }
}

/** Such as `email (hashed)`. */
function maskedColumns({ mask = {} }: Route): string[] {
  return Object.keys(mask).map(
    (name) => `${printable(name)} (${effectOn(name, mask) === 'hash' ? 'hashed' : 'left out'})`,
  )
}

/** Empty if the record has none, or cannot be decoded. */
function logicalName(value: Buffer, header: RecordHeader): string {
  try {
    const { logical } = decodeChange(value, header, origin, noColumns)
    if (logical === null) return ''
    const { database, schema, table } = logical
    return [database, schema, table]
      .filter((part) => part !== null)
      .map(escapeName)
      .join('.')
  } catch {
    return ''
  }
}
