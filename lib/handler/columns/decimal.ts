import { z } from 'zod'
import { DtsError } from '../../errors.ts'
import { valueFree } from './issues.ts'

export interface DecimalOptions {
  /** True to let NaN, Infinity and -Infinity through, which PostgreSQL's NUMERIC can hold. */
  readonly special?: boolean
}

/** Sign, digits before and after the point, exponent of at most four digits. */
const decimal = /^([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,4}))?$/
const special: ReadonlySet<string> = new Set(['NaN', 'Infinity', '-Infinity'])

/** The most digits behind the point that any source's decimals have: PostgreSQL's NUMERIC. */
const maxScale = 16_383

/** A DECIMAL or NUMERIC column: the text as the source wrote it, after a check that it is a decimal. */
export function decimalColumn(options: DecimalOptions = {}): z.ZodType<string, string> {
  const error = options.special ? 'is no decimal' : 'is no finite decimal'
  return z
    .string()
    .refine((text) => partsOf(text) !== null || (options.special === true && special.has(text)), {
      error,
      params: valueFree,
    })
}

/**
 * A decimal in units of 10^-scale, exactly: `decimalToBigint('12.30', 2)` is 1230n, and so is that of `'12.3'`.
 * @param scale digits behind the point, 0 to 16383: 2 for cents
 * @throws DtsError ROW_INVALID when the text is no finite decimal, or digits other than 0 would be lost;
 *   CONFIG_INVALID for another scale
 */
export function decimalToBigint(text: string, scale: number): bigint {
  if (!Number.isInteger(scale) || scale < 0 || scale > maxScale) {
    throw new DtsError('CONFIG_INVALID', `The scale ${scale} is not a whole number from 0 to ${maxScale}.`, {
      retryable: false,
    })
  }
  const parts = partsOf(text)
  if (parts === null) throw rowInvalid('A text that is no finite decimal cannot become minor units.', scale)
  const { sign, digits, exponent } = parts
  const shift = exponent + scale
  const kept = shift >= 0 ? digits + '0'.repeat(shift) : digits.slice(0, shift)
  if (shift < 0 && /[1-9]/.test(digits.slice(shift))) {
    throw rowInvalid(
      `A decimal has more digits than the ${scale} behind the point that were asked for.`,
      scale,
    )
  }
  const units = BigInt(kept === '' ? '0' : kept)
  return sign === '-' ? -units : units
}

/** The digits without their point, and the power of ten that the last one stands for. */
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
