import type { Cursor } from './cursor.ts'

/** No integer type of any source has more digits; BigInt takes quadratic time, so that more must not reach it. */
const maxDigits = 100
/** So many digits a number always holds exactly. */
const safeDigits = 15

/** Reads the digits of a column whose type says that a number holds them exactly. */
export function readInteger(cursor: Cursor): number {
  const length = cursor.length('value')
  const start = cursor.position
  const negative = length > 0 && cursor.bytes[start] === 0x2d
  if (length > (negative ? safeDigits + 1 : safeDigits)) {
    throw cursor.fail('value', `an integer of a narrow type with more than ${safeDigits} digits`)
  }
  const value = digits(cursor, negative ? start + 1 : start, start + length)
  cursor.position = start + length
  // Zero has no sign.
  return negative && value !== 0 ? -value : value
}

/** Reads the digits of a column whose type may exceed what a number holds. */
export function readBigInteger(cursor: Cursor): bigint {
  const length = cursor.length('value')
  const start = cursor.position
  const end = start + length
  const negative = length > 0 && cursor.bytes[start] === 0x2d
  const first = negative ? start + 1 : start
  if (end - first > maxDigits) throw cursor.fail('value', `an integer of more than ${maxDigits} digits`)
  let value: bigint
  if (end - first <= safeDigits) {
    value = bigintOf(digits(cursor, first, end))
  } else {
    checkDigits(cursor, first, end)
    value = BigInt(cursor.bytes.toString('latin1', first, end))
  }
  cursor.position = end
  return negative ? -value : value
}

function digits(cursor: Cursor, start: number, end: number): number {
  const { bytes } = cursor
  if (start === end) throw cursor.fail('value', 'an integer without digits')
  let value = 0
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] as number) - 0x30
    if (digit < 0 || digit > 9) throw cursor.fail('value', 'an integer with something else than digits')
    value = value * 10 + digit
  }
  return value
}

/** What `BigInt` takes beside digits (spaces, `0x`) is no integer of a database. */
function checkDigits(cursor: Cursor, start: number, end: number): void {
  for (let at = start; at < end; at++) {
    const digit = (cursor.bytes[at] as number) - 0x30
    if (digit < 0 || digit > 9) throw cursor.fail('value', 'an integer with something else than digits')
  }
}

const wide = new BigInt64Array(1)
const halves = new Uint32Array(wide.buffer)
const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

/** BigInt of a safe integer that is not negative. Reading it out of an array takes a third of the time of `BigInt(n)`. */
function bigintOf(value: number): bigint {
  if (!littleEndian) return BigInt(value)
  halves[0] = value % 0x100000000
  halves[1] = value / 0x100000000
  return wide[0] as bigint
}

/** BigInt of any safe integer. */
export function exactBigint(value: number): bigint {
  return value < 0 ? -bigintOf(-value) : bigintOf(value)
}
