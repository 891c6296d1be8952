/**
 * The table functions of the bench in a process of their own, served through Lambda's Invoke API. Each exists twice: made by
 * `defineTable` for the poller, and as a function that takes rows in JSON for the baseline.
 */
import '../../test/rig/quiet.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod'
import { defineTable } from '../../lib/handler/define-table.ts'
import { startInvokeServer } from '../../test/rig/invoke-server.ts'
import { answerCalls } from '../ground/calls.ts'
import type { JsonBatch } from './baseline.ts'
import { handle, newWork, stamp, type Work } from './work.ts'

/** The handlers' side of one measurement. */
export type Handled = Omit<Work, 'statuses'> & {
  readonly invocations: number
  readonly cpuMs: number
}

const server = await startInvokeServer()
const hosted = new Set<number>()
let delayMs = 0
let work = newWork()
let invocations = 0
let cpu = process.cpuUsage()

function host(part: number): void {
  server.host(
    `bench-orders_${part}`,
    defineTable({
      table: `shop.orders_${part}` as const,
      row: z.object({ id: z.bigint(), status: z.string(), total: z.string() }),
      batchSize: 1_000,
      onBatch: async (changes) => {
        if (delayMs > 0) await sleep(delayMs)
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

const answers = {
  endpoint: (_: null) => server.endpoint,

  /** Hosts the functions of so many tables. Each invocation takes `delayMs` and the time of the work. */
  host({ tables, delay }: { tables: number; delay: number }): void {
    delayMs = delay
    for (let part = 0; part < tables; part++) {
      if (hosted.has(part)) continue
      hosted.add(part)
      host(part)
    }
  },

  /** The work done since the last call. */
  take(_: null): Handled {
    const { user, system } = process.cpuUsage(cpu)
    const { statuses: _statuses, ...done } = work
    const handled = { ...done, invocations: server.total - invocations, cpuMs: (user + system) / 1000 }
    work = newWork()
    invocations = server.total
    cpu = process.cpuUsage()
    return handled
  },
}
export type Handlers = typeof answers
answerCalls(answers)
