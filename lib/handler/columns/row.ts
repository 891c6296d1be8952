import type { $ZodIssue, $ZodObject } from 'zod/v4/core'
import type { Change, RowChange } from '../../dts/change.ts'
import type { Row } from '../../dts/types.ts'
import { DtsError } from '../../errors.ts'
import * as z from '../../schema.ts'
import { listNames } from '../../text/name-list.ts'
import { describeIssue, isHandlersCheck } from './issues.ts'

type ImageName = 'before' | 'after'

export interface WholeChange {
  decodeAllColumns(): Change
}

/**
 * Puts the declared row in the place of each image.
 * @param whole the same change; all of its columns are decoded only if one is missing
 * @throws DtsError ROW_INVALID
 */
export function checkRow(schema: $ZodObject, change: RowChange, whole: WholeChange): void {
  const images = change as { before?: Row; after?: Row }
  for (const image of ['before', 'after'] as const) {
    const row = images[image]
    if (row === undefined || isMissingImage(change, image)) continue
    const result = parseRow(schema, row)
    if (!result.success) throw rowInvalid(schema, change, image, result.error.issues, whole)
    images[image] = result.data as Row
  }
}

function parseRow(schema: $ZodObject, row: Row) {
  const result = z.safeParse(schema, row, withInput)
  const { catchall } = schema._zod.def
  if (!result.success || catchall === undefined || !Object.hasOwn(row, '__proto__')) return result
  // zod leaves a key of this name out of its result, but it is a column like any other.
  const column = z.safeParse(catchall, Reflect.get(row, '__proto__'), withInput)
  if (!column.success) {
    const issues = column.error.issues.map((issue) => ({
      ...issue,
      path: ['__proto__', ...issue.path],
    }))
    return { success: false as const, error: { issues } }
  }
  const value = column.data
  Object.defineProperty(result.data, '__proto__', {
    value,
    enumerable: true,
    writable: true,
    configurable: true,
  })
  return result
}

/** The error of a refused value names the value's type. */
const withInput = { reportInput: true }

/** The before image is empty if the source does not log before images of updates. */
function isMissingImage(change: RowChange, image: ImageName): boolean {
  if (image !== 'before' || change.operation !== 'UPDATE') return false
  for (const _column in change.before) return false
  return true
}

/** The message goes to the poller's log, to halts and to dead letters, so it must not contain any value of the row. */
function rowInvalid(
  schema: $ZodObject,
  change: RowChange,
  image: ImageName,
  issues: readonly $ZodIssue[],
  whole: WholeChange,
): DtsError {
  const missing = new Set(issues.filter((issue) => isMissing(schema, change, image, issue)).map(firstOf))
  const problems = new Set(
    issues.map((issue) => {
      const reason = missing.has(firstOf(issue)) ? `is missing${expected(issue)}` : printReason(issue)
      return `${columnOf(schema, issue)}: ${reason}`
    }),
  )
  const present = missing.size === 0 ? '' : presentColumns(whole, image)
  const ownMessages = issues.filter(isHandlersCheck).map(({ message }) => message)
  const whereToLook =
    ownMessages.length === 0 ? '' : " The function's own log has the messages of the schema's own checks."
  return new DtsError(
    'ROW_INVALID',
    `The ${image} image of the ${change.operation} at offset ${change.offset} in ${change.table} is not the declared ` +
      `row (${[...problems].join('; ')}).${present} Correct the row schema of the handler, or make the column ` +
      `optional.${whereToLook}`,
    {
      retryable: false,
      facts: { table: change.table, offset: String(change.offset), image },
      // Only the function's own log gets the cause. The poller gets code and message.
      cause: ownMessages.length === 0 ? undefined : new Error(ownMessages.join('; ')),
    },
  )
}

const firstOf = ({ path }: $ZodIssue) => path[0]

function isMissing(schema: $ZodObject, change: RowChange, image: ImageName, issue: $ZodIssue): boolean {
  const [column] = issue.path
  const row = (change as { before?: Row; after?: Row })[image] ?? {}
  return column !== undefined && Object.hasOwn(schema._zod.def.shape, column) && !Object.hasOwn(row, column)
}

/** Lists the columns of the image, so that a reader sees a column that has another name or other capitals. */
function presentColumns(whole: WholeChange, image: ImageName): string {
  let columns: string[]
  try {
    columns = Object.keys((whole.decodeAllColumns() as { before?: Row; after?: Row })[image] ?? {})
  } catch {
    // Another column cannot be decoded. This error is about the missing one.
    return ''
  }
  return ` The image has the columns ${listNames(columns)}.`
}

/** The declared column of an issue. A handler's own check can name anything else, which may be data. */
function columnOf(schema: $ZodObject, { path }: $ZodIssue): string {
  const [column] = path
  if (column === undefined) return 'row'
  return Object.hasOwn(schema._zod.def.shape, column) ? String(column) : '*'
}

function printReason(issue: $ZodIssue): string {
  const reason = describeIssue(issue)
  if (issue.code !== 'invalid_type') return reason
  return `${reason} (expected ${issue.expected}, received ${typeName(issue.input)})`
}

/** The declared type, if the schema has a name for it. */
function expected(issue: $ZodIssue): string {
  const isNamed = issue.code === 'invalid_type' && issue.expected !== 'nonoptional'
  return isNamed ? ` (expected ${issue.expected})` : ''
}

function typeName(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (Buffer.isBuffer(value)) return 'Buffer'
  return typeof value
}
