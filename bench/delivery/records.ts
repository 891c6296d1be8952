import { encodeRecord } from '../../infra/local/encode.ts'
import { columns, row } from '../rows.ts'

/** The source time of every topic's first record, in seconds. */
export const startTime = 1_790_000_000

/** The table of the nth record. Tables that begin with `shop.other` have no handler. */
type TableOf = (n: number) => string

const shapes = {
  /** One table. */
  one: () => 'shop.orders_0',
  /** Three tables in turn. */
  three: (n) => `shop.orders_${n % 3}`,
  /** One record of ten belongs to a table with a handler. */
  sparse: (n) => (n % 10 === 0 ? `shop.orders_${(n / 10) % 3}` : `shop.other_${n % 7}`),
} as const satisfies Record<string, TableOf>
export type Shape = keyof typeof shapes

/** Changes of a shop's order tables with twelve columns. Of ten: four inserts, four updates, two deletes. */
export function makeRecords(shape: Shape, count: number): Buffer[] {
  const tableOf: TableOf = shapes[shape]
  return Array.from({ length: count }, (_, n) => {
    const kind = Math.floor(n / 30) % 10
    const image = (status: string) => row(n, status, startTime + (n % 1000))
    const images =
      kind < 4
        ? { operation: 'INSERT' as const, after: image('paid') }
        : kind < 8
          ? { operation: 'UPDATE' as const, before: image('paid'), after: image('shipped') }
          : { operation: 'DELETE' as const, before: image('shipped') }
    return encodeRecord({
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
