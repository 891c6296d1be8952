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
  /** The transaction of which the function has a part, by its id or as it was read; null: none. */
  #open: string | SourceTransaction | null

  /** @param open from the checkpoint */
  constructor(delivery: Delivery, open: string | null) {
    this.#delivery = delivery
    this.#open = open
  }

  /**
   * The transaction of which the function has a part, and may get another one; null: none.
   * @param next the first event that is not done
   */
  openBefore(next: RoutedEvent | undefined): string | null {
    if (this.#open === null || typeof this.#open === 'string') return this.#open
    return this.#open.isOver && next?.transaction !== this.#open ? null : this.#open.id
  }

  /** The most events of the next batch. */
  limit(trouble: Trouble | null): number {
    const { batchSize } = this.#delivery
    return Math.min(batchSize, trouble?.limit ?? batchSize)
  }

  /** As many events, from index `at` on, as one invocation carries; at least one. One that must not be sent is only the first. */
  cut(events: readonly RoutedEvent[], at: number, trouble: Trouble | null): BatchCut {
    const limit = this.limit(trouble)
    if (this.#delivery.transactions !== true) {
      const { to } = this.#take(events, at, at + limit, 0)
      return { events: events.slice(at, to), transactions: null }
    }
    // The search for a failing change may cut a transaction only after it failed as a whole.
    const isSearch = trouble !== null && trouble.offset === events[at]?.offset && trouble.attempts > 0
    const mostOfFirst = isSearch ? limit : this.#delivery.batchSize
    const transactions: TransactionPart[] = []
    let to = at
    let bytes = 0
    while (to < events.length) {
      const end = endOfTransaction(events, to)
      const most = at + (to === at ? mostOfFirst : limit)
      const taken = this.#take(events, to, Math.min(end, most), bytes)
      const isWhole =
        taken.to === end && events[to]?.transaction?.isOver === true && !isCutByFault(events, end)
      if (!isWhole && to > at) break
      transactions.push({ count: taken.to - to, part: this.#partOf(events, to, isWhole) })
      to = taken.to
      bytes = taken.bytes
      if (!isWhole) break
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

  /** The events before index `count` are done. */
  done(events: readonly RoutedEvent[], count: number): void {
    if (this.#delivery.transactions !== true) return
    const last = events[count - 1]?.transaction ?? null
    const mayFollow = events[count]?.transaction === last || last?.endedSilently === true
    const continues = last !== null && (!last.isOver || mayFollow)
    // An id if more of it may follow although it is over: then the state must last.
    this.#open = !continues ? null : last.isOver ? last.id : last
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

  #partOf(events: readonly RoutedEvent[], at: number, isWhole: boolean): TransactionPart['part'] {
    const transaction = events[at]?.transaction ?? null
    const isOpen = this.#open !== null && this.#isOpen(transaction)
    const isFirst = !isOpen && transaction?.isBeginUnknown !== true
    if (isFirst) return isWhole ? 'whole' : 'first'
    return isWhole ? 'last' : 'middle'
  }

  #isOpen(transaction: SourceTransaction | null): boolean {
    return typeof this.#open === 'string' ? this.#open === transaction?.id : this.#open === transaction
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

/** Whether more events of the transaction follow after one of them that must not be sent. */
function isCutByFault(events: readonly RoutedEvent[], end: number): boolean {
  const next = events[end]
  return next !== undefined && next.fault !== null && next.transaction === events[end - 1]?.transaction
}
