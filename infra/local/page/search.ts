import { setImmediate as breathe } from 'node:timers/promises'
import type { Change } from '../../../lib/dts/change.ts'
import { isDtsError } from '../../../lib/errors.ts'
import { describeChange } from '../../../lib/recovery/examine/describe-change.ts'
import { isOfRow, partsOfKey } from '../../../lib/recovery/examine/row-key.ts'
import type { Search } from '../../page/server.ts'
import type { DStoreRecord } from '../dstore/dstore.ts'
import { decodeRecord, type LoggedChange } from './describe-record.ts'
import type { PageLog } from './latest-changes.ts'

export interface SearchResult {
  /** Newest first. */
  readonly changes: readonly LoggedChange[]
  readonly searched: { readonly from: bigint; readonly to: bigint } | null
  readonly isPartial: boolean
}

const mostFound = 50
const mostRecords = 200_000n
/** Between two pauses, so that the stream and the page are never held up. */
const recordsPerStep = 1_000

/** Looks for the changes of a row, from the end of the log backwards. */
export async function searchLog(
  log: PageLog,
  { table, key }: Pick<Search, 'table' | 'key'>,
): Promise<SearchResult> {
  const { earliest, end } = log.range
  const oldest = end - earliest > mostRecords ? end - mostRecords : earliest
  const records = log.recordsFrom(oldest)
  const parts = partsOfKey(key)
  const changes: LoggedChange[] = []
  let at = records.length
  while (at > 0 && changes.length < mostFound) {
    at -= 1
    const change = readable(records[at])
    if (change !== null && (table === null || change.table === table) && isOfRow(change, parts))
      changes.push(describeChange(change))
    if (at % recordsPerStep === 0) await breathe()
  }
  const first = records[at]
  const last = records.at(-1)
  const searched = first && last ? { from: first.offset, to: last.offset } : null
  return { changes, searched, isPartial: at > 0 || oldest > earliest }
}

/** A record that cannot be read belongs to no row that a person can name. */
function readable(record: DStoreRecord | undefined): Change | null {
  try {
    return record === undefined ? null : decodeRecord(record)
  } catch (error) {
    if (isDtsError(error)) return null
    throw error
  }
}
