import type { LaneState, Trouble } from '../checkpoint/types.ts'
import { DtsError } from '../errors.ts'
import { type BatchCut, BatchCutter } from './batch-cut.ts'
import { sizeInBatch } from './batch-format.ts'
import type { DeliveryEnvironment } from './delivery.ts'
import { countThrough, type RoutedEvent } from './event.ts'
import { Growth } from './growth.ts'
import { PackedAhead } from './packed-ahead.ts'
import { afterEventFailure, afterOutage, afterSuccess } from './policy.ts'
import { type Delivery, maxBatchBytes } from './settings.ts'
import { TransactionHold } from './transaction-hold.ts'
import { Waiter } from './waiter.ts'

/** The lane's place among the lanes of its function. */
export interface LanePlace {
  /** Whether the lane may get more events before all of its events are done. */
  readonly isOpen: () => boolean
  /** Called when all events of the lane are done. */
  readonly emptied: () => void
}

const ownPlace: LanePlace = { isOpen: () => true, emptied: () => {} }

/** One ordered line of delivery of a function: sends one batch at a time, in the order of the stream. */
export class Lane {
  readonly name: string
  readonly #functionName: string
  readonly #delivery: Delivery
  readonly #environment: DeliveryEnvironment
  readonly #place: LanePlace
  /** In the order of the stream. While a batch is on its way, its events are still the first ones. */
  readonly #events: RoutedEvent[] = []
  /** Kept, because the run compares it with those of all other lanes in each of its steps. */
  #firstUndone: bigint | null = null
  #bytes = 0
  readonly #growth: Growth
  readonly #hold: TransactionHold
  readonly #cutter: BatchCutter
  readonly #packing = new PackedAhead()
  readonly #waiter = new Waiter()
  /** A batch is on its way, or waits for its next attempt. */
  #isBusy = false
  #through: bigint | null
  #trouble: Trouble | null
  #failure: DtsError | null = null
  #halt: DtsError | null = null
  #mayRunUntil: number | null = null
  #waitsUntil: number | null = null

  constructor(
    name: string,
    functionName: string,
    delivery: Delivery,
    state: LaneState | undefined,
    environment: DeliveryEnvironment,
    place: LanePlace = ownPlace,
  ) {
    this.name = name
    this.#functionName = functionName
    this.#delivery = delivery
    this.#environment = environment
    this.#place = place
    this.#growth = new Growth(environment, delivery.batchWindowSeconds * 1_000, () => this.#waiter.wake())
    this.#hold = new TransactionHold(environment, () => this.#waiter.wake())
    this.#cutter = new BatchCutter(delivery, state?.begin ?? null)
    this.#through = state?.through ?? null
    this.#trouble = state?.trouble ?? null
  }

  /** The last offset that was acknowledged or dead-lettered. Null before the first. */
  get through(): bigint | null {
    return this.#through
  }

  get trouble(): Trouble | null {
    return this.#trouble
  }

  get firstUndone(): bigint | null {
    return this.#firstUndone
  }

  /** As `LaneState` says; null if that is not known. */
  get begin(): bigint | null {
    const first = this.#events[0]
    return first !== undefined && this.#cutter.isBegin(first) ? first.offset : null
  }

  /** For how long its first events wait for the end of their transaction, as `transactionWaitMs` says; 0: they do not. */
  get #waitMs(): number {
    const first = this.#events[0]
    const { batchSize, batchBytes } = this.#delivery
    if (first === undefined || first.transaction === null || this.#isBusy) return 0
    // While the transaction of the first event is open, all others belong to it.
    if (this.#events.length > batchSize || this.#bytes > batchBytes) return 0
    return this.#cutter.isSearch(first, this.#trouble) ? 0 : this.#hold.leftMs(first)
  }

  /** Its first events wait for the end of their transaction. */
  get awaitsTransaction(): boolean {
    return this.#waitMs > 0
  }

  /** It has no event that it could send or try again: only more records can give it work. */
  get isIdle(): boolean {
    return this.#firstUndone === null || this.#waitMs === Number.POSITIVE_INFINITY
  }

  /** The size of all events that are not done. */
  get bytes(): number {
    return this.#bytes
  }

  /** Whether the next invocation carries as much as it can while another one is on its way. */
  get isStocked(): boolean {
    const { batchSize, batchBytes } = this.#delivery
    return this.#events.length >= 2 * batchSize || this.#bytes >= Math.min(2 * batchBytes, maxBatchBytes)
  }

  /** The last error of the first undone event, while it waits for another attempt. */
  get failure(): DtsError | null {
    return this.#failure
  }

  /** Why the stream must halt at this event; null if it need not. */
  get halt(): DtsError | null {
    return this.#halt
  }

  /** The time of the next attempt, in milliseconds since 1970. Null if the lane does not wait for a time. */
  get waitsUntil(): number | null {
    return this.#waitsUntil
  }

  /** Until when a handler that did not answer may still run, in milliseconds since 1970. Null if every handler answered. */
  get mayRunUntil(): number | null {
    return this.#mayRunUntil
  }

  /** Adds an event after all others. */
  offer(event: RoutedEvent): void {
    this.#events.push(event)
    this.#firstUndone ??= event.offset
    this.#bytes += sizeInBatch(event)
    if (!this.#growth.isUnderWay || this.#isFull) this.#waiter.wake()
  }

  /** Checks again whether a batch may start. */
  nudge(): void {
    this.#waiter.wake()
  }

  /**
   * Delivers its events until `stopped`, until no invocation may start, or until the stream must halt. No invocation of the lane
   * is in flight when it ends.
   * @throws unexpected errors
   */
  async run(stopped: AbortSignal): Promise<void> {
    stopped.addEventListener('abort', () => this.#waiter.wake(), { once: true })
    while (!stopped.aborted) {
      if (this.#mayStart()) {
        this.#growth.end()
        this.#isBusy = true
        const mayContinue = await this.#next()
        this.#isBusy = false
        if (mayContinue || this.#halt !== null) this.#environment.changed()
        if (!mayContinue) return
      } else {
        await this.#waiter.rest()
      }
    }
  }

  /** The event comes next in its order, and an earlier run has done it. */
  passed(event: RoutedEvent): void {
    this.#cutter.done(event)
  }

  #mayStart(): boolean {
    const first = this.#firstUndone
    if (first === null) return false
    const waitMs = this.#waitMs
    if (waitMs > 0) {
      this.#hold.watch(waitMs)
      return false
    }
    const isRetried = this.#trouble?.offset === first
    return this.#isFull || isRetried || !this.#place.isOpen() || !this.#growth.mayGrow(first)
  }

  get #isFull(): boolean {
    const limit = this.#cutter.limit(this.#trouble)
    return this.#events.length >= limit || this.#bytes >= this.#delivery.batchBytes
  }

  async #next(): Promise<boolean> {
    const { now, pause, permit, send } = this.#environment
    const cut = this.#cutter.cut(this.#events, 0, this.#trouble)
    const batch = cut.events
    const first = batch[0]
    if (first === undefined) return true
    if (this.#trouble?.offset === first.offset && this.#trouble.nextAt > now()) {
      this.#waitsUntil = this.#trouble.nextAt
      await pause(this.#trouble.nextAt - now())
      this.#waitsUntil = null
    }
    if (!(await permit())) return false
    const fault =
      first.fault ?? (sizeInBatch(first) > maxBatchBytes ? tooLarge(this.#functionName, first) : null)
    if (fault !== null) {
      await this.#sendToDeadLetters(first, 1, fault)
      return this.#halt === null
    }
    const endsBy = this.#environment.endsBy()
    const sending = send(this.#functionName, batch, this.#packing.packed(batch), cut.transactions)
    this.#packing.prepare(() => this.#followingBatch(batch))
    const result = await sending.catch((error: unknown) => {
      // The request may have been sent.
      this.#mayRunUntil = endsBy
      throw error
    })
    switch (result.kind) {
      case 'acknowledged': {
        const done = countThrough(batch, result.through)
        this.#complete(done)
        const next = batch[done]
        if (result.error !== null && next !== undefined)
          await this.#failed(next, cut, done, result.error, true)
        break
      }
      case 'failed':
        await this.#failed(first, cut, 0, result.error, false)
        break
      case 'unavailable':
        this.#wait(first, result.error, null)
        break
      case 'unknown':
        this.#mayRunUntil = endsBy
        this.#wait(first, result.error, endsBy)
    }
    return this.#halt === null
  }

  /** The batch that comes after `sent` on success. Null if it may still grow, or if `sent` is no longer on its way. */
  #followingBatch(sent: readonly RoutedEvent[]): readonly RoutedEvent[] | null {
    if (this.#events[0] !== sent[0]) return null
    const next = this.#cutter.cut(this.#events, sent.length, this.#trouble).events
    return sent.length + next.length < this.#events.length ? next : null
  }

  /** The first `count` events are done. */
  #complete(count: number): void {
    const last = this.#events[count - 1]
    if (last === undefined) return
    // Now, because the memory of events that are done may be released at any time.
    for (let at = 0; at < count; at++) this.#bytes -= sizeInBatch(this.#events[at] as RoutedEvent)
    this.#through = last.offset
    this.#cutter.done(last)
    this.#events.splice(0, count)
    this.#firstUndone = this.#events[0]?.offset ?? null
    this.#failure = null
    this.#trouble = afterSuccess(this.#trouble, count, this.#delivery.batchSize, this.#firstUndone)
    if (this.#events.length === 0) this.#place.emptied()
  }

  /** @param done how many events of the batch are done before `first` */
  async #failed(first: RoutedEvent, cut: BatchCut, done: number, error: DtsError, blamed: boolean) {
    const { now, random, putAside } = this.#environment
    const failure = {
      offset: first.offset,
      size: cut.events.length - done,
      together: BatchCutter.together(cut, done),
      firstIsToBlame: blamed,
      maySplit: this.#delivery.onFailure === 'dead-letter' && putAside !== null,
    }
    const decision = afterEventFailure(this.#delivery, this.#trouble, failure, now(), random())
    this.#failure = error
    if (decision.kind === 'retry') this.#trouble = decision.trouble
    else await this.#sendToDeadLetters(first, decision.attempts, error)
  }

  /**
   * The event is not the cause. It waits as long as needed, and never becomes a dead letter for this failure.
   * @param notBefore the earliest time of the next attempt, in milliseconds since 1970; null for no such limit
   */
  #wait(first: RoutedEvent, error: DtsError, notBefore: number | null): void {
    const { now, random } = this.#environment
    this.#failure = error
    this.#trouble = afterOutage(this.#trouble, first.offset, notBefore, now(), random())
  }

  /** Sends the event to the dead-letter queue, or halts the stream. */
  async #sendToDeadLetters(event: RoutedEvent, attempts: number, error: DtsError): Promise<void> {
    const { putAside } = this.#environment
    if (this.#delivery.onFailure === 'halt' || putAside === null) {
      this.#halt = error
      return
    }
    try {
      await putAside(this.#functionName, event, attempts, error)
    } catch (cause) {
      const problem = cause instanceof DtsError ? cause : error
      if (!problem.retryable) this.#halt = problem
      // No commit may pass an event that is stored nowhere. The event keeps its place and its attempts.
      else this.#wait(event, problem, null)
      return
    }
    this.#complete(1)
  }
}

function tooLarge(functionName: string, event: RoutedEvent): DtsError {
  return new DtsError(
    'EVENT_TOO_LARGE',
    `The change at offset ${event.offset} of ${event.table} has ${event.size} bytes; an invocation of ` +
      `${functionName} carries at most ${maxBatchBytes}. Handle this change by hand.`,
    {
      retryable: false,
      facts: { offset: String(event.offset), function: functionName, bytes: event.size },
    },
  )
}
