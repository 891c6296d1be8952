import type { Change, RowChange } from '../../../lib/dts/change.ts'
import type { ColumnValue, Row } from '../../../lib/dts/types.ts'
import { toSeconds } from '../../../lib/time.ts'
import { emptyNone, encodeRecord, integer, type PlainValue } from '../encode.ts'
import type { ShopRecord } from '../shop.ts'
import { type ColumnType, typeNamed, typeNames, typeNumbered } from './column-type.ts'

/** What the stream knows about a table that it has already. */
export interface KnownTable {
  /** MySQL's type numbers, by column. */
  readonly columns: ReadonlyMap<string, number>
  readonly keys: readonly string[]
}

/** A fault of a line, for people. It never contains a value. */
export class FeedFault extends Error {}

/** Positions of changes that say none begin here, beyond those of the shop. */
const firstPosition = 1_000_000_000

/** Writes changes as records, the way DTS would. */
export class ChangeEncoder {
  readonly #known: ReadonlyMap<string, KnownTable>
  #count = 0

  constructor(known: ReadonlyMap<string, KnownTable>) {
    this.#known = known
  }

  /**
   * @param types of columns, by name; a column without one has the type that the table has in the stream, if the values fit it,
   *   or the type of its values
   * @param now in seconds, for a change that does not say its time
   * @throws FeedFault if a value does not fit the type of its column
   */
  encode(change: Change, types: Readonly<Record<string, string>>, now: number): ShopRecord {
    this.#count += 1
    const id = change.id === 0n ? BigInt(firstPosition + this.#count) : change.id
    const seconds = change.timestamp === 0 ? now : toSeconds(change.timestamp)
    const common = {
      operation: change.operation,
      id,
      sourceTimestamp: change.timestamp === 0 ? now : change.timestamp,
      sourcePosition: change.sourcePosition || `${firstPosition + this.#count}@7`,
      sourceTxid: change.transactionId || `feed-${this.#count}`,
      sourceType: change.sourceType,
    }
    if (change.operation === 'DDL') {
      const objectName = change.table ?? change.database
      const value = encodeRecord({ ...common, objectName, after: change.statement, tags: change.tags })
      return { value, timestamp: seconds }
    }
    const tags = this.#tagsOf(change)
    const value = encodeRecord({
      ...common,
      objectName: change.table,
      tags,
      ...this.#imagesOf(change, types),
    })
    return { value, timestamp: seconds, table: change.table, change: { id, table: change.table } }
  }

  #tagsOf({ tags, keys, logical, table }: RowChange): Record<string, string> {
    const own = keys.length > 0 ? keys : (this.#known.get(table)?.keys ?? [])
    const name = logical === null ? {} : { l_db_name: logical.database, l_tb_name: logical.table }
    return {
      ...(own.length === 0 ? {} : { pk_uk_info: JSON.stringify({ PRIMARY: own }) }),
      ...name,
      ...tags,
    }
  }

  #imagesOf(change: RowChange, types: Readonly<Record<string, string>>) {
    const before = 'before' in change ? change.before : null
    const after = 'after' in change ? change.after : null
    const names = [...new Set([...Object.keys(after ?? {}), ...Object.keys(before ?? {})])]
    for (const name of Object.keys(types)) {
      if (!names.includes(name)) throw new FeedFault(`columns.${name}: no image has this column`)
    }
    const isMySql = change.sourceType === 'MySQL' || change.sourceType === 'DRDS'
    const columns = names.map((name) => {
      const values = [after, before].flatMap((row) => (row?.[name] == null ? [] : [row[name]]))
      return { name, type: this.#typeOf(change.table, name, values, types[name], isMySql) }
    })
    const imageOf = (row: Row | null): PlainValue[] | null =>
      row && columns.map(({ name, type }) => encodeValue(type, row[name]))
    return {
      fields: columns.map(({ name, type }) => [name, type.number] as const),
      before: imageOf(before),
      after: imageOf(after),
    }
  }

  #typeOf(
    table: string,
    column: string,
    values: readonly Exclude<ColumnValue, null>[],
    given: string | undefined,
    isMySql: boolean,
  ): ColumnType {
    const fits = (type: ColumnType) => values.every((value) => type.encode(value) !== null)
    if (given !== undefined) {
      const type = typeNamed(given)
      if (type === undefined) {
        throw new FeedFault(`columns.${column}: an unknown type; known are ${typeNames.join(', ')}`)
      }
      if (!fits(type)) throw new FeedFault(`${column}: for ${given}, ${type.takes} is needed`)
      return type
    }
    const number = this.#known.get(table)?.columns.get(column)
    const known = number === undefined ? undefined : typeNumbered(number)
    if (known !== undefined && fits(known)) return known
    const derived = derive(values, isMySql)
    if (derived === undefined || !fits(derived)) {
      throw new FeedFault(
        `${column}: a stream has no such value, or two images have values of different types. A BOOLEAN is 0 or 1`,
      )
    }
    return derived
  }
}

function encodeValue(type: ColumnType, value: ColumnValue | undefined): PlainValue {
  if (value === undefined) return emptyNone
  return value === null ? null : type.encode(value)
}

/** MySQL's narrow integers become numbers again; an integer of another source becomes a bigint, so its numbers are floating. */
function derive(values: readonly Exclude<ColumnValue, null>[], isMySql: boolean): ColumnType | undefined {
  const [kind = 'string'] = values.map((value) => (Buffer.isBuffer(value) ? 'buffer' : typeof value))
  switch (kind) {
    case 'number': {
      const isNarrow =
        isMySql && values.every((value) => value === (Number(value) | 0) && !Object.is(value, -0))
      return typeNamed(isNarrow ? 'int' : 'double')
    }
    case 'bigint':
      return {
        number: 8,
        takes: 'a bigint',
        encode: (value) => (typeof value === 'bigint' ? integer(value) : null),
      }
    case 'string':
      return typeNamed('varchar')
    case 'buffer':
      return typeNamed('blob')
    default:
      return undefined
  }
}
