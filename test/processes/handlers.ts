import '../rig/quiet.ts'
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod'
import type { InsertChange, RowChange } from '../../lib/dts/change.ts'
import { defineTable } from '../../lib/handler/define-table.ts'
import { type Table, tables } from './tables.ts'

/** The observations of one table's handlers. */
class Seen {
  /** Sequence numbers in the order in which they were handled. */
  readonly sequence: number[] = []
  highest = -1
  /** Invocations that have not ended. */
  running = 0
  /** Those of them that have handled a change. An invocation that the function refuses overlaps with none. */
  handling = 0
  overlaps = 0
}

/** A write outside, for each handled change. */
export type Effect = (change: InsertChange<{ readonly id: bigint }>) => Promise<void>

interface Invocation {
  handles: boolean
}

/** The checker's verdict. */
export interface Findings {
  lost: number
  outOfOrder: number
  duplicates: number
  /** Invocations that began to handle changes while another one of the same function had not ended. */
  overlaps: number
}

/** The tables' functions, and the changes that reached them. */
export class Handlers {
  readonly #seen: Readonly<Record<Table, Seen>> = {
    customers: new Seen(),
    items: new Seen(),
    orders: new Seen(),
  }
  readonly #invocation = new AsyncLocalStorage<Invocation>()
  readonly #random: () => number
  readonly #effect: Effect
  readonly #handledOf = new Map<string, number>()
  #count = 0
  #lastSender = ''

  constructor(random: () => number, effect: Effect = async () => {}) {
    this.#random = random
    this.#effect = effect
  }

  /** How often a change was handled. */
  get count(): number {
    return this.#count
  }

  /** The poller whose change was handled last. */
  get lastSender(): string {
    return this.#lastSender
  }

  /** Different changes that have been handled. */
  get handled(): number {
    return tables.reduce((sum, table) => sum + this.highest(table) + 1, 0)
  }

  /** Handled changes that one poller sent. */
  handledOf(sender: string): number {
    return this.#handledOf.get(sender) ?? 0
  }

  /** The highest number of a table's change that was handled; -1 before the first. */
  highest(table: Table): number {
    return this.#seen[table].highest
  }

  /** A table's real handler: one takes single changes, the others take batches. Each takes a few milliseconds. */
  handler(table: Table, sender: string) {
    const seen = this.#seen[table]
    const take = async (change: RowChange<{ readonly id: bigint }>) => {
      assert.ok(change.operation === 'INSERT')
      const { after } = change
      const sequence = Number(after.id)
      seen.sequence.push(sequence)
      seen.highest = Math.max(seen.highest, sequence)
      this.#count += 1
      const invocation = this.#invocation.getStore()
      if (invocation === undefined) throw new Error('A change was handled outside of an invocation.')
      if (!invocation.handles) {
        invocation.handles = true
        seen.handling += 1
        if (seen.handling > 1) seen.overlaps += 1
      }
      this.#handledOf.set(sender, this.handledOf(sender) + 1)
      this.#lastSender = sender
      await this.#effect(change)
    }
    const work = () => sleep(this.#random() * 12)
    const row = z.object({ id: z.bigint() })
    const handler =
      table === 'orders'
        ? defineTable({
            table: `shop.${table}`,
            row,
            onChange: async (change) => {
              await take(change)
              if (change.offset % 16n === 0n) await work()
            },
          })
        : defineTable({
            table: `shop.${table}`,
            row,
            onBatch: async (changes) => {
              for (const change of changes) await take(change)
              await work()
            },
          })
    return async (event: unknown, context: Parameters<typeof handler>[1]) => {
      const invocation: Invocation = { handles: false }
      seen.running += 1
      try {
        return await this.#invocation.run(invocation, () => handler(event, context))
      } finally {
        seen.running -= 1
        if (invocation.handles) seen.handling -= 1
      }
    }
  }

  /** Resolves when every invocation has ended. */
  async settled(): Promise<void> {
    while (tables.some((table) => this.#seen[table].running > 0)) await sleep(2)
  }

  /** @param offsets the offsets of all changes, by table */
  check(offsets: Readonly<Record<Table, readonly number[]>>): Findings {
    const findings: Findings = { lost: 0, outOfOrder: 0, duplicates: 0, overlaps: 0 }
    for (const table of tables) {
      const { sequence, overlaps } = this.#seen[table]
      const total = offsets[table].length
      const distinct = new Set(sequence)
      let previous = -1
      for (const at of sequence) {
        // The next change, or back to a repeated one. From there the next ones again.
        if (at > previous + 1) findings.outOfOrder += 1
        previous = at
      }
      findings.lost += total - distinct.size
      findings.duplicates += sequence.length - distinct.size
      findings.overlaps += overlaps
    }
    return findings
  }
}
