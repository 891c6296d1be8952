import type { LaneState } from '../checkpoint/types.ts'
import type { DtsError } from '../errors.ts'
import type { PlannedEvent } from './event.ts'
import { keyHashVersion } from './key.ts'
import type { Route } from './settings.ts'
import { type DeliveryEnvironment, Strand } from './strand.ts'
import { wireSize } from './wire.ts'

/**
 * How long a batch that is not full waits for more, in milliseconds, while more is known to come at once. Where few of
 * the records are the function's, it would otherwise be invoked for a handful each time.
 */
const growMs = 50

/**
 * How the checkpoint names a strand: with all that decides which changes are its own.
 * @param index from 0 on
 */
export function strandName(functionName: string, index: number, concurrency: number): string {
  return concurrency === 1 ? functionName : `${functionName}#${index + 1}/${concurrency}/v${keyHashVersion}`
}

/**
 * The changes of one function, in the order of the stream. With `concurrency` above 1, runs of changes are split
 * by primary key over that many strands; a change without a usable key is handled alone between two runs.
 */
export class Lane {
  readonly strands: readonly Strand[]
  readonly #route: Route
  readonly #environment: DeliveryEnvironment
  readonly #queue: PlannedEvent[] = []
  /** How many at the front of the queue are known to be done; what is done stays done. */
  #done = 0
  #bytes = 0
  /** Up to here the checkpoint may know changes as done; null once one behind it has come. */
  #known: bigint | null
  /** Until when the next run may wait for more; null while it does not. */
  #growsUntil: number | null = null
  #wake: () => void = () => {}
  #broken: unknown = null

  /** @param states of the checkpoint; those of another concurrency or hash are not this lane's */
  constructor(route: Route, states: Readonly<Record<string, LaneState>>, environment: DeliveryEnvironment) {
    this.#route = route
    this.#environment = environment
    const { functionName, concurrency } = route
    const names = Array.from({ length: concurrency }, (_, index) =>
      strandName(functionName, index, concurrency),
    )
    this.strands = names.map((name) => new Strand(name, functionName, route, states[name], environment))
    this.#known = this.strands.reduce((known, { through }) => (through > known ? through : known), -1n)
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The offset of the first change that is not done; null when there is none. */
  get firstUndone(): bigint | null {
    for (;;) {
      const event = this.#queue[this.#done]
      if (event === undefined) return null
      // Of the strands at work some may be ahead; the queue keeps a run until all of it is done.
      if (!this.#isDone(event)) return event.offset
      this.#done += 1
    }
  }

  /** Whether nothing of it goes on before that time, in milliseconds since 1970. */
  waitsBeyond(time: number): boolean {
    if (this.firstUndone === null) return true
    const working = this.strands.filter(({ firstUndone }) => firstUndone !== null)
    return working.length > 0 && working.every(({ waitsUntil }) => waitsUntil > time)
  }

  get halt(): DtsError | null {
    return this.strands.find(({ halt }) => halt !== null)?.halt ?? null
  }

  /** What was thrown in it that nobody expected; null while nothing was. It does nothing more then. */
  get broken(): unknown {
    return this.#broken
  }

  /** Takes a change into the queue unless the checkpoint says that it is done. */
  offer(event: PlannedEvent): void {
    if (this.#known !== null) {
      if (event.offset > this.#known) this.#known = null
      else if (this.#isDone(event)) return
    }
    this.#queue.push(event)
    this.#bytes += wireSize(event)
    this.#wake()
  }

  /** Looks again whether it is time to begin. */
  nudge(): void {
    this.#wake()
  }

  /**
   * Works until `stopped`, the stream must halt, or no invocation may start any more; or until it is broken. Nothing is
   * in flight when it resolves, and it is never rejected.
   */
  async run(stopped: AbortSignal): Promise<void> {
    await this.#guard(this.#work(stopped))
  }

  /**
   * Takes what nobody expected for an end. Each strand is guarded by itself: the run must hear of it while others may
   * have long to go, and must not end before theirs do.
   */
  async #guard(working: Promise<boolean>): Promise<boolean> {
    try {
      return await working
    } catch (error) {
      this.#broken ??= error ?? new Error('Something was thrown that is nothing.')
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

  #mayGrow(run: readonly PlannedEvent[]): boolean {
    const { expectsMore, now, pause } = this.#environment
    // One that is shorter than the queue is full, or ends at a change that has to be alone.
    if (run.length < this.#queue.length || run.length >= this.#longestRun || !expectsMore()) return false
    if (this.#growsUntil === null) {
      const until = now() + growMs
      this.#growsUntil = until
      void pause(growMs).then(() => {
        // A timer may end a moment before the clock says so, and no other one would wake the lane.
        if (this.#growsUntil === until) this.#growsUntil = 0
        this.#wake()
      })
    }
    return now() < this.#growsUntil
  }

  get #longestRun(): number {
    return this.#route.batchSize * this.strands.length
  }

  async #handle(run: readonly PlannedEvent[]): Promise<boolean> {
    // Asked for now: what is done may have given its memory back by the time all is.
    const through = run.at(-1)?.offset ?? -1n
    let bytes = 0
    for (let at = 0; at < run.length; at++) bytes += wireSize(run[at] as PlannedEvent)
    const [only] = this.strands
    const results =
      this.strands.length === 1 && only !== undefined
        ? [
            await only.deliver(run, () =>
              this.#queue.slice(run.length, run.length + this.#route.batchSize + 1),
            ),
          ]
        : await Promise.all(
            this.strands.map((strand, index) =>
              this.#guard(strand.deliver(run.filter((event) => this.#strandOf(event) === index))),
            ),
          )
    if (results.includes(false)) return false
    // What one strand handled for all is done for all, and a strand without a part in the run is not behind it.
    for (const strand of this.strands) strand.passed(through)
    this.#queue.splice(0, run.length)
    this.#bytes -= bytes
    this.#done = Math.max(0, this.#done - run.length)
    return true
  }

  /** What may be handled side by side: changes with keys up to the next without, or one without alone. */
  #nextRun(): readonly PlannedEvent[] {
    // One batch at a time, so that what is done makes room for what is fetched next.
    if (this.strands.length === 1) return this.#queue.slice(0, this.#longestRun)
    const end = this.#queue.findIndex(({ keyHash }) => keyHash === null)
    if (end === 0) return this.#queue.slice(0, 1)
    return this.#queue.slice(0, Math.min(end === -1 ? this.#queue.length : end, this.#longestRun))
  }

  #strandOf({ keyHash }: PlannedEvent): number {
    return keyHash === null ? 0 : keyHash % this.strands.length
  }

  #isDone(event: PlannedEvent): boolean {
    const strand = this.strands[this.#strandOf(event)]
    return strand !== undefined && event.offset <= strand.through
  }
}
