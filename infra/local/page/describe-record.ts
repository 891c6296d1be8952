import type { Change } from '../../../lib/dts/change.ts'
import { decodeChange } from '../../../lib/dts/decode-change.ts'
import { carriesChange, isFiller, readHeader } from '../../../lib/dts/header.ts'
import { isDtsError } from '../../../lib/errors.ts'
import { type DescribedChange, describeChange } from '../../../lib/recovery/examine/describe-change.ts'
import type { DStoreRecord } from '../dstore/dstore.ts'

/** A change of the log. */
export type LoggedChange = DescribedChange

/** The change in a record of the log; null if it carries none. */
export function decodeRecord({ offset, value }: DStoreRecord): Change | null {
  if (value === null || isFiller(value.length)) return null
  const header = readHeader(value)
  if (!carriesChange(header.operation)) return null
  return decodeChange(value, header, { offset, generation: 0, replay: false }, undefined, true)
}

/** The same for people. A record that cannot be read is shown, with the reason. */
export function describeRecord(record: DStoreRecord): LoggedChange | null {
  try {
    const change = decodeRecord(record)
    return change === null ? null : describeChange(change)
  } catch (error) {
    if (!isDtsError(error)) throw error
    const { offset, timestamp } = record
    const operation = 'UNREADABLE'
    return {
      id: '',
      offset,
      operation,
      table: '',
      key: '',
      at: timestamp * 1_000,
      columns: [],
      text: error.message,
    }
  }
}
