import type { HeldLease } from '../checkpoint/held-lease.ts'
import { Dispatcher } from '../dispatch/dispatcher.ts'
import { DtsError } from '../errors.ts'
import type { Stream } from '../kafka/stream.ts'
import { ReadWindow } from '../log/read-window.ts'
import { decide, decideSend, type RunState } from './decide.ts'
import type { Origin, PollDependencies } from './dependencies.ts'
import { Drift } from './drift.ts'
import { commitStored } from './group-commit.ts'
import { Halt } from './halt.ts'
import { HandOver } from './hand-over.ts'
import { Intake } from './intake.ts'
import { measureLog, reportEnd } from './measure.ts'
import { optionalWork } from './optional-work.ts'
import { Outlet } from './outlet.ts'
import { Progress } from './progress.ts'
import type { PollEnd, PollSummary } from './summary.ts'
import { WakeUp } from './wake-up.ts'

/** The work under one lease: fetch ahead, deliver in lanes, commit what is done. */
export class Run {
  readonly #dependencies: PollDependencies
  readonly #stream: Stream
  readonly #lease: HeldLease
  readonly #worstCaseMs: number
  readonly #generation: number
  readonly #summary: PollSummary
  readonly #outlet: Outlet
  readonly #dispatcher: Dispatcher
  readonly #readWindow: ReadWindow
  readonly #intake: Intake
  readonly #drift: Drift | null
  /** Aborted when no further invocation may start. */
  readonly #stopping = new AbortController()
  #settled: Promise<void> | null = null
  /** Aborted when the run makes no step any more. */
  readonly #over = new AbortController()
  /** Null if runs do not hand the lease over. */
  readonly #handOver: HandOver | null
  /** The offset where the run began. */
  readonly #start: bigint
  readonly #progress: Progress
  #fetching = false
  /** The unexpected error of a fetch; null if there was none. */
  #fetchError: unknown = null
  readonly #wakeUp: WakeUp

  constructor(
    dependencies: PollDependencies,
    stream: Stream,
    lease: HeldLease,
    origin: Origin,
    worstCaseMs: number,
    summary: PollSummary,
  ) {
    const { now, config } = dependencies
    this.#dependencies = dependencies
    this.#stream = stream
    this.#lease = lease
    this.#worstCaseMs = worstCaseMs
    this.#generation = origin.generation
    this.#summary = summary
    this.#wakeUp = new WakeUp(dependencies, this.#over.signal)
    this.#handOver = config.handOver ? new HandOver(lease, now, () => this.#wakeUp.notify()) : null
    this.#outlet = new Outlet(dependencies, stream, lease, origin, summary)
    this.#readWindow = new ReadWindow(lease.position)
    this.#start = this.#readWindow.start
    this.#dispatcher = this.#makeDispatcher()
    const { columns } = dependencies
    this.#drift = columns === undefined ? null : new Drift(dependencies, columns, origin.generation, summary)
    this.#intake = this.#makeIntake()
    this.#progress = new Progress({
      lease,
      dispatcher: this.#dispatcher,
      readWindow: this.#readWindow,
      outlet: this.#outlet,
      summary,
      now,
    })
  }

  #makeDispatcher(): Dispatcher {
    const { now, random, sleep, putAside } = this.#dependencies
    return new Dispatcher(
      this.#lease.position.lanes,
      {
        send: (name, events, packed, transactions) => this.#outlet.send(name, events, packed, transactions),
        putAside:
          putAside === null
            ? null
            : (name, event, attempts, error) => this.#outlet.putAside(name, event, attempts, error),
        permit: () => this.#permit(),
        mayGrow: (offset, share) => this.#intake.mayGrow(offset, share),
        mayHold: (offset) => this.#intake.mayHold(offset),
        transactionWaitMs: (offset) => this.#intake.transactionWaitMs(offset),
        longestGrowthMs: () => this.#intake.longestGrowthMs(),
        pause: (milliseconds) => sleep(milliseconds, this.#stopping.signal),
        now,
        random,
        // By then the invocation has ended, or the function has refused it because it came too late.
        endsBy: () => this.#lease.leaseUntil,
        changed: () => this.#changed(),
      },
      this.#stopping.signal,
    )
  }

  #makeIntake(): Intake {
    return new Intake(this.#dependencies, {
      stream: this.#stream,
      readWindow: this.#readWindow,
      dispatcher: this.#dispatcher,
      summary: this.#summary,
      drift: this.#drift,
      putAside: async (event, error) => {
        await this.#outlet.putAside(null, event, 1, error)
        this.#changed()
      },
      transactionBefore: this.#lease.position.anchor?.transactionId ?? null,
      timeLeftMs: () => this.#timeLeftMs(),
      stopping: this.#stopping.signal,
    })
  }

  /** Works until the end of the run and releases the lease. @throws DtsError as `poll` */
  async work(): Promise<void> {
    const { signal } = this.#dependencies
    let thrown: unknown = null
    try {
      this.#summary.ended = await this.#loop()
    } catch (error) {
      thrown = error
    }
    this.#over.abort()
    this.#stopping.abort()
    if (!signal.aborted) await this.#settle()
    if (signal.aborted) {
      this.#summary.ended = 'superseded'
      this.#drift?.forget()
      return
    }
    await this.#finish(thrown ?? this.#dispatcher.unexpectedError).finally(() => this.#drift?.forget())
    const { stored, position } = this.#lease
    await optionalWork(this.#dependencies, () =>
      commitStored(this.#dependencies, this.#stream, stored, this.#generation, this.#summary),
    )
    await optionalWork(this.#dependencies, () =>
      measureLog(this.#dependencies, this.#stream, position, this.#summary),
    )
  }

  /** Starts nothing more. Resolves when nothing is in flight any more. */
  #settle(): Promise<void> {
    this.#stopping.abort()
    this.#settled ??= (async () => {
      // Do not wait for a pending answer of the broker. Nothing reads it any more, and it ends with the connection.
      await this.#intake.ended()
      await this.#dispatcher.ended()
    })()
    return this.#settled
  }

  /**
   * Stores the position, and halts the stream or releases the lease.
   * @param thrown the error that ended the run; null if there was none
   * @throws the reason of the halt, or `thrown`
   */
  async #finish(thrown: unknown): Promise<void> {
    const { now } = this.#dependencies
    const halt = thrown instanceof Halt ? thrown.reason : this.#dispatcher.halt
    this.#progress.advance()
    reportEnd(this.#lease.position, this.#intake.end, this.#dispatcher.failures, now(), this.#summary)
    const { mayRunUntil } = this.#dispatcher
    // If a handler may still run, keep the lease until it must have ended.
    const handlerMayRun = mayRunUntil !== null && mayRunUntil > now()
    if (halt !== null) {
      await this.#lease.halt(halt, handlerMayRun)
      this.#summary.halted = halt.code
      await this.#drift?.keep(halt)
      throw halt
    }
    if (!(thrown instanceof DtsError && thrown.code === 'LEASE_LOST')) {
      await this.#lease.flush()
      if (!handlerMayRun) await this.#lease.release()
      await this.#drift?.keep(null)
    }
    if (thrown !== null) throw thrown
  }

  /** Observes, decides and acts until the run ends. @throws Halt, or the error that ends the run */
  async #loop(): Promise<PollEnd> {
    for (;;) {
      this.#progress.releaseDone()
      const step = decide(this.#observe())
      switch (step.do) {
        case 'fetch':
          this.#startFetch()
          break
        case 'commit':
          await this.#progress.commit()
          break
        case 'wait':
          await this.#wakeUp.wait(step.milliseconds)
          break
        case 'look':
          this.#handOver?.look()
          break
        case 'drain':
          this.#handOver?.drain(this.#settle())
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
        unexpectedError: this.#fetchError,
      },
      delivery: {
        idle: this.#dispatcher.isIdle,
        holdsStart: this.#dispatcher.firstHeld === this.#start,
        waitsUntil: this.#dispatcher.waitsUntil,
        mayRunUntil: this.#dispatcher.mayRunUntil,
        halt: this.#dispatcher.halt,
        unexpectedError: this.#dispatcher.unexpectedError,
      },
      commit: this.#progress.state,
      handOver: this.#handOver?.state ?? null,
    }
  }

  /** Starts one fetch in the background. */
  #startFetch(): void {
    this.#fetching = true
    void this.#intake
      .fetch()
      .catch((error: unknown) => {
        this.#fetchError = error ?? new TypeError('The fetch threw null or undefined.')
      })
      .finally(() => {
        this.#fetching = false
        this.#wakeUp.notify()
        this.#dispatcher.nudge()
      })
  }

  /** Waits until an invocation may start. @returns false if this run starts no more */
  async #permit(): Promise<boolean> {
    const { signal, sleep } = this.#dependencies
    for (;;) {
      const answer = decideSend({
        stopping: signal.aborted || this.#stopping.signal.aborted,
        timeLeftMs: this.#timeLeftMs(),
        leaseCoversInvocation: this.#lease.coversInvocation(),
      })
      if (answer !== 'later') return answer === 'now'
      // A commit renews the lease.
      this.#wakeUp.notify()
      await sleep(20, this.#stopping.signal)
    }
  }

  #changed(): void {
    this.#progress.changed()
    this.#wakeUp.notify()
  }

  /** Milliseconds in which another invocation may still be started. */
  #timeLeftMs(): number {
    return this.#dependencies.remainingMs() - this.#worstCaseMs
  }
}
