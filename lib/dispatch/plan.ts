import { decodeChange } from '../dts/change.ts'
import { type ChangeOperation, carriesChange, isFiller, readHeader } from '../dts/header.ts'
import { unescapeName } from '../dts/names.ts'
import type { RecordHeader, TableName } from '../dts/types.ts'
import { asDtsError, DtsError } from '../errors.ts'
import type { LogRecord } from '../kafka/types.ts'
import type { ReadRecord } from '../trail.ts'
import { keyHash } from './key.ts'
import type { KeyedEvent } from './lane.ts'
import type { Router } from './routes.ts'
import type { Route } from './settings.ts'

/** A record that passed its checksum and is no DTS record. */
export interface UnreadableRecord {
  readonly offset: bigint
  readonly value: Buffer
  readonly error: DtsError
}

/** One fetched slice of the stream, sorted by who handles it. Pure data: nothing has been sent. */
export interface Plan {
  readonly records: readonly ReadRecord[]
  /** In stream order. */
  readonly events: readonly { readonly route: Route; readonly event: KeyedEvent }[]
  readonly unreadable: readonly UnreadableRecord[]
  /** Changes that a written rule leaves out (no route, or an operation that the handler does not want), by table. */
  readonly skipped: ReadonlyMap<string, number>
  /** Where the plan ends: behind the fetched slice, or at the record that `stop` speaks of. */
  readonly end: bigint
  /** Why the stream must not go past `end`. */
  readonly stop: DtsError | null
}

/** Reads the headers of a slice and sorts its changes by route. A table that must not be passed over ends the plan. */
export function planSlice(
  slice: { readonly records: readonly LogRecord[]; readonly nextOffset: bigint },
  router: Router,
  unroutedTables: 'skip' | 'halt',
): Plan {
  const records: ReadRecord[] = []
  const events: { route: Route; event: KeyedEvent }[] = []
  const unreadable: UnreadableRecord[] = []
  const skipped = new Map<string, number>()
  const skip = (table: string) => skipped.set(table, (skipped.get(table) ?? 0) + 1)
  for (const { offset, value } of slice.records) {
    const header = value === null || isFiller(value) ? null : tryHeader(offset, value, unreadable)
    if (value !== null && header !== null && carriesChange(header.operation)) {
      const table = header.objectName ?? ''
      const routes = routesFor(value, header, router)
      if (routes.length === 0 && unroutedTables === 'halt') {
        return { records, events, unreadable, skipped, end: offset, stop: unrouted(offset, table) }
      }
      const wanting = routes.filter((route) => wants(route, header.operation as ChangeOperation))
      if (wanting.length === 0) skip(table)
      for (const route of wanting) {
        events.push({ route, event: { offset, table, value, keyHash: hashFor(route, value, header) } })
      }
    }
    records.push({ offset, value, header })
  }
  return { records, events, unreadable, skipped, end: slice.nextOffset, stop: null }
}

function tryHeader(offset: bigint, value: Buffer, unreadable: UnreadableRecord[]): RecordHeader | null {
  try {
    return readHeader(value)
  } catch (thrown) {
    const cause = asDtsError(thrown, 'RECORD_INVALID', false)
    const error = new DtsError(
      'RECORD_INVALID',
      `The record at offset ${offset} passed its checksum but is not a DTS record (${cause.message}).`,
      { retryable: false, facts: { offset: String(offset) }, cause },
    )
    unreadable.push({ offset, value, error })
    return null
  }
}

/** A statement on a whole database, or on none that is named, concerns every handler that it may touch. */
function routesFor(value: Buffer, header: RecordHeader, router: Router): readonly Route[] {
  const { objectName } = header
  if (objectName?.includes('.')) {
    const route = router.routeFor(objectName, () => logicalName(value, header))
    return route === null ? [] : [route]
  }
  if (header.operation !== 'DDL') return []
  return router.routesForDatabase(objectName === null || objectName === '' ? null : objectName)
}

const origin = { offset: 0n, generation: 0, replay: false }

/** Undefined where this record cannot tell: a statement may lack the tags that the table's rows have. */
function logicalName(value: Buffer, header: RecordHeader): string | null | undefined {
  try {
    const { logical } = decodeChange(value, header, origin, [])
    if (logical !== null) return nameText(logical)
    return header.operation === 'DDL' ? undefined : null
  } catch {
    // The handler of whatever route is found will meet the same fault, and has a policy for it.
    return undefined
  }
}

function nameText({ database, schema, table }: TableName): string {
  return [database, schema, table]
    .filter((part) => part !== null)
    .map((part) => part.replaceAll('.', '\\u002E'))
    .join('.')
}

function wants({ operations }: Route, operation: ChangeOperation): boolean {
  return operation === 'DDL' || operations === undefined || operations.includes(operation)
}

function hashFor({ concurrency }: Route, value: Buffer, header: RecordHeader): number | null {
  if (concurrency === 1) return null
  try {
    return keyHash(value, header)
  } catch {
    return null
  }
}

function unrouted(offset: bigint, table: string): DtsError {
  return new DtsError(
    'TABLE_UNROUTED',
    `The change at offset ${offset} is of the table ${unescapeName(table)}, which no function handles, and ` +
      'UNROUTED_TABLES is halt. Add a handler or set UNROUTED_TABLES to skip, deploy, then resume.',
    { retryable: false, facts: { offset: String(offset), table } },
  )
}
