import { encodeRecord, text } from '../../infra/local/encode.ts'
import { columns, row } from './rows.ts'

/** The source time of every stream's first record, in seconds. */
export const startTime = 1_790_000_000

/** The column that identifies a row. */
const keys = {
  /** An integer. */
  number: 'id',
  /** Text in ASCII. */
  ascii: 'email',
  /** Text with other letters. */
  'beyond-ascii': 'email',
  /** The table has no primary key. */
  none: null,
} as const

export interface RecordShape {
  /** Tables in turn: `shop.orders_0`, `shop.orders_1`, … */
  readonly tables: number
  /** One of so many records belongs to a table with a handler. */
  readonly oneRoutedOf?: number
  readonly key?: keyof typeof keys
  /** Bytes of text in the column `note`; absent: a short sentence. */
  readonly noteBytes?: number
}

/** The position of the column `email` in `columns`, and of `note`. */
const emailAt = columns.findIndex(([name]) => name === 'email')
const noteAt = columns.findIndex(([name]) => name === 'note')

/** Changes of a shop's order tables with twelve columns. Of ten: four inserts, four updates, two deletes. */
export function makeRecords(shape: RecordShape, count: number, from = 0): Buffer[] {
  const { tables, oneRoutedOf = 1, key = 'number', noteBytes } = shape
  const note = noteBytes === undefined ? null : text(prose(noteBytes))
  return Array.from({ length: count }, (_, index) => {
    const n = from + index
    const kind = Math.floor(n / (10 * tables)) % 10
    const image = (status: string) => {
      const values = row(n, status, startTime + (n % 1000))
      if (key === 'beyond-ascii') values[emailAt] = text(`käufer${n % 5000}@straße.example`)
      if (note !== null) values[noteAt] = note
      return values
    }
    const images =
      kind < 4
        ? { operation: 'INSERT' as const, after: image('paid') }
        : kind < 8
          ? { operation: 'UPDATE' as const, before: image('paid'), after: image('shipped') }
          : { operation: 'DELETE' as const, before: image('shipped') }
    const column = keys[key]
    return encodeRecord({
      ...images,
      id: BigInt(n),
      objectName: n % oneRoutedOf === 0 ? `shop.orders_${(n / oneRoutedOf) % tables}` : `shop.other_${n % 7}`,
      fields: columns,
      tags: column === null ? {} : { pk_uk_info: JSON.stringify({ PRIMARY: [column] }) },
      sourceTimestamp: startTime + Math.floor(n / 1000),
      sourcePosition: `${n * 300}@7`,
      sourceTxid: `a3f1c8d2-1111-2222-3333-444455556666:${n}`,
    })
  })
}

const words =
  'order customer address delivery before after the front door please ring twice invoice paid shipped returned'.split(
    ' ',
  )

/** Text in ASCII that compresses about as well as prose does. */
function prose(bytes: number): string {
  const parts: string[] = []
  let seed = 1
  for (let length = 0; length < bytes; ) {
    seed = (seed * 48_271) % 2_147_483_647
    const word = `${words[seed % words.length]}${seed % 13 === 0 ? seed : ''} `
    parts.push(word)
    length += word.length
  }
  return parts.join('').slice(0, bytes)
}

/** The name of the checkpoint table. */
export const checkpoints = 'checkpoints'
