import { changeFromJson } from '../../../../lib/dts/json.ts'
import { isDtsError } from '../../../../lib/errors.ts'
import { encodeRecord } from '../../encode.ts'
import type { ShopRecord } from '../../shop.ts'
import { typeNamed } from '../column-type.ts'
import { type ChangeEncoder, FeedFault, type KnownTable } from '../encode-change.ts'
import type { FaultyLine, Feed } from '../read-feed.ts'
import { parseStatement, type Statement, type Value, type Values } from './statements.ts'
import { splitStatements } from './tokens.ts'

interface Table {
  readonly keys: readonly string[]
  /** Names of types, of a table that the script creates. */
  readonly types: ReadonlyMap<string, string>
  /** The numbers of MySQL's types, by column. */
  readonly numbers: ReadonlyMap<string, number>
  /** By the values of the key. */
  readonly rows: Map<string, Values>
}

type RowChange = { readonly before?: Values; readonly after?: Values }

const decimalType = 246
/** The key of a table that no statement creates. */
const usualKeys: readonly string[] = ['id']

/** Plays scripts. It keeps their rows, so that an update and a delete have the row before. */
export class Scripts {
  readonly #encoder: ChangeEncoder
  readonly #known: ReadonlyMap<string, KnownTable>
  #tables = new Map<string, Table>()
  #transactions = 0

  constructor(encoder: ChangeEncoder, known: ReadonlyMap<string, KnownTable>) {
    this.#encoder = encoder
    this.#known = known
  }

  /** All statements, or none: a fault leaves the rows as they were. @param now in seconds */
  play(text: string, now: number): Feed {
    const before = this.#tables
    this.#tables = new Map(
      [...before].map(([name, table]) => [name, { ...table, rows: new Map(table.rows) }]),
    )
    const run = new Run((table, change, transaction) => this.#encode(table, change, transaction, now), now)
    const faults: FaultyLine[] = []
    for (const tokens of splitStatements(text)) {
      const line = tokens[0]?.line ?? 0
      try {
        const statement = parseStatement(tokens)
        if (statement.kind === 'begin') run.begin(this.#nextTransaction(), line)
        else if (statement.kind === 'commit') run.commit()
        else run.add(() => this.#nextTransaction(), this.#changesOf(statement))
      } catch (error) {
        if (!isDtsError(error) && !(error instanceof FeedFault)) throw error
        faults.push({ line, reason: error.message })
      }
    }
    if (run.openSince !== null)
      faults.push({ line: run.openSince, reason: 'no COMMIT ends this transaction' })
    if (faults.length > 0) this.#tables = before
    if (faults.length > 0) return { records: [], changes: 0, faults }
    return { records: run.records, changes: run.changes, faults }
  }

  #nextTransaction(): string {
    this.#transactions += 1
    return `script-${this.#transactions}`
  }

  /** Applies a statement to the rows. */
  #changesOf(statement: Exclude<Statement, { kind: 'begin' | 'commit' }>) {
    const { table: name } = statement
    if (statement.kind === 'create') {
      this.#create(statement)
      return { table: name, changes: [] }
    }
    const table = this.#tableOf(name)
    switch (statement.kind) {
      case 'insert':
        return { table: name, changes: statement.rows.map((row) => insert(name, table, row)) }
      case 'update':
        return { table: name, changes: [update(name, table, statement.set, statement.where)] }
      case 'delete': {
        const { key, row } = find(name, table, statement.where)
        table.rows.delete(key)
        return { table: name, changes: [{ before: row }] }
      }
    }
  }

  #create({ table, types, keys }: Extract<Statement, { kind: 'create' }>): void {
    if (this.#tables.has(table)) throw new FeedFault(`${table} exists already`)
    const numbers = new Map<string, number>()
    for (const [column, type] of types) {
      const known = typeNamed(type)
      if (known === undefined) throw new FeedFault(`${column}: ${type} is no type that a script can have`)
      numbers.set(column, known.number)
    }
    this.#tables.set(table, { keys, types, numbers, rows: new Map() })
  }

  #tableOf(name: string): Table {
    const known = this.#known.get(name)
    const fresh = { keys: known?.keys ?? usualKeys, types: new Map(), numbers: known?.columns ?? new Map() }
    const table = this.#tables.get(name) ?? { ...fresh, rows: new Map() }
    this.#tables.set(name, table)
    return table
  }

  #encode(name: string, { before, after }: RowChange, transactionId: string, now: number): ShopRecord {
    const table = this.#tableOf(name)
    const names = new Set([...(before ?? after ?? new Map()).keys(), ...(after ?? new Map()).keys()])
    const imageOf = (row: Values) =>
      Object.fromEntries(
        [...row].map(([column, value]) => [column, jsonOf(value, table.numbers.get(column))]),
      )
    const json = {
      operation: before === undefined ? 'INSERT' : after === undefined ? 'DELETE' : 'UPDATE',
      table: name,
      keys: table.keys,
      transactionId,
      ...(before === undefined ? {} : { before: imageOf(before) }),
      ...(after === undefined ? {} : { after: imageOf(after) }),
    }
    const types = [...table.types].filter(([column]) => names.has(column))
    return this.#encoder.encode(changeFromJson(json), Object.fromEntries(types), now)
  }
}

type Encode = (table: string, change: RowChange, transaction: string) => ShopRecord

/** The records of one script. As DTS writes it, every transaction begins and ends. */
class Run {
  readonly #encode: Encode
  readonly #now: number
  readonly records: ShopRecord[] = []
  changes = 0
  #open: { readonly name: string; readonly line: number } | null = null

  constructor(encode: Encode, now: number) {
    this.#encode = encode
    this.#now = now
  }

  /** The line at which the open transaction begins; null if there is none. */
  get openSince(): number | null {
    return this.#open?.line ?? null
  }

  begin(name: string, line: number): void {
    if (this.#open !== null)
      throw new FeedFault(`the transaction of line ${this.#open.line} has no COMMIT yet`)
    this.#open = { name, line }
    this.#mark('BEGIN', name)
  }

  commit(): void {
    if (this.#open === null) throw new FeedFault('no BEGIN comes before it')
    this.#mark('COMMIT', this.#open.name)
    this.#open = null
  }

  /** @param name of a transaction of its own, outside of any other */
  add(name: () => string, { table, changes }: { table: string; changes: readonly RowChange[] }): void {
    if (changes.length === 0) return
    this.changes += changes.length
    const own = this.#open === null ? name() : null
    if (own !== null) this.#mark('BEGIN', own)
    const transaction = own ?? this.#open?.name ?? ''
    this.records.push(...changes.map((change) => this.#encode(table, change, transaction)))
    if (own !== null) this.#mark('COMMIT', own)
  }

  #mark(operation: 'BEGIN' | 'COMMIT', sourceTxid: string): void {
    const value = encodeRecord({
      operation,
      sourceTimestamp: this.#now,
      sourcePosition: `${sourceTxid}@7`,
      sourceTxid,
    })
    this.records.push({ value, timestamp: this.#now })
  }
}

function insert(name: string, table: Table, row: Values): RowChange {
  const key = keyOf(name, table, row)
  if (table.rows.has(key)) throw new FeedFault(`${name} has a row with this key already`)
  table.rows.set(key, row)
  return { after: row }
}

function update(name: string, table: Table, set: Values, where: Values): RowChange {
  const { key, row } = find(name, table, where)
  const unknown = [...set.keys()].find((column) => !row.has(column))
  if (unknown !== undefined) throw new FeedFault(`the row was inserted without a column ${unknown}`)
  const after = new Map([...row, ...set])
  const changed = keyOf(name, table, after)
  if (changed !== key && table.rows.has(changed))
    throw new FeedFault(`${name} has a row with the new key already`)
  table.rows.delete(key)
  table.rows.set(changed, after)
  return { before: row, after }
}

function find(name: string, table: Table, where: Values): { key: string; row: Values } {
  const wrong = [...where.keys()].find((column) => !table.keys.includes(column))
  if (wrong !== undefined)
    throw new FeedFault(
      `WHERE names the key of ${name}, ${table.keys.join(' and ')}, and no other column: ${wrong}`,
    )
  const key = keyOf(name, table, where)
  const row = table.rows.get(key)
  if (row === undefined) throw new FeedFault(`no statement before it inserted this row of ${name}`)
  return { key, row }
}

function keyOf(name: string, { keys }: Table, row: Values): string {
  return JSON.stringify(
    keys.map((column) => {
      const value = row.get(column)
      if (value == null) {
        const isUsual = keys === usualKeys
        const how = isUsual
          ? `. If its key has another name, CREATE TABLE ${name} (…, PRIMARY KEY (…)) says so`
          : ''
        throw new FeedFault(`the key of ${name}, ${column}, has no value${how}`)
      }
      if (Buffer.isBuffer(value)) return `x${value.toString('hex')}`
      // 7 and 07 are one key; so is '7', as for a database.
      return typeof value === 'string' ? value : value.number.replace(/^\+?0*(?=\d)/, '')
    }),
  )
}

/** The value in the JSON form of changes. */
function jsonOf(value: Value, type: number | undefined): unknown {
  if (value === null || typeof value === 'string') return value
  if (Buffer.isBuffer(value)) return { $binary: value.toString('base64') }
  const { number } = value
  // A number would round it.
  if (type === decimalType) return number
  const isWhole = /^[+-]?\d+$/.test(number)
  return isWhole && !Number.isSafeInteger(Number(number))
    ? { $bigint: String(BigInt(number)) }
    : Number(number)
}
