import type { Handled } from './observations.ts'
import type { ShopRecord } from './shop.ts'

/** The fate of the produced changes, judged by the deliveries that handlers finished. */
export interface Audit {
  readonly produced: number
  /** Produced changes that a handler finished at least once. */
  readonly handled: number
  readonly lost: number
  /** First deliveries that came after a later change of the same table. */
  readonly outOfOrder: number
  /** Deliveries of a change after its first. */
  readonly duplicates: number
}

export interface TableAudit extends Audit {
  readonly table: string
}

/** Compares, per table, the changes in the order of the stream with the deliveries in the order of the handler. */
export function audit(produced: readonly ShopRecord[], deliveries: readonly Handled[]): TableAudit[] {
  const places = new Map<string, Map<string, number>>()
  for (const { change } of produced) {
    if (change === undefined) continue
    const ids = places.get(change.table) ?? new Map<string, number>()
    places.set(change.table, ids.set(String(change.id), ids.size))
  }
  return [...places].map(([table, ids]) => {
    const seen = new Set<string>()
    let latest = -1
    let outOfOrder = 0
    let duplicates = 0
    for (const delivery of deliveries) {
      if (delivery.table !== table) continue
      const place = ids.get(delivery.id)
      if (place === undefined)
        throw new Error(`${table} received the change ${delivery.id}, which was not produced`)
      if (seen.has(delivery.id)) duplicates += 1
      else if (place < latest) outOfOrder += 1
      seen.add(delivery.id)
      latest = Math.max(latest, place)
    }
    return {
      table,
      produced: ids.size,
      handled: seen.size,
      lost: ids.size - seen.size,
      outOfOrder,
      duplicates,
    }
  })
}

export function total(tables: readonly TableAudit[]): Audit {
  const sum = (pick: (table: TableAudit) => number) => tables.reduce((all, table) => all + pick(table), 0)
  return {
    produced: sum(({ produced }) => produced),
    handled: sum(({ handled }) => handled),
    lost: sum(({ lost }) => lost),
    outOfOrder: sum(({ outOfOrder }) => outOfOrder),
    duplicates: sum(({ duplicates }) => duplicates),
  }
}
