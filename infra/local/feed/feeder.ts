import type { Table } from '../../tables.ts'
import type { ShopRecord } from '../shop.ts'
import { isHandled } from '../table-lines.ts'
import type { Feeder } from './control.ts'
import { ChangeEncoder } from './encode-change.ts'
import { shopTables } from './known-tables.ts'
import { readFeed } from './read-feed.ts'

/**
 * Puts lines of changes into the local stream, all of them or none.
 * @param append resolves to the offset of the first record
 */
export function feeder(
  handlers: readonly Pick<Table, 'tables'>[],
  append: (records: readonly ShopRecord[]) => Promise<bigint>,
): Feeder {
  const encoder = new ChangeEncoder(shopTables)
  return async (text) => {
    const { records, faults } = readFeed(text, encoder, Math.floor(Date.now() / 1000))
    if (faults.length > 0) return { sent: 0, offset: null, unhandled: [], faults }
    const offset = await append(records)
    const tables = new Set(records.flatMap(({ table }) => (table === undefined ? [] : [table])))
    const unhandled = [...tables].filter((table) => !isHandled(handlers, table))
    return { sent: records.length, offset: String(offset), unhandled, faults }
  }
}
