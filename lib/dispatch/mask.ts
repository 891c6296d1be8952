import { createHmac } from 'node:crypto'
import { decodeChange } from '../dts/decode-change.ts'
import { carriesChange, readHeader } from '../dts/header.ts'
import { effectOn, type Mask, maskRecord, requiredColumns } from '../dts/mask-record.ts'
import { columnNames } from '../dts/read-columns.ts'
import type { RecordHeader, Row } from '../dts/types.ts'
import { asDtsError, DtsError } from '../errors.ts'
import { listNames } from '../text/name-list.ts'
import type { Route } from './settings.ts'

/**
 * The pseudonym of a value: HMAC-SHA-256 of its text in UTF-8, or of its bytes, as 64 hexadecimal digits. Equal values have
 * equal pseudonyms in all columns and tables, so that they can be joined.
 */
export function pseudonym(value: string | Buffer, key: string): string {
  return createHmac('sha256', key).update(value).digest('hex')
}

/** A decoded row as `Masker` masks its record. A row need not have all masked columns. */
export function maskedRow(row: Row, mask: Mask, key: string): Row {
  const entries = Object.entries(row).filter(([column]) => effectOn(column, mask) !== 'drop')
  return Object.fromEntries(
    entries.map(([column, value]) => {
      if (effectOn(column, mask) !== 'hash' || value === null) return [column, value]
      return [column, pseudonym(Buffer.isBuffer(value) ? value : String(value), key)]
    }),
  )
}

/** Whether a route needs a key to mask. */
export function hashes({ mask = {} }: Pick<Route, 'mask'>): boolean {
  return Object.keys(mask).some((column) => effectOn(column, mask) === 'hash')
}

const noColumns: readonly string[] = []
const origin = { offset: 0n, generation: 0, replay: false }

/** Masks records before they leave the poller, or recovery. */
export class Masker {
  readonly #key: string | null

  /** @param key null if no route hashes */
  constructor(key: string | null) {
    this.#key = key
  }

  /**
   * The record with the columns masked that the route masks. Statements stay as they are.
   * @throws DtsError MASK_FAILED if that is not possible: the record must then not be sent or stored
   */
  masked(value: Buffer, offset: bigint, { mask, functionName }: Route): Buffer {
    if (mask === undefined) return value
    try {
      const header = readHeader(value)
      if (!carriesChange(header.operation) || header.operation === 'DDL') return value
      refuseWrongColumns(value, header, mask)
      return maskRecord(value, header, mask, (clear) => this.#hash(clear))
    } catch (thrown) {
      const cause = asDtsError(thrown, 'RECORD_INVALID', false)
      throw new DtsError(
        'MASK_FAILED',
        `The change at offset ${offset} cannot be masked for ${functionName}: ${cause.message} It was neither sent nor ` +
          'stored, because that could reveal what the mask hides.',
        {
          retryable: false,
          facts: { offset: String(offset), function: functionName },
          next: [
            { action: 'deploy', change: 'Correct the mask of the handler' },
            { action: 'resume', purpose: 'let the stream continue then' },
          ],
          cause,
        },
      )
    }
  }

  #hash(clear: string | Buffer): string {
    if (this.#key === null) throw new TypeError('A mask hashes, and there is no key.')
    return pseudonym(clear, this.#key)
  }
}

/** The reason why an unreadable record is not stored. @param error why it cannot be read */
export function unmaskable({ message, facts }: DtsError): DtsError {
  return new DtsError(
    'MASK_FAILED',
    `${message} So its table is unknown. A handler of this stream masks columns, and the record may hold clear values of them: ` +
      'it was not stored as a dead letter.',
    { retryable: false, facts },
  )
}

function refuseWrongColumns(value: Buffer, header: RecordHeader, mask: Mask): void {
  const columns = columnNames(value, header)
  const missing = requiredColumns(mask).find((column) => !columns.includes(column))
  if (missing !== undefined) {
    throw invalid(
      `its table ${header.objectName} has no column ${missing}. The columns are ${listNames(columns)}. After a rename, the ` +
        `values would be delivered under the new name. If none of these columns has them, the rule ${mask[missing]}-if-present ` +
        'lets this change pass.',
    )
  }
  const dropped = Object.keys(mask).filter((column) => effectOn(column, mask) === 'drop')
  if (dropped.length === 0) return
  const { keys } = decodeChange(value, header, origin, noColumns)
  const key = keys.find((column) => dropped.includes(column))
  if (key !== undefined) {
    throw invalid(
      `the mask drops ${key}, a column of the primary key of ${header.objectName}. Two rows could not be told apart: hash the ` +
        'column instead.',
    )
  }
}

function invalid(message: string): DtsError {
  return new DtsError('CONFIG_INVALID', message, { retryable: false })
}

/**
 * The masker for these routes. The key is read only if one of them hashes.
 * @param maskKey null from it: no key is configured. Left out where nothing can hash
 * @throws DtsError SECRET_UNAVAILABLE
 */
export async function maskerFor(
  routes: Readonly<Record<string, Route>>,
  maskKey: (() => Promise<string | null>) | undefined,
): Promise<Masker> {
  const needsKey = Object.values(routes).some(hashes)
  return new Masker(needsKey && maskKey !== undefined ? await maskKey() : null)
}
