import { decodeChange } from '../dts/change.ts'
import { type ChangeOperation, carriesChange, isFiller, readHeader } from '../dts/header.ts'
import { unescapeName } from '../dts/names.ts'
import type { RecordHeader, TableName } from '../dts/types.ts'
import { asDtsError, DtsError } from '../errors.ts'
import type { LogRecord } from '../kafka/types.ts'
import { ReadRecords } from '../trail.ts'
import { keyHash } from './key.ts'
import type { KeyedEvent } from './lane.ts'
import type { Router } from './routes.ts'
import type { Route } from './settings.ts'

/** A record that passed its checksum and is no DTS record. */
export interface UnreadableRecord {
  readonly record: LogRecord
  readonly error: DtsError
}

export interface PlannedEvent extends KeyedEvent {
  readonly route: Route
}

/** One fetched slice of the stream, sorted by who handles it. Pure data: nothing has been sent. */
export interface Plan {
  /** All records, for the trail. */
  readonly read: ReadRecords
  /** In stream order. */
  readonly events: readonly PlannedEvent[]
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
  const read = new ReadRecords(slice.records.length)
  const events: PlannedEvent[] = []
  const unreadable: UnreadableRecord[] = []
  const skipped = new Map<string, number>()
  const skip = (table: string) => skipped.set(table, (skipped.get(table) ?? 0) + 1)
  for (const record of slice.records) {
    const header = isFiller(record.size) ? null : tryHeader(record, unreadable)
    if (header !== null && carriesChange(header.operation)) {
      const { offset } = record
      const table = header.objectName ?? ''
      const routes = routesFor(record, header, router)
      if (routes.length === 0 && unroutedTables === 'halt') {
        return { read, events, unreadable, skipped, end: offset, stop: unrouted(offset, table) }
      }
      let isWanted = false
      for (const route of routes) {
        if (!wants(route, header.operation)) continue
        isWanted = true
        events.push({ offset, table, record, keyHash: hashFor(route, record, header), route })
      }
      if (!isWanted) skip(table)
    }
    read.push(record, header)
  }
  return { read, events, unreadable, skipped, end: slice.nextOffset, stop: null }
}

function tryHeader(record: LogRecord, unreadable: UnreadableRecord[]): RecordHeader | null {
  const { offset, bytes, start, end } = record
  try {
    return readHeader(bytes, start, end)
  } catch (thrown) {
    const cause = asDtsError(thrown, 'RECORD_INVALID', false)
    const error = new DtsError(
      'RECORD_INVALID',
      `The record at offset ${offset} passed its checksum but is not a DTS record (${cause.message}).`,
      { retryable: false, facts: { offset: String(offset) }, cause },
    )
    unreadable.push({ record, error })
    return null
  }
}

/** A statement on a whole database, or on none that is named, concerns every handler that it may touch. */
function routesFor(record: LogRecord, header: RecordHeader, router: Router): readonly Route[] {
  const { objectName } = header
  if (objectName?.includes('.')) {
    const route = router.routeFor(objectName, () => logicalName(record, header))
    return route === null ? noRoutes : [route]
  }
  if (header.operation !== 'DDL') return noRoutes
  return router.routesForDatabase(objectName === null || objectName === '' ? null : objectName)
}

const noRoutes: readonly Route[] = []
const noColumns: readonly string[] = []
const origin = { offset: 0n, generation: 0, replay: false }

/** Undefined where this record cannot tell: a statement may lack the tags that the table's rows have. */
function logicalName({ value }: LogRecord, header: RecordHeader): string | null | undefined {
  if (value === null) return null
  try {
    const { logical } = decodeChange(value, header, origin, noColumns)
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

function hashFor({ concurrency }: Route, record: LogRecord, header: RecordHeader): number | null {
  if (concurrency === 1) return null
  const { value } = record
  if (value === null) return null
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
