import { toDotPath } from 'zod/v4/core'
import type { Change } from './change.ts'
import { digestOf } from './digest.ts'
import { changeInvalid, changeSchema, format, printIssue } from './json-schema.ts'
import { markInexact, type ValueJson, valueToJson } from './json-values.ts'
import { tableOf } from './names.ts'
import { rowChange } from './row-change.ts'
import type { Tags } from './tags.ts'
import type { TableName } from './types.ts'

export type RowJson = { readonly [column: string]: ValueJson }

/** The JSON form as plain values, to embed in a larger document. docs/change-json.md describes it. */
export interface ChangeJson {
  readonly format: typeof format
  readonly operation: Change['operation']
  readonly table: string | null
  /** Left out if it follows from `table`. The same applies to `database`. */
  readonly name?: TableName | null
  readonly database?: string | null
  readonly logical: TableName | null
  readonly keys: readonly string[]
  readonly before?: RowJson
  readonly after?: RowJson
  readonly statement?: string
  readonly offset: string
  readonly generation: number
  readonly replay: boolean
  readonly id: string
  readonly timestamp: number
  readonly sourceType: Change['sourceType']
  readonly sourcePosition: string
  readonly transactionId: string
  readonly tags: Tags
  readonly idempotencyKey: string
}

/**
 * Writes a change as one line of JSON, with the row of the source or that of a handler. `parseChange` makes an equal
 * change from it.
 * @throws DtsError CHANGE_JSON_INVALID if a row contains a value that no column can have, such as a Date
 */
export function stringifyChange(change: Change<object>): string {
  return JSON.stringify(changeToJson(change))
}

/**
 * Reads the JSON form. All members except operation, table (for DDL: statement) and images have defaults.
 * @throws DtsError CHANGE_JSON_INVALID, with each wrong place and the reason, never with a value
 */
export function parseChange(text: string): Change {
  let json: unknown
  try {
    json = JSON.parse(text, markInexact)
  } catch (error) {
    // The engine's message quotes the text, and so could reveal values: leave it out.
    throw changeInvalid(error instanceof SyntaxError ? 'it is not JSON text' : 'it is nested too deeply')
  }
  return changeFromJson(json)
}

/** The JSON form as plain values. @throws DtsError CHANGE_JSON_INVALID as `stringifyChange` does */
export function changeToJson(change: Change<object>): ChangeJson {
  const { table, name } = change
  const derived = nameOf(table)
  return {
    format,
    operation: change.operation,
    table,
    ...(sameName(name, derived) ? {} : { name }),
    ...contentToJson(change, derived),
    logical: change.logical,
    keys: change.keys,
    offset: String(change.offset),
    generation: change.generation,
    replay: change.replay,
    id: String(change.id),
    timestamp: change.timestamp,
    sourceType: change.sourceType,
    sourcePosition: change.sourcePosition,
    transactionId: change.transactionId,
    tags: change.tags,
    idempotencyKey: change.idempotencyKey,
  }
}

/** Reads the plain values of the JSON form. @throws DtsError CHANGE_JSON_INVALID as `parseChange` does */
export function changeFromJson(json: unknown): Change {
  const result = changeSchema.safeParse(json)
  if (!result.success) throw changeInvalid(...result.error.issues.map(printIssue))
  const { format: _, ...given } = result.data
  const { idempotencyKey = keyByHand(json) } = given
  if (given.operation === 'DDL') {
    const derived = nameOf(given.table)
    const { name = derived, database = derived?.database ?? null } = given
    return { ...given, name, database, idempotencyKey }
  }
  const { operation, table, id, timestamp, sourceType } = given
  const before = 'before' in given ? given.before : null
  const after = 'after' in given ? given.after : null
  const { name = nameOf(table), logical, keys, tags, sourcePosition, transactionId } = given
  const details = { name, logical, keys, tags, sourcePosition, transactionId, idempotencyKey }
  return rowChange(operation, table, id, timestamp, sourceType, given, before, after, details)
}

/** A digest of the JSON itself, because the record that the change may come from is unknown. */
function keyByHand(json: unknown): string {
  return `by-hand/${digestOf(Buffer.from(JSON.stringify(json)))}`
}

function contentToJson(change: Change<object>, derivedName: TableName | null): Partial<ChangeJson> {
  switch (change.operation) {
    case 'INSERT':
    case 'INIT':
      return { after: rowToJson(change.after, 'after') }
    case 'UPDATE':
      return { before: rowToJson(change.before, 'before'), after: rowToJson(change.after, 'after') }
    case 'DELETE':
      return { before: rowToJson(change.before, 'before') }
    case 'DDL': {
      const { database, statement } = change
      return { ...(database === (derivedName?.database ?? null) ? {} : { database }), statement }
    }
  }
}

function rowToJson(row: object, image: string): RowJson {
  const json: Record<string, ValueJson> = Object.create(null)
  for (const [column, value] of Object.entries(row)) {
    const written = valueToJson(value)
    if (written === undefined) {
      throw changeInvalid(`${toDotPath([image, column])}: no column can have this value`)
    }
    json[column] = written
  }
  return json
}

function nameOf(table: string): TableName
function nameOf(table: string | null): TableName | null
function nameOf(table: string | null): TableName | null {
  return table === null ? null : tableOf(table)
}

function sameName(a: TableName | null, b: TableName | null): boolean {
  if (a === null || b === null) return a === b
  return a.database === b.database && a.schema === b.schema && a.table === b.table
}
