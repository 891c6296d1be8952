import type { DeliveryEnvironment } from './delivery.ts'
import type { RoutedEvent } from './event.ts'

/** The longest time until a batch that waits asks again whether it may, in milliseconds. */
const askEveryMs = 2_000

/** The wait of the first events of a lane for the end of their transaction. */
export class TransactionHold {
  readonly #environment: DeliveryEnvironment
  readonly #wake: () => void
  #hasTimer = false

  /** @param wake asks the lane to check again */
  constructor(environment: DeliveryEnvironment, wake: () => void) {
    this.#environment = environment
    this.#wake = wake
  }

  /** For how long the event may wait for the end of its transaction, in milliseconds; infinite: until more is read. */
  leftMs({ transaction, fault, offset }: RoutedEvent): number {
    if (transaction?.state !== 'open' || fault !== null) return 0
    return this.#environment.transactionWaitMs(offset)
  }

  /** Wakes the lane when time ends the wait. The run wakes it when more was read. */
  watch(leftMs: number): void {
    if (this.#hasTimer || leftMs === Number.POSITIVE_INFINITY) return
    this.#hasTimer = true
    void this.#environment.pause(Math.min(askEveryMs, Math.ceil(leftMs))).then(() => {
      this.#hasTimer = false
      this.#wake()
    })
  }
}
