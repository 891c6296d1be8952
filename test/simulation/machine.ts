import type { Clock } from '../support/virtual-clock.ts'

/**
 * A process in which a poller runs. After a kill, none of its pending requests returns. During a freeze, answers wait
 * until it thaws. In both cases the requests that it already sent take effect.
 */
export class Machine {
  readonly name: string
  readonly skewMs: number
  readonly #clock: Clock
  #alive = true
  #frozen = false
  #parked: (() => void)[] = []
  /** How often it was frozen. A checker compares two readings to see whether the process was frozen between them. */
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

  /** The time on its own clock. */
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
    // One after the other, as the event loop of a process does.
    for (const action of this.#parked.splice(0)) this.#clock.after(0, () => this.deliver(action))
  }

  deliver(action: () => void): void {
    if (!this.#alive) return
    if (this.#frozen) this.#parked.push(action)
    else action()
  }

  /** Waits on this machine's timers. Ends early when the signal is aborted. */
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

  /** A request that reaches the server after `thereMs`; the answer returns `backMs` later. */
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

/** A promise that never settles, for a killed machine. */
export function never<T>(): Promise<T> {
  return new Promise(() => {})
}
