import type { Trouble } from '../checkpoint/types.ts'
import { sizeInBatch, type TransactionPart } from './batch-format.ts'
import type { RoutedEvent } from './event.ts'
import type { Delivery } from './settings.ts'
import type { SourceTransaction } from './source-transaction.ts'

/** The events of one invocation, and their transactions if the function gets whole ones. */
export interface BatchCut {
  readonly events: readonly RoutedEvent[]
  readonly transactions: readonly TransactionPart[] | null
}

/** Cuts the events of a lane into batches. Transactions are cut only where they do not fit into one. */
export class BatchCutter {
  readonly #delivery: Delivery
  /** The transaction of the last change that is done. */
  #touched: SourceTransaction | null = null
  /** From the checkpoint: as `LaneState` says. */
  readonly #begin: bigint | null

  /** @param begin from the checkpoint */
  constructor(delivery: Delivery, begin: bigint | null) {
    this.#delivery = delivery
    this.#begin = begin
  }

  /** The most events of the next batch. */
  limit(trouble: Trouble | null): number {
    const { batchSize } = this.#delivery
    return Math.min(batchSize, trouble?.limit ?? batchSize)
  }

  /** Whether the transaction of the event failed as a whole, and may be cut to find the change that fails. */
  isSearch(event: RoutedEvent | undefined, trouble: Trouble | null): boolean {
    if (trouble === null || trouble.limit === null) return false
    return trouble.offset === event?.offset && trouble.attempts > 0
  }

  /** As many events, from index `at` on, as one invocation carries; at least one. One that must not be sent is only the first. */
  cut(events: readonly RoutedEvent[], at: number, trouble: Trouble | null): BatchCut {
    const limit = this.limit(trouble)
    if (this.#delivery.transactions !== true) {
      const { to } = this.#take(events, at, at + limit, 0)
      return { events: events.slice(at, to), transactions: null }
    }
    const mostOfFirst = this.isSearch(events[at], trouble) ? limit : this.#delivery.batchSize
    const transactions: TransactionPart[] = []
    let to = at
    let bytes = 0
    while (to < events.length) {
      const end = endOfTransaction(events, to)
      const most = at + (to === at ? mostOfFirst : limit)
      const taken = this.#take(events, to, Math.min(end, most), bytes)
      const isRest = taken.to === end && events[to]?.transaction?.state !== 'open'
      if (!isRest && to > at) break
      transactions.push({ count: taken.to - to, part: this.#partOf(events, to, taken.to) })
      to = taken.to
      bytes = taken.bytes
      if (!isRest) break
    }
    return { events: events.slice(at, to), transactions }
  }

  /** The number of events that the beginning of a batch has in common with the transaction there. 1: they have none. */
  static together({ transactions }: BatchCut, at: number): number {
    let end = 0
    for (const { count } of transactions ?? []) {
      end += count
      if (end > at) return end - at
    }
    return 1
  }

  /** The event is done: by this run, or by an earlier one. */
  done({ transaction }: RoutedEvent): void {
    if (transaction !== null) this.#touched = transaction
  }

  /** Whether the function gets a transaction from its first change on if it gets it from this event on. */
  isBegin({ transaction, offset }: RoutedEvent): boolean {
    if (transaction === null || transaction === this.#touched) return false
    return transaction.isBeginKnown || offset === this.#begin
  }

  /**
   * The index after the events that fit into the bytes of a batch, and the bytes of the batch with them. The first event of a batch
   * always fits.
   * @param end the index after the most events
   * @param bytes of the batch before them
   */
  #take(events: readonly RoutedEvent[], from: number, end: number, bytes: number) {
    const { batchBytes } = this.#delivery
    let sum = bytes
    let to = from
    while (to < Math.min(events.length, end)) {
      const event = events[to] as RoutedEvent
      const next = sum + sizeInBatch(event)
      if ((next > batchBytes || event.fault !== null) && sum > 0) break
      sum = next
      to += 1
    }
    return { to, bytes: sum }
  }

  /** The part from index `from` to before index `to`. What nothing shows is not claimed. */
  #partOf(events: readonly RoutedEvent[], from: number, to: number): TransactionPart['part'] {
    const head = events[from] as RoutedEvent
    const { transaction } = head
    const isLast = transaction?.state === 'ended' && events[to]?.transaction !== transaction
    if (this.isBegin(head)) return isLast ? 'whole' : 'first'
    return isLast ? 'last' : 'middle'
  }
}

/** The index after the events of the transaction at index `at`. An event that must not be sent is alone. */
function endOfTransaction(events: readonly RoutedEvent[], at: number): number {
  const { transaction, fault } = events[at] as RoutedEvent
  if (fault !== null) return at + 1
  let to = at + 1
  while (to < events.length && events[to]?.transaction === transaction && events[to]?.fault === null) to += 1
  return to
}
