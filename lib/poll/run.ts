import type { HeldCheckpoint } from '../checkpoint/lease.ts'
import { reachedTime } from '../checkpoint/source-times.ts'
import { Dispatcher } from '../dispatch/dispatcher.ts'
import { DtsError } from '../errors.ts'
import type { Stream } from '../kafka/stream.ts'
import { identifiedLanes, identifyRouted } from '../log/anchor.ts'
import { commitToGroup } from '../log/group.ts'
import { oldestTime } from '../log/log-times.ts'
import { ReadWindow } from '../log/read-window.ts'
import { silentSeconds } from '../log/silence.ts'
import { courtesy } from './courtesy.ts'
import { decide, decideSend, type RunState } from './decide.ts'
import type { Origin, PollDependencies } from './dependencies.ts'
import { Halt } from './halt.ts'
import { Intake } from './intake.ts'
import { Outlet } from './outlet.ts'
import type { PollEnd, PollSummary } from './summary.ts'

/** The wait after a failed commit, in milliseconds. It doubles from the first to the last. */
const commitAgain = { firstMs: 200, lastMs: 3_200 }

/** The work under one lease: fetch ahead, deliver in lanes, commit what is done. */
export class Run {
  readonly #dependencies: PollDependencies
  readonly #stream: Stream
  readonly #held: HeldCheckpoint
  readonly #worstCaseMs: number
  readonly #generation: number
  readonly #summary: PollSummary
  readonly #outlet: Outlet
  readonly #dispatcher: Dispatcher
  readonly #readWindow: ReadWindow
  readonly #intake: Intake
  /** Aborted when no further invocation may start. */
  readonly #stopping = new AbortController()
  /** Something was done, or failed, since the last commit. */
  #dirty = false
  #lastCommit: number
  /** The pause after a failed commit, in milliseconds after the attempt. */
  #commitPauseMs = 0
  #fetching = false
  /** The unexpected error of a fetch. */
  #fetchBroken: unknown = null
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
    this.#generation = origin.generation
    this.#summary = summary
    this.#lastCommit = now()
    this.#outlet = new Outlet(dependencies, stream, held, origin, summary)
    this.#readWindow = new ReadWindow(held.position)
    this.#dispatcher = new Dispatcher(
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
        // By then it has ended, or the function has refused it because it came too late.
        endsBy: () => held.leaseUntil,
        changed: () => this.#changed(),
      },
      this.#stopping.signal,
    )
    this.#intake = new Intake(dependencies, {
      stream,
      readWindow: this.#readWindow,
      dispatcher: this.#dispatcher,
      summary,
      putAside: async (event, error) => {
        await this.#outlet.putAside('', event, 1, error)
        this.#changed()
      },
      timeLeftMs: () => this.#timeLeftMs(),
      stopping: this.#stopping.signal,
    })
  }

  /** Works until the end of the run and gives the lease back. @throws DtsError as `poll` */
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
    // Do not wait for a pending answer of the broker. Nothing reads it any more, and it ends with the connection.
    await this.#intake.settled()
    await this.#dispatcher.settled()
    if (signal.aborted) {
      this.#summary.ended = 'superseded'
      return
    }
    thrown ??= this.#dispatcher.broken
    const halt = thrown instanceof Halt ? thrown.reason : this.#dispatcher.halt
    this.#advance()
    this.#report()
    // If a handler may still run, keep the lease until it must have ended.
    const handlerMayRun = this.#dispatcher.unknownUntil > now()
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
    await courtesy(this.#dependencies, () => this.#commitToGroup())
    await courtesy(this.#dependencies, () => this.#measureLog())
  }

  /** Observes, decides and acts until the run ends. @throws Halt, or the error that ends the run */
  async #loop(): Promise<PollEnd> {
    for (;;) {
      // Release the memory of finished slices now. Until the next commit there could be many.
      this.#readWindow.advanceTo(this.#doneTo)
      const step = decide(this.#observe())
      switch (step.do) {
        case 'fetch':
          this.#startFetch()
          break
        case 'commit':
          await this.#commit()
          break
        case 'wait':
          await this.#rest(step.milliseconds)
          break
        case 'end':
          return step.why
        case 'halt':
          throw new Halt(step.reason)
        case 'fail':
          throw step.error
      }
    }
  }

  #observe(): RunState {
    const { config, now, signal } = this.#dependencies
    const { fetched, bytes } = this.#summary
    const { atEnd, hasLingered, halt, fault } = this.#intake
    return {
      now: now(),
      superseded: signal.aborted,
      timeLeftMs: this.#timeLeftMs(),
      reading: {
        fetching: this.#fetching,
        mayFetch: this.#intake.mayFetch(),
        atEnd,
        lingered: hasLingered,
        bound: fetched >= config.maxRecords ? 'records' : bytes >= config.maxBytes ? 'bytes' : null,
        halt,
        fault,
        broken: this.#fetchBroken,
      },
      delivery: {
        idle: this.#dispatcher.firstUndone === null,
        waitsUntil: this.#dispatcher.waitsUntil,
        halt: this.#dispatcher.halt,
        broken: this.#dispatcher.broken,
      },
      commit: {
        pending: this.#dirty,
        last: this.#lastCommit,
        pauseMs: this.#commitPauseMs,
        leaseCoversInvocation: this.#held.coversInvocation(),
      },
    }
  }

  /** Starts one fetch in the background. */
  #startFetch(): void {
    this.#fetching = true
    void this.#intake
      .fetch()
      .catch((error: unknown) => {
        this.#fetchBroken = error ?? new TypeError('The fetch threw null or undefined.')
      })
      .finally(() => {
        this.#fetching = false
        this.#notify()
        this.#dispatcher.nudge()
      })
  }

  /** Waits that long, or until something happens. */
  async #rest(milliseconds: number): Promise<void> {
    const timer = new AbortController()
    const woken = new Promise<void>((resolve) => {
      this.#notify = resolve
    })
    await Promise.race([woken, this.#dependencies.sleep(milliseconds, timer.signal)])
    timer.abort()
  }

  /** Waits until an invocation may start. @returns false if this run starts no more */
  async #permit(): Promise<boolean> {
    const { signal, sleep } = this.#dependencies
    for (;;) {
      const answer = decideSend({
        stopping: signal.aborted || this.#stopping.signal.aborted,
        timeLeftMs: this.#timeLeftMs(),
        leaseCoversInvocation: this.#held.coversInvocation(),
      })
      if (answer !== 'later') return answer === 'now'
      // A commit renews the lease.
      this.#notify()
      await sleep(20, this.#stopping.signal)
    }
  }

  #changed(): void {
    this.#dirty = true
    this.#notify()
  }

  async #commit(): Promise<void> {
    const { now } = this.#dependencies
    this.#advance()
    // Work that is done during the write is not part of it.
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
      // DynamoDB may work again in a moment. Until then, no invocation starts that the lease does not cover.
      if (!(error instanceof DtsError && error.code === 'CHECKPOINT_TABLE_UNAVAILABLE' && error.retryable))
        throw error
    }
    this.#lastCommit = now()
    this.#summary.milliseconds.commit += now() - startedAt
  }

  /** Everything below this offset is done. */
  get #doneTo(): bigint {
    return this.#dispatcher.firstUndone ?? this.#readWindow.end
  }

  /** Moves the position in memory to the first offset that is not done. */
  #advance(): void {
    const offset = this.#doneTo
    const place = this.#readWindow.advanceTo(offset)
    const lanes = identifiedLanes(this.#dispatcher.statesAt(offset), this.#held.position.lanes, (through) =>
      this.#readWindow.anchorAt(through, identifyRouted),
    )
    this.#held.pass({ ...place, lanes, deadLetters: this.#outlet.deadLetters })
  }

  #report(): void {
    const { now } = this.#dependencies
    const { offset } = this.#held.position
    const { end } = this.#intake
    this.#summary.to = String(offset)
    // A run that does not know the log's end must not look as if it had reached it.
    if (end !== null) {
      this.#summary.lagRecords = String(end > offset ? end - offset : 0n)
      this.#summary.lagSeconds = offset >= end ? 0 : Math.max(0, Math.floor(now() / 1000) - this.#reachedTime)
    }
    for (const { name, error } of this.#dispatcher.failures) {
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

  /** DTS carries this commit over to a new cluster. Its failure is only reported. */
  async #commitToGroup(): Promise<void> {
    const { stored } = this.#held
    if (this.#summary.from === String(stored.offset) || this.#dependencies.signal.aborted) return
    this.#summary.groupCommit = await commitToGroup(this.#stream, stored, this.#generation)
  }

  /** Measures the log for the alarms only. Runs last, and its failure changes nothing. */
  async #measureLog(): Promise<void> {
    const { config, now } = this.#dependencies
    try {
      const range = await this.#stream.range()
      const oldest = await oldestTime(this.#stream, range)
      // Where source times go back, the oldest record may be younger than the position, and nothing is lost by that.
      if (oldest !== null) this.#summary.secondsUntilLoss = Math.max(0, this.#reachedTime - oldest)
      // A plain topic may rest for days.
      if (config.mode === 'dts')
        this.#summary.silentSeconds = await silentSeconds(
          this.#stream,
          range,
          now(),
          this.#held.position.timestamp,
        )
    } catch {
      // A value that was not measured is not reported.
    }
  }
}
