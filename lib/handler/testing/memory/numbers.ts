/** DynamoDB's numbers are decimals of 38 digits. They are compared and added exactly, as a coefficient and a power of ten. */
interface Decimal {
  readonly coefficient: bigint
  /** The number of digits after the point; never negative. */
  readonly scale: number
}

function parse(text: string): Decimal {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e')
  const [whole = '', fraction = ''] = mantissa.split('.')
  const digits = BigInt(whole + fraction)
  const scale = fraction.length - Number(exponent)
  return scale < 0
    ? { coefficient: digits * 10n ** BigInt(-scale), scale: 0 }
    : { coefficient: digits, scale }
}

function aligned(left: string, right: string): readonly [left: bigint, right: bigint, scale: number] {
  const [a, b] = [parse(left), parse(right)]
  const scale = Math.max(a.scale, b.scale)
  const raise = ({ coefficient, scale: own }: Decimal) => coefficient * 10n ** BigInt(scale - own)
  return [raise(a), raise(b), scale]
}

/** Below, at or above 0, as for `sort`. */
export function compareNumbers(left: string, right: string): number {
  const [a, b] = aligned(left, right)
  return a < b ? -1 : a > b ? 1 : 0
}

/** @param sign -1 to subtract */
export function addNumbers(left: string, right: string, sign: 1 | -1 = 1): string {
  const [a, b, scale] = aligned(left, right)
  return format(a + b * BigInt(sign), scale)
}

function format(coefficient: bigint, scale: number): string {
  const sign = coefficient < 0n ? '-' : ''
  const digits = String(coefficient < 0n ? -coefficient : coefficient).padStart(scale + 1, '0')
  const fraction = digits.slice(digits.length - scale).replace(/0+$/, '')
  const whole = digits.slice(0, digits.length - scale)
  return `${sign}${whole}${scale === 0 || fraction === '' ? '' : `.${fraction}`}`
}
