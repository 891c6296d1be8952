import { identifiedLanes, identifyRouted } from './anchor.ts'
import type { HeldCheckpoint } from './checkpoint/held.ts'
import { Lanes } from './dispatch/lanes.ts'
import { DtsError } from './errors.ts'
import type { Stream } from './kafka/stream.ts'
import { oldestTime } from './locate.ts'
import type { Origin, PollDependencies } from './poll.ts'
import { Halt } from './run/halt.ts'
import { Intake } from './run/intake.ts'
import { Outlet } from './run/outlet.ts'
import { reachedTime, timesOf } from './source-times.ts'
import type { PollEnd, PollSummary } from './summary.ts'
import { Trail } from './trail.ts'

/** The longest time between two looks at the clock, in milliseconds. */
const longestRestMs = 1_000
/** Between two commits while there is work, in milliseconds: bounds both the writes and what a crash repeats. */
const commitEveryMs = 200
/** The longest wait for each thing that a run does only for others, in milliseconds. */
const courtesyMs = 3_000
/** After a commit that failed, in milliseconds: the shortest wait, which doubles, and the longest. */
const commitAgain = { firstMs: 200, lastMs: 3_200 }
/** A failure whose next try is further away than this, in milliseconds, is left to the next run. */
const patienceMs = 5_000

/** The work under one lease: fetching ahead, delivering in lanes, committing what is done. */
export class Run {
  readonly #dependencies: PollDependencies
  readonly #stream: Stream
  readonly #held: HeldCheckpoint
  readonly #worstCaseMs: number
  readonly #summary: PollSummary
  readonly #outlet: Outlet
  readonly #lanes: Lanes
  readonly #trail: Trail
  readonly #intake: Intake
  /** Aborted when no further invocation may start. */
  readonly #stopping = new AbortController()
  /** Something was done or failed that is not committed yet. */
  #dirty = false
  #lastCommit: number
  /** Not to be tried again before, in milliseconds after the last try. */
  #commitPauseMs = 0
  #notify: () => void = () => {}

  constructor(
    dependencies: PollDependencies,
    stream: Stream,
    held: HeldCheckpoint,
    origin: Origin,
    worstCaseMs: number,
    summary: PollSummary,
  ) {
    const { now, random, sleep } = dependencies
    this.#dependencies = dependencies
    this.#stream = stream
    this.#held = held
    this.#worstCaseMs = worstCaseMs
    this.#summary = summary
    this.#lastCommit = now()
    this.#outlet = new Outlet(dependencies, stream, held, origin, summary)
    this.#trail = new Trail(held.position)
    this.#lanes = new Lanes(
      held.position.lanes,
      {
        send: (name, events, packed) => this.#outlet.send(name, events, packed),
        putAside:
          dependencies.putAside === null
            ? null
            : (name, event, attempts, error) => this.#outlet.putAside(name, event, attempts, error),
        permit: () => this.#permit(),
        expectsMore: () => this.#intake.expectsMore(),
        pause: (milliseconds) => sleep(milliseconds, this.#stopping.signal),
        now,
        random,
        // By then it has ended, or was refused by the function for coming too late.
        endsBy: () => held.leaseUntil,
        changed: () => this.#changed(),
      },
      this.#stopping.signal,
    )
    this.#intake = new Intake(dependencies, {
      stream,
      trail: this.#trail,
      lanes: this.#lanes,
      summary,
      putAside: async (event, error) => {
        await this.#outlet.putAside('', event, 1, error)
        this.#changed()
      },
      timeLeftMs: () => this.#timeLeftMs(),
      stopping: this.#stopping.signal,
    })
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
    // What the broker still owes is not waited for: nothing of it is looked at any more, and it ends with the connection.
    await this.#intake.settled()
    await this.#lanes.settled()
    if (signal.aborted) {
      this.#summary.ended = 'superseded'
      return
    }
    thrown ??= this.#lanes.broken
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
    await this.#courtesy(() => this.#commitToGroup())
    await this.#courtesy(() => this.#measureReserve())
  }

  async #loop(): Promise<PollEnd> {
    const { signal, now, sleep } = this.#dependencies
    let fetching: Promise<void> | null = null
    let failed: unknown = null
    for (;;) {
      if (signal.aborted) return 'superseded'
      if (failed !== null) throw failed
      if (this.#lanes.halt !== null) throw new Halt(this.#lanes.halt)
      if (this.#lanes.broken !== null) throw this.#lanes.broken
      // What is done gives its memory back now; at the next commit that would be many slices.
      this.#trail.moveTo(this.#doneTo)
      await this.#commitIfDue()
      const end = this.#endReached(fetching !== null)
      if (end !== null) {
        if (this.#intake.fault !== null) throw this.#intake.fault
        return end
      }
      if (fetching === null && this.#intake.mayFetch()) {
        fetching = this.#intake
          .fetch()
          .catch((error: unknown) => {
            failed = error
          })
          .finally(() => {
            fetching = null
            this.#notify()
            this.#lanes.nudge()
          })
      }
      const timer = new AbortController()
      const woken = new Promise<void>((resolve) => {
        this.#notify = resolve
      })
      const pauseMs = Math.max(commitEveryMs, this.#commitPauseMs)
      const untilCommit = this.#dirty ? this.#lastCommit + pauseMs - now() : longestRestMs
      await Promise.race([woken, sleep(Math.max(1, Math.min(longestRestMs, untilCommit)), timer.signal)])
      timer.abort()
    }
  }

  /** The first bound that is reached, if any. */
  #endReached(fetching: boolean): PollEnd | null {
    const { config, now } = this.#dependencies
    const { atEnd, halt, fault, hasLingered } = this.#intake
    if (this.#timeLeftMs() <= 0) return 'time'
    const idle = this.#lanes.firstUndone === null
    if (this.#lanes.failures.length > 0 && this.#lanes.waitBeyond(now() + patienceMs)) {
      if (!fetching && (atEnd || !this.#intake.mayFetch())) return 'handler-failed'
    }
    // What is being fetched may still bring work, and would be thrown away.
    if (!idle || fetching) return null
    if (halt !== null) throw new Halt(halt)
    if (fault !== null) throw fault
    if (this.#summary.fetched >= config.maxRecords) return 'records'
    if (this.#summary.bytes >= config.maxBytes) return 'bytes'
    return atEnd && hasLingered ? 'end-of-stream' : null
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

  #changed(): void {
    this.#dirty = true
    this.#notify()
  }

  async #commitIfDue(): Promise<void> {
    const { now } = this.#dependencies
    const due = this.#dirty && now() >= this.#lastCommit + commitEveryMs
    if (now() < this.#lastCommit + this.#commitPauseMs || (!due && this.#held.coversInvocation())) return
    this.#advance()
    // What is done while the write is on its way is not part of it.
    this.#dirty = false
    const startedAt = now()
    try {
      await this.#held.commit(this.#held.position)
      this.#summary.commits += 1
      this.#commitPauseMs = 0
    } catch (error) {
      this.#dirty = true
      this.#commitPauseMs = Math.min(
        commitAgain.lastMs,
        Math.max(commitAgain.firstMs, 2 * this.#commitPauseMs),
      )
      // DynamoDB may be back in a moment. Meanwhile no invocation starts that the lease does not cover.
      if (!(error instanceof DtsError && error.code === 'CHECKPOINT_TABLE_UNAVAILABLE' && error.retryable))
        throw error
    }
    this.#lastCommit = now()
    this.#summary.milliseconds.commit += now() - startedAt
  }

  /** Everything below it is done. */
  get #doneTo(): bigint {
    return this.#lanes.firstUndone ?? this.#trail.end
  }

  /** Moves the position in memory to what is done. */
  #advance(): void {
    const offset = this.#doneTo
    const place = this.#trail.moveTo(offset)
    const lanes = identifiedLanes(this.#lanes.statesAt(offset), this.#held.position.lanes, (through) =>
      this.#trail.anchorAt(through, identifyRouted),
    )
    this.#held.pass({ ...place, lanes, deadLetters: this.#outlet.deadLetters })
  }

  #report(): void {
    const { now } = this.#dependencies
    const { offset } = this.#held.position
    const { end } = this.#intake
    this.#summary.to = String(offset)
    // A run that was told nothing of the log's end must not look as if it had got there.
    if (end !== null) {
      this.#summary.lagRecords = String(end > offset ? end - offset : 0n)
      this.#summary.lagSeconds = offset >= end ? 0 : Math.max(0, Math.floor(now() / 1000) - this.#reachedTime)
    }
    for (const { name, error } of this.#lanes.failures) {
      this.#summary.failures.push({ lane: name, code: error.code, message: error.message })
    }
  }

  /** Up to which source time the stream is handled, in seconds. */
  get #reachedTime(): number {
    return reachedTime(this.#held.position, this.#dependencies.now() / 1000)
  }

  /** Milliseconds in which another invocation may still be started. */
  #timeLeftMs(): number {
    return this.#dependencies.remainingMs() - this.#worstCaseMs
  }

  /** What nothing depends on may not outlast the invocation: then not even the end of the run would be told. */
  async #courtesy(act: () => Promise<void>): Promise<void> {
    const { remainingMs, sleep } = this.#dependencies
    const timer = new AbortController()
    await Promise.race([act(), sleep(Math.min(courtesyMs, remainingMs() - courtesyMs), timer.signal)])
    timer.abort()
  }

  /** DTS carries this commit over to a new cluster; nothing here depends on it, so its failure is only reported. */
  async #commitToGroup(): Promise<void> {
    const { offset } = this.#held.position
    // DTS carries it over by this time: one that lies ahead of the stream would pass over changes.
    const timestamp = timesOf(this.#held.position).settled
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
      if (oldest !== null) this.#summary.secondsUntilLoss = this.#reachedTime - oldest
    } catch {
      this.#summary.secondsUntilLoss = null
    }
  }
}
