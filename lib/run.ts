import { identifiedLanes, identifyRouted } from './anchor.ts'
import type { HeldCheckpoint } from './checkpoint/held.ts'
import type { Position } from './checkpoint/types.ts'
import type { DeadLetterInput } from './dispatch/dead-letter.ts'
import { Lanes } from './dispatch/lanes.ts'
import { type Plan, planSlice } from './dispatch/plan.ts'
import { Router } from './dispatch/routes.ts'
import type { RoutedEvent, SendResult } from './dispatch/strand.ts'
import { toBatch } from './dispatch/wire.ts'
import { DtsError, type ErrorCode } from './errors.ts'
import type { Fetched, Stream } from './kafka/stream.ts'
import { oldestTime } from './locate.ts'
import type { Origin, PollDependencies } from './poll.ts'
import { add, functionSummary, type PollEnd, type PollSummary } from './summary.ts'
import { Trail } from './trail.ts'

/** The longest time for which a fetch is held back at the end of the stream, in milliseconds. */
const longestWaitMs = 1_000
/** Between two commits while there is work, in milliseconds: bounds both the writes and what a crash repeats. */
const commitEveryMs = 200
/** What may wait in the lanes, in bytes, before fetching pauses. */
const maxWaitingBytes = 8 * 1024 * 1024
/** A failure whose next try is further away than this, in milliseconds, is left to the next run. */
const patienceMs = 5_000
/** How often a damaged batch is fetched again before the stream halts, and the pause between, in milliseconds. */
const corruptTries = 5
const corruptPauseMs = 500
/** More dead letters than this within the window halt the stream. */
const breaker = { limit: 20, windowMs: 300_000 }
/** Faults of the log itself: another try reads the same. */
const haltingCodes: ReadonlySet<ErrorCode> = new Set(['DATA_GAP', 'BATCH_TOO_LARGE'])

/** The work under one lease: fetching ahead, delivering in lanes, committing what is done. */
export class Run {
  readonly #dependencies: PollDependencies
  readonly #stream: Stream
  readonly #held: HeldCheckpoint
  readonly #origin: Origin
  readonly #worstCaseMs: number
  readonly #summary: PollSummary
  readonly #router: Router
  readonly #lanes: Lanes
  readonly #trail: Trail
  /** Aborted when no further invocation may start. */
  readonly #stopping = new AbortController()
  #deadLetters: Position['deadLetters']
  /** Something was done or failed that is not committed yet. */
  #dirty = false
  #lastCommit: number
  #lastNews: number
  #corrupt = 0
  /** Fetches in a row that found nothing readable although the log goes on. */
  #heldBack = 0
  #end: bigint | null = null
  /** Why the stream must not go past the end of the trail. */
  #wall: DtsError | null = null
  /** Why nothing more can be fetched in this run. */
  #fault: DtsError | null = null
  #notify: () => void = () => {}

  constructor(
    dependencies: PollDependencies,
    stream: Stream,
    held: HeldCheckpoint,
    origin: Origin,
    worstCaseMs: number,
    summary: PollSummary,
  ) {
    const { config, now, random, sleep } = dependencies
    this.#dependencies = dependencies
    this.#stream = stream
    this.#held = held
    this.#origin = origin
    this.#worstCaseMs = worstCaseMs
    this.#summary = summary
    this.#router = new Router(config.routes)
    this.#trail = new Trail(held.position)
    this.#deadLetters = held.position.deadLetters
    this.#lastCommit = now()
    this.#lastNews = now()
    this.#lanes = new Lanes(
      held.position.lanes,
      {
        send: (name, events) => this.#send(name, events),
        putAside:
          dependencies.putAside === null
            ? null
            : (name, event, attempts, error) => this.#putAside(name, event, attempts, error),
        permit: () => this.#permit(),
        pause: (milliseconds) => sleep(milliseconds, this.#stopping.signal),
        now,
        random,
        worstCaseMs,
        changed: () => {
          this.#dirty = true
          this.#notify()
        },
      },
      this.#stopping.signal,
    )
  }

  /** From the lease in hand to the lease given back. @throws DtsError as `poll` */
  async work(): Promise<void> {
    const { signal, now } = this.#dependencies
    let thrown: unknown = null
    try {
      this.#summary.ended = await this.#loop()
    } catch (error) {
      thrown = error
    }
    this.#stopping.abort()
    if (signal.aborted) {
      this.#summary.ended = 'superseded'
      return
    }
    await this.#lanes.settled()
    if (signal.aborted) {
      this.#summary.ended = 'superseded'
      return
    }
    const halt = thrown instanceof Halt ? thrown.reason : this.#lanes.halt
    this.#advance()
    this.#report()
    // A handler that may still be running keeps the lease until it must have ended.
    const handlerMayRun = this.#lanes.unknownUntil > now()
    if (halt !== null) {
      await this.#held.halt(halt, handlerMayRun)
      this.#summary.halted = halt.code
      throw halt
    }
    if (!(thrown instanceof DtsError && thrown.code === 'LEASE_LOST')) {
      await this.#held.flush()
      if (!handlerMayRun) await this.#held.release()
    }
    if (thrown !== null) throw thrown
    await this.#commitToGroup()
    await this.#measureReserve()
  }

  async #loop(): Promise<PollEnd> {
    const { signal, now, sleep } = this.#dependencies
    let fetching: Promise<void> | null = null
    let failed: unknown = null
    for (;;) {
      if (signal.aborted) return 'superseded'
      if (failed !== null) throw failed
      if (this.#lanes.halt !== null) throw new Halt(this.#lanes.halt)
      await this.#commitIfDue()
      const end = this.#endReached(fetching !== null)
      if (end !== null) {
        // A fetch that is still out must not be left behind: it would answer into the next run.
        if (fetching !== null) await fetching
        if (this.#fault !== null) throw this.#fault
        return end
      }
      if (fetching === null && this.#mayFetch()) {
        fetching = this.#fetch()
          .catch((error: unknown) => {
            // What was fetched before is still delivered to its end, so that no lane is left ahead of another: after
            // a cluster change its lead could not be told, and would be sent again.
            if (error instanceof Halt) this.#wall = error.reason
            else if (error instanceof DtsError) this.#fault = error
            else failed = error
          })
          .finally(() => {
            fetching = null
            this.#notify()
          })
      }
      const timer = new AbortController()
      const woken = new Promise<void>((resolve) => {
        this.#notify = resolve
      })
      const untilCommit = this.#dirty ? this.#lastCommit + commitEveryMs - now() : longestWaitMs
      await Promise.race([woken, sleep(Math.max(1, Math.min(longestWaitMs, untilCommit)), timer.signal)])
      timer.abort()
    }
  }

  /** The first bound that is reached, if any. */
  #endReached(fetching: boolean): PollEnd | null {
    const { config, now } = this.#dependencies
    if (this.#timeLeftMs() <= 0) return 'time'
    const idle = this.#lanes.firstUndone === null
    if (this.#lanes.failures.length > 0 && this.#lanes.waitBeyond(now() + patienceMs)) {
      if (!fetching && !this.#mayFetch()) return 'handler-failed'
      if (this.#atEnd() && !fetching) return 'handler-failed'
    }
    // What is being fetched may still bring work: ended now, it would be begun, and then waited for without commits.
    if (!idle || fetching) return null
    if (this.#wall !== null) throw new Halt(this.#wall)
    if (this.#fault !== null) throw this.#fault
    if (this.#summary.fetched >= config.maxRecords) return 'records'
    if (this.#summary.bytes >= config.maxBytes) return 'bytes'
    if (this.#atEnd() && now() >= this.#lastNews + config.lingerMs) return 'end-of-stream'
    return null
  }

  #atEnd(): boolean {
    return this.#end !== null && (this.#trail.end >= this.#end || this.#heldBack > 1)
  }

  #mayFetch(): boolean {
    const { config } = this.#dependencies
    return (
      this.#wall === null &&
      this.#fault === null &&
      this.#summary.fetched < config.maxRecords &&
      this.#summary.bytes < config.maxBytes &&
      this.#lanes.bytes < maxWaitingBytes
    )
  }

  async #fetch(): Promise<void> {
    const { config, now } = this.#dependencies
    const lingerLeft = this.#lastNews + config.lingerMs - now()
    // While functions work there is time; without a pause the broker would be asked again as fast as it answers.
    const atLeast = this.#heldBack > 0 ? longestWaitMs : this.#lanes.firstUndone === null ? 0 : commitEveryMs
    const maxWaitMs = Math.max(0, Math.min(longestWaitMs, this.#timeLeftMs(), Math.max(lingerLeft, atLeast)))
    const startedAt = now()
    const fetched = await this.#fetchOnce(maxWaitMs)
    if (fetched === null || this.#dependencies.signal.aborted) return
    this.#summary.milliseconds.fetch += now() - startedAt
    this.#end = fetched.end
    if (fetched.nextOffset === this.#trail.end) {
      // Below the end but not readable: records of a transaction that is still open. Asked for once more, with the
      // answer held back, and then left to the next run: without that, this loop would never rest.
      this.#heldBack = fetched.end > this.#trail.end ? this.#heldBack + 1 : 0
      return
    }
    this.#heldBack = 0
    if (fetched.records.length > 0) this.#lastNews = now()
    this.#summary.fetched += fetched.records.length
    for (const { value } of fetched.records) this.#summary.bytes += value?.length ?? 0
    const plan = planSlice(fetched, this.#router, config.unroutedTables)
    await this.#accept(plan)
  }

  /** Null when the answer was damaged and is to be fetched again. */
  async #fetchOnce(maxWaitMs: number): Promise<Fetched | null> {
    const { config, sleep } = this.#dependencies
    try {
      const fetched = await this.#stream.fetch(this.#trail.end, { maxBytes: config.fetchBytes, maxWaitMs })
      this.#corrupt = 0
      return fetched
    } catch (error) {
      if (!(error instanceof DtsError)) throw error
      if (haltingCodes.has(error.code)) throw new Halt(error)
      if (error.code !== 'BATCH_CORRUPT') throw error
      this.#corrupt += 1
      if (this.#corrupt >= corruptTries) throw new Halt(error)
      await sleep(corruptPauseMs, this.#stopping.signal)
      return null
    }
  }

  async #accept(plan: Plan): Promise<void> {
    let { end, stop } = plan
    for (const { offset, value, error } of plan.unreadable) {
      try {
        // Nothing is known of its table, so no lane can hold it: it is stored before anything behind it is read.
        await this.#putAside('', { offset, value, table: '' }, 1, error)
      } catch (thrown) {
        if (!(thrown instanceof DtsError) || thrown.retryable) throw thrown
        end = offset
        stop = thrown
        break
      }
    }
    for (const { route, event } of plan.events) if (event.offset < end) this.#lanes.offer(route, event)
    for (const [table, count] of plan.skipped) add(this.#summary.skipped, table, count)
    this.#trail.add(
      plan.records.filter(({ offset }) => offset < end),
      end,
    )
    this.#wall = stop
  }

  /** Whether an invocation may start: not before the lease covers its worst case. */
  async #permit(): Promise<boolean> {
    const { signal, sleep } = this.#dependencies
    for (;;) {
      if (signal.aborted || this.#stopping.signal.aborted || this.#timeLeftMs() <= 0) return false
      if (this.#held.coversInvocation()) return true
      this.#notify()
      await sleep(20, this.#stopping.signal)
    }
  }

  async #send(functionName: string, events: readonly RoutedEvent[]): Promise<SendResult> {
    const { invoke, now, signal } = this.#dependencies
    const origin = { topic: this.#stream.topic, partition: this.#stream.partition, ...this.#origin }
    const startedAt = now()
    // Between this line and the bytes on the wire the process may be frozen for longer than the lease lasts.
    const startBefore = this.#held.leaseUntil - this.#dependencies.config.handlerTimeoutMs
    const result = await invoke(functionName, toBatch(events, origin, startBefore))
    // A run that was frozen meanwhile must not act on the answer.
    if (signal.aborted) return { kind: 'acknowledged', through: null, error: null }
    const took = now() - startedAt
    this.#summary.milliseconds.handlers += took
    const one = functionSummary(this.#summary, functionName)
    one.milliseconds += took
    const done =
      result.kind === 'acknowledged' ? events.findIndex(({ offset }) => offset === result.through) + 1 : 0
    for (const { table } of events.slice(0, done)) add(this.#summary.handled, table, 1)
    one.handled += done
    if (result.kind !== 'acknowledged' || result.error !== null) {
      this.#summary.retried += 1
      one.retried += 1
    }
    return result
  }

  /** @throws DtsError DEAD_LETTER_FAILED, DEAD_LETTER_BREAKER, LEASE_LOST */
  async #putAside(
    functionName: string,
    event: RoutedEvent,
    attempts: number,
    error: DtsError,
  ): Promise<void> {
    const { now, putAside, signal } = this.#dependencies
    if (putAside === null) throw error
    // An invocation may have outlasted the lease: by now the change may be another run's.
    if (signal.aborted || !this.#held.lasts()) throw leaseRanOut(event)
    const recent = now() - this.#deadLetters.since < breaker.windowMs
    const { since, count } = recent ? this.#deadLetters : { since: now(), count: 0 }
    if (count >= breaker.limit) throw tripped(count, event, error)
    const letter: DeadLetterInput = {
      functionName,
      table: event.table,
      topic: this.#stream.topic,
      partition: this.#stream.partition,
      clusterId: this.#origin.clusterId,
      generation: this.#origin.generation,
      offset: event.offset,
      attempts,
      at: new Date(now()).toISOString(),
      error: { code: error.code, message: error.message },
      value: event.value,
    }
    this.#deadLetters = { since, count: count + 1 }
    try {
      await putAside(letter)
    } catch (failure) {
      // A queue that is away must not look like many changes given up.
      this.#deadLetters = { ...this.#deadLetters, count: this.#deadLetters.count - 1 }
      throw failure
    }
    add(this.#summary.deadLettered, event.table, 1)
    functionSummary(this.#summary, functionName).deadLettered += 1
    this.#dirty = true
  }

  async #commitIfDue(): Promise<void> {
    const { now } = this.#dependencies
    const due = this.#dirty && now() >= this.#lastCommit + commitEveryMs
    if (!due && this.#held.coversInvocation()) return
    this.#advance()
    // What is done while the write is on its way is not part of it.
    this.#dirty = false
    const startedAt = now()
    try {
      await this.#held.commit(this.#held.position)
      this.#summary.commits += 1
    } catch (error) {
      this.#dirty = true
      // DynamoDB may be back in a moment. Meanwhile no invocation starts that the lease does not cover.
      if (!(error instanceof DtsError && error.code === 'CHECKPOINT_TABLE_UNAVAILABLE' && error.retryable))
        throw error
    }
    this.#lastCommit = now()
    this.#summary.milliseconds.commit += now() - startedAt
  }

  /** Moves the position in memory to what is done. */
  #advance(): void {
    const offset = this.#lanes.firstUndone ?? this.#trail.end
    const place = this.#trail.moveTo(offset)
    const lanes = identifiedLanes(this.#lanes.statesAt(offset), this.#held.position.lanes, (through) =>
      this.#trail.anchorAt(through, identifyRouted),
    )
    this.#held.pass({ ...place, lanes, deadLetters: this.#deadLetters })
  }

  #report(): void {
    const { now } = this.#dependencies
    const { offset, timestamp } = this.#held.position
    const end = this.#end ?? offset
    this.#summary.to = String(offset)
    this.#summary.lagRecords = String(end > offset ? end - offset : 0n)
    this.#summary.lagSeconds = offset >= end ? 0 : Math.max(0, Math.floor(now() / 1000) - timestamp)
    for (const { name, error } of this.#lanes.failures) {
      this.#summary.failures.push({ function: name, code: error.code, message: error.message })
    }
  }

  /** Milliseconds in which another invocation may still be started. */
  #timeLeftMs(): number {
    return this.#dependencies.remainingMs() - this.#worstCaseMs
  }

  /** DTS carries this commit over to a new cluster; nothing here depends on it, so its failure is only reported. */
  async #commitToGroup(): Promise<void> {
    const { offset, timestamp } = this.#held.position
    if (this.#summary.from === String(offset) || this.#dependencies.signal.aborted) return
    try {
      await this.#stream.commit(offset, timestamp)
      this.#summary.groupCommit = 'done'
    } catch (error) {
      this.#summary.groupCommit = error instanceof DtsError ? error.code : 'BROKER_FAILED'
    }
  }

  /** For the alarm alone, and behind everything that delivers: its failure changes nothing. */
  async #measureReserve(): Promise<void> {
    try {
      const oldest = await oldestTime(this.#stream)
      if (oldest !== null) this.#summary.secondsUntilLoss = this.#held.position.timestamp - oldest
    } catch {
      this.#summary.secondsUntilLoss = null
    }
  }
}

/** Ends the loop with the stream to be halted, once what is in flight has ended. */
class Halt extends Error {
  readonly reason: DtsError

  constructor(reason: DtsError) {
    super(reason.message)
    this.reason = reason
  }
}

function tripped(count: number, event: RoutedEvent, error: DtsError): DtsError {
  return new DtsError(
    'DEAD_LETTER_BREAKER',
    `${count} changes were given up within ${breaker.windowMs / 60_000} minutes, the next one at offset ` +
      `${event.offset} of ${event.table} (${error.message}). The fault is hardly theirs, so the stream is halted: ` +
      'mend the handler, redrive the dead letters, then resume.',
    { retryable: false, facts: { offset: String(event.offset), count } },
  )
}

function leaseRanOut({ offset }: RoutedEvent): DtsError {
  return new DtsError(
    'LEASE_LOST',
    `The lease ran out before the change at offset ${offset} was put aside; the next run decides about it.`,
    { retryable: true, facts: { offset: String(offset) } },
  )
}
