import type { DeliveryEnvironment } from './delivery.ts'

/** The time until a batch that waits asks again whether it may, in milliseconds. */
const askEveryMs = 2_000

/**
 * The wait of a batch that is not full. A function that gets few of the changes would otherwise be invoked for a handful each time,
 * and with many such functions the invocations would cost more than the changes. With a window, a batch also waits at the end of the
 * stream.
 */
export class Growth {
  readonly #environment: DeliveryEnvironment
  readonly #windowMs: number
  readonly #wake: () => void
  /** The first wait is shorter by chance. Otherwise the batches of many functions, which begin together, would start together. */
  #share: number
  /** When the batch began to wait, and how long it may wait at most. Null: no batch waits. */
  #wait: { readonly since: number; readonly longestMs: number } | null = null
  #hasTimer = false

  /** @param wake asks the lane to check again */
  constructor(environment: DeliveryEnvironment, windowMs: number, wake: () => void) {
    this.#environment = environment
    this.#windowMs = windowMs
    this.#wake = wake
    this.#share = 1 - environment.random()
  }

  /** A batch waits. */
  get isUnderWay(): boolean {
    return this.#wait !== null
  }

  /** Whether the batch that begins at this offset may wait for more changes. The wait begins with the first such answer. */
  mayGrow(offset: bigint): boolean {
    const { mayGrow, mayHold, longestGrowthMs, now } = this.#environment
    const grows = mayGrow(offset, this.#share)
    if (!grows && !(this.#windowMs > 0 && mayHold(offset))) return false
    this.#wait ??= { since: now(), longestMs: longestGrowthMs() }
    const { since, longestMs } = this.#wait
    const leftMs = since + (grows ? longestMs : Math.min(this.#windowMs, longestMs)) - now()
    if (leftMs <= 0) return false
    this.#setTimer(Math.min(Math.ceil(leftMs), askEveryMs))
    return true
  }

  /** The batch starts. */
  end(): void {
    this.#wait = null
    this.#share = 1
  }

  /** One timer for each lane, however many batches begin to grow before it ends. */
  #setTimer(milliseconds: number): void {
    if (this.#hasTimer) return
    this.#hasTimer = true
    void this.#environment.pause(milliseconds).then(() => {
      this.#hasTimer = false
      this.#wake()
    })
  }
}
