import type { LaneState, Trouble } from '../checkpoint/types.ts'
import { DtsError } from '../errors.ts'
import { sizeInBatch } from './batch-format.ts'
import type { DeliveryEnvironment } from './delivery.ts'
import { countThrough, type RoutedEvent } from './event.ts'
import { Growth } from './growth.ts'
import { PackedAhead } from './packed-ahead.ts'
import { afterEventFailure, afterOutage, afterSuccess } from './policy.ts'
import { type Delivery, maxBatchBytes } from './settings.ts'
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
  readonly #packing = new PackedAhead()
  readonly #waiter = new Waiter()
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
        const mayContinue = await this.#next()
        if (mayContinue || this.#halt !== null) this.#environment.changed()
        if (!mayContinue) return
      } else {
        await this.#waiter.rest()
      }
    }
  }

  #mayStart(): boolean {
    const first = this.#firstUndone
    if (first === null) return false
    const isRetried = this.#trouble?.offset === first
    return this.#isFull || isRetried || !this.#place.isOpen() || !this.#growth.mayGrow(first)
  }

  get #limit(): number {
    const { batchSize } = this.#delivery
    return Math.min(batchSize, this.#trouble?.limit ?? batchSize)
  }

  get #isFull(): boolean {
    return this.#events.length >= this.#limit || this.#bytes >= this.#delivery.batchBytes
  }

  async #next(): Promise<boolean> {
    const { now, pause, permit, send } = this.#environment
    const batch = this.#batchFrom(0)
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
    const sending = send(this.#functionName, batch, this.#packing.packed(batch))
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
          await this.#failed(next, batch.length - done, result.error, true)
        break
      }
      case 'failed':
        await this.#failed(first, batch.length, result.error, false)
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

  /** As many events, from index `at` on, as one invocation carries; at least one. One that must not be sent is only the first. */
  #batchFrom(at: number): readonly RoutedEvent[] {
    const events = this.#events
    const { batchBytes } = this.#delivery
    const most = Math.min(events.length, at + this.#limit)
    let bytes = 0
    let to = at
    while (to < most) {
      const event = events[to] as RoutedEvent
      bytes += sizeInBatch(event)
      if ((bytes > batchBytes || event.fault !== null) && to > at) break
      to += 1
    }
    return events.slice(at, to)
  }

  /** The batch that comes after `sent` on success. Null if it may still grow, or if `sent` is no longer on its way. */
  #followingBatch(sent: readonly RoutedEvent[]): readonly RoutedEvent[] | null {
    if (this.#events[0] !== sent[0]) return null
    const next = this.#batchFrom(sent.length)
    return sent.length + next.length < this.#events.length ? next : null
  }

  /** The first `count` events are done. */
  #complete(count: number): void {
    const last = this.#events[count - 1]
    if (last === undefined) return
    // Now, because the memory of events that are done may be released at any time.
    for (let at = 0; at < count; at++) this.#bytes -= sizeInBatch(this.#events[at] as RoutedEvent)
    this.#through = last.offset
    this.#events.splice(0, count)
    this.#firstUndone = this.#events[0]?.offset ?? null
    this.#failure = null
    this.#trouble = afterSuccess(this.#trouble, count, this.#delivery.batchSize, this.#firstUndone)
    if (this.#events.length === 0) this.#place.emptied()
  }

  async #failed(first: RoutedEvent, size: number, error: DtsError, blamed: boolean): Promise<void> {
    const { now, random } = this.#environment
    const failure = { offset: first.offset, size, firstIsToBlame: blamed }
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
