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
