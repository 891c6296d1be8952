import { packEvents } from './batch-format.ts'
import type { RoutedEvent } from './event.ts'

/** Packs the next batch of a lane while the function works on the one before. */
export class PackedAhead {
  #ahead: { readonly events: readonly RoutedEvent[]; readonly packed: string } | null = null

  /** The batch as `packEvents` packs it. */
  packed(batch: readonly RoutedEvent[]): string {
    const ahead = this.#ahead
    this.#ahead = null
    const isAhead = ahead?.events[0] === batch[0] && ahead?.events.length === batch.length
    return isAhead ? ahead.packed : packEvents(batch)
  }

  /** @param next the batch to pack; null for none. It is asked later, after the request of the batch before is sent */
  prepare(next: () => readonly RoutedEvent[] | null): void {
    setImmediate(() => {
      try {
        const events = next()
        if (events !== null) this.#ahead = { events, packed: packEvents(events) }
      } catch {
        // An error thrown here would end the process. It is thrown again when the batch is sent.
      }
    })
  }
}
