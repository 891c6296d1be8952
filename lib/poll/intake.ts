import { setImmediate } from 'node:timers/promises'
import type { Dispatcher } from '../dispatch/dispatcher.ts'
import type { QueuedEvent, RoutedEvent } from '../dispatch/event.ts'
import { type Masker, maskerFor, unmaskable } from '../dispatch/mask.ts'
import { type RoutedPart, routeSlice, type SlicePart } from '../dispatch/route-slice.ts'
import { Router } from '../dispatch/routes.ts'
import { DtsError } from '../errors.ts'
import type { Fetched, Stream } from '../kafka/stream.ts'
import type { ReadWindow } from '../log/read-window.ts'
import type { PollDependencies } from './dependencies.ts'
import type { Drift } from './drift.ts'
import { Halt } from './halt.ts'
import { LastRead } from './last-read.ts'
import { ReadAhead } from './read-ahead.ts'
import { add, type PollSummary } from './summary.ts'
import { TransactionWait } from './transaction-wait.ts'

/** The longest wait of a fetch at the end of the stream, in milliseconds. */
const longestWaitMs = 1_000
/** The shortest wait while functions work, in milliseconds. */
const waitAtWorkMs = 200
/** A batch that is not full waits for more changes over this many bytes of the log, so that its wait does not fill the memory. */
const growBytes = 16 * 1024 * 1024
/** No batch waits when nothing was read for so long, in milliseconds: a function that holds the reading back may need minutes. */
const longestSilenceMs = 2_000
/** Fetching pauses when the read window holds this many bytes. While one function waits, others get ahead by no more. */
const maxWindowBytes = 64 * 1024 * 1024
/** The pause after an empty answer, in milliseconds, if the broker answered sooner than it was asked to. */
const emptyPauseMs = 100
/** Records that are routed in one step, between which answers of handlers are processed. */
const partRecords = 1_000

type Dependencies = Pick<PollDependencies, 'config' | 'now' | 'sleep' | 'signal' | 'maskKey'>

/** The parts of a run that the intake uses. */
export interface IntakeParts {
  readonly stream: Stream
  readonly readWindow: ReadWindow
  readonly dispatcher: Dispatcher
  readonly summary: PollSummary
  /** Null if no change of columns is noticed. */
  readonly drift: Drift | null
  /** The transaction of the last change before the run; null if nothing is known of it. */
  readonly transactionBefore: string | null
  /** Stores an unreadable record as a dead letter. @throws DtsError if it cannot */
  readonly putAside: (event: RoutedEvent, error: DtsError) => Promise<void>
  /** Milliseconds in which another invocation may still be started. */
  readonly timeLeftMs: () => number
  /** Aborted when the run stops. */
  readonly stopping: AbortSignal
}

/** The reading side of a run: fetches ahead, routes records and hands changes to the lanes. */
export class Intake {
  readonly #dependencies: Dependencies
  readonly #parts: IntakeParts
  readonly #router: Router
  #masker: Masker | null = null
  /** Null if no function gets whole transactions. */
  readonly #transactions: TransactionWait | null
  readonly #reading: ReadAhead
  #lastNews: number
  /** Fetches in a row without a readable record although the log continues. */
  #unreadableEnds = 0
  #end: bigint | null = null
  #halt: DtsError | null = null
  #fault: DtsError | null = null
  #accepting = Promise.resolve()
  readonly #lastRead = new LastRead(growBytes)

  constructor(dependencies: Dependencies, parts: IntakeParts) {
    const { config, now, sleep } = dependencies
    this.#dependencies = dependencies
    this.#parts = parts
    this.#router = new Router(config.routes, config.ghostTables)
    this.#reading = new ReadAhead(parts.stream, config.fetchBytes, (milliseconds) =>
      sleep(milliseconds, parts.stopping),
    )
    this.#lastNews = now()
    this.#transactions = this.#router.hasTransactions
      ? new TransactionWait(parts.transactionBefore, parts.readWindow.start, parts.timeLeftMs(), now())
      : null
  }

  /** The offset after the last readable record, from the broker's last answer; null before the first. */
  get end(): bigint | null {
    return this.#end
  }

  /** Why the stream must not go past the end of the read window. */
  get halt(): DtsError | null {
    return this.#halt
  }

  /** Why nothing more can be fetched in this run. */
  get fault(): DtsError | null {
    return this.#fault
  }

  get atEnd(): boolean {
    return this.#end !== null && (this.#parts.readWindow.end >= this.#end || this.#unreadableEnds > 1)
  }

  /** Whether the run has waited long enough for news at the end of the stream. */
  get hasLingered(): boolean {
    const { config, now } = this.#dependencies
    return now() >= this.#lastNews + config.lingerMs
  }

  mayFetch(): boolean {
    const { dispatcher, readWindow } = this.#parts
    return this.#mayEverFetch && dispatcher.wantsMore && readWindow.bytes < maxWindowBytes
  }

  /** Neither a bound of the run nor a fault ends the reading. */
  get #mayEverFetch(): boolean {
    const { config } = this.#dependencies
    const { summary } = this.#parts
    return (
      this.#halt === null &&
      this.#fault === null &&
      summary.fetched < config.maxRecords &&
      summary.bytes < config.maxBytes
    )
  }

  /**
   * Whether a batch that begins at this offset may wait for more changes. Only if the run is going to read more of them: at the
   * end of the stream nothing waits. A full buffer is no reason to stop: other lanes are at work and make room.
   * @param share as `DeliveryEnvironment` says
   */
  mayGrow(offset: bigint, share: number): boolean {
    const { now } = this.#dependencies
    const isBehind = this.#end !== null && this.#parts.readWindow.end < this.#end
    if (!isBehind || !this.#mayEverFetch || now() >= this.#lastNews + longestSilenceMs) return false
    return offset >= this.#lastRead.from(share)
  }

  /** As `DeliveryEnvironment` says. */
  mayHold(offset: bigint): boolean {
    return this.#mayEverFetch && offset >= this.#lastRead.from(1)
  }

  /** As `DeliveryEnvironment` says. */
  transactionWaitMs(offset: bigint): number {
    if (this.#transactions === null) return 0
    return this.#transactions.leftMs({
      offset,
      now: this.#dependencies.now(),
      timeLeftMs: this.#parts.timeLeftMs(),
      atEnd: this.atEnd,
      halts: this.#halt !== null,
      mayEverFetch: this.#mayEverFetch,
      isFarBehind: offset < this.#lastRead.from(1),
    })
  }

  /** A part of the time that is left. The next run would have to read again what waits at the end. */
  longestGrowthMs(): number {
    return this.#parts.timeLeftMs() / 4
  }

  /** Fetches once and accepts the records. A fault becomes `halt` or `fault` and is not thrown. */
  async fetch(): Promise<void> {
    try {
      await this.#fetch()
    } catch (error) {
      // Records fetched earlier are still delivered, so that no lane stays further ahead than necessary.
      if (error instanceof Halt) this.#halt = error.reason
      else if (error instanceof DtsError) this.#fault = error
      else throw error
    }
  }

  async #fetch(): Promise<void> {
    const { now, sleep } = this.#dependencies
    const { readWindow, summary, stopping } = this.#parts
    const startedAt = now()
    const maxWaitMs = this.#maxWaitMs()
    let fetched: Fetched | null
    try {
      fetched = await this.#reading.take(readWindow.end, maxWaitMs)
    } finally {
      if (!this.#isOver) this.#countTime(now() - startedAt, maxWaitMs)
    }
    if (fetched === null || this.#isOver) return
    const took = now() - startedAt
    this.#end = fetched.end
    if (fetched.nextOffset === readWindow.end) {
      // The log continues but is not readable: a transaction is still open. Ask once more with a long wait, then leave the
      // rest to the next run. Otherwise this run would never end.
      this.#unreadableEnds = fetched.end > readWindow.end ? this.#unreadableEnds + 1 : 0
      if (took < maxWaitMs) await sleep(Math.min(emptyPauseMs, maxWaitMs - took), stopping)
      return
    }
    this.#unreadableEnds = 0
    if (fetched.records.length > 0) this.#lastNews = now()
    summary.fetched += fetched.records.length
    for (let at = 0; at < fetched.records.length; at++) summary.bytes += fetched.records.size(at)
    // The broker sends the next slice while this one is processed.
    if (fetched.nextOffset < fetched.end && this.mayFetch()) this.#reading.ask(fetched.nextOffset)
    this.#accepting = this.#acceptAll(fetched)
    await this.#accepting
  }

  /** Resolves when the intake hands nothing more to lanes or queue. The run must be stopping. */
  async ended(): Promise<void> {
    // `fetch` reports the failure.
    await this.#accepting.catch(() => {})
  }

  get #isOver(): boolean {
    return this.#dependencies.signal.aborted || this.#parts.stopping.aborted
  }

  /** Counts the allowed wait for news apart from the time that the broker itself takes. */
  #countTime(tookMs: number, maxWaitMs: number): void {
    const { milliseconds } = this.#parts.summary
    const waitedMs = Math.min(tookMs, maxWaitMs)
    milliseconds.wait += waitedMs
    milliseconds.fetch += tookMs - waitedMs
  }

  /** 0 while there may be records to read, so that the measured time is the time of the broker itself. */
  #maxWaitMs(): number {
    const { config, now } = this.#dependencies
    const { dispatcher, timeLeftMs, readWindow } = this.#parts
    if (this.#unreadableEnds === 0 && (this.#end === null || readWindow.end < this.#end)) return 0
    const lingerLeftMs = this.#lastNews + config.lingerMs - now()
    // Without a wait, a run whose functions work would ask the broker again as fast as it answers.
    const atLeastMs =
      this.#unreadableEnds > 0 ? longestWaitMs : dispatcher.firstUndone === null ? 0 : waitAtWorkMs
    return Math.max(0, Math.min(longestWaitMs, timeLeftMs(), Math.max(lingerLeftMs, atLeastMs)))
  }

  /** Accepts a slice in parts, so that answers of handlers are processed in between. */
  async #acceptAll({ records, nextOffset, free }: Fetched): Promise<void> {
    for (let from = 0, to = 0; from === 0 || from < records.length; from = to) {
      if (from > 0) await setImmediate()
      if (this.#isOver) return
      to = Math.min(from + partRecords, records.length)
      const isLast = to === records.length
      const part = { records, from, to, nextOffset: isLast ? nextOffset : records.offset(to) }
      const routed = await this.#route(part)
      if (this.#isOver) return
      await this.#accept(routed, isLast ? free : null)
      if (isLast || this.#halt !== null) return
    }
  }

  /** Routes a part, up to a record whose columns halt the stream. @throws DtsError as `#readyMasker` and `Drift.judge` */
  async #route(part: SlicePart): Promise<RoutedPart> {
    const { unroutedTables } = this.#dependencies.config
    const masker = await this.#readyMasker()
    const { drift } = this.#parts
    const route = (one: SlicePart) =>
      routeSlice(one, this.#router, unroutedTables, masker, drift?.looks ?? null)
    const routed = route(part)
    const found = drift === null ? null : await drift.judge()
    if (found === null) return routed
    const { index, since } = found.sighting
    return { ...route({ ...part, to: index, nextOffset: since.offset }), halt: found.error }
  }

  /** The key is read before the first change that a run reads. @throws DtsError SECRET_UNAVAILABLE */
  async #readyMasker(): Promise<Masker> {
    const { config, maskKey } = this.#dependencies
    this.#masker ??= await maskerFor(config.routes, maskKey)
    return this.#masker
  }

  /** @param free releases the memory of the slice; null unless this is its last part */
  async #accept(routed: RoutedPart, free: (() => void) | null): Promise<void> {
    const { dispatcher, putAside, summary, readWindow } = this.#parts
    let { end, halt } = routed
    for (const { event, error } of routed.unreadable) {
      if (this.#isOver) {
        end = event.offset
        break
      }
      try {
        // Its table is unknown, so no lane can hold it. It is stored before any later record is handed out.
        if (this.#router.masks) throw unmaskable(error)
        await putAside(event, error)
      } catch (thrown) {
        if (!(thrown instanceof DtsError) || thrown.retryable) throw thrown
        end = event.offset
        halt = thrown
        break
      }
    }
    this.#transactions?.read(routed, end, this.#dependencies.now())
    for (let at = 0; at < routed.events.length; at++) {
      const event = routed.events[at] as QueuedEvent
      if (end === routed.end || event.offset < end) dispatcher.offer(event)
    }
    for (const [table, count] of routed.skipped) add(summary.skipped, table, count)
    for (const [table, count] of routed.filtered) add(summary.filtered, table, count)
    for (const [table, count] of routed.ghosts) add(summary.ghosts, table, count)
    this.#lastRead.add(readWindow.end, routed.read.bytes)
    readWindow.add(routed.read, end, free)
    this.#halt = halt
  }
}
