import type { Anchor, Position, Tail } from '../checkpoint/types.ts'
import { digestOf, identityOf } from '../dts/digest.ts'
import { carriesChange, isFiller, readHeader } from '../dts/header.ts'
import { unescapeName } from '../dts/names.ts'
import type { RecordHeader } from '../dts/types.ts'
import { DtsError } from '../errors.ts'
import type { LogRecord } from '../kafka/types.ts'
import { toSeconds } from '../time.ts'
import type { Router } from './routes.ts'

/** A record on its way to a function. */
export interface RoutedEvent {
  readonly offset: bigint
  readonly table: string
  readonly value: Buffer
}

/** A record with its header; null for filler. */
export interface ReadRecord {
  readonly offset: bigint
  readonly value: Buffer | null
  readonly header: RecordHeader | null
}

/** One fetched slice of the stream, sorted by who handles it. Pure data: nothing has been sent. */
export interface Plan {
  readonly records: readonly ReadRecord[]
  /** Function name → its events in stream order, without those that it acknowledged already. */
  readonly queues: ReadonlyMap<string, readonly RoutedEvent[]>
  /** Changes of tables without a route, by table. */
  readonly skipped: ReadonlyMap<string, number>
  /** Where the plan ends: behind the fetched slice, or at the record that `stop` speaks of. */
  readonly nextOffset: bigint
  /** Why the stream must not go past `nextOffset`. */
  readonly stop: DtsError | null
}

/**
 * Reads the headers of a slice and sorts its changes by function.
 * A record that cannot be read, or a table that must not be passed over, ends the plan before it.
 */
export function planSlice(
  slice: { readonly records: readonly LogRecord[]; readonly nextOffset: bigint },
  router: Router,
  unroutedTables: 'skip' | 'halt',
  progress: Position['progress'],
): Plan {
  const records: ReadRecord[] = []
  const queues = new Map<string, RoutedEvent[]>()
  const skipped = new Map<string, number>()
  for (const { offset, value } of slice.records) {
    let header: RecordHeader | null = null
    if (value !== null && !isFiller(value)) {
      try {
        header = readHeader(value)
      } catch (cause) {
        return { records, queues, skipped, nextOffset: offset, stop: unreadable(offset, cause) }
      }
      if (carriesChange(header.operation)) {
        const functions = functionsFor(header, router)
        const table = tableText(header)
        if (functions.length === 0) {
          if (unroutedTables === 'halt') {
            return { records, queues, skipped, nextOffset: offset, stop: unrouted(offset, table) }
          }
          skipped.set(table, (skipped.get(table) ?? 0) + 1)
        }
        for (const name of functions) {
          if (offset <= (progress[name] ?? -1n)) continue
          const queue = queues.get(name)
          if (queue === undefined) queues.set(name, [{ offset, table, value }])
          else queue.push({ offset, table, value })
        }
      }
    }
    records.push({ offset, value, header })
  }
  return { records, queues, skipped, nextOffset: slice.nextOffset, stop: null }
}

/** A statement on a whole database, or on none that is named, concerns every handler that it may touch. */
function functionsFor(header: RecordHeader, router: Router): readonly string[] {
  const { objectName } = header
  if (objectName?.includes('.')) {
    const name = router.functionFor(objectName)
    return name === null ? [] : [name]
  }
  if (header.operation !== 'DDL') return []
  return router.functionsForDatabase(objectName === null || objectName === '' ? null : objectName)
}

function tableText(header: RecordHeader): string {
  return header.objectName ?? '(none)'
}

/** The position when everything below `offset` is done. `offset` lies within the plan. */
export function positionAt(
  previous: Position,
  plan: Pick<Plan, 'records'>,
  offset: bigint,
  acknowledged: ReadonlyMap<string, bigint>,
): Position {
  let timestamp = previous.timestamp
  let lastChange: (ReadRecord & { header: RecordHeader; value: Buffer }) | undefined
  let last: ReadRecord | undefined
  for (const record of plan.records) {
    if (record.offset >= offset) break
    last = record
    const { header, value } = record
    if (header === null || value === null) continue
    timestamp = Math.max(timestamp, toSeconds(header.sourceTimestamp))
    if (carriesChange(header.operation)) lastChange = { ...record, header, value }
  }
  const progress: Record<string, bigint> = {}
  for (const [name, through] of [...Object.entries(previous.progress), ...acknowledged]) {
    if (through >= offset) progress[name] = through
  }
  return {
    offset,
    timestamp,
    anchor:
      lastChange === undefined
        ? previous.anchor
        : anchorOf(lastChange.offset, lastChange.value, lastChange.header),
    tail: last === undefined ? previous.tail : tailOf(last),
    progress,
  }
}

export function anchorOf(offset: bigint, value: Buffer, header: RecordHeader): Anchor {
  return {
    offset,
    timestamp: toSeconds(header.sourceTimestamp),
    sourcePosition: header.sourcePosition,
    transactionId: header.sourceTxid,
    digest: identityOf(value, header),
  }
}

export function tailOf({ offset, value }: Pick<LogRecord, 'offset' | 'value'>): Tail {
  return { offset, digest: digestOf(value) }
}

function unreadable(offset: bigint, cause: unknown): DtsError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new DtsError(
    'RECORD_INVALID',
    `The record at offset ${offset} passed its checksum but is not a DTS record (${reason}). ` +
      `After looking at it, go on behind it: recovery with {"action":"reset","to":{"offset":"${offset + 1n}"}}.`,
    { retryable: false, facts: { offset: String(offset) }, cause },
  )
}

function unrouted(offset: bigint, table: string): DtsError {
  return new DtsError(
    'TABLE_UNROUTED',
    `The change at offset ${offset} is of the table ${unescapeName(table)}, which no function handles, and ` +
      'UNROUTED_TABLES is halt. Add a handler or set UNROUTED_TABLES to skip, deploy, then reset to the stored offset.',
    { retryable: false, facts: { offset: String(offset), table } },
  )
}
