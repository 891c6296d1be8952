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

function lists(below: number): Step {
  const name = (count: number) => `${count} column lists of a table in turn`
  const records = (isAbove: boolean) => {
    const count = isAbove ? below + 1 : below
    return Array.from({ length: count * 4 }, (_, n) =>
      insert(n, { columns: 12, name: `lists_${count}`, prefix: `list_${n % count}` }),
    )
  }
  return { below: name(below), above: name(below + 1), records }
}

function tables(below: number): Step {
  const name = (count: number) => `${count.toLocaleString('en')} tables in turn`
  const records = (isAbove: boolean) =>
    Array.from({ length: isAbove ? below + 1 : below }, (_, n) =>
      insert(n, { columns: 12, name: `table_${n}` }),
    )
  return { below: name(below), above: name(below + 1), records }
}

export const steps: readonly Step[] = [
  { below: '128 columns, all', above: '129 columns, all', records: wide(128) },
  { below: '400 columns, all', above: '401 columns, all', records: wide(400) },
  { below: '512 columns, all', above: '513 columns, all', records: wide(512) },
  {
    below: '512 columns, 2 asked',
    above: '513 columns, 2 asked',
    records: wide(512),
    asked: ['column_0', 'column_1'],
  },
  lists(4),
  lists(32),
  tables(1_000),
  tables(4_000),
]

export const columns: Case = {
  title: 'Steps in the cost of wide and many tables',
  about: `The decoder keeps what a table's records repeat, within limits. Each pair of rows is at such a limit, or at one of an earlier version,
and right above it: the CPU to decode one record, in one process. The cost should grow with what is asked for and skipped, and never jump.`,
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
