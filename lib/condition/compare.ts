import type { ColumnValue } from '../dts/types.ts'
import { DtsError } from '../errors.ts'

/** A value as the condition writes it. */
export interface Literal {
  readonly kind: 'number' | 'text'
  readonly text: string
}

export type Operand = ColumnValue

/** @param order below 0 if the left value is less, 0 if both are equal, above 0 if it is greater */
export type Comparator = (order: number) => boolean

/**
 * The order of two values; null if one is NULL, absent or NaN. Numbers of all kinds, DECIMAL included, compare by their exact
 * values. Texts compare by their characters, so upper and lower case differ and a date compares as the database prints it.
 * @throws DtsError CONDITION_INVALID if the types cannot be compared, such as a text that is no number with a number
 */
export function compare(
  left: Operand | Literal | undefined,
  right: Operand | Literal | undefined,
): number | null {
  if (left === null || left === undefined || right === null || right === undefined) return null
  if (Buffer.isBuffer(left) || Buffer.isBuffer(right)) return compareBytes(left, right)
  if (isNumeric(left) || isNumeric(right)) return compareNumbers(left, right)
  const one = textOf(left)
  const other = textOf(right)
  // Two DECIMAL columns. A quoted text stays a text: the column may hold codes such as 007.
  if (typeof left === 'string' && typeof right === 'string' && decimal.test(one) && decimal.test(other)) {
    return compareNumbers(left, right)
  }
  return one < other ? -1 : Number(one > other)
}

/** Whether a text matches a pattern. Null if there is no value. */
export function like(value: Operand | Literal | undefined, pattern: Pattern): boolean | null {
  if (value === null || value === undefined) return null
  if (Buffer.isBuffer(value)) throw cannot(value, 'a pattern')
  return matchesLike([...textOf(value)], pattern)
}

type Piece = '%' | '_' | { readonly character: string }
export type Pattern = readonly Piece[]

/** Parses a pattern in which `%` is any text, `_` is one character, and `\\` takes the next one as it is. */
export function likePattern(pattern: string): Pattern {
  const pieces: Piece[] = []
  const characters = [...pattern]
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] as string
    if (character === '\\' && at + 1 < characters.length) {
      pieces.push({ character: characters[++at] as string })
    } else {
      pieces.push(character === '%' || character === '_' ? character : { character })
    }
  }
  return pieces
}

/** It retries only after the last `%`, so it takes at most the product of both lengths. */
function matchesLike(text: readonly string[], pieces: Pattern): boolean {
  let at = 0
  let piece = 0
  let star = -1
  let starAt = 0
  while (at < text.length) {
    const expected = pieces[piece]
    if (expected === '%') {
      star = piece++
      starAt = at
    } else if (expected === '_' || (typeof expected === 'object' && expected.character === text[at])) {
      at += 1
      piece += 1
    } else if (star >= 0) {
      piece = star + 1
      at = ++starAt
    } else {
      return false
    }
  }
  return pieces.slice(piece).every((rest) => rest === '%')
}

function isNumeric(value: Operand | Literal): boolean {
  if (isLiteral(value)) return value.kind === 'number'
  return typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean'
}

function isLiteral(value: Operand | Literal): value is Literal {
  return typeof value === 'object' && value !== null && !Buffer.isBuffer(value)
}

function textOf(value: Operand | Literal): string {
  return isLiteral(value) ? value.text : String(value)
}

const decimal = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/
const number = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/
/** An exponent beyond this would make numbers of as many digits. */
const largestExponent = 400

function compareNumbers(left: Operand | Literal, right: Operand | Literal): number | null {
  const one = exact(left)
  const other = exact(right)
  if (one === null || other === null) return null
  if (typeof one === 'number' || typeof other === 'number') {
    // At least one is infinite.
    const [a, b] = [limitOf(one), limitOf(other)]
    return a < b ? -1 : Number(a > b)
  }
  const scale = Math.max(one.scale, other.scale)
  const a = one.digits * 10n ** BigInt(scale - one.scale)
  const b = other.digits * 10n ** BigInt(scale - other.scale)
  return a < b ? -1 : Number(a > b)
}

interface Exact {
  readonly digits: bigint
  /** The number of digits after the decimal point. */
  readonly scale: number
}

const limitOf = (value: Exact | number) => (typeof value === 'number' ? value : 0)

/** The exact value; null for NaN, and ±Infinity as a number. A FLOAT's value is the shortest decimal that is read as it. */
function exact(value: Operand | Literal): Exact | number | null {
  if (typeof value === 'bigint') return { digits: value, scale: 0 }
  if (typeof value === 'boolean') return { digits: value ? 1n : 0n, scale: 0 }
  const text = textOf(value)
  if (/^[+-]?(nan|infinity)$/i.test(text)) {
    const limit = Number(text.replace(/infinity/i, 'Infinity'))
    return Number.isNaN(limit) ? null : limit
  }
  const match = number.exec(text)
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match ?? []
  if (match === null || whole + fraction === '' || Math.abs(Number(exponent)) > largestExponent) {
    throw cannot(value, 'a number')
  }
  const digits = BigInt(`${whole}${fraction}`) * (sign === '-' ? -1n : 1n)
  const scale = fraction.length - Number(exponent)
  return scale >= 0 ? { digits, scale } : { digits: digits * 10n ** BigInt(-scale), scale: 0 }
}

function compareBytes(left: Operand | Literal, right: Operand | Literal): number {
  if (!Buffer.isBuffer(left) || !Buffer.isBuffer(right)) {
    throw cannot(Buffer.isBuffer(left) ? left : right, "anything but bytes such as x'0aff'")
  }
  return Buffer.compare(left, right)
}

/** Its message quotes no value, because a row may hold a secret. */
function cannot(value: Operand | Literal, other: string): DtsError {
  const what = Buffer.isBuffer(value) ? 'a binary column' : 'a text that is no number'
  return new DtsError(
    'CONDITION_INVALID',
    `The condition compares ${what} with ${other}. Write the other value as the column has it: 'text' in quotes, x'00ff' for ` +
      'bytes, digits for a number.',
    { retryable: false },
  )
}
