import { Waiter } from '../dispatch/waiter.ts'
import type { PollDependencies } from './dependencies.ts'

/** Lets one waiter sleep until something happens. */
export class WakeUp {
  readonly #clock: Pick<PollDependencies, 'sleep' | 'now'>
  readonly #stopping: AbortSignal
  readonly #waiter = new Waiter()
  /** When the timer that is set ends, in milliseconds since 1970. */
  #timerEnd = Number.POSITIVE_INFINITY

  /** @param stopping ends the timer that is set */
  constructor(clock: Pick<PollDependencies, 'sleep' | 'now'>, stopping: AbortSignal) {
    this.#clock = clock
    this.#stopping = stopping
  }

  /** Something happened. */
  notify(): void {
    this.#waiter.wake()
  }

  /** Resolves after that time, with the next `notify`, or earlier. */
  async wait(milliseconds: number): Promise<void> {
    const woken = this.#waiter.rest()
    this.#setTimer(milliseconds)
    await woken
  }

  /** Many things happen during one wait. A timer for each, and its end, would cost more than the early wake-ups of an old one. */
  #setTimer(milliseconds: number): void {
    const { sleep, now } = this.#clock
    const end = now() + milliseconds
    if (end >= this.#timerEnd) return
    this.#timerEnd = end
    void sleep(milliseconds, this.#stopping).then(() => {
      if (this.#timerEnd === end) this.#timerEnd = Number.POSITIVE_INFINITY
      this.#waiter.wake()
    })
  }
}
