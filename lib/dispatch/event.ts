import type { DtsError } from '../errors.ts'
import { LogRecord, type LogRecords } from '../kafka/records.ts'
import type { OrderKey } from './order-key.ts'
import type { Route } from './settings.ts'
import type { SourceTransaction } from './source-transaction.ts'

/** A change on its way to a function. */
export class RoutedEvent extends LogRecord {
  /** The name in the record: `database.table`. Empty if it could not be read, or if a statement has none. */
  readonly table: string
  /** Why the function must not get the change, so that it counts as failed; null if it may. */
  readonly fault: DtsError | null
  /** Set before a lane gets the event. Null if the function does not get whole transactions. */
  transaction: SourceTransaction | null = null

  constructor(records: LogRecords, index: number, table: string, fault: DtsError | null = null) {
    super(records, index)
    this.table = table
    this.fault = fault
  }
}

/** A change with its route, and with the key that decides which changes may run in parallel. */
export class QueuedEvent extends RoutedEvent {
  readonly route: Route
  /** Null: no other change of the function may run in parallel to this one. */
  readonly key: OrderKey | null

  constructor(
    records: LogRecords,
    index: number,
    table: string,
    route: Route,
    key: OrderKey | null,
    fault: DtsError | null = null,
  ) {
    super(records, index, table, fault)
    this.route = route
    this.key = key
  }
}

/** The number of events, from the first on, up to and including the offset `through`. */
export function countThrough(events: readonly RoutedEvent[], through: bigint | null): number {
  if (through === null) return 0
  if (events.at(-1)?.offset === through) return events.length
  return events.findIndex(({ offset }) => offset === through) + 1
}
