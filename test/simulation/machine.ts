import type { Clock } from '../support/virtual-clock.ts'

/**
 * A process in which a poller runs. Killed: nothing that it waits for ever comes back. Frozen: what comes back waits
 * until it thaws. What it has already sent goes on elsewhere in both cases.
 */
export class Machine {
  readonly name: string
  readonly skewMs: number
  readonly #clock: Clock
  #alive = true
  #frozen = false
  #parked: (() => void)[] = []
  /** How often it was frozen: tells whether time was lost between two moments. */
  freezes = 0

  constructor(name: string, clock: Clock, skewMs: number) {
    this.name = name
    this.#clock = clock
    this.skewMs = skewMs
  }

  get alive(): boolean {
    return this.#alive
  }

  get frozen(): boolean {
    return this.#frozen
  }

  /** What its own clock shows. */
  now = (): number => this.#clock.now + this.skewMs

  kill(): void {
    this.#alive = false
    this.#parked = []
  }

  freeze(): void {
    this.#frozen = true
    this.freezes += 1
  }

  thaw(): void {
    if (!this.#frozen) return
    this.#frozen = false
    // One after the other, as the event loop of a process would take them up.
    for (const action of this.#parked.splice(0)) this.#clock.after(0, () => this.deliver(action))
  }

  deliver(action: () => void): void {
    if (!this.#alive) return
    if (this.#frozen) this.#parked.push(action)
    else action()
  }

  /** Waits by this machine's timers; ends early when the signal is aborted. */
  sleep = (milliseconds: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve()
      const timer = this.#clock.after(milliseconds, () => {
        signal.removeEventListener('abort', abort)
        this.deliver(resolve)
      })
      const abort = () => {
        this.#clock.cancel(timer)
        resolve()
      }
      signal.addEventListener('abort', abort, { once: true })
    })

  /** A request that reaches the other side after `thereMs` and whose answer is back `backMs` later. */
  request<T>(thereMs: number, backMs: number, serve: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#clock.after(thereMs, () => {
        let settle: () => void
        try {
          const answer = serve()
          settle = () => resolve(answer)
        } catch (error) {
          settle = () => reject(error)
        }
        this.#clock.after(backMs, () => this.deliver(settle))
      })
    })
  }
}

/** What a killed machine waits for. */
export function never<T>(): Promise<T> {
  return new Promise(() => {})
}
