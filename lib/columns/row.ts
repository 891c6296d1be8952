import type { z } from 'zod'
import type { RowChange } from '../dts/change.ts'
import { DtsError } from '../errors.ts'
import { isOfAuthor, reasonOf } from './reasons.ts'

/** Puts the declared row in the place of each image. @throws DtsError ROW_INVALID */
export function checkRow(schema: z.ZodObject, change: RowChange): void {
  const images = change as { before?: unknown; after?: unknown }
  for (const image of ['before', 'after'] as const) {
    if (images[image] === undefined || isMissingImage(change, image)) continue
    const result = schema.safeParse(images[image], withInput)
    if (!result.success) throw rowInvalid(schema, change, image, result.error.issues)
    images[image] = result.data
  }
}

/** Of a refused value the type is told. */
const withInput = { reportInput: true }

/** A source that logs no image before an update gives an empty one. */
function isMissingImage(change: RowChange, image: 'before' | 'after'): boolean {
  if (image !== 'before' || change.operation !== 'UPDATE') return false
  for (const _column in change.before) return false
  return true
}

/** The message goes to the poller's log, halts and dead letters, so that nothing of the row may stand in it. */
function rowInvalid(
  schema: z.ZodObject,
  change: RowChange,
  image: string,
  issues: readonly z.core.$ZodIssue[],
): DtsError {
  const problems = issues.map((issue) => `${columnOf(schema, issue)}: ${printReason(issue)}`)
  const said = issues.filter(isOfAuthor).map(({ message }) => message)
  const whereToLook =
    said.length === 0 ? '' : " What the schema's own checks said stands in the function's own log."
  return new DtsError(
    'ROW_INVALID',
    `The ${image} image of the ${change.operation} at offset ${change.offset} in ${change.table} is not the declared ` +
      `row (${problems.join('; ')}). Correct the row schema of the handler, or make the column optional.${whereToLook}`,
    {
      retryable: false,
      facts: { table: change.table, offset: String(change.offset), image },
      // The function's own log has it. It stays there: of an error the poller is told code and message.
      cause: said.length === 0 ? undefined : new Error(said.join('; ')),
    },
  )
}

/** A declared column; what a handler's own check names beside those may be data. */
function columnOf({ shape }: z.ZodObject, { path }: z.core.$ZodIssue): string {
  const [column] = path
  if (column === undefined) return 'row'
  return Object.hasOwn(shape, column) ? String(column) : '*'
}

function printReason(issue: z.core.$ZodIssue): string {
  const reason = reasonOf(issue)
  if (issue.code !== 'invalid_type') return reason
  return `${reason} (expected ${issue.expected}, received ${typeName(issue.input)})`
}

function typeName(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (Buffer.isBuffer(value)) return 'Buffer'
  return typeof value
}
