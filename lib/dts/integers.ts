import type { Cursor } from './cursor.ts'

/** No integer type of any source has more digits. The time is quadratic, so more digits are refused. */
const maxDigits = 100
/** A number represents integers of up to this many digits exactly. */
const safeDigits = 15
/** Integers of up to this many digits fit into 64 bits without a sign. */
const wideDigits = 19
/** 2^64 divided by 10^9. */
const maxLeft = 18_446_744_073
/** Longer ones are read in pieces of this many digits. */
const pieceDigits = 18
const pieceUnit = 10n ** BigInt(pieceDigits)

/** Reads an integer of a type that fits into a number. */
export function readInteger(cursor: Cursor): number {
  const length = cursor.length('value')
  const start = cursor.position
  const negative = length > 0 && cursor.bytes[start] === 0x2d
  const first = negative ? start + 1 : start
  const end = start + length
  if (end - first > safeDigits) {
    throw cursor.fail('value', `an integer of a narrow type with more than ${safeDigits} digits`)
  }
  const value = digits(cursor, first, end)
  cursor.position = end
  // Zero has no sign.
  return negative && value !== 0 ? -value : value
}

/** Reads an integer of a type that a number would round. */
export function readBigInteger(cursor: Cursor): bigint {
  const length = cursor.length('value')
  const start = cursor.position
  const end = start + length
  const negative = length > 0 && cursor.bytes[start] === 0x2d
  const first = negative ? start + 1 : start
  const value = magnitude(cursor, first, end)
  cursor.position = end
  return negative ? -value : value
}

function magnitude(cursor: Cursor, first: number, end: number): bigint {
  const count = end - first
  if (count <= safeDigits) return bigintOf(digits(cursor, first, end))
  if (count <= wideDigits) return joined(digits(cursor, first, end - 9), digits(cursor, end - 9, end))
  if (count > maxDigits) throw cursor.fail('value', `an integer of more than ${maxDigits} digits`)
  const rest = end - pieceDigits
  return (
    magnitude(cursor, first, rest) * pieceUnit +
    joined(digits(cursor, rest, end - 9), digits(cursor, end - 9, end))
  )
}

/** The integer of 16 to 20 digits; null if a byte is not a digit, or if it may exceed 64 bits. */
export function longInteger(bytes: Buffer, start: number, end: number): bigint | null {
  const middle = end - 9
  let left = 0
  let right = 0
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] as number) - 0x30
    if (digit < 0 || digit > 9) return null
    if (at < middle) left = left * 10 + digit
    else right = right * 10 + digit
  }
  return left < maxLeft ? joined(left, right) : null
}

/** @param end at most `start + safeDigits` */
function digits(cursor: Cursor, start: number, end: number): number {
  const { bytes } = cursor
  if (start >= end) throw cursor.fail('value', 'an integer without digits')
  let value = 0
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] as number) - 0x30
    if (digit < 0 || digit > 9) throw cursor.fail('value', 'an integer with a character that is not a digit')
    value = value * 10 + digit
  }
  return value
}

/*
 * To read a bigint from an array of 64-bit integers is several times faster than `BigInt(n)` or arithmetic with bigints.
 * The byte order of the machine decides which half comes first.
 */
const whole = new BigUint64Array(1)
const halves = new Uint32Array(whole.buffer)
const lowHalf = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 0 : 1

/** The bigint of a safe integer that is not negative. */
function bigintOf(value: number): bigint {
  const high = Math.floor(value / 0x100000000)
  halves[lowHalf] = value - high * 0x100000000
  halves[1 - lowHalf] = high
  return whole[0] as bigint
}

/** `left` × 10^9 + `right`, at most 64 bits together, every step exact in a double. */
function joined(left: number, right: number): bigint {
  const leftHigh = Math.floor(left / 0x10000)
  const low = (left - leftHigh * 0x10000) * 1e9 + right
  const middle = leftHigh * 1e9
  const middleHigh = Math.floor(middle / 0x10000)
  const sum = low + (middle - middleHigh * 0x10000) * 0x10000
  const carry = Math.floor(sum / 0x100000000)
  halves[lowHalf] = sum - carry * 0x100000000
  halves[1 - lowHalf] = middleHigh + carry
  return whole[0] as bigint
}

/** The bigint of any safe integer. */
export function exactBigint(value: number): bigint {
  return value < 0 ? -bigintOf(-value) : bigintOf(value)
}
