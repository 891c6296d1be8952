import type { Table } from '../../tables.ts'
import type { ShopRecord } from '../shop.ts'
import { isHandled } from '../table-lines.ts'
import type { Feeder } from './control.ts'
import type { FeedReader } from './feed-reader.ts'

/**
 * Puts changes into the local stream, all of them or none.
 * @param append resolves to the offset of the first record
 */
export function feeder(
  handlers: readonly Pick<Table, 'tables'>[],
  append: (records: readonly ShopRecord[]) => Promise<bigint>,
  reader: FeedReader,
): Feeder {
  return async (text, form) => {
    const { records, changes, faults } = reader.read(text, form, Math.floor(Date.now() / 1000))
    if (faults.length > 0) return { sent: 0, offset: null, unhandled: [], faults }
    const offset = await append(records)
    const tables = new Set(records.flatMap(({ table }) => (table === undefined ? [] : [table])))
    const unhandled = [...tables].filter((table) => !isHandled(handlers, table))
    return { sent: changes, offset: String(offset), unhandled, faults }
  }
}
