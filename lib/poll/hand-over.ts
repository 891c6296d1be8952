import type { HeldLease } from '../checkpoint/held-lease.ts'
import type { HandOverState } from './decide.ts'

/** What the holder of a lease knows about a hand-over to the next run. */
export class HandOver {
  readonly #lease: HeldLease
  readonly #now: () => number
  readonly #changed: () => void
  #looking = false
  #lastLook = Number.NEGATIVE_INFINITY
  #drain: HandOverState['drain'] = 'no'

  /** @param changed called when the state has changed */
  constructor(lease: HeldLease, now: () => number, changed: () => void) {
    this.#lease = lease
    this.#now = now
    this.#changed = changed
    lease.watch()
  }

  get state(): HandOverState {
    return {
      wishedAt: this.#lease.wish?.at ?? null,
      looking: this.#looking,
      lastLook: this.#lastLook,
      drain: this.#drain,
    }
  }

  /** Looks for a wish in the background. If the look fails, the next one or a commit finds the wish. */
  look(): void {
    this.#looking = true
    void this.#lease
      .look()
      .catch(() => {})
      .finally(() => {
        this.#looking = false
        this.#lastLook = this.#now()
        this.#changed()
      })
  }

  /** @param settled resolves when nothing is in flight any more */
  drain(settled: Promise<void>): void {
    this.#drain = 'underway'
    void settled.then(() => {
      this.#drain = 'done'
      this.#changed()
    })
  }
}
