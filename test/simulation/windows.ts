import type { Stage } from './hazards.ts'
import type { Parts } from './pollers.ts'

/** Faults that begin at a time of their own, and end after a while or stay. */
export class Windows {
  readonly #stage: Stage
  readonly #parts: Parts
  readonly #pause: () => void

  constructor(stage: Stage, parts: Parts, pause: () => void) {
    this.#stage = stage
    this.#parts = parts
    this.#pause = pause
  }

  /** @param machines the names of the machines, of which some may be throttled alone */
  plan(machines: () => readonly string[]): void {
    const { scenario, random, facts } = this.#stage
    const { table, broker, functions } = this.#parts
    const { rates, routing } = scenario
    this.#window(rates.throttleWindow, (on) => {
      const some = new Set(machines().filter(() => random.chance(0.5)))
      table.throttled = on ? (random.chance(0.5) ? 'all' : some) : null
    })
    this.#window(rates.credentialsWindow, (on) => {
      broker.refusing = on
    })
    for (const { name } of routing.functions) {
      this.#window(rates.refusedWindow * 0.5, (on) => {
        if (on) functions.refusing.add(name)
        else functions.refusing.delete(name)
      })
    }
    const ahead = () => (facts.checkpoint?.offset ?? broker.log.earliest) + BigInt(random.whole(0, 5))
    this.#window(rates.damagedWindow, (on) => {
      broker.damagedFrom = on ? ahead() : null
    })
    this.#window(rates.hugeWindow, (on) => {
      broker.hugeFrom = on ? ahead() : null
    })
    this.#moment(rates.checkpointDamaged, () => table.damage())
    this.#moment(rates.trimmed, () => {
      const { checkpoint } = facts
      if (checkpoint === null || facts.logOf(checkpoint) !== broker.log) return
      const to = checkpoint.offset + BigInt(random.whole(0, 3))
      // An idle source sends heartbeats, so a log is never empty for long. Keep one record.
      if (to > broker.log.end || to >= (broker.log.slots.at(-1)?.offset ?? 0n)) return
      facts.fault(21)
      facts.trimmed = true
      broker.log.trim(to)
    })
    this.#moment(rates.paused, this.#pause)
  }

  /** Ends every fault that lasts. */
  close(): void {
    const { table, broker, functions } = this.#parts
    table.throttled = null
    broker.refusing = false
    broker.damagedFrom = null
    broker.hugeFrom = null
    functions.refusing.clear()
  }

  #moment(rate: number, action: () => void): void {
    const { random, clock, scenario } = this.#stage
    if (!random.chance(rate)) return
    clock.after(random.whole(1, scenario.quietAfterMs), () => {
      if (!this.#stage.quiet) action()
    })
  }

  #window(rate: number, set: (on: boolean) => void): void {
    const { random, clock, scenario } = this.#stage
    if (!random.chance(rate)) return
    const from = random.whole(0, scenario.quietAfterMs)
    clock.after(from, () => {
      if (this.#stage.quiet) return
      set(true)
      clock.after(random.whole(1_000, 200_000), () => set(false))
    })
  }
}
