import { type Condition, type ImageRow, parseCondition } from '../condition/condition.ts'
import type { RowChange } from '../dts/change.ts'
import { decodeChange } from '../dts/decode-change.ts'
import { type ChangeOperation, readHeader } from '../dts/header.ts'
import { columnNames } from '../dts/read-columns.ts'
import type { Row } from '../dts/types.ts'
import { asDtsError, DtsError, isDtsError } from '../errors.ts'
import { listNames } from '../text/name-list.ts'
import { columnSet } from './order-key.ts'
import type { Delivery, Filter } from './settings.ts'

/** A change that a filter judges. It decodes the columns that are asked for. */
export interface JudgedChange {
  decode(columns: readonly string[]): RowChange
  /** The columns of the table, whether or not the images have values for them. */
  columnNames(): readonly string[]
}

/**
 * The filter of a handler, parsed once. It leaves a change out only if the images prove that the handler does not want it. So a
 * change whose images lack a column of the filter passes.
 */
export class RowFilter {
  readonly #changed: readonly string[]
  readonly #condition: Condition | null
  /** The columns that it reads. One array for all records, because the decoder recognises a set of columns by identity. */
  readonly columns: readonly string[]

  /** @throws DtsError CONDITION_INVALID */
  constructor({ changed = [], where }: Filter) {
    this.#changed = changed
    this.#condition = where === undefined ? null : parseCondition(where)
    this.columns = [...new Set([...changed, ...(this.#condition?.columns ?? [])])]
  }

  /**
   * Whether the handler wants the change.
   * @throws DtsError COLUMN_UNKNOWN if the table lacks a column of the filter; CONDITION_INVALID if a value cannot be compared;
   *   RECORD_INVALID
   */
  wants(judged: JudgedChange): boolean {
    const change = judged.decode(this.columns)
    this.#checkColumns(change, judged)
    return this.#isTouched(change, judged) && this.#matches(change)
  }

  /** A mistyped column would otherwise leave out everything, or nothing, silently. */
  #checkColumns(change: RowChange, judged: JudgedChange): void {
    const { before, after } = imagesOf(change)
    const absent = this.columns.filter((column) => !has(before, column) && !has(after, column))
    if (absent.length === 0) return
    const known = judged.columnNames()
    const missing = absent.find((column) => !known.includes(column))
    if (missing === undefined) return
    throw new DtsError(
      'COLUMN_UNKNOWN',
      `The filter of the handler for ${change.table} names the column ${missing}, which the table does not have at offset ` +
        `${change.offset}. Its columns are ${listNames(known)}. The change counts as failed, because it is unknown whether ` +
        'the handler wants it. Correct the filter in the handler, then deploy it.',
      {
        retryable: false,
        facts: { column: missing, table: change.table, offset: String(change.offset) },
      },
    )
  }

  /** Other operations than updates write all columns. An update of the key moves the row, which touches all of it. */
  #isTouched(change: RowChange, judged: JudgedChange): boolean {
    if (this.#changed.length === 0 || change.operation !== 'UPDATE') return true
    if (this.#changed.some((column) => change.changed(column))) return true
    const { keys } = change
    if (keys.length === 0) return false
    const keyed = judged.decode(columnSet(keys))
    return keyed.operation === 'UPDATE' && keys.some((key) => keyed.changed(key))
  }

  /** An update that leaves the condition is wanted too: otherwise a copy of the matching rows would keep the row. */
  #matches(change: RowChange): boolean {
    const condition = this.#condition
    if (condition === null) return true
    const { before, after } = imagesOf(change)
    const lacks = (row: Row) => condition.columns.some((column) => !has(row, column))
    if (before === null || after === null) {
      const row = before ?? after
      return row === null || lacks(row) || this.#judge(condition, change, { before, after }, row)
    }
    // A column that the after image lacks was not written.
    const whole = lacks(after) ? { ...before, ...after } : after
    if (lacks(whole) || lacks(before)) return true
    const images = { before, after: whole }
    return this.#judge(condition, change, images, whole) || this.#judge(condition, change, images, before)
  }

  #judge(
    condition: Condition,
    { table, offset }: RowChange,
    images: { readonly before: ImageRow | null; readonly after: ImageRow | null },
    row: ImageRow,
  ): boolean {
    try {
      return condition.matches(images, row)
    } catch (error) {
      if (!isDtsError(error)) throw error
      throw new DtsError(
        'CONDITION_INVALID',
        `The filter of the handler for ${table} cannot judge the change at offset ${offset}. ${error.message} The change ` +
          'counts as failed. Correct the filter in the handler, then deploy it.',
        { retryable: false, facts: { table, offset: String(offset) }, cause: error },
      )
    }
  }
}

const filters = new WeakMap<Filter, RowFilter>()

/** Whether a handler wants all changes, so that `judge` need not be asked. */
export function wantsAll({ operations, filter }: Pick<Delivery, 'operations' | 'filter'>): boolean {
  return operations === undefined && filter === undefined
}

/**
 * Whether a handler wants a change, by its operations and its filter.
 * @param judged called only if the images decide
 * @returns the error of a filter that cannot judge the change
 */
export function judge(
  { operations, filter }: Pick<Delivery, 'operations' | 'filter'>,
  operation: ChangeOperation,
  judged: () => JudgedChange,
): 'wanted' | 'filtered' | DtsError {
  if (operation === 'DDL') return 'wanted'
  if (operations !== undefined && !operations.includes(operation)) return 'filtered'
  if (filter === undefined) return 'wanted'
  const known = filters.get(filter)
  const rowFilter = known ?? new RowFilter(filter)
  if (known === undefined) filters.set(filter, rowFilter)
  try {
    return rowFilter.wants(judged()) ? 'wanted' : 'filtered'
  } catch (thrown) {
    const error = asDtsError(thrown, 'RECORD_INVALID', false)
    // The function will meet the same fault, and has a policy for it.
    return error.code === 'RECORD_INVALID' ? 'wanted' : error
  }
}

/** A record as a filter judges it. @param value a record of a row change */
export function judgedRecord(value: Buffer, offset: bigint): JudgedChange {
  const header = readHeader(value)
  const origin = { offset, generation: 0, replay: false }
  return {
    // Invalid text is a fault, and the handler has its own rule for it. Two texts that are replaced can look the same.
    decode: (columns) => decodeChange(value, header, origin, columns, false) as RowChange,
    columnNames: () => columnNames(value, header),
  }
}

function imagesOf(change: RowChange): { readonly before: Row | null; readonly after: Row | null } {
  return {
    before: 'before' in change ? change.before : null,
    after: 'after' in change ? change.after : null,
  }
}

function has(row: Row | null, column: string): boolean {
  return row !== null && Object.hasOwn(row, column)
}
