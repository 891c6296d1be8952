import type { LaneState, Trouble } from '../checkpoint/types.ts'
import { DtsError } from '../errors.ts'
import { maxBatchBytes, packEvents, sizeInBatch } from './batch-format.ts'
import type { DeliveryEnvironment } from './delivery.ts'
import { countThrough, type RoutedEvent } from './event.ts'
import { afterEventFailure, afterOutage, afterSuccess } from './policy.ts'
import type { Delivery } from './settings.ts'

/** One ordered line of delivery of a function: sends one batch at a time, in the order of the stream. */
export class Lane {
  readonly name: string
  readonly #functionName: string
  readonly #delivery: Delivery
  readonly #environment: DeliveryEnvironment
  #events: readonly RoutedEvent[] = []
  #at = 0
  #upcoming: (() => readonly RoutedEvent[]) | null = null
  #ahead: { readonly events: readonly RoutedEvent[]; readonly packed: string } | null = null
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
  ) {
    this.name = name
    this.#functionName = functionName
    this.#delivery = delivery
    this.#environment = environment
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
    return this.#events[this.#at]?.offset ?? null
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

  /** Marks an offset as done because another lane of the same function has handled it. */
  passed(offset: bigint): void {
    // A lane that an earlier run of the poller brought further keeps its place.
    if (this.#through === null || offset > this.#through) this.#through = offset
  }

  /**
   * Delivers all of `events`.
   * @param upcoming the events of the next call, as far as they are known when it is called
   * @returns false if the run stopped or the stream must halt before the end
   * @throws unexpected errors; no invocation of the lane is in flight then
   */
  async deliver(
    events: readonly RoutedEvent[],
    upcoming: (() => readonly RoutedEvent[]) | null = null,
  ): Promise<boolean> {
    this.#events = events
    this.#at = 0
    this.#upcoming = upcoming
    while (this.#at < this.#events.length) {
      const mayContinue = await this.#next()
      if (mayContinue || this.#halt !== null) this.#environment.changed()
      if (!mayContinue) return false
    }
    return true
  }

  async #next(): Promise<boolean> {
    const { now, pause, permit, send } = this.#environment
    const batch = this.#batchOf(this.#events, this.#at)
    const first = batch[0]
    if (first === undefined) return true
    if (this.#trouble?.offset === first.offset && this.#trouble.nextAt > now()) {
      this.#waitsUntil = this.#trouble.nextAt
      await pause(this.#trouble.nextAt - now())
      this.#waitsUntil = null
    }
    if (!(await permit())) return false
    if (sizeInBatch(first) > maxBatchBytes) {
      await this.#sendToDeadLetters(first, 1, tooLarge(this.#functionName, first))
      return this.#halt === null
    }
    const endsBy = this.#environment.endsBy()
    const sending = send(this.#functionName, batch, this.#packed(batch))
    this.#packAhead(batch.length)
    const result = await sending.catch((error: unknown) => {
      // The request may have been sent.
      this.#mayRunUntil = endsBy
      throw error
    })
    switch (result.kind) {
      case 'acknowledged': {
        const done = countThrough(batch, result.through)
        this.#complete(batch.slice(0, done))
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

  /** As many of `events`, from `at` on, as one invocation carries; at least one. */
  #batchOf(events: readonly RoutedEvent[], at: number): readonly RoutedEvent[] {
    const limit = Math.min(this.#delivery.batchSize, this.#trouble?.limit ?? this.#delivery.batchSize)
    let bytes = 0
    let to = at
    while (to < events.length && to - at < limit) {
      const event = events[to]
      bytes += event === undefined ? 0 : sizeInBatch(event)
      if (bytes > maxBatchBytes && to > at) break
      to += 1
    }
    return events.slice(at, to)
  }

  #packed(batch: readonly RoutedEvent[]): string {
    const ahead = this.#ahead
    this.#ahead = null
    const isAhead = ahead?.events[0] === batch[0] && ahead?.events.length === batch.length
    return isAhead ? ahead.packed : packEvents(batch)
  }

  /** Packs the batch that follows on success, while the function works on the `sent` events. */
  #packAhead(sent: number): void {
    const events = this.#events
    const at = this.#at
    // Not before the request is sent.
    setImmediate(() => {
      if (this.#events !== events || this.#at !== at) return
      try {
        const rest = events.slice(at + sent)
        const upcoming = rest.length > 0 ? rest : (this.#upcoming?.() ?? [])
        const next = this.#batchOf(upcoming, 0)
        // The last batch may still grow.
        if (next.length < upcoming.length) this.#ahead = { events: next, packed: packEvents(next) }
      } catch {
        // An error thrown here would end the process. It is thrown again when the batch is sent.
      }
    })
  }

  #complete(events: readonly RoutedEvent[]): void {
    const last = events.at(-1)
    if (last === undefined) return
    this.#at += events.length
    this.#through = last.offset
    this.#failure = null
    this.#trouble = afterSuccess(this.#trouble, events.length, this.#delivery.batchSize, this.firstUndone)
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
    this.#complete([event])
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
