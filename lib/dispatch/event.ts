import { LogRecord, type LogRecords } from '../kafka/records.ts'
import type { Route } from './settings.ts'

/** A change on its way to a function. */
export class RoutedEvent extends LogRecord {
  /** As in the record: `database.table`; empty where it could not be read. */
  readonly table: string

  constructor(records: LogRecords, index: number, table: string) {
    super(records, index)
    this.table = table
  }
}

/** A change with its route, and with what decides which others it may be handled beside. */
export class PlannedEvent extends RoutedEvent {
  readonly route: Route
  /** Of the primary key; null: no other change of the function may overtake this one or fall behind it. */
  readonly keyHash: number | null

  constructor(records: LogRecords, index: number, table: string, route: Route, keyHash: number | null) {
    super(records, index, table)
    this.route = route
    this.keyHash = keyHash
  }
}

/** How many of the events, from the first on, are done when the one at `through` is the last of them. */
export function countThrough(events: readonly RoutedEvent[], through: bigint | null): number {
  if (through === null) return 0
  if (events.at(-1)?.offset === through) return events.length
  return events.findIndex(({ offset }) => offset === through) + 1
}
