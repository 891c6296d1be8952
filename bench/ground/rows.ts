import * as encode from '../../infra/local/encode.ts'

/** The twelve columns of an order, with MySQL's types. */
export const columns = [
  ['id', 8],
  ['customer_id', 8],
  ['status', 254],
  ['quantity', 3],
  ['total', 246],
  ['currency', 254],
  ['note', 253],
  ['email', 253],
  ['discount', 5],
  ['created_at', 12],
  ['updated_at', 7],
  ['deleted_at', 7],
] as const

/**
 * The nth order.
 * @param updatedAt in seconds
 */
export function row(n: number, status: string, updatedAt: number): encode.PlainValue[] {
  return [
    encode.integer(10_000_000_000n + BigInt(n), 20),
    encode.integer(70_000 + (n % 5000), 20),
    encode.text(status),
    encode.integer(1 + (n % 9), 11),
    encode.decimal(`${n % 1000}.${10 + (n % 90)}`),
    encode.text('EUR', 'latin1'),
    encode.text(n % 10 === 0 ? 'Bitte vor der Tür ablegen' : 'leave at the front door'),
    encode.text(`customer${n % 5000}@example.com`),
    encode.float(n % 7 === 0 ? 0.15 : 0),
    encode.dateTime({
      year: 2026,
      month: 11,
      day: 1 + (n % 28),
      hour: n % 24,
      minute: n % 60,
      second: 7,
      millis: 0,
    }),
    encode.timestamp(updatedAt, n % 1_000_000),
    n % 20 === 0 ? encode.emptyNull : null,
  ]
}
