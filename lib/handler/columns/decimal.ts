import * as z from 'zod'
import { DtsError } from '../../errors.ts'
import { valueFree } from './issues.ts'

/** What `decimalColumn` accepts. */
export interface DecimalOptions {
  /** True: accept NaN, Infinity and -Infinity, which PostgreSQL's NUMERIC can have. */
  readonly special?: boolean
}

/** Sign, digits before and after the point, exponent of at most four digits. */
const decimal = /^([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,4}))?$/
const special: ReadonlySet<string> = new Set(['NaN', 'Infinity', '-Infinity'])

/** The largest scale of any source: that of PostgreSQL's NUMERIC. */
const maxScale = 16_383

/** A DECIMAL or NUMERIC column: the text of the source, checked to be a decimal. */
export function decimalColumn(options: DecimalOptions = {}): z.ZodType<string, string> {
  const error = options.special ? 'is not a decimal' : 'is not a finite decimal'
  return z
    .string()
    .refine((text) => partsOf(text) !== null || (options.special === true && special.has(text)), {
      error,
      params: valueFree,
    })
}

/**
 * A decimal in units of 10^-scale, exactly: `decimalToBigint('12.30', 2)` and `decimalToBigint('12.3', 2)` are 1230n.
 * @param scale digits after the point, 0 to 16383: 2 for cents
 * @throws DtsError ROW_INVALID if the text is not a finite decimal, or if digits other than 0 would be lost;
 *   CONFIG_INVALID for any other scale
 */
export function decimalToBigint(text: string, scale: number): bigint {
  if (!Number.isInteger(scale) || scale < 0 || scale > maxScale) {
    throw new DtsError('CONFIG_INVALID', `The scale ${scale} is not a whole number from 0 to ${maxScale}.`, {
      retryable: false,
    })
  }
  const parts = partsOf(text)
  if (parts === null)
    throw rowInvalid('The text is not a finite decimal, so it cannot be converted to minor units.', scale)
  const { sign, digits, exponent } = parts
  const shift = exponent + scale
  const kept = shift >= 0 ? digits + '0'.repeat(shift) : digits.slice(0, shift)
  if (shift < 0 && /[1-9]/.test(digits.slice(shift))) {
    throw rowInvalid(
      `The decimal has more than ${scale} digits after the point, and the conversion would lose some.`,
      scale,
    )
  }
  const units = BigInt(kept === '' ? '0' : kept)
  return sign === '-' ? -units : units
}

/** The digits without the point, and the power of ten of the last digit. */
function partsOf(text: string): { sign: string; digits: string; exponent: number } | null {
  const match = decimal.exec(text)
  if (match === null) return null
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match
  if (whole === '' && fraction === '') return null
  return { sign, digits: whole + fraction, exponent: Number(exponent) - fraction.length }
}

function rowInvalid(message: string, scale: number): DtsError {
  return new DtsError(
    'ROW_INVALID',
    `${message} Correct the scale in the handler, or round there on purpose.`,
    {
      retryable: false,
      facts: { scale },
    },
  )
}
