import * as z from 'zod'
import { describeIssue, valueFree } from './issues.ts'

/** A parsed JSON value. It contains bigints only with `integers: 'bigint'`. */
export type JsonValue = string | number | bigint | boolean | null | JsonValue[] | { [key: string]: JsonValue }

/** How `jsonColumn` reads numbers. */
export interface JsonOptions {
  /**
   * The type of integers. `number`, the default, refuses integers beyond 2^53 - 1, which a number would round. `bigint`
   * makes every integer a bigint, small ones too, so that a member's type does not depend on its value. Numbers with a
   * point or an exponent are numbers in both cases.
   */
  readonly integers?: 'number' | 'bigint'
}

/**
 * A JSON or JSONB column: parses the text, and validates it if a schema is given.
 * An error names the place in the document by members that the schema declares, never by values or other keys.
 * @param schema the schema of the document; it must be synchronous
 */
export function jsonColumn(schema?: undefined, options?: JsonOptions): z.ZodType<JsonValue, string>
export function jsonColumn<Output>(
  schema: z.ZodType<Output>,
  options?: JsonOptions,
): z.ZodType<Output, string>
export function jsonColumn(
  schema: z.ZodType | undefined,
  { integers = 'number' }: JsonOptions = {},
): z.ZodType<unknown, string> {
  let declared: ReadonlySet<string> | undefined
  return z.string().transform((text, context) => {
    const refuse = (message: string): never => {
      context.issues.push({ code: 'custom', message, input: text, params: valueFree })
      return z.NEVER
    }
    let value: unknown
    try {
      value = parseJson(text, integers)
    } catch (error) {
      if (error instanceof UnsafeNumber) return refuse(error.message)
      if (error instanceof SyntaxError) return refuse(`is not JSON text (${text.length} characters)`)
      return refuse(tooDeep(text))
    }
    if (schema === undefined) return value
    const result = parseDeep(schema, value, text)
    if (result === null) return refuse(tooDeep(text))
    if (result.success) return result.data
    const known = declared ?? declaredMembers(schema)
    declared = known
    return refuse(`JSON ${result.error.issues.map((issue) => printIssue(issue, known)).join('; ')}`)
  })
}

class UnsafeNumber extends Error {}

/** JSON.parse can round or overflow a number only in a text that matches. Any other text is parsed at full speed. */
const suspicious = /[0-9]{16}|[eE][+]?[0-9]{3}/

function parseJson(text: string, integers: 'number' | 'bigint'): unknown {
  if (integers === 'number' && !suspicious.test(text)) return JSON.parse(text)
  return JSON.parse(text, (_key, value: unknown, context?: { readonly source?: string }) => {
    if (typeof value !== 'number') return value
    const source = context?.source ?? ''
    if (integers === 'bigint' && /^-?[0-9]+$/.test(source)) return BigInt(source)
    if (!Number.isFinite(value)) throw new UnsafeNumber('JSON contains a number beyond the range of a double')
    if (/^-?[0-9]+$/.test(source) && !Number.isSafeInteger(value)) {
      throw new UnsafeNumber(
        "JSON contains an integer beyond 2^53 - 1, which a number would round: declare it with { integers: 'bigint' }",
      )
    }
    return value
  })
}

/** JSON.parse with a reviver and zod recurse for each level, and can exhaust the stack. Up to this depth they never do. */
const plainDepth = 500

const tooDeep = (text: string) => `is JSON nested ${depthOf(text)} deep, which is more than can be read`

/** @returns null if the document is too deep for its schema */
function parseDeep(schema: z.ZodType, value: unknown, text: string) {
  try {
    return schema.safeParse(value)
  } catch (error) {
    if (error instanceof RangeError && depthOf(text) > plainDepth) return null
    throw error
  }
}

/** The nesting depth of a JSON text. */
function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  let inString = false
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (character === '"') inString = !inString
    else if (inString) at += character === '\\' ? 1 : 0
    else if (character === '[' || character === '{') deepest = Math.max(deepest, ++depth)
    else if (character === ']' || character === '}') depth--
  }
  return deepest
}

function printIssue(issue: z.core.$ZodIssue, declared: ReadonlySet<string>): string {
  const place = issue.path.map((step) =>
    typeof step === 'number' ? `[${step}]` : `.${declared.has(String(step)) ? String(step) : '*'}`,
  )
  const expected = issue.code === 'invalid_type' ? ` (${issue.expected})` : ''
  return `$${place.join('')} ${describeIssue(issue)}${expected}`
}

/** Every member name that the schema declares. */
function declaredMembers(schema: z.ZodType): ReadonlySet<string> {
  const names = new Set<string>()
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return
    for (const [key, child] of Object.entries(node)) {
      if (key === 'properties') for (const name of Object.keys(child)) names.add(name)
      visit(child)
    }
  }
  visit(z.toJSONSchema(schema, { unrepresentable: 'any', io: 'input' }))
  return names
}
