import { BoundedCache } from './bounded-cache.ts'
import { ColumnLists } from './column-list.ts'
import { tableOf } from './names.ts'
import { RepeatedText } from './repeated-text.ts'
import type { TableName } from './types.ts'

/** The tag that describes a table's keys. */
interface KeyTags {
  readonly pk_uk_info?: string | undefined
}

/**
 * The facts about a table that its records repeat, so that thousands of records decode them once. Each record's own bytes
 * decide whether a cached fact applies to it: nothing is assumed to be unchanged.
 */
export class CachedTable {
  readonly name: TableName
  readonly columnLists = new ColumnLists()
  /** The tag `pk_uk_info` of the previous record. */
  readonly keyInfo = new RepeatedText(maxKeyInfo)
  #keysText = ''
  #keys: readonly string[] = noKeys

  constructor(name: TableName) {
    this.name = name
  }

  /** Columns of the primary key from the tag `pk_uk_info`; empty if it names none. */
  keysOf({ pk_uk_info: text }: KeyTags): readonly string[] {
    if (text === undefined) return noKeys
    if (text.length > maxKeyInfo) return primaryKey(text)
    if (text !== this.#keysText) {
      this.#keys = primaryKey(text)
      this.#keysText = text
    }
    return this.#keys
  }
}

/** Most tables that are kept. A table takes about 1 KB, without its column lists. */
const maxTables = 4000
/** Longer names, and longer descriptions of keys, are read each time. */
const maxName = 1024
const maxKeyInfo = 2048
const tables = new BoundedCache<CachedTable>(maxTables)
let last: CachedTable | undefined
let lastObjectName = ''

/**
 * @param objectName as the record writes it
 * @throws DtsError RECORD_INVALID if it is not the name of a table
 */
export function cachedTable(objectName: string): CachedTable {
  if (last !== undefined && lastObjectName === objectName) return last
  let table = tables.get(objectName)?.value
  if (!table) {
    table = new CachedTable(Object.freeze(tableOf(objectName)))
    if (objectName.length <= maxName) tables.add(objectName, table, 1)
  }
  last = table
  lastObjectName = objectName
  return table
}

const noKeys: readonly string[] = Object.freeze([])

/** The list PRIMARY in JSON such as `{"PRIMARY":["id"],"uk_sku":["sku"]}`. */
function primaryKey(text: string): readonly string[] {
  let keys: unknown
  try {
    keys = JSON.parse(text)?.PRIMARY
  } catch {
    return noKeys
  }
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'string')) return noKeys
  return Object.freeze(keys)
}
