import type { LaneState } from '../checkpoint/types.ts'
import type { DtsError } from '../errors.ts'
import { sizeInBatch } from './batch-format.ts'
import type { DeliveryEnvironment } from './delivery.ts'
import type { QueuedEvent } from './event.ts'
import { Lane } from './lane.ts'
import { keyHashVersion, type OrderKey } from './order-key.ts'
import type { Route } from './settings.ts'
import { Stretch } from './stretch.ts'

/**
 * The name of a lane in the checkpoint. It contains everything that decides which changes belong to the lane.
 * @param index from 0 on
 */
export function laneName(functionName: string, index: number, concurrency: number): string {
  return concurrency === 1 ? functionName : `${functionName}#${index + 1}/${concurrency}/v${keyHashVersion}`
}

/** Which lane of a function gets a change. @param key null for a change that must run alone */
export function laneIndex(key: OrderKey | null, concurrency: number): number {
  return key === null ? 0 : key.hash % concurrency
}

/** The function of a lane. Every version's lane names begin with it. */
export function functionOfLane(name: string): string {
  return name.split('#')[0] ?? name
}

/**
 * The changes of one function. With `concurrency` above 1, the lanes work in parallel on a stretch of the stream. Changes after the
 * stretch are held until all of it is done.
 */
export class FunctionQueue {
  /** The getters look at them by their indexes, for the reason that the dispatcher gives for its queues. */
  readonly lanes: readonly Lane[]
  readonly #environment: DeliveryEnvironment
  readonly #longestHold: number
  readonly #hasTransactions: boolean
  /** Changes that must wait until the lanes are empty. */
  readonly #held: QueuedEvent[] = []
  #heldBytes = 0
  #stretch = new Stretch()
  /** Earlier runs may have done changes up to this offset. Null if they did none, and after the first change above it. */
  #doneBefore: bigint | null = null
  #unexpectedError: unknown = null

  /** @param states from the checkpoint; states of another concurrency or hash do not belong to this queue */
  constructor(route: Route, states: Readonly<Record<string, LaneState>>, environment: DeliveryEnvironment) {
    this.#environment = environment
    const { functionName, concurrency, batchSize, transactions } = route
    this.#longestHold = 2 * batchSize * concurrency
    this.#hasTransactions = transactions === true
    const place = { isOpen: () => this.#held.length === 0, emptied: () => this.#release() }
    this.lanes = Array.from({ length: concurrency }, (_, index) => {
      const name = laneName(functionName, index, concurrency)
      return new Lane(name, functionName, route, states[name], environment, place)
    })
    for (const { through } of this.lanes) {
      if (through !== null && (this.#doneBefore === null || through > this.#doneBefore))
        this.#doneBefore = through
    }
  }

  /** The size of all changes that are not done. */
  get bytes(): number {
    let sum = this.#heldBytes
    for (let at = 0; at < this.lanes.length; at++) {
      const { bytes } = this.lanes[at] as Lane
      sum += bytes
    }
    return sum
  }

  /** Whether more changes would not let the function work faster. */
  get isStocked(): boolean {
    if (this.#held.length >= this.#longestHold) return true
    for (let at = 0; at < this.lanes.length; at++) {
      const { isStocked } = this.lanes[at] as Lane
      if (isStocked) return true
    }
    return false
  }

  /** The offset of the first change that is not done; null if there is none. */
  get firstUndone(): bigint | null {
    let first: bigint | null = null
    for (let at = 0; at < this.lanes.length; at++) {
      const { firstUndone } = this.lanes[at] as Lane
      if (firstUndone !== null && (first === null || firstUndone < first)) first = firstUndone
    }
    return first ?? this.#held[0]?.offset ?? null
  }

  /** A lane waits for the end of a transaction. */
  get awaitsTransaction(): boolean {
    if (!this.#hasTransactions) return false
    for (let at = 0; at < this.lanes.length; at++) {
      const { awaitsTransaction } = this.lanes[at] as Lane
      if (awaitsTransaction) return true
    }
    return false
  }

  /** Whether only more records can give it work. */
  get isIdle(): boolean {
    if (this.#held.length > 0) return false
    for (let at = 0; at < this.lanes.length; at++) {
      const { isIdle } = this.lanes[at] as Lane
      if (!isIdle) return false
    }
    return true
  }

  /**
   * The earliest time at which a lane tries again, in milliseconds since 1970. Null if the queue has no work, or if a lane with
   * work does not wait for a time.
   */
  get waitsUntil(): number | null {
    let first: number | null = null
    for (let at = 0; at < this.lanes.length; at++) {
      const { isIdle, waitsUntil } = this.lanes[at] as Lane
      if (isIdle) continue
      if (waitsUntil === null) return null
      if (first === null || waitsUntil < first) first = waitsUntil
    }
    return first
  }

  /** As `Lane` says; of all lanes the latest. */
  get mayRunUntil(): number | null {
    let last: number | null = null
    for (let at = 0; at < this.lanes.length; at++) {
      const { mayRunUntil } = this.lanes[at] as Lane
      if (mayRunUntil !== null && (last === null || mayRunUntil > last)) last = mayRunUntil
    }
    return last
  }

  get halt(): DtsError | null {
    for (let at = 0; at < this.lanes.length; at++) {
      const { halt } = this.lanes[at] as Lane
      if (halt !== null) return halt
    }
    return null
  }

  /** The unexpected error that ended one of its lanes; null if there was none. */
  get unexpectedError(): unknown {
    return this.#unexpectedError
  }

  /** Adds a change to the queue, unless an earlier run has done it. */
  offer(event: QueuedEvent): void {
    if (this.#doneBefore !== null) {
      if (event.offset > this.#doneBefore) this.#doneBefore = null
      else if (this.#isDone(event)) {
        this.lanes[laneIndex(event.key, this.lanes.length)]?.passed(event)
        return
      }
    }
    if (this.#held.length === 0 && this.#joins(event)) {
      this.#hand(event)
      return
    }
    this.#held.push(event)
    this.#heldBytes += sizeInBatch(event)
    // The lanes get nothing more before they are empty.
    if (this.#held.length === 1) this.nudge()
  }

  /** Checks again whether batches may start. */
  nudge(): void {
    for (const lane of this.lanes) lane.nudge()
  }

  /**
   * Works until `stopped`, until the stream must halt, until no invocation may start, or until an unexpected error. No
   * invocation is in flight when it resolves. It never rejects.
   */
  async run(stopped: AbortSignal): Promise<void> {
    await Promise.all(this.lanes.map((lane) => this.#guard(lane.run(stopped))))
  }

  /** The run must learn of an unexpected error at once, but must not end before the other lanes have ended. */
  async #guard(working: Promise<void>): Promise<void> {
    try {
      await working
    } catch (error) {
      this.#unexpectedError ??= error ?? new Error('null or undefined was thrown.')
      this.#environment.changed()
    }
  }

  /** Whether the lanes may get the change now. If they are empty, a new stretch begins with it. */
  #joins(event: QueuedEvent): boolean {
    if (this.lanes.length === 1 || this.#stretch.joins(event)) return true
    if (!this.#isEmpty) return false
    this.#stretch = new Stretch()
    return this.#stretch.joins(event)
  }

  get #isEmpty(): boolean {
    return this.lanes.every(({ firstUndone }) => firstUndone === null)
  }

  #hand(event: QueuedEvent): void {
    this.lanes[laneIndex(event.key, this.lanes.length)]?.offer(event)
  }

  /** Hands out the next stretch when the one before is done. */
  #release(): void {
    if (this.#held.length === 0 || !this.#isEmpty) return
    let count = 0
    for (const event of this.#held) {
      if (!this.#joins(event)) break
      this.#heldBytes -= sizeInBatch(event)
      this.#hand(event)
      count += 1
    }
    this.#held.splice(0, count)
  }

  #isDone(event: QueuedEvent): boolean {
    const lane = this.lanes[laneIndex(event.key, this.lanes.length)]
    return lane !== undefined && lane.through !== null && event.offset <= lane.through
  }
}
