import { type HeaderScan, isFiller, scanHeader } from '../dts/header.ts'
import type { LogRecords } from '../kafka/records.ts'
import type { RoutedPart } from './route-slice.ts'
import type { TransactionReader } from './source-transaction.ts'

/**
 * Tells each change of a function with whole transactions to which one it belongs.
 * @param end records from there on are not handed out, so the reader must not see them
 * @param reader has seen the records of the run before these
 * @returns whether one of the records belongs to a transaction, or marks one
 */
export function markTransactions(
  { read, events }: RoutedPart,
  end: bigint,
  reader: TransactionReader,
): boolean {
  const { records, from } = read
  let at = 0
  let hasAny = false
  for (let index = from; index < from + read.length; index++) {
    const offset = records.offset(index)
    if (offset >= end) break
    const header = isFiller(records.size(index)) ? null : tryHeader(records, index)
    const seen = header === null ? undefined : reader.see(header, records.bytes(index))
    hasAny ||= seen !== undefined
    // The events of a record follow each other, in the order of the records.
    for (; events[at]?.offset === offset; at++) {
      const event = events[at]
      if (event?.route.transactions === true) event.transaction = seen ?? null
    }
  }
  return hasAny
}

/** Null for a record that cannot be read. It is handled as such elsewhere, and belongs to no transaction. */
function tryHeader(records: LogRecords, index: number): HeaderScan | null {
  try {
    return scanHeader(records.bytes(index), records.start(index), records.end(index))
  } catch {
    return null
  }
}
