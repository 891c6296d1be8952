import { setImmediate } from 'node:timers/promises'
import type { PlannedEvent, RoutedEvent } from '../dispatch/event.ts'
import type { Lanes } from '../dispatch/lanes.ts'
import { type Plan, planSlice } from '../dispatch/plan.ts'
import { Router } from '../dispatch/routes.ts'
import { DtsError } from '../errors.ts'
import type { Fetched, Stream } from '../kafka/stream.ts'
import type { PollDependencies } from '../poll.ts'
import { add, type PollSummary } from '../summary.ts'
import type { Trail } from '../trail.ts'
import { Halt } from './halt.ts'
import { ReadAhead } from './read-ahead.ts'

/** The longest time for which a fetch is held back at the end of the stream, in milliseconds. */
const longestWaitMs = 1_000
/** The shortest such time while functions work, in milliseconds. */
const waitAtWorkMs = 200
/** What may wait in the lanes, in bytes, before fetching pauses. */
const maxWaitingBytes = 4 * 1024 * 1024
/** What the trail may hold, in bytes: while one function waits, others get ahead of it by no more than this. */
const maxTrailBytes = 64 * 1024 * 1024
/** Between two answers that bring nothing, in milliseconds, where the broker gives them sooner than it was asked to. */
const emptyPauseMs = 100
/** How many records are sorted by route in one go. */
const partRecords = 1_000

/** What the intake reads from and fills. */
export interface IntakeParts {
  readonly stream: Stream
  readonly trail: Trail
  readonly lanes: Lanes
  readonly summary: PollSummary
  /** Stores an unreadable record. @throws DtsError when it could not */
  readonly putAside: (event: RoutedEvent, error: DtsError) => Promise<void>
  /** Milliseconds in which another invocation may still be started. */
  readonly timeLeftMs: () => number
  /** Aborted when the run stops. */
  readonly stopping: AbortSignal
}

/** The reading side of a run: fetches ahead, sorts what comes by route, and hands it to the lanes. */
export class Intake {
  readonly #dependencies: PollDependencies
  readonly #parts: IntakeParts
  readonly #router: Router
  readonly #reading: ReadAhead
  #lastNews: number
  /** Fetches in a row that found nothing readable although the log goes on. */
  #heldBack = 0
  #end: bigint | null = null
  #halt: DtsError | null = null
  #fault: DtsError | null = null
  #accepting = Promise.resolve()

  constructor(dependencies: PollDependencies, parts: IntakeParts) {
    const { config, now, sleep } = dependencies
    this.#dependencies = dependencies
    this.#parts = parts
    this.#router = new Router(config.routes, config.ghostTables)
    this.#reading = new ReadAhead(parts.stream, config.fetchBytes, (milliseconds) =>
      sleep(milliseconds, parts.stopping),
    )
    this.#lastNews = now()
  }

  /** The offset behind the last readable record, as the broker said last; null before it was asked. */
  get end(): bigint | null {
    return this.#end
  }

  /** Why the stream must not go past the end of the trail. */
  get halt(): DtsError | null {
    return this.#halt
  }

  /** Why nothing more can be fetched in this run. */
  get fault(): DtsError | null {
    return this.#fault
  }

  get atEnd(): boolean {
    return this.#end !== null && (this.#parts.trail.end >= this.#end || this.#heldBack > 1)
  }

  /** Whether nothing has come for as long as a run waits at the end of the stream. */
  get hasLingered(): boolean {
    const { config, now } = this.#dependencies
    return now() >= this.#lastNews + config.lingerMs
  }

  mayFetch(): boolean {
    const { config } = this.#dependencies
    const { summary, lanes, trail } = this.#parts
    return (
      this.#halt === null &&
      this.#fault === null &&
      summary.fetched < config.maxRecords &&
      summary.bytes < config.maxBytes &&
      lanes.bytes < maxWaitingBytes &&
      trail.bytes < maxTrailBytes
    )
  }

  /** Whether more is known to come at once. */
  expectsMore(): boolean {
    return this.mayFetch() && this.#end !== null && this.#parts.trail.end < this.#end
  }

  /** Fetches once and takes in what comes. A fault that `halt` or `fault` can tell of is not thrown. */
  async fetch(): Promise<void> {
    try {
      await this.#fetch()
    } catch (error) {
      // What was fetched before is still delivered to its end: no lane is left further ahead than it has to be.
      if (error instanceof Halt) this.#halt = error.reason
      else if (error instanceof DtsError) this.#fault = error
      else throw error
    }
  }

  async #fetch(): Promise<void> {
    const { now, sleep } = this.#dependencies
    const { trail, summary, stopping } = this.#parts
    const startedAt = now()
    const maxWaitMs = this.#maxWaitMs()
    const fetched = await this.#reading.take(trail.end, maxWaitMs)
    if (fetched === null || this.#isOver) return
    const took = now() - startedAt
    summary.milliseconds.fetch += took
    this.#end = fetched.end
    if (fetched.nextOffset === trail.end) {
      // Below the end but not readable: records of a transaction that is still open. Asked for once more, with the
      // answer held back, and then left to the next run: without that, this would never rest.
      this.#heldBack = fetched.end > trail.end ? this.#heldBack + 1 : 0
      if (took < maxWaitMs) await sleep(Math.min(emptyPauseMs, maxWaitMs - took), stopping)
      return
    }
    this.#heldBack = 0
    if (fetched.records.length > 0) this.#lastNews = now()
    summary.fetched += fetched.records.length
    for (let at = 0; at < fetched.records.length; at++) summary.bytes += fetched.records.size(at)
    // The broker sends what follows while this slice is sorted and sent on.
    if (fetched.nextOffset < fetched.end && this.mayFetch()) this.#reading.ask(fetched.nextOffset)
    this.#accepting = this.#acceptAll(fetched)
    await this.#accepting
  }

  /** Resolves when nothing more is handed to the lanes or put aside; the run must be stopping. */
  async settled(): Promise<void> {
    // Why it failed is told where the fetch is.
    await this.#accepting.catch(() => {})
  }

  get #isOver(): boolean {
    return this.#dependencies.signal.aborted || this.#parts.stopping.aborted
  }

  #maxWaitMs(): number {
    const { config, now } = this.#dependencies
    const { lanes, timeLeftMs } = this.#parts
    const lingerLeftMs = this.#lastNews + config.lingerMs - now()
    // While functions work there is time; without a pause the broker would be asked again as fast as it answers.
    const atLeastMs = this.#heldBack > 0 ? longestWaitMs : lanes.firstUndone === null ? 0 : waitAtWorkMs
    return Math.max(0, Math.min(longestWaitMs, timeLeftMs(), Math.max(lingerLeftMs, atLeastMs)))
  }

  /** In parts, between which answers of handlers are heard. */
  async #acceptAll({ records, nextOffset, free }: Fetched): Promise<void> {
    const { config } = this.#dependencies
    for (let from = 0, to = 0; from === 0 || from < records.length; from = to) {
      if (from > 0) await setImmediate()
      if (this.#isOver) return
      to = Math.min(from + partRecords, records.length)
      const isLast = to === records.length
      const part = { records, from, to, nextOffset: isLast ? nextOffset : records.offset(to) }
      await this.#accept(planSlice(part, this.#router, config.unroutedTables), isLast ? free : null)
      if (isLast || this.#halt !== null) return
    }
  }

  /** @param free gives the memory of what was read back, when this was the last of it */
  async #accept(plan: Plan, free: (() => void) | null): Promise<void> {
    const { lanes, putAside, summary, trail } = this.#parts
    let { end, halt } = plan
    for (const { event, error } of plan.unreadable) {
      if (this.#isOver) {
        end = event.offset
        break
      }
      try {
        // Nothing is known of its table, so no lane can hold it: it is stored before anything behind it is read.
        await putAside(event, error)
      } catch (thrown) {
        if (!(thrown instanceof DtsError) || thrown.retryable) throw thrown
        end = event.offset
        halt = thrown
        break
      }
    }
    for (let at = 0; at < plan.events.length; at++) {
      const event = plan.events[at] as PlannedEvent
      if (end === plan.end || event.offset < end) lanes.offer(event)
    }
    for (const [table, count] of plan.skipped) add(summary.skipped, table, count)
    for (const [table, count] of plan.ghosts) add(summary.ghosts, table, count)
    trail.add(plan.read, end, free)
    this.#halt = halt
  }
}
