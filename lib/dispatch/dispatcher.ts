import type { LaneState } from '../checkpoint/types.ts'
import type { DtsError } from '../errors.ts'
import type { DeliveryEnvironment } from './delivery.ts'
import type { QueuedEvent } from './event.ts'
import { FunctionQueue } from './function-queue.ts'

/** The size of the changes, in bytes, that may wait in all lanes while a lane has enough of them. */
const enoughBytes = 4 * 1024 * 1024
/** The same while every lane could use more: the changes of many functions, or of many lanes. */
const mostBytes = 32 * 1024 * 1024

/** All function queues of a run: one for each function that gets changes. They work in parallel. */
export class Dispatcher {
  readonly #states: Readonly<Record<string, LaneState>>
  readonly #environment: DeliveryEnvironment
  readonly #stopped: AbortSignal
  readonly #queues = new Map<string, FunctionQueue>()
  /**
   * The same. The run looks at all of them in each of its steps, by their indexes: until V8 has optimised a loop with `of`, it makes
   * an object for each.
   */
  readonly #all: FunctionQueue[] = []
  readonly #running: Promise<void>[] = []

  /** @param stopped no lane starts an invocation after it aborts */
  constructor(
    states: Readonly<Record<string, LaneState>>,
    environment: DeliveryEnvironment,
    stopped: AbortSignal,
  ) {
    this.#states = states
    this.#environment = environment
    this.#stopped = stopped
  }

  offer(event: QueuedEvent): void {
    const { route } = event
    let queue = this.#queues.get(route.functionName)
    if (queue === undefined) {
      queue = new FunctionQueue(route, this.#states, this.#environment)
      this.#queues.set(route.functionName, queue)
      this.#all.push(queue)
      this.#running.push(queue.run(this.#stopped))
    }
    queue.offer(event)
  }

  /** Wakes queues that wait for more changes. */
  nudge(): void {
    for (const queue of this.#all) queue.nudge()
  }

  /**
   * Whether more changes would let the functions work faster. A function that is stocked needs no more, and the others could not
   * get ahead of it without limit.
   */
  get wantsMore(): boolean {
    let bytes = 0
    let isStocked = false
    for (let at = 0; at < this.#all.length; at++) {
      const queue = this.#all[at] as FunctionQueue
      // One that waits for the end of a transaction needs more. What it waits for is bounded elsewhere.
      if (queue.awaitsTransaction) continue
      bytes += queue.bytes
      isStocked ||= queue.isStocked
    }
    return bytes < (isStocked ? enoughBytes : mostBytes)
  }

  /** The offset of the first change that is not done; null if there is none. */
  get firstUndone(): bigint | null {
    let first: bigint | null = null
    for (let at = 0; at < this.#all.length; at++) {
      const { firstUndone } = this.#all[at] as FunctionQueue
      if (firstUndone !== null && (first === null || firstUndone < first)) first = firstUndone
    }
    return first
  }

  /** Everything is done except changes that wait for the end of a transaction, for which more records are needed. */
  get isIdle(): boolean {
    for (let at = 0; at < this.#all.length; at++) {
      const { isIdle } = this.#all[at] as FunctionQueue
      if (!isIdle) return false
    }
    return true
  }

  /** The offset of the first change that waits for the end of its transaction; null if none does. */
  get firstHeld(): bigint | null {
    let first: bigint | null = null
    for (let at = 0; at < this.#all.length; at++) {
      const { awaitsTransaction, firstUndone } = this.#all[at] as FunctionQueue
      if (awaitsTransaction && firstUndone !== null && (first === null || firstUndone < first))
        first = firstUndone
    }
    return first
  }

  /** Why the stream must halt; null if it need not. */
  get halt(): DtsError | null {
    for (let at = 0; at < this.#all.length; at++) {
      const { halt } = this.#all[at] as FunctionQueue
      if (halt !== null) return halt
    }
    return null
  }

  /**
   * The unexpected error that ended a queue; null if there was none. That queue's changes are not done, so the run must end with
   * the error.
   */
  get unexpectedError(): unknown {
    for (let at = 0; at < this.#all.length; at++) {
      const { unexpectedError } = this.#all[at] as FunctionQueue
      if (unexpectedError !== null) return unexpectedError
    }
    return null
  }

  get #lanes() {
    return this.#all.flatMap(({ lanes }) => lanes)
  }

  /** The errors of the lanes that wait for another attempt. */
  get failures(): { readonly name: string; readonly error: DtsError }[] {
    return this.#lanes.flatMap(({ name, failure }) => (failure === null ? [] : [{ name, error: failure }]))
  }

  /**
   * The earliest time at which a failing lane tries again, in milliseconds since 1970. Null if no lane fails, or if a lane with
   * work does not wait for a time.
   */
  get waitsUntil(): number | null {
    let first: number | null = null
    for (let at = 0; at < this.#all.length; at++) {
      const { isIdle, waitsUntil } = this.#all[at] as FunctionQueue
      if (isIdle) continue
      if (waitsUntil === null) return null
      if (first === null || waitsUntil < first) first = waitsUntil
    }
    return first
  }

  /** Until when a handler that did not answer may still run, in milliseconds since 1970. Null if every handler answered. */
  get mayRunUntil(): number | null {
    let last: number | null = null
    for (let at = 0; at < this.#all.length; at++) {
      const { mayRunUntil } = this.#all[at] as FunctionQueue
      if (mayRunUntil !== null && (last === null || mayRunUntil > last)) last = mayRunUntil
    }
    return last
  }

  /** The lanes' states that the checkpoint must store with a committed offset. */
  statesAt(offset: bigint): Record<string, LaneState> {
    const states: Record<string, LaneState> = {}
    // A lane without changes in this run keeps its state.
    for (const [name, state] of Object.entries(this.#states)) {
      // A failure below the offset is over. Without this check, a removed function would look failing for ever.
      const trouble = state.trouble !== null && state.trouble.offset >= offset ? state.trouble : null
      const begin = aheadOf(offset, state.begin ?? null)
      keep(states, name, aheadOf(offset, state.through), trouble, begin)
    }
    for (const { name, through, trouble, begin } of this.#lanes)
      keep(states, name, aheadOf(offset, through), trouble, begin)
    return states
  }

  /** Resolves when no invocation is in flight. Requires that `stopped` is aborted or every queue has ended. */
  async ended(): Promise<void> {
    await Promise.all(this.#running)
  }
}

function aheadOf(offset: bigint, through: bigint | null): bigint | null {
  return through !== null && through >= offset ? through : null
}

/** Keeps the state of a lane only if it differs from that of a lane without changes. */
function keep(
  states: Record<string, LaneState>,
  name: string,
  through: bigint | null,
  trouble: LaneState['trouble'],
  begin: bigint | null,
): void {
  if (through !== null || trouble !== null || begin !== null)
    states[name] = { through, trouble, ...(begin === null ? {} : { begin }) }
  else delete states[name]
}
