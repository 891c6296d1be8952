import type { DeliveryEnvironment } from './delivery.ts'
import type { RoutedEvent } from './event.ts'

/** How long the end of the stream must be silent before silence counts as the end of a transaction, in milliseconds. */
const silenceMs = 2_000

/** The wait of the first events of a lane for the end of their transaction. */
export class TransactionHold {
  readonly #environment: DeliveryEnvironment
  readonly #wake: () => void
  #lastOffered = 0
  #hasTimer = false

  /** @param wake asks the lane to check again */
  constructor(environment: DeliveryEnvironment, wake: () => void) {
    this.#environment = environment
    this.#wake = wake
  }

  /** The lane got another event. */
  offered(): void {
    this.#lastOffered = this.#environment.now()
  }

  /**
   * Whether the event waits for the end of its transaction. Not if too much of the log follows: its wait would fill the memory, and
   * the function gets the transaction in parts.
   */
  isNeeded(first: RoutedEvent): boolean {
    const { transaction, fault, offset } = first
    if (transaction === null || transaction.isOver || fault !== null) return false
    return !this.#environment.isFarBehind(offset) && !this.#isSilent(first)
  }

  /** Whether only more records can end the wait. Otherwise time ends it. */
  isForRecords({ transaction }: RoutedEvent): boolean {
    return transaction === null || transaction.silence === null || !this.#environment.atEnd()
  }

  /** Wakes the lane when the silence is long enough. */
  watch(first: RoutedEvent): void {
    if (this.#hasTimer || this.isForRecords(first)) return
    this.#hasTimer = true
    const { pause, now } = this.#environment
    void pause(Math.max(1, this.#lastOffered + silenceMs - now())).then(() => {
      this.#hasTimer = false
      this.#wake()
    })
  }

  /** The events leave. If only silence showed the end of their transaction, it is over. */
  end(first: RoutedEvent): void {
    const { transaction } = first
    if (transaction === null || transaction.isOver || !this.#isSilent(first)) return
    transaction.isOver = transaction.silence === 'end'
    transaction.endedSilently = true
  }

  #isSilent({ transaction }: RoutedEvent): boolean {
    const { atEnd, now } = this.#environment
    return (
      transaction !== null &&
      transaction.silence !== null &&
      atEnd() &&
      now() >= this.#lastOffered + silenceMs
    )
  }
}
