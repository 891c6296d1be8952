import { encodeRecord, integer, text } from '../../infra/local/encode.ts'
import type { Case } from '../case.ts'
import { measureInTurn } from '../measure.ts'
import { decodeAll, microseconds } from './in-process.ts'

interface Step {
  readonly below: string
  readonly above: string
  readonly records: (isAbove: boolean) => readonly Buffer[]
  readonly asked?: readonly string[]
}

interface Table {
  readonly columns: number
  readonly name?: string
  readonly prefix?: string
}

const recordsPerPass = 20

/** The nth insert into a table with so many columns. */
function insert(n: number, { columns, name = 'orders', prefix = 'column' }: Table): Buffer {
  const at = Array.from({ length: columns }, (_, column) => column)
  return encodeRecord({
    operation: 'INSERT',
    id: BigInt(n),
    objectName: `shop.${name}`,
    tags: { pk_uk_info: `{"PRIMARY":["${prefix}_0"]}` },
    fields: at.map((column) => [`${prefix}_${column}`, column % 2 === 0 ? 8 : 253]),
    after: at.map((column) => (column % 2 === 0 ? integer(n + column, 20) : text(`value ${n} ${column}`))),
  })
}

const inserts = (table: Table) => Array.from({ length: recordsPerPass }, (_, n) => insert(n, table))
const wide = (below: number) => (isAbove: boolean) =>
  inserts({ columns: isAbove ? below + 1 : below, name: `wide_${below}_${isAbove}` })

export const steps: readonly Step[] = [
  { below: '128 columns, all', above: '129 columns, all', records: wide(128) },
  { below: '512 columns, all', above: '513 columns, all', records: wide(512) },
  {
    below: '512 columns, 2 asked',
    above: '513 columns, 2 asked',
    records: wide(512),
    asked: ['column_0', 'column_1'],
  },
  {
    below: '4 column lists of a table in turn',
    above: '5 column lists of a table in turn',
    records: (isAbove) =>
      Array.from({ length: recordsPerPass }, (_, n) =>
        insert(n, { columns: 12, name: `lists_${isAbove}`, prefix: `list_${n % (isAbove ? 5 : 4)}` }),
      ),
  },
  {
    below: '1,000 tables in turn',
    above: '1,001 tables in turn',
    records: (isAbove) =>
      Array.from({ length: isAbove ? 1_001 : 1_000 }, (_, n) =>
        insert(n, { columns: 12, name: `table_${n}` }),
      ),
  },
]

export const columns: Case = {
  title: 'Steps in the cost of wide and many tables',
  about: `The decoder keeps what a table's records repeat, within limits. Each pair of rows is at such a limit and right above it: the CPU
to decode one record, in one process. The cost should grow with what is asked for and skipped, and never jump.`,
  goals: steps.map(({ above }) => ({ row: above, column: 'of the row before', atMost: 1.5 })),
  async run({ rounds }) {
    const before = new Map(
      steps.flatMap(({ below, above }) => [
        [below, below],
        [above, below],
      ]),
    )
    const variants = steps.flatMap(({ below, above, records, asked }) =>
      [below, above].map((name) => {
        const given = records(name === above)
        return {
          name,
          measure: async () => (await microseconds(() => decodeAll(given, asked))) / given.length,
        }
      }),
    )
    return await measureInTurn(variants, Math.max(rounds, 5), [
      { name: 'CPU µs per record', of: (sample) => sample },
      { name: 'of the row before', of: (sample) => sample, against: (name) => before.get(name) ?? name },
    ])
  },
}
