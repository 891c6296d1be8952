import type { LaneState } from '../checkpoint/types.ts'
import type { DtsError } from '../errors.ts'
import { sizeInBatch } from './batch-format.ts'
import type { DeliveryEnvironment } from './delivery.ts'
import type { QueuedEvent } from './event.ts'
import { keyHashVersion } from './key.ts'
import { Lane } from './lane.ts'
import type { Route } from './settings.ts'

/**
 * How long a batch that is not full waits for more changes, in milliseconds, while more records are known to follow.
 * Otherwise a function that gets few of the records would be invoked for a handful each time.
 */
const growMs = 50

/**
 * The name of a lane in the checkpoint. It contains everything that decides which changes belong to the lane.
 * @param index from 0 on
 */
export function laneName(functionName: string, index: number, concurrency: number): string {
  return concurrency === 1 ? functionName : `${functionName}#${index + 1}/${concurrency}/v${keyHashVersion}`
}

/** The function of a lane. Every version's lane names begin with it. */
export function functionOfLane(name: string): string {
  return name.split('#')[0] ?? name
}

/**
 * The changes of one function, in the order of the stream. With `concurrency` above 1, runs of changes are split by
 * primary key over that many lanes. A change without a usable key is handled alone, between two runs.
 */
export class FunctionQueue {
  readonly lanes: readonly Lane[]
  readonly #route: Route
  readonly #environment: DeliveryEnvironment
  readonly #queue: QueuedEvent[] = []
  /** How many changes at the front of the queue are done. A change that is done stays done. */
  #done = 0
  #bytes = 0
  /** Earlier runs may have done changes up to this offset. Null if they did none, and after the first change above it. */
  #doneBefore: bigint | null = null
  /** Until when the next run may wait for more changes; null while it does not wait. */
  #growsUntil: number | null = null
  #wake: () => void = () => {}
  #unexpectedError: unknown = null

  /** @param states from the checkpoint; states of another concurrency or hash do not belong to this queue */
  constructor(route: Route, states: Readonly<Record<string, LaneState>>, environment: DeliveryEnvironment) {
    this.#route = route
    this.#environment = environment
    const { functionName, concurrency } = route
    const names = Array.from({ length: concurrency }, (_, index) =>
      laneName(functionName, index, concurrency),
    )
    this.lanes = names.map((name) => new Lane(name, functionName, route, states[name], environment))
    for (const { through } of this.lanes) {
      if (through !== null && (this.#doneBefore === null || through > this.#doneBefore))
        this.#doneBefore = through
    }
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The offset of the first change that is not done; null if there is none. */
  get firstUndone(): bigint | null {
    for (;;) {
      const event = this.#queue[this.#done]
      if (event === undefined) return null
      // A lane may be ahead of another. The queue keeps a run until all of it is done.
      if (!this.#isDone(event)) return event.offset
      this.#done += 1
    }
  }

  /**
   * The earliest time at which a lane tries again, in milliseconds since 1970. Null if the queue has no work, or if a lane with
   * work does not wait for a time.
   */
  get waitsUntil(): number | null {
    if (this.firstUndone === null) return null
    let first: number | null = null
    for (const { firstUndone, waitsUntil } of this.lanes) {
      if (firstUndone === null) continue
      if (waitsUntil === null) return null
      if (first === null || waitsUntil < first) first = waitsUntil
    }
    return first
  }

  get halt(): DtsError | null {
    return this.lanes.find(({ halt }) => halt !== null)?.halt ?? null
  }

  /** The unexpected error that ended this queue; null if there was none. */
  get unexpectedError(): unknown {
    return this.#unexpectedError
  }

  /** Adds a change to the queue, unless an earlier run has done it. */
  offer(event: QueuedEvent): void {
    if (this.#doneBefore !== null) {
      if (event.offset > this.#doneBefore) this.#doneBefore = null
      else if (this.#isDone(event)) return
    }
    this.#queue.push(event)
    this.#bytes += sizeInBatch(event)
    this.#wake()
  }

  /** Checks again whether a batch may start. */
  nudge(): void {
    this.#wake()
  }

  /**
   * Works until `stopped`, until the stream must halt, until no invocation may start, or until an unexpected error. No
   * invocation is in flight when it resolves. It never rejects.
   */
  async run(stopped: AbortSignal): Promise<void> {
    await this.#guard(this.#work(stopped))
  }

  /**
   * Turns an unexpected error into an end. Each lane has its own guard: the run must learn of the error at once, but must
   * not end before the other lanes have ended.
   */
  async #guard(working: Promise<boolean>): Promise<boolean> {
    try {
      return await working
    } catch (error) {
      this.#unexpectedError ??= error ?? new Error('null or undefined was thrown.')
      this.#environment.changed()
      return false
    }
  }

  async #work(stopped: AbortSignal): Promise<boolean> {
    stopped.addEventListener('abort', () => this.#wake(), { once: true })
    while (!stopped.aborted) {
      const run = this.#nextRun()
      if (run.length === 0 || this.#mayGrow(run)) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
          if (stopped.aborted) resolve()
        })
      } else {
        this.#growsUntil = null
        if (!(await this.#handle(run))) return false
      }
    }
    return true
  }

  #mayGrow(run: readonly QueuedEvent[]): boolean {
    const { expectsMore, now, pause } = this.#environment
    // A run that is shorter than the queue is full, or ends before a change that must be alone.
    if (run.length < this.#queue.length || run.length >= this.#longestRun || !expectsMore()) return false
    if (this.#growsUntil === null) {
      const until = now() + growMs
      this.#growsUntil = until
      void pause(growMs).then(() => {
        // A timer may end a moment before the clock reaches `until`, and no other timer would wake the queue.
        if (this.#growsUntil === until) this.#growsUntil = now()
        this.#wake()
      })
    }
    return now() < this.#growsUntil
  }

  get #longestRun(): number {
    return this.#route.batchSize * this.lanes.length
  }

  async #handle(run: readonly QueuedEvent[]): Promise<boolean> {
    // Read now: when all changes are done, the memory of this one may already be released.
    const through = run.at(-1)?.offset ?? null
    let bytes = 0
    for (let at = 0; at < run.length; at++) bytes += sizeInBatch(run[at] as QueuedEvent)
    const [only] = this.lanes
    const results =
      this.lanes.length === 1 && only !== undefined
        ? [
            await only.deliver(run, () =>
              this.#queue.slice(run.length, run.length + this.#route.batchSize + 1),
            ),
          ]
        : await Promise.all(
            this.lanes.map((lane, index) =>
              this.#guard(lane.deliver(run.filter((event) => this.#laneOf(event) === index))),
            ),
          )
    if (results.includes(false)) return false
    // All lanes have passed this run now, also those that had no part in it.
    if (through !== null) for (const lane of this.lanes) lane.passed(through)
    this.#queue.splice(0, run.length)
    this.#bytes -= bytes
    this.#done = Math.max(0, this.#done - run.length)
    return true
  }

  /** The next changes that may be handled in parallel: all with keys up to one without, or that one alone. */
  #nextRun(): readonly QueuedEvent[] {
    // One batch at a time, so that finished changes make room for the next fetch.
    if (this.lanes.length === 1) return this.#queue.slice(0, this.#longestRun)
    const end = this.#queue.findIndex(({ keyHash }) => keyHash === null)
    if (end === 0) return this.#queue.slice(0, 1)
    return this.#queue.slice(0, Math.min(end === -1 ? this.#queue.length : end, this.#longestRun))
  }

  #laneOf({ keyHash }: QueuedEvent): number {
    return keyHash === null ? 0 : keyHash % this.lanes.length
  }

  #isDone(event: QueuedEvent): boolean {
    const lane = this.lanes[this.#laneOf(event)]
    return lane !== undefined && lane.through !== null && event.offset <= lane.through
  }
}
