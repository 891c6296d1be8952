import * as z from 'zod'
import { toDotPath } from 'zod/v4/core'
import { DtsError } from '../errors.ts'
import { sourceTypes } from './grammar.ts'
import { isObject, valueFromJson, wholeNumber } from './json-values.ts'
import { isTableName } from './names.ts'
import { rowPrototype } from './row-factory.ts'
import type { ColumnValue } from './types.ts'

/** Name and version of the form. An incompatible form gets the next number. */
export const format = 'dts-change/1'

/**
 * Reads an object with arbitrary keys into one that inherits nothing, so that `__proto__` is a key like any other.
 * @param prototype null, or an object without properties
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

export const changeSchema = z.discriminatedUnion('operation', [
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

const maxProblems = 5

export function printIssue(issue: z.core.$ZodIssue): string {
  const place = toDotPath(issue.path)
  const reason =
    issue.code === 'invalid_union' ? 'INSERT, INIT, UPDATE, DELETE or DDL is needed' : issue.message
  return place === '' ? reason : `${place}: ${reason}`
}

export function changeInvalid(...problems: readonly string[]): DtsError {
  const more = problems.length > maxProblems ? `; and ${problems.length - maxProblems} more` : ''
  return new DtsError(
    'CHANGE_JSON_INVALID',
    `This is not a change in JSON form: ${problems.slice(0, maxProblems).join('; ')}${more}. ` +
      'docs/change-json.md has the form.',
    { retryable: false },
  )
}
