import { z } from 'zod'
import { DtsError } from '../errors.ts'
import type { Change } from './change.ts'
import { digestOf } from './digest.ts'
import {
  isObject,
  markInexact,
  type ValueJson,
  valueFromJson,
  valueToJson,
  wholeNumber,
} from './json-values.ts'
import { tableOf } from './names.ts'
import { rowChange } from './row-change.ts'
import { rowPrototype } from './rows.ts'
import type { Tags } from './tags.ts'
import { type ColumnValue, type Row, sourceTypes, type TableName } from './types.ts'

export type RowJson = { readonly [column: string]: ValueJson }

/** The JSON form as plain values, for embedding in a larger document; docs/change-json.md has its rules. */
export interface ChangeJson {
  readonly format: typeof format
  readonly operation: Change['operation']
  readonly table: string | null
  /** Left out where it follows from `table`, as `database` does. */
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

/** Names the form and its version; a later form that reads differently gets another number. */
const format = 'dts-change/1'

/**
 * `change` as one line of JSON that `parseChange` turns back into an equal change.
 * @throws DtsError CHANGE_JSON_INVALID for a row with something else than column values, such as a Date
 */
export function stringifyChange(change: Change): string {
  return JSON.stringify(changeToJson(change))
}

/**
 * Reads the JSON form. Everything but operation, table (statement for DDL) and images may be left out.
 * @throws DtsError CHANGE_JSON_INVALID, with each wrong place and the reason, never a value
 */
export function parseChange(text: string): Change {
  let json: unknown
  try {
    json = JSON.parse(text, markInexact)
  } catch (error) {
    // The engine's message quotes the text, and so values: it is not passed on.
    throw invalid(error instanceof SyntaxError ? 'it is not JSON text' : 'it is nested too deep to be read')
  }
  return changeFromJson(json)
}

/** The JSON form as plain values. @throws DtsError CHANGE_JSON_INVALID as `stringifyChange` does */
export function changeToJson(change: Change): ChangeJson {
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
  if (!result.success) throw invalid(...result.error.issues.map(printIssue))
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

/** By what was written: the record that the change may have come from is not at hand. */
function keyByHand(json: unknown): string {
  return `by-hand/${digestOf(Buffer.from(JSON.stringify(json)))}`
}

function contentToJson(change: Change, derivedName: TableName | null): Partial<ChangeJson> {
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

function rowToJson(row: Row, image: string): RowJson {
  const json: Record<string, ValueJson> = Object.create(null)
  for (const [column, value] of Object.entries(row)) {
    const written = valueToJson(value)
    if (written === undefined) {
      throw invalid(`${z.core.toDotPath([image, column])}: it is none of the values that a column can have`)
    }
    json[column] = written
  }
  return json
}

// ── schema ──

/**
 * An object of arbitrary keys into one that inherits nothing, so that a key such as __proto__ is a key like any other.
 * @param prototype null, or an object without any property
 */
function mapOf<T>(
  what: string,
  prototype: object | null,
  read: (json: unknown, refuse: (reason: string) => null) => T | null,
) {
  return z.unknown().transform((json, context): { readonly [key: string]: T } => {
    const map: Record<string, T> = Object.create(prototype)
    if (!isObject(json)) {
      context.issues.push({ code: 'custom', message: `an object of ${what} is needed`, input: json })
      return map
    }
    for (const [key, item] of Object.entries(json)) {
      const value = read(item, (message) => {
        context.issues.push({ code: 'custom', message, input: item, path: [key] })
        return null
      })
      map[key] = value as T
    }
    return map
  })
}

const row = mapOf<ColumnValue>('column values', rowPrototype, valueFromJson)
const tags = mapOf<string>('strings', null, (json, refuse) =>
  typeof json === 'string' ? json : refuse('a string is needed'),
)

const integer = z.string().regex(wholeNumber, 'a whole number as a string is needed')
const name = z.strictObject({ database: z.string(), schema: z.string().nullable(), table: z.string() })
const table = z.string().refine(isTableName, 'database.table or database.schema.table is needed')

const common = {
  format: z.literal(format).optional(),
  logical: name.nullable().default(null),
  keys: z.array(z.string()).readonly().default([]),
  offset: integer
    .regex(/^[0-9]/, 'an offset is not negative')
    .transform(BigInt)
    .default(0n),
  generation: z.int().nonnegative().default(0),
  replay: z.boolean().default(false),
  id: integer.transform(BigInt).default(0n),
  timestamp: z.int().default(0),
  sourceType: z.enum(sourceTypes).default('MySQL'),
  sourcePosition: z.string().default(''),
  transactionId: z.string().default(''),
  tags: tags.readonly().default(() => Object.freeze(Object.create(null))),
  idempotencyKey: z.string().min(1).optional(),
}
const ofRow = { ...common, table, name: name.optional() }

const changeSchema = z.discriminatedUnion('operation', [
  z.strictObject({ ...ofRow, operation: z.enum(['INSERT', 'INIT']), after: row }),
  z.strictObject({ ...ofRow, operation: z.literal('UPDATE'), before: row, after: row }),
  z.strictObject({ ...ofRow, operation: z.literal('DELETE'), before: row }),
  z.strictObject({
    ...common,
    operation: z.literal('DDL'),
    table: table.nullable().default(null),
    name: name.nullable().optional(),
    database: z.string().nullable().optional(),
    statement: z.string(),
  }),
])

function isTableName(text: string): boolean {
  const parts = text.split('.')
  return (parts.length === 2 || parts.length === 3) && !parts.includes('')
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

// ── errors ──

const maxProblems = 5

function printIssue(issue: z.core.$ZodIssue): string {
  const place = z.core.toDotPath(issue.path)
  const reason =
    issue.code === 'invalid_union' ? 'INSERT, INIT, UPDATE, DELETE or DDL is needed' : issue.message
  return place === '' ? reason : `${place}: ${reason}`
}

function invalid(...problems: readonly string[]): DtsError {
  const more = problems.length > maxProblems ? `; and ${problems.length - maxProblems} more` : ''
  return new DtsError(
    'CHANGE_JSON_INVALID',
    `This is not a change in JSON form: ${problems.slice(0, maxProblems).join('; ')}${more}. ` +
      'docs/change-json.md has the form.',
    { retryable: false },
  )
}
