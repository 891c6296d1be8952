import '../rig/quiet.ts'
import { CheckpointStore } from '../../lib/checkpoint/store.ts'
import { lambdaInvoke } from '../../lib/dispatch/invoke.ts'
import { DtsError } from '../../lib/errors.ts'
import { type PollDependencies, poll } from '../../lib/poll.ts'
import { Checker } from './checker.ts'
import { CheckpointTable } from './checkpoint-table.ts'
import { Clock, quiescence } from './clock.ts'
import { DeadLetters } from './dead-letters.ts'
import { haltIsJustified } from './ending.ts'
import type { FaultCounts } from './faults.ts'
import { Functions } from './functions.ts'
import type { Stage } from './hazards.ts'
import { Log } from './log.ts'
import { Machine } from './machine.ts'
import type { ObservedRun, Violation } from './observed.ts'
import { makeScenario, type Scenario, worldStart } from './scenario.ts'
import { Broker } from './stream.ts'

export interface Outcome {
  readonly seed: number
  readonly violations: readonly Violation[]
  readonly faults: FaultCounts
  readonly maxDuplicates: number
  readonly bound: number
  readonly commits: number
  readonly takeovers: number
  readonly deadLetters: number
  /** `drained`, or the code for which the stream is halted. */
  readonly end: string
  readonly steps: number
}

/** One place where the schedule starts pollers: a process that stays warm until it dies. */
interface Slot {
  machine: Machine
  run: ObservedRun | null
  abort: AbortController
  generation: number
}

/** After the last fault, everything must be done within this time, in milliseconds. */
const patienceMs = 3 * 3_600_000

/** Plays one seed to its end. */
export async function play(seed: number, trace: ((line: string) => void) | null = null): Promise<Outcome> {
  const realNow = Date.now
  const world = new World(seed, trace)
  // Table functions read the clock of their own machine.
  Date.now = () => world.clock.now
  try {
    return await world.play()
  } finally {
    Date.now = realNow
  }
}

class World implements Stage {
  readonly scenario: Scenario
  readonly clock = new Clock(worldStart)
  readonly random
  readonly checker: Checker
  quiet = false
  readonly #log: Log
  readonly #broker: Broker
  readonly #table: CheckpointTable
  readonly #functions: Functions
  readonly #deadLetters: DeadLetters
  readonly #slots: Slot[]
  readonly #operator: CheckpointStore
  #runs = 0
  #trimmed = false
  #mended = false
  #done = false

  constructor(seed: number, trace: ((line: string) => void) | null) {
    const { scenario, random } = makeScenario(seed)
    this.scenario = scenario
    this.random = random
    this.checker = new Checker(scenario, this.clock, trace)
    this.#log = new Log(scenario.entries, this.clock)
    this.#broker = new Broker(this, this.#log)
    this.#table = new CheckpointTable(this)
    this.#functions = new Functions(this)
    this.#deadLetters = new DeadLetters(this)
    this.#operator = new CheckpointStore(this.#table.operatorClient(), 'checkpoints', 'topic', 0)
    this.#slots = scenario.skews.map((skewMs, index) => ({
      machine: new Machine(`m${index + 1}`, this.clock, skewMs),
      run: null,
      abort: new AbortController(),
      generation: 1,
    }))
  }

  async play(): Promise<Outcome> {
    const { checker, clock, scenario } = this
    const { intervalsMs, quietAfterMs } = scenario
    for (const [index, slot] of this.#slots.entries()) this.#schedule(slot, intervalsMs[index] ?? 60_000)
    this.#planWindows()
    clock.after(quietAfterMs, () => this.#becomeQuiet())
    let steps = 0
    while (!this.#done && checker.violations.length === 0 && clock.step()) {
      steps += 1
      await quiescence()
      if (clock.now - worldStart > quietAfterMs + patienceMs) break
      if (steps > 400_000) checker.violate('I6', 'the world turns without end')
    }
    const stored = checker.checkpoint
    const end = stored?.state === 'HALTED' ? (stored.halt?.code ?? 'HALTED') : 'drained'
    if (!this.#done && checker.violations.length === 0)
      checker.violate('I6', `the stream stands still at ${stored?.offset} of ${this.#log.end}`)
    const { violations, faults, maxDuplicates, bound, commits, takeovers, deadLetters } = checker
    return {
      seed: scenario.seed,
      violations,
      faults,
      maxDuplicates,
      bound,
      commits,
      takeovers,
      deadLetters,
      end,
      steps,
    }
  }

  // ── pollers ──

  #schedule(slot: Slot, intervalMs: number): void {
    const tick = () => {
      if (this.#done) return
      this.#tick(slot)
      this.clock.after(intervalMs, tick)
    }
    this.clock.after(this.random.whole(0, intervalMs), tick)
  }

  #tick(slot: Slot): void {
    if (!slot.machine.alive) {
      slot.generation += 1
      const { name, skewMs } = slot.machine
      slot.machine = new Machine(`${name.replace(/\..*/, '')}.${slot.generation}`, this.clock, skewMs)
      slot.run = null
    }
    if (slot.run !== null && !slot.run.ended && slot.run.deadline > this.clock.now) return
    this.#start(slot)
  }

  /** A new invocation in the slot's process, whatever an older one has left there. */
  #start(slot: Slot): void {
    const { checker, clock, scenario } = this
    const left = slot.run !== null && !slot.run.ended
    if (left) checker.fault(6)
    const { machine } = slot
    slot.abort.abort()
    slot.abort = new AbortController()
    machine.thaw()
    this.#runs += 1
    const run: ObservedRun = {
      owner: `${machine.name}/r${this.#runs}`,
      machine,
      signal: slot.abort.signal,
      startedAt: clock.now,
      deadline: clock.now + scenario.runMs,
      epoch: null,
      base: null,
      ended: false,
      invocations: 0,
      acked: [],
      ackedKeys: new Set(),
      disturbed: false,
      furthest: new Map(),
      duplicates: new Set(),
    }
    slot.run = run
    checker.begin(run)
    clock.after(scenario.runMs, () => {
      // Lambda ends an invocation at its time-out, and the process with it.
      if (!run.ended && !machine.frozen && slot.run === run) this.kill(run)
    })
    poll(this.#dependencies(run)).then(
      (summary) => this.#ended(run, summary.ended, true),
      (error: unknown) => this.#failed(run, error),
    )
  }

  #dependencies(run: ObservedRun): PollDependencies {
    const { machine } = run
    return {
      config: this.scenario.config,
      store: new CheckpointStore(this.#table.client(run), 'checkpoints', 'topic', 0),
      openStream: () => this.#broker.open(run),
      invoke: lambdaInvoke(this.#functions.client(run)),
      putAside: this.#deadLetters.putAside(run),
      now: machine.now,
      random: this.random.next,
      sleep: machine.sleep,
      remainingMs: () => run.deadline - this.clock.now,
      owner: run.owner,
      signal: run.signal,
    }
  }

  #ended(run: ObservedRun, why: string, well: boolean): void {
    const { checker } = this
    checker.log(() => `${run.owner} ends: ${why}`)
    run.ended = true
    if (well && ['end-of-stream', 'records', 'bytes', 'time', 'handler-failed'].includes(why)) {
      checker.endsWell(run)
      const { offset } = checker.checkpoint ?? { offset: 0n }
      if (['time', 'records', 'bytes'].includes(why) && offset < this.#log.end) checker.fault(27)
    }
    if (this.quiet) this.#checkEnd()
    else this.#hastenEnd()
  }

  /** Nothing more is seen of a halted stream, once what is still in flight has come back. */
  #hastenEnd(): void {
    const { state, halt } = this.checker.checkpoint ?? {}
    if (state === 'HALTED' && halt?.code !== 'PAUSED') this.clock.after(150_000, () => this.#becomeQuiet())
  }

  #failed(run: ObservedRun, error: unknown): void {
    if (!(error instanceof DtsError)) {
      this.checker.violate('error', error instanceof Error ? (error.stack ?? error.message) : String(error))
    }
    this.#ended(run, error instanceof DtsError ? `${error.code} ${error.message}` : 'error', false)
  }

  kill(run: ObservedRun): void {
    if (!run.machine.alive) return
    this.checker.killed(run)
    run.machine.kill()
    run.ended = true
  }

  freeze(run: ObservedRun): void {
    const { checker, clock, random, scenario } = this
    const { machine } = run
    if (machine.frozen || !machine.alive || run.ended) return
    machine.freeze()
    run.disturbed = true
    checker.log(() => `${machine.name} freezes`)
    const longest = scenario.config.handlerTimeoutMs + 40_000
    clock.after(random.pick([2_000, longest, random.whole(1_000, longest * 2)]), () => {
      const slot = this.#slots.find((candidate) => candidate.machine === machine)
      if (slot === undefined || !machine.alive || !machine.frozen) return
      checker.log(() => `${machine.name} thaws`)
      if (random.chance(scenario.rates.thawIntoNew)) return this.#start(slot)
      const epoch = checker.checkpoint?.epoch ?? 0
      if (slot.run === run && !run.ended && run.epoch !== null && run.epoch < epoch) checker.fault(5)
      machine.thaw()
      clock.after(Math.max(1, run.deadline - clock.now), () => {
        if (slot.run === run && !run.ended) this.kill(run)
      })
    })
  }

  // ── what happens to all ──

  #planWindows(): void {
    const { rates } = this.scenario
    this.#window(rates.throttleWindow, (on) => {
      const some = new Set(
        this.#slots.filter(() => this.random.chance(0.5)).map(({ machine }) => machine.name),
      )
      this.#table.throttled = on ? (this.random.chance(0.5) ? 'all' : some) : null
    })
    this.#window(rates.credentialsWindow, (on) => {
      this.#broker.refusing = on
    })
    for (const { name } of this.scenario.functions) {
      this.#window(rates.refusedWindow * 0.5, (on) => {
        if (on) this.#functions.refusing.add(name)
        else this.#functions.refusing.delete(name)
      })
    }
    this.#moment(rates.checkpointDamaged, () => this.#table.damage())
    this.#moment(rates.trimmed, () => {
      const { checkpoint, faults } = this.checker
      const to = (checkpoint?.offset ?? 0n) + BigInt(this.random.whole(0, 3))
      if (checkpoint === null || to > this.#log.end) return
      faults[21] += 1
      this.#trimmed = true
      this.#log.trim(to)
    })
    this.#moment(rates.logSwapped, () => {
      // Before the first commit there is nothing by which two logs could be told apart.
      if ((this.checker.checkpoint?.tail ?? null) === null) return
      this.checker.fault(22)
      this.checker.swapped = true
      this.#log.swapped = true
    })
    this.#moment(rates.paused, () => void this.#pause())
  }

  #moment(rate: number, action: () => void): void {
    if (!this.random.chance(rate)) return
    this.clock.after(this.random.whole(1, this.scenario.quietAfterMs), () => {
      if (!this.quiet) action()
    })
  }

  #window(rate: number, set: (on: boolean) => void): void {
    if (!this.random.chance(rate)) return
    const from = this.random.whole(0, this.scenario.quietAfterMs)
    this.clock.after(from, () => {
      if (this.quiet) return
      set(true)
      this.clock.after(this.random.whole(1_000, 200_000), () => set(false))
    })
  }

  /** Called where a halt comes at the worst time, as between a run's read of the checkpoint and its lease. */
  mayPause(): void {
    if (!this.quiet && this.random.chance(this.scenario.rates.paused * 0.05)) void this.#pause()
  }

  async #pause(): Promise<void> {
    const read = await this.#operator.read()
    if (read === null || read.state === 'HALTED') return
    await this.#operator.pause(read, { code: 'PAUSED', message: 'by hand', facts: {}, at: this.clock.now })
    this.clock.after(this.random.pick([500, 6_000, 30_000]), () => void this.#resume())
  }

  async #resume(): Promise<void> {
    const read = await this.#operator.read()
    if (read === null || read.state !== 'HALTED') return
    try {
      const entry = { at: this.clock.now, by: 'operator', how: 'resumed' }
      await this.#operator.resume(read, entry)
    } catch (error) {
      if (!(error instanceof DtsError && error.code === 'LEASE_HELD')) throw error
      this.clock.after(1_000, () => void this.#resume())
    }
  }

  #becomeQuiet(): void {
    if (this.quiet) return
    this.checker.log(() => 'no more faults')
    this.quiet = true
    this.#table.throttled = null
    this.#broker.refusing = false
    this.#functions.refusing.clear()
    if (this.checker.checkpoint?.halt?.code === 'PAUSED') void this.#resume()
    this.clock.after(1_000, () => this.#checkEnd())
  }

  /** What goes on by itself after an operator has corrected the handler, or where nothing was ever wrong. */
  #isMendable(code: string | undefined): boolean {
    const spurious = this.#broker.halting.spurious && !this.#trimmed && !this.checker.swapped
    if (code === 'DATA_GAP' || code === 'LOG_CHANGED') return spurious && !this.checker.damaged
    return ['HANDLER_FAILED', 'DEAD_LETTER_BREAKER', 'BATCH_CORRUPT'].includes(code ?? '')
  }

  /** I6: drained, or halted for a reason that this world gives. */
  #checkEnd(): void {
    const stored = this.checker.checkpoint
    if (stored === null) {
      this.#done = this.checker.damaged || this.scenario.entries.every(({ kind }) => kind !== 'change')
      return
    }
    if (stored.state === 'HALTED') {
      if (stored.halt?.code === 'PAUSED') return void this.#resume()
      const { checker, scenario } = this
      const facts = { checker, scenario, trimmed: this.#trimmed, spurious: this.#broker.halting.spurious }
      if (!haltIsJustified(stored, facts)) {
        checker.violate(
          'I6',
          `halted without a reason in this world: ${stored.halt?.code} ${stored.halt?.message}`,
        )
      }
      if (!this.#mended && this.#isMendable(stored.halt?.code)) {
        this.#mended = true
        this.#functions.mended = true
        void this.#resume()
      } else {
        this.#done = true
      }
      return
    }
    this.#done = this.#log.complete && stored.offset >= this.#log.end
  }
}
