/** The handler's work, the same for the poller and the baseline. */
export interface Work {
  /** Changes handled. */
  count: number
  /** Sum of the ids, modulo 2^32. It proves that both sides handled the same changes. */
  checksum: number
  /** Milliseconds since 1970, with fractions; 0 before the first. */
  firstAt: number
  lastAt: number
  readonly statuses: Map<string, number>
}

interface WorkRow {
  readonly id: string | bigint
  readonly status: string
  readonly total: string
}

export const newWork = (): Work => ({ count: 0, checksum: 0, firstAt: 0, lastAt: 0, statuses: new Map() })

export function handle(work: Work, row: WorkRow): void {
  work.count += 1
  work.checksum = (work.checksum + Number(BigInt.asUintN(32, BigInt(row.id)))) >>> 0
  work.statuses.set(row.status, (work.statuses.get(row.status) ?? 0) + row.total.length)
}

export function stamp(work: Work): void {
  const now = performance.timeOrigin + performance.now()
  if (work.firstAt === 0) work.firstAt = now
  work.lastAt = now
}
