/** The handler's work, the same for the poller and the baseline. */
export interface Work {
  /** Changes handled. */
  count: number
  /** Sum of the ids, modulo 2^32. It proves that both sides handled the same changes. */
  checksum: number
  /** When each batch was done, and how many changes were done by then. Milliseconds since 1970, with fractions. */
  readonly batches: { readonly at: number; readonly count: number }[]
  readonly statuses: Map<string, number>
}

interface WorkRow {
  readonly id: string | bigint
  readonly status: string
  readonly total: string
}

export const newWork = (): Work => ({ count: 0, checksum: 0, batches: [], statuses: new Map() })

export function handle(work: Work, row: WorkRow): void {
  work.count += 1
  work.checksum = (work.checksum + Number(BigInt.asUintN(32, BigInt(row.id)))) >>> 0
  work.statuses.set(row.status, (work.statuses.get(row.status) ?? 0) + row.total.length)
}

export function stamp(work: Work): void {
  work.batches.push({ at: performance.timeOrigin + performance.now(), count: work.count })
}
