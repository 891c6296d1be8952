import type { PollDependencies } from './dependencies.ts'

/** Lets one waiter sleep until something happens. */
export class WakeUp {
  readonly #sleep: PollDependencies['sleep']
  #wake: () => void = () => {}

  constructor(sleep: PollDependencies['sleep']) {
    this.#sleep = sleep
  }

  /** Something happened. */
  notify(): void {
    this.#wake()
  }

  /** Resolves after that time, or with the next `notify`. */
  async wait(milliseconds: number): Promise<void> {
    const timer = new AbortController()
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    await Promise.race([woken, this.#sleep(milliseconds, timer.signal)])
    timer.abort()
  }
}
