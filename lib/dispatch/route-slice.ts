import type { Change } from '../dts/change.ts'
import { decodeChange } from '../dts/decode-change.ts'
import {
  type ChangeOperation,
  carriesChange,
  type HeaderFacts,
  isFiller,
  readHeader,
  scanHeader,
} from '../dts/header.ts'
import { escapeName, unescapeName } from '../dts/names.ts'
import type { TableName } from '../dts/types.ts'
import { asDtsError, DtsError } from '../errors.ts'
import type { LogRecords } from '../kafka/records.ts'
import { PlannedEvent, RoutedEvent } from './event.ts'
import { keyHash } from './key.ts'
import { ReadRecords } from './read-records.ts'
import type { Router, Routing } from './routes.ts'
import type { Route } from './settings.ts'
import { routesOfStatement } from './statement-routes.ts'

/** A record that passed its checksum and is no DTS record. */
export interface UnreadableRecord {
  readonly event: RoutedEvent
  readonly error: DtsError
}

/** A part of a fetched slice. */
export interface SlicePart {
  readonly records: LogRecords
  /** The first record that belongs to it, and the first that does not. */
  readonly from: number
  readonly to: number
  /** Where the part ends: behind its last record, gaps included. */
  readonly nextOffset: bigint
}

/** A part of the stream, sorted by who handles it. Pure data: nothing has been sent. */
export interface Plan {
  /** All records, for the read window. */
  readonly read: ReadRecords
  /** In stream order. */
  readonly events: readonly PlannedEvent[]
  readonly unreadable: readonly UnreadableRecord[]
  /** Changes that a written rule leaves out (no route, an exclusion, or an operation that the handler does not want), by table. */
  readonly skipped: ReadonlyMap<string, number>
  /** Changes that are left out because their table is a ghost of an online schema change, by table. */
  readonly ghosts: ReadonlyMap<string, number>
  /** Where the plan ends: behind the part, or at the record that `halt` speaks of. */
  readonly end: bigint
  /** Why the stream must not go past `end`. */
  readonly halt: DtsError | null
}

/** Reads the headers of records and sorts the changes by route. A table that must not be passed over ends the plan. */
export function planSlice(
  { records, from, to, nextOffset }: SlicePart,
  router: Router,
  unroutedTables: 'skip' | 'halt',
): Plan {
  const read = new ReadRecords(records, from, to)
  const events: PlannedEvent[] = []
  const unreadable: UnreadableRecord[] = []
  const skipped = new Map<string, number>()
  const ghosts = new Map<string, number>()
  for (let index = from; index < to; index++) {
    const header = isFiller(records.size(index)) ? null : tryHeader(records, index, unreadable)
    read.push(header)
    if (header === null || !carriesChange(header.operation)) continue
    // Taken out at once: the header is another record's as soon as one is read.
    const { operation, objectName } = header
    const table = objectName ?? ''
    const { routes, leftOut } = routingOf(records, index, operation, objectName, router)
    if (leftOut === 'unnamed') {
      unreadable.push(unreadableRecord(records, index, faultOf(records, index)))
      continue
    }
    if (leftOut === 'unrouted' && unroutedTables === 'halt' && !mayBeShard(records, index, operation)) {
      const end = records.offset(index)
      return { read, events, unreadable, skipped, ghosts, end, halt: unrouted(end, table) }
    }
    let isWanted = false
    for (let at = 0; at < routes.length; at++) {
      const route = routes[at] as Route
      if (!wants(route, operation)) continue
      isWanted = true
      events.push(new PlannedEvent(records, index, table, route, hashFor(route, records, index)))
    }
    const counts = leftOut === 'ghost' ? ghosts : skipped
    if (!isWanted) counts.set(table, (counts.get(table) ?? 0) + 1)
  }
  return { read, events, unreadable, skipped, ghosts, end: nextOffset, halt: null }
}

function tryHeader(records: LogRecords, index: number, unreadable: UnreadableRecord[]): HeaderFacts | null {
  try {
    return scanHeader(records.bytes(index), records.start(index), records.end(index))
  } catch (thrown) {
    unreadable.push(unreadableRecord(records, index, thrown))
    return null
  }
}

function unreadableRecord(records: LogRecords, index: number, thrown: unknown): UnreadableRecord {
  const offset = records.offset(index)
  const cause = asDtsError(thrown, 'RECORD_INVALID', false)
  const error = new DtsError(
    'RECORD_INVALID',
    `The record at offset ${offset} passed its checksum but is not a DTS record (${cause.message}).`,
    { retryable: false, facts: { offset: String(offset) }, cause },
  )
  return { event: new RoutedEvent(records, index, ''), error }
}

/** What the decoder says of a record that it refuses. */
function faultOf(records: LogRecords, index: number): unknown {
  try {
    decoded(records, index)
    return new TypeError('The name of its table is not one.')
  } catch (thrown) {
    return thrown
  }
}

function routingOf(
  records: LogRecords,
  index: number,
  operation: ChangeOperation,
  objectName: string | null,
  router: Router,
): Routing {
  if (operation !== 'DDL') return router.routesFor(objectName ?? '', () => logicalName(records, index))
  const { sourceType } = readHeader(bytesOf(records, index))
  const change = tryDecoded(records, index)
  const statement = change?.operation === 'DDL' ? change.statement : null
  const logical = change?.logical ?? null
  return routesOfStatement(
    { objectName, logicalName: logical === null ? null : nameText(logical), statement, sourceType },
    router,
  )
}

/**
 * A statement may lack the logical name that the rows of its table have, or name another table than it is filed under: it is
 * left out, and only the first row of a table that really has no route halts.
 */
function mayBeShard(records: LogRecords, index: number, operation: ChangeOperation): boolean {
  return operation === 'DDL' && logicalName(records, index) == null
}

const noColumns: readonly string[] = []
const origin = { offset: 0n, generation: 0, replay: false }

/** Null where the record has none; undefined where it cannot tell. */
function logicalName(records: LogRecords, index: number): string | null | undefined {
  const change = tryDecoded(records, index)
  if (change === null) return undefined
  return change.logical === null ? null : nameText(change.logical)
}

/** Null where it cannot be read: the handler of whatever route is found will meet the same fault, and has a policy for it. */
function tryDecoded(records: LogRecords, index: number): Change | null {
  try {
    return decoded(records, index)
  } catch {
    return null
  }
}

function decoded(records: LogRecords, index: number): Change {
  const bytes = bytesOf(records, index)
  return decodeChange(bytes, readHeader(bytes), origin, noColumns)
}

function nameText({ database, schema, table }: TableName): string {
  return [database, schema, table]
    .filter((part) => part !== null)
    .map(escapeName)
    .join('.')
}

function wants({ operations }: Route, operation: ChangeOperation): boolean {
  return operation === 'DDL' || operations === undefined || operations.includes(operation)
}

function hashFor({ concurrency }: Route, records: LogRecords, index: number): number | null {
  if (concurrency === 1) return null
  try {
    const bytes = bytesOf(records, index)
    return keyHash(bytes, readHeader(bytes))
  } catch {
    return null
  }
}

/** Of a record that has a header, and so a value. */
function bytesOf(records: LogRecords, index: number): Buffer {
  return records.bytes(index).subarray(records.start(index), records.end(index))
}

function unrouted(offset: bigint, table: string): DtsError {
  return new DtsError(
    'TABLE_UNROUTED',
    `The change at offset ${offset} is of the table ${unescapeName(table)}, which no function handles, and ` +
      'UNROUTED_TABLES is halt, so the stream halts before it.',
    {
      retryable: false,
      facts: { offset: String(offset), table },
      next: [
        { action: 'deploy', change: 'Add a handler or set UNROUTED_TABLES to skip' },
        { action: 'resume', purpose: 'let the stream continue then' },
      ],
    },
  )
}
