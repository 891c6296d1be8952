import type { LaneState } from '../checkpoint/types.ts'
import type { DtsError } from '../errors.ts'
import type { PlannedEvent } from './event.ts'
import { Lane } from './lane.ts'
import type { DeliveryEnvironment } from './strand.ts'

/** All lanes of a run: one for each function that gets something. They work side by side. */
export class Lanes {
  readonly #states: Readonly<Record<string, LaneState>>
  readonly #environment: DeliveryEnvironment
  readonly #stopped: AbortSignal
  readonly #lanes = new Map<string, Lane>()
  readonly #running: Promise<void>[] = []

  /** @param stopped no lane starts anything after it */
  constructor(
    states: Readonly<Record<string, LaneState>>,
    environment: DeliveryEnvironment,
    stopped: AbortSignal,
  ) {
    this.#states = states
    this.#environment = environment
    this.#stopped = stopped
  }

  offer(event: PlannedEvent): void {
    const { route } = event
    let lane = this.#lanes.get(route.functionName)
    if (lane === undefined) {
      lane = new Lane(route, this.#states, this.#environment)
      this.#lanes.set(route.functionName, lane)
      this.#running.push(lane.run(this.#stopped))
    }
    lane.offer(event)
  }

  /** Lets lanes that wait for more look again whether any comes. */
  nudge(): void {
    for (const lane of this.#lanes.values()) lane.nudge()
  }

  /** What waits in the lanes, in bytes. */
  get bytes(): number {
    let sum = 0
    for (const lane of this.#lanes.values()) sum += lane.bytes
    return sum
  }

  /** The offset of the first change that is not done; null when there is none. */
  get firstUndone(): bigint | null {
    let first: bigint | null = null
    for (const { firstUndone } of this.#lanes.values()) {
      if (firstUndone !== null && (first === null || firstUndone < first)) first = firstUndone
    }
    return first
  }

  /** Why the stream must stop; null while it need not. */
  get halt(): DtsError | null {
    for (const { halt } of this.#lanes.values()) if (halt !== null) return halt
    return null
  }

  /**
   * What was thrown in a lane that nobody expected; null while nothing was. The changes of that lane are not done, and
   * nothing works on them: the run has to end with the error.
   */
  get broken(): unknown {
    for (const { broken } of this.#lanes.values()) if (broken !== null) return broken
    return null
  }

  get #strands() {
    return [...this.#lanes.values()].flatMap(({ strands }) => strands)
  }

  /** What waits to be tried again, by strand. */
  get failures(): { readonly name: string; readonly error: DtsError }[] {
    return this.#strands.flatMap(({ name, failure }) => (failure === null ? [] : [{ name, error: failure }]))
  }

  /**
   * The earliest time at which a failing lane tries again, in milliseconds since 1970. Null when no lane fails, or one
   * of them can continue now.
   */
  get waitsUntil(): number | null {
    if (this.failures.length === 0) return null
    const times = [...this.#lanes.values()].flatMap(({ waitsUntil }) => waitsUntil ?? [])
    const first = Math.min(...times)
    return first === 0 ? null : first
  }

  /** Until when a handler whose answer never came may be running, in milliseconds since 1970. */
  get unknownUntil(): number {
    return Math.max(0, ...this.#strands.map(({ unknownUntil }) => unknownUntil))
  }

  /** What the checkpoint has to remember beside a committed offset. */
  statesAt(offset: bigint): Record<string, LaneState> {
    const states: Record<string, LaneState> = {}
    // A lane that got nothing in this run keeps what it had.
    for (const [name, state] of Object.entries(this.#states)) {
      const through = state.through !== null && state.through >= offset ? state.through : null
      // What failed below the offset is done or left out: a function that is gone must not look failing for ever.
      const trouble = state.trouble !== null && state.trouble.offset >= offset ? state.trouble : null
      if (through !== null || trouble !== null) states[name] = { through, trouble }
    }
    for (const { name, through, trouble } of this.#strands) {
      if (through >= offset || trouble !== null)
        states[name] = { through: through >= offset ? through : null, trouble }
      else delete states[name]
    }
    return states
  }

  /** Resolves when nothing is in flight any more; `stopped` has to be aborted, or every lane at its end. */
  async settled(): Promise<void> {
    await Promise.all(this.#running)
  }
}
