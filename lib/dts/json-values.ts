import type { ColumnValue } from './types.ts'

/** A column's value: plain JSON if that is unambiguous, otherwise an object whose one key names the type. */
export type ValueJson =
  | string
  | number
  | boolean
  | null
  | { readonly $bigint: string }
  | { readonly $binary: string }
  | { readonly $number: 'NaN' | 'Infinity' | '-Infinity' | '-0' }

/** @returns undefined for a value that no column can have */
export function valueToJson(value: unknown): ValueJson | undefined {
  if (typeof value === 'bigint') return { $bigint: String(value) }
  if (Buffer.isBuffer(value)) return { $binary: value.toString('base64') }
  if (typeof value === 'number') {
    if (Number.isFinite(value) && !Object.is(value, -0)) return value
    return { $number: Object.is(value, -0) ? '-0' : (String(value) as 'NaN' | 'Infinity' | '-Infinity') }
  }
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  return undefined
}

/** Replaces an integer that JSON.parse rounded, so that the reader refuses it with its path. */
class InexactInteger {}
const inexact = new InexactInteger()

/**
 * A reviver for JSON.parse that marks the numbers that it would round. Every number that `stringifyChange` writes is the
 * shortest text of its double. 2^53 + 1, written by hand, is not.
 */
export function markInexact(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || context?.source === undefined) return value
  if (!Number.isFinite(value)) return inexact
  const integer = /^-?[0-9]+$/.test(context.source)
  return integer &&
    value !== 0 &&
    String(BigInt(value)) !== context.source &&
    String(value) !== context.source
    ? inexact
    : value
}

const valueForms: Readonly<Record<string, (text: string) => ColumnValue | undefined>> = {
  $bigint: (text) => (wholeNumber.test(text) ? BigInt(text) : undefined),
  $binary: (text) => {
    const bytes = Buffer.from(text, 'base64')
    return bytes.toString('base64') === text ? bytes : undefined
  },
  $number: (text) => specialNumbers.get(text),
}
export const wholeNumber = /^(0|-?[1-9][0-9]*)$/
const specialNumbers = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['-0', -0],
])

/**
 * Reads one value of a row.
 * @param refuse takes the reason; its null replaces the value
 */
export function valueFromJson(json: unknown, refuse: (reason: string) => null): ColumnValue {
  if (json === null || typeof json === 'string' || typeof json === 'boolean') return json
  if (typeof json === 'number' && Number.isFinite(json)) return json
  if (json === inexact) return refuse('the number would be rounded: write an integer as {"$bigint":"…"}')
  if (isObject(json)) {
    const [[form, text] = ['', null], ...others] = Object.entries(json)
    const read = Object.hasOwn(valueForms, form) ? valueForms[form] : undefined
    if (read !== undefined && others.length === 0) {
      const value = typeof text === 'string' ? read(text) : undefined
      return value === undefined ? refuse(`not a valid ${form}`) : value
    }
  }
  return refuse('neither plain JSON nor one of {"$bigint":"…"}, {"$binary":"…"}, {"$number":"…"}')
}

export function isObject(json: unknown): json is object {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}
