import {
  dateTime,
  decimal,
  encodeRecord,
  integer,
  type PlainRecord,
  type PlainValue,
  text,
  textObject,
  timestamp,
} from './encode.ts'
import { seededWhole } from './random.ts'

/** A record of the local stream. */
export interface LocalRecord {
  /** Null for a filler. */
  readonly value: Buffer | null
  /** When the source logged it, in seconds. */
  readonly timestamp: number
  /** The table of a row's change. */
  readonly table?: string
}

/** A record of the shop, and the change that a handler must get from it. */
export interface ShopRecord extends LocalRecord {
  readonly value: Buffer
  /** Set for the changes that a handler must get. */
  readonly change?: { readonly id: bigint; readonly table: string }
}

type Row = readonly PlainValue[]
interface Table {
  readonly name: string
  readonly fields: readonly (readonly [name: string, dataTypeNumber: number])[]
  readonly rows: Map<number, Row>
}

/** MySQL's binlog type numbers of the columns below. */
const mysql = {
  int: 3,
  timestamp: 7,
  bigint: 8,
  datetime: 12,
  json: 245,
  decimal: 246,
  enum: 247,
  varchar: 253,
}

export const tableNames = ['shop.customers', 'shop.orders', 'shop.order_items', 'shop.payments'] as const
/** The tables that the example handlers in functions/tables know. */
const exampleTables: readonly string[] = tableNames.slice(0, 3)

/** The columns of the shop's tables. */
export const shopColumns: Readonly<Record<(typeof tableNames)[number], Table['fields']>> = {
  'shop.customers': [
    ['id', mysql.bigint],
    ['email', mysql.varchar],
    ['name', mysql.varchar],
    ['created_at', mysql.timestamp],
    ['settings', mysql.json],
  ],
  'shop.orders': [
    ['id', mysql.bigint],
    ['customer_id', mysql.bigint],
    ['status', mysql.enum],
    ['total', mysql.decimal],
    ['placed_at', mysql.datetime],
  ],
  'shop.order_items': [
    ['id', mysql.bigint],
    ['order_id', mysql.bigint],
    ['sku', mysql.varchar],
    ['quantity', mysql.int],
    ['price', mysql.decimal],
  ],
  'shop.payments': [
    ['id', mysql.bigint],
    ['status', mysql.enum],
    ['amount', mysql.decimal],
  ],
}

const statuses = ['new', 'paid', 'shipped', 'cancelled']
const products = ['tea-earl-grey', 'tea-sencha', 'mug-blue', 'pot-iron', 'honey']
/** The primary key of each table. */
export const shopKeys: readonly string[] = ['id']
const tags = { pk_uk_info: JSON.stringify({ PRIMARY: shopKeys }) }

/**
 * A small web shop on MySQL, as DTS reports it: transactions of inserts, updates and deletes in three tables with handlers
 * and one without, heartbeats, and on request a DDL statement. The same seed makes the same shop.
 */
export class Shop {
  readonly #customers = table('shop.customers')
  readonly #orders = table('shop.orders')
  readonly #items = table('shop.order_items')
  readonly #payments = table('shop.payments')
  readonly #handledTables: readonly string[]
  /** A whole number from 0 to below `limit`. A seed gives the same shop on every machine. */
  readonly #below: (limit: number) => number
  #recordId = 0n
  #rowId = 1_000
  #transaction = 0
  #position = 4

  /** @param handledTables the tables whose changes a handler must get */
  constructor(seed = 1, handledTables = exampleTables) {
    this.#handledTables = handledTables
    this.#below = seededWhole(seed)
  }

  /** One transaction: BEGIN, one to six changes, COMMIT. */
  transaction(seconds: number): ShopRecord[] {
    this.#transaction += 1
    const changes = Array.from({ length: 1 + this.#below(6) }, () => this.#change(seconds))
    return [
      this.#record({ operation: 'BEGIN' }, seconds),
      ...changes,
      this.#record({ operation: 'COMMIT' }, seconds),
    ]
  }

  heartbeat(seconds: number): ShopRecord {
    return this.#record({ operation: 'HEARTBEAT' }, seconds)
  }

  /** A statement on the orders table, outside of any transaction. */
  ddl(seconds: number): ShopRecord {
    const after = "ALTER TABLE `orders` ADD COLUMN `gift_note` varchar(200) NOT NULL DEFAULT ''"
    return this.#record({ operation: 'DDL', objectName: 'shop.orders', after }, seconds)
  }

  #change(seconds: number): ShopRecord {
    const dice = this.#below(100)
    if (dice < 10) return this.#pay(seconds)
    if (dice < 30) return this.#insert(this.#customers, this.#newCustomer(seconds), seconds)
    if (dice < 55) return this.#insert(this.#orders, this.#newOrder(seconds), seconds)
    if (dice < 70) return this.#insert(this.#items, this.#newItem(), seconds)
    const target = [this.#customers, this.#orders, this.#items][this.#below(3)] ?? this.#orders
    const id = [...target.rows.keys()][this.#below(Math.min(target.rows.size, 50))]
    const before = id === undefined ? undefined : target.rows.get(id)
    if (id === undefined || before === undefined)
      return this.#insert(this.#customers, this.#newCustomer(seconds), seconds)
    if (dice >= 92) return this.#delete(target, id, before, seconds)
    return this.#update(target, id, before, seconds)
  }

  /** A new payment, or one that is settled. */
  #pay(seconds: number): ShopRecord {
    const [[id, before] = []] = this.#payments.rows
    if (id === undefined || before === undefined) {
      const columns = [textObject('open', 'ENUM'), decimal(this.#price())]
      return this.#insert(this.#payments, columns, seconds)
    }
    const after = before.with(1, textObject('settled', 'ENUM'))
    this.#payments.rows.delete(id)
    return this.#row(this.#payments, { operation: 'UPDATE', before, after }, seconds)
  }

  #insert(target: Table, columns: Row, seconds: number): ShopRecord {
    const id = this.#rowId++
    const after = [integer(id), ...columns]
    target.rows.set(id, after)
    return this.#row(target, { operation: 'INSERT', after }, seconds)
  }

  #update(target: Table, id: number, before: Row, seconds: number): ShopRecord {
    const after = [...before]
    if (target === this.#orders) after[2] = textObject(this.#pick(statuses), 'ENUM')
    else if (target === this.#items) after[3] = integer(1 + this.#below(9))
    else after[2] = text(`Customer ${id} née ${this.#below(1000)}`)
    target.rows.set(id, after)
    return this.#row(target, { operation: 'UPDATE', before, after }, seconds)
  }

  #delete(target: Table, id: number, before: Row, seconds: number): ShopRecord {
    target.rows.delete(id)
    return this.#row(target, { operation: 'DELETE', before }, seconds)
  }

  #newCustomer(seconds: number): Row {
    const n = this.#below(1_000_000)
    return [
      text(`customer${n}@example.com`),
      text(`Customer № ${n}`),
      timestamp(seconds, n),
      textObject('{"newsletter":true}'),
    ]
  }

  #newOrder(seconds: number): Row {
    const at = new Date(seconds * 1000)
    const placedAt = dateTime({
      year: at.getUTCFullYear(),
      month: at.getUTCMonth() + 1,
      day: at.getUTCDate(),
      hour: at.getUTCHours(),
      minute: at.getUTCMinutes(),
      second: at.getUTCSeconds(),
    })
    return [integer(1_000 + this.#below(500)), textObject('new', 'ENUM'), decimal(this.#price()), placedAt]
  }

  #newItem(): Row {
    return [
      integer(1_000 + this.#below(500)),
      text(this.#pick(products)),
      integer(1 + this.#below(9)),
      decimal(this.#price()),
    ]
  }

  #row(
    target: Table,
    record: Pick<PlainRecord, 'operation' | 'before' | 'after'>,
    seconds: number,
  ): ShopRecord {
    return this.#record({ ...record, objectName: target.name, fields: target.fields, tags }, seconds)
  }

  #record(record: PlainRecord, seconds: number): ShopRecord {
    this.#recordId += 1n
    this.#position += 100 + this.#below(400)
    const id = this.#recordId
    const value = encodeRecord({
      ...record,
      id,
      sourceTimestamp: seconds,
      sourcePosition: `${this.#position}@7`,
      sourceTxid: `tx-${this.#transaction}`,
    })
    const table = record.objectName
    if (table === null || table === undefined) return { value, timestamp: seconds }
    const isHandled = this.#handledTables.includes(table)
    return {
      value,
      timestamp: seconds,
      ...(record.operation === 'DDL' ? {} : { table }),
      ...(isHandled ? { change: { id, table } } : {}),
    }
  }

  #price(): string {
    return `${this.#below(200)}.${String(this.#below(100)).padStart(2, '0')}`
  }

  #pick(choices: readonly string[]): string {
    return choices[this.#below(choices.length)] ?? ''
  }
}

function table(name: (typeof tableNames)[number]): Table {
  return { name, fields: shopColumns[name], rows: new Map() }
}
