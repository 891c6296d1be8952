import { shopColumns, shopKeys } from '../shop.ts'
import type { KnownTable } from './encode-change.ts'

/** The tables of the shop, so that `{"id": 7}` becomes a BIGINT as in the shop's own changes. */
export const shopTables: ReadonlyMap<string, KnownTable> = new Map(
  Object.entries(shopColumns).map(([name, columns]) => [name, { columns: new Map(columns), keys: shopKeys }]),
)
