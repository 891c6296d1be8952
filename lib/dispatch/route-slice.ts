import type { Change } from '../dts/change.ts'
import { decodeChange } from '../dts/decode-change.ts'
import {
  type ChangeOperation,
  carriesChange,
  type HeaderScan,
  isFiller,
  readHeader,
  scanHeader,
} from '../dts/header.ts'
import { escapeName, unescapeName } from '../dts/names.ts'
import type { TableName } from '../dts/types.ts'
import { asDtsError, DtsError } from '../errors.ts'
import { LogRecords } from '../kafka/records.ts'
import type { ColumnLooks } from './column-looks.ts'
import { QueuedEvent, RoutedEvent } from './event.ts'
import { Masker } from './mask.ts'
import { type OrderKey, orderKey } from './order-key.ts'
import { ReadRecords } from './read-records.ts'
import type { Router, Routing } from './routes.ts'
import { judge, judgedRecord, wantsAll } from './row-filter.ts'
import type { Route } from './settings.ts'
import { routesOfStatement } from './statement-routes.ts'

/** A record that passed its checksum but is not a DTS record. */
export interface UnreadableRecord {
  readonly event: RoutedEvent
  readonly error: DtsError
}

/** A part of a fetched slice. */
export interface SlicePart {
  readonly records: LogRecords
  /** Indexes: the first record of the part, and the first record after it. */
  readonly from: number
  readonly to: number
  /** The offset after the part, gaps included. */
  readonly nextOffset: bigint
}

/** A part of a slice, sorted by function. Pure data: nothing has been sent. */
export interface RoutedPart {
  /** All records, for the read window. */
  readonly read: ReadRecords
  /** In stream order. */
  readonly events: readonly QueuedEvent[]
  readonly unreadable: readonly UnreadableRecord[]
  /** Changes of tables that no function handles (no route, or an exclusion), by table. */
  readonly skipped: ReadonlyMap<string, number>
  /** Changes that the handler's operations or its filter leave out, by table. */
  readonly filtered: ReadonlyMap<string, number>
  /** Changes of ghost tables of online schema changes, which `GHOST_TABLES=skip` leaves out, by table. */
  readonly ghosts: ReadonlyMap<string, number>
  /** The offset after the part; or, with `halt`, the offset of the record at which the stream must halt. */
  readonly end: bigint
  /** Why the stream must not go past `end`. */
  readonly halt: DtsError | null
}

/**
 * Reads the headers of records and sorts the changes by route. With `unroutedTables` halt, a table without a route ends it. So does
 * a record that cannot be masked: it must not get into a batch or a dead letter.
 * @param masker has the key, if a route hashes
 * @param columns gets the lists of columns that it does not know; null: no list is looked at
 */
export function routeSlice(
  { records, from, to, nextOffset }: SlicePart,
  router: Router,
  unroutedTables: 'skip' | 'halt',
  masker: Masker = new Masker(null),
  columns: ColumnLooks | null = null,
): RoutedPart {
  const read = new ReadRecords(records, from, to)
  const events: QueuedEvent[] = []
  const unreadable: UnreadableRecord[] = []
  const skipped = new Map<string, number>()
  const filtered = new Map<string, number>()
  const ghosts = new Map<string, number>()
  const masked = new LogRecords()
  let round = columns?.begin() ?? 0
  const until = (end: bigint, halt: DtsError | null): RoutedPart => {
    return { read, events, unreadable, skipped, filtered, ghosts, end, halt }
  }
  for (let index = from; index < to; index++) {
    const header = isFiller(records.size(index)) ? null : tryHeader(records, index, unreadable)
    read.push(header)
    if (header === null || !carriesChange(header.operation)) continue
    // Read now: the next record overwrites this header.
    const { operation, objectName, bodyStart } = header
    const table = objectName ?? ''
    // What is known needs no function that reads the logical name: one for each record would be garbage.
    const routing =
      (operation === 'DDL' ? undefined : router.known(table)) ??
      routingOf(records, index, operation, objectName, router)
    const { routes, leftOut } = routing
    if (routing.lookedIn !== round)
      round = columns?.look(bytesOf(records, index), records.offset(index), index, routing) ?? round
    if (leftOut === 'unnamed') {
      unreadable.push(unreadableRecord(records, index, faultOf(records, index)))
      continue
    }
    if (leftOut === 'unrouted' && unroutedTables === 'halt' && !mayBeShard(records, index, operation)) {
      return until(records.offset(index), unrouted(records.offset(index), table))
    }
    let isWanted = false
    for (let at = 0; at < routes.length; at++) {
      const route = routes[at] as Route
      const verdict = wantsAll(route) ? 'wanted' : verdictOf(route, records, index, operation)
      if (verdict === 'filtered') continue
      isWanted = true
      // The key of the clear value, so that a mask changes no lane.
      const key = route.concurrency === 1 ? null : keyOf(records, index, { operation, objectName, bodyStart })
      const fault = verdict === 'wanted' ? null : verdict
      if (route.mask === undefined) {
        events.push(new QueuedEvent(records, index, table, route, key, fault))
        continue
      }
      const unmasked = addMasked(masked, records, index, route, masker)
      if (unmasked !== null) return until(records.offset(index), unmasked)
      events.push(new QueuedEvent(masked, masked.length - 1, table, route, key, fault))
    }
    const counts = leftOut === null ? filtered : leftOut === 'ghost' ? ghosts : skipped
    if (!isWanted) counts.set(table, (counts.get(table) ?? 0) + 1)
  }
  return until(nextOffset, null)
}

function tryHeader(records: LogRecords, index: number, unreadable: UnreadableRecord[]): HeaderScan | null {
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

/** The decoder's error for a record that it refuses. */
function faultOf(records: LogRecords, index: number): unknown {
  try {
    decoded(records, index)
    return new TypeError('The record names no valid table.')
  } catch (thrown) {
    return thrown
  }
}

/** Apart from the loop over records: its function for the filter would cost memory for each record. */
function verdictOf(route: Route, records: LogRecords, index: number, operation: ChangeOperation) {
  return judge(route, operation, () => judgedRecord(bytesOf(records, index), records.offset(index)))
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
 * A statement may lack the logical name that the rows of its table have, or may name another table than the one under which DTS
 * filed it. So it does not halt the stream. If the table really has no route, its first row does.
 */
function mayBeShard(records: LogRecords, index: number, operation: ChangeOperation): boolean {
  return operation === 'DDL' && logicalName(records, index) == null
}

const noColumns: readonly string[] = []
const origin = { offset: 0n, generation: 0, replay: false }

/** Null if the record has none; undefined if the record cannot be decoded. */
function logicalName(records: LogRecords, index: number): string | null | undefined {
  const change = tryDecoded(records, index)
  if (change === null) return undefined
  return change.logical === null ? null : nameText(change.logical)
}

/** Null if it cannot be decoded. The function of the route will meet the same fault, and has a policy for it. */
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

/** Adds the masked copy of a record. @returns the error if it cannot be masked */
function addMasked(
  masked: LogRecords,
  records: LogRecords,
  index: number,
  route: Route,
  masker: Masker,
): DtsError | null {
  const offset = records.offset(index)
  try {
    masked.addValue(offset, masker.masked(bytesOf(records, index), offset, route))
    return null
  } catch (thrown) {
    return asDtsError(thrown, 'MASK_FAILED', false)
  }
}

function keyOf(
  records: LogRecords,
  index: number,
  header: Pick<HeaderScan, 'operation' | 'objectName' | 'bodyStart'>,
): OrderKey | null {
  try {
    return orderKey(records.bytes(index), header, records.start(index), records.end(index))
  } catch {
    return null
  }
}

/** The value of a record that has a header. */
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
