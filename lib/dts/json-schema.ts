import { toDotPath } from 'zod/v4/core'
import { DtsError } from '../errors.ts'
import * as z from '../schema.ts'
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
  return z.transform((json, context): { readonly [key: string]: T } => {
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

const asBigint = z.transform((text: string) => BigInt(text))
const integer = z.string().check(z.regex(wholeNumber, 'a whole number as a string is needed'))
const name = z.strictObject({ database: z.string(), schema: z.nullable(z.string()), table: z.string() })
const table = z.string().check(z.refine(isTableName, 'database.table or database.schema.table is needed'))

const common = {
  format: z.optional(z.literal(format)),
  logical: z._default(z.nullable(name), null),
  keys: z._default(z.readonly(z.array(z.string())), []),
  offset: z._default(z.pipe(integer.check(z.regex(/^[0-9]/, 'an offset is not negative')), asBigint), 0n),
  generation: z._default(z.int().check(z.nonnegative()), 0),
  replay: z._default(z.boolean(), false),
  id: z._default(z.pipe(integer, asBigint), 0n),
  timestamp: z._default(z.int(), 0),
  sourceType: z._default(z.enum(sourceTypes), 'MySQL'),
  sourcePosition: z._default(z.string(), ''),
  transactionId: z._default(z.string(), ''),
  tags: z._default(z.readonly(tags), () => Object.freeze(Object.create(null))),
  idempotencyKey: z.optional(z.string().check(z.minLength(1))),
}
const ofRow = { ...common, table, name: z.optional(name) }

export const changeSchema = z.discriminatedUnion('operation', [
  z.strictObject({ ...ofRow, operation: z.enum(['INSERT', 'INIT']), after: row }),
  z.strictObject({ ...ofRow, operation: z.literal('UPDATE'), before: row, after: row }),
  z.strictObject({ ...ofRow, operation: z.literal('DELETE'), before: row }),
  z.strictObject({
    ...common,
    operation: z.literal('DDL'),
    table: z._default(z.nullable(table), null),
    name: z.optional(z.nullable(name)),
    database: z.optional(z.nullable(z.string())),
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
