import * as encode from '../../infra/local/encode.ts'

/** When the first record of every topic happened, in seconds. */
export const startTime = 1_790_000_000

const columns = [
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

function row(n: number, status: string): encode.PlainValue[] {
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
    encode.dateTime({ year: 2026, month: 11, day: 1 + (n % 28), hour: n % 24, minute: n % 60, second: 7 }),
    encode.timestamp(startTime + (n % 1000), n % 1_000_000),
    n % 20 === 0 ? encode.emptyNull : null,
  ]
}

/** Which table the nth record is of; one that begins with `shop.other` has no handler. */
export type TableOf = (n: number) => string

export const shapes = {
  /** One table. */
  one: () => 'shop.orders_0',
  /** Three tables in turn. */
  three: (n) => `shop.orders_${n % 3}`,
  /** One record of ten is of a table with a handler. */
  sparse: (n) => (n % 10 === 0 ? `shop.orders_${(n / 10) % 3}` : `shop.other_${n % 7}`),
} as const satisfies Record<string, TableOf>
export type Shape = keyof typeof shapes

/** Changes of a shop's order tables with twelve columns: of ten, four inserts, four updates, two deletes. */
export function makeRecords(shape: Shape, count: number): Buffer[] {
  const tableOf: TableOf = shapes[shape]
  return Array.from({ length: count }, (_, n) => {
    const kind = Math.floor(n / 30) % 10
    const images =
      kind < 4
        ? { operation: 'INSERT' as const, after: row(n, 'paid') }
        : kind < 8
          ? { operation: 'UPDATE' as const, before: row(n, 'paid'), after: row(n, 'shipped') }
          : { operation: 'DELETE' as const, before: row(n, 'shipped') }
    return encode.encodeRecord({
      ...images,
      id: BigInt(n),
      objectName: tableOf(n),
      fields: columns,
      tags: { pk_uk_info: '{"PRIMARY":["id"]}' },
      sourceTimestamp: startTime + Math.floor(n / 1000),
      sourcePosition: `${n * 300}@7`,
      sourceTxid: `a3f1c8d2-1111-2222-3333-444455556666:${n}`,
    })
  })
}
