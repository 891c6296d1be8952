/**
 * The table functions of the benchmark in their own process, served through Lambda's Invoke API. Each exists twice: made
 * by `defineTable` for the poller, and as a function that takes rows in JSON for the baseline. Sends its endpoint to the
 * parent, and answers every message with the work done since the last one.
 */
import '../../test/rig/quiet.ts'
import { z } from 'zod'
import { defineTable } from '../../lib/handler/define-table.ts'
import { startInvokeServer } from '../../test/rig/invoke-server.ts'
import type { JsonBatch } from './baseline.ts'
import { handle, newWork, stamp, type Work } from './work.ts'

/** The handlers' side of one measurement. */
export type Handled = Omit<Work, 'statuses'> & {
  readonly invocations: number
  readonly cpuMs: number
}

const server = await startInvokeServer()
let work = newWork()
let invocations = 0
let cpu = process.cpuUsage()

for (const part of [0, 1, 2]) {
  const table = `shop.orders_${part}` as const
  server.host(
    `bench-orders_${part}`,
    defineTable({
      table,
      row: z.object({ id: z.bigint(), status: z.string(), total: z.string() }),
      batchSize: 1_000,
      onBatch: (changes) => {
        for (const change of changes)
          handle(work, change.operation === 'DELETE' ? change.before : change.after)
        stamp(work)
      },
    }),
  )
  server.host(`json-orders_${part}`, async (event) => {
    const { batchId, changes } = event as JsonBatch
    for (const { after, before } of changes) {
      const row = after ?? before
      if (row === null) throw new Error('A change without an image.')
      handle(work, { id: String(row.id), status: String(row.status), total: String(row.total) })
    }
    stamp(work)
    return { batchId, done: changes.length }
  })
}

process.on('message', (reset) => {
  const { user, system } = process.cpuUsage(cpu)
  const { statuses: _statuses, ...done } = work
  const handled: Handled = { ...done, invocations: server.total - invocations, cpuMs: (user + system) / 1000 }
  process.send?.(handled)
  // The parent polls while it waits. Only `true` starts a new count.
  if (reset !== true) return
  work = newWork()
  invocations = server.total
  cpu = process.cpuUsage()
})
// End when the parent is killed.
process.on('disconnect', () => process.exit())
process.send?.(server.endpoint)
