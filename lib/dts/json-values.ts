import type { ColumnValue } from './types.ts'

/** A column's value: plain JSON where that is unambiguous, else an object of one key that names the type. */
export type ValueJson =
  | string
  | number
  | boolean
  | null
  | { readonly $bigint: string }
  | { readonly $binary: string }
  | { readonly $number: 'NaN' | 'Infinity' | '-Infinity' | '-0' }

/** @returns undefined for what is no column value */
export function valueToJson(value: ColumnValue): ValueJson | undefined {
  if (typeof value === 'bigint') return { $bigint: String(value) }
  if (Buffer.isBuffer(value)) return { $binary: value.toString('base64') }
  if (typeof value === 'number') {
    if (Number.isFinite(value) && !Object.is(value, -0)) return value
    return { $number: Object.is(value, -0) ? '-0' : (String(value) as 'NaN' | 'Infinity' | '-Infinity') }
  }
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  return undefined
}

/** Stands for an integer that JSON.parse rounded, so that it is refused with its path. */
class InexactInteger {}
const inexact = new InexactInteger()

/**
 * For JSON.parse: marks the numbers that it would round.
 * Every number that `stringifyChange` writes is the shortest text of its double; 2^53 + 1 by hand is not.
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
 * @param refuse takes the reason; its null stands in for the value
 */
export function valueFromJson(json: unknown, refuse: (reason: string) => null): ColumnValue {
  if (json === null || typeof json === 'string' || typeof json === 'boolean') return json
  if (typeof json === 'number' && Number.isFinite(json)) return json
  if (json === inexact) return refuse('a number that would be rounded; write an integer as {"$bigint":"…"}')
  if (isObject(json)) {
    const [[form, text] = ['', null], ...others] = Object.entries(json)
    const read = Object.hasOwn(valueForms, form) ? valueForms[form] : undefined
    if (read !== undefined && others.length === 0) {
      const value = typeof text === 'string' ? read(text) : undefined
      return value === undefined ? refuse(`not what ${form} asks for`) : value
    }
  }
  return refuse('neither plain JSON nor one of {"$bigint":"…"}, {"$binary":"…"}, {"$number":"…"}')
}

export function isObject(json: unknown): json is object {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}
