import { haltOf } from '../../lib/checkpoint/types.ts'
import '../rig/quiet.ts'
import { Clock, quiescence } from '../support/virtual-clock.ts'
import { CheckpointTable } from './checkpoint-table.ts'
import { DeadLetters } from './dead-letters.ts'
import { DeliveryChecker } from './deliveries.ts'
import { haltIsJustified } from './ending.ts'
import { Facts } from './facts.ts'
import type { FaultCounts, Kind } from './faults.ts'
import { Functions } from './functions.ts'
import type { Stage } from './hazards.ts'
import type { ObservedRun, Violation } from './observed.ts'
import { Operator } from './operator.ts'
import { type Parts, Pollers } from './pollers.ts'
import type { Random } from './random.ts'
import { firstLog, makeScenario, type Scenario, worldStart } from './scenario.ts'
import { Broker } from './stream.ts'
import { Switches } from './switches.ts'
import { Windows } from './windows.ts'
import { WriteChecker } from './writes.ts'

export interface Outcome {
  readonly seed: number
  readonly violations: readonly Violation[]
  readonly faults: FaultCounts
  readonly happenings: Readonly<Record<string, number>>
  readonly maxDuplicates: number
  readonly bound: number
  readonly commits: number
  readonly takeovers: number
  readonly deadLetters: number
  /** `drained`, or the code that halted the stream. */
  readonly end: string
  readonly steps: number
}

/** After the last fault, the stream must drain within this time, in milliseconds. */
const patienceMs = 3 * 3_600_000

/** Plays one seed to its end. */
export async function play(
  kind: Kind,
  seed: number,
  trace: ((line: string) => void) | null = null,
): Promise<Outcome> {
  const realNow = Date.now
  const world = new World(kind, seed, trace)
  // Table functions read the clock through Date.now.
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
  readonly random: Random
  readonly facts: Facts
  readonly writes: WriteChecker
  readonly deliveries: DeliveryChecker
  quiet = false
  readonly #parts: Parts
  readonly #pollers: Pollers
  readonly #windows: Windows
  readonly #operator: Operator
  #fixed = false
  #done = false

  constructor(kind: Kind, seed: number, trace: ((line: string) => void) | null) {
    const { scenario, random } = makeScenario(seed, kind)
    this.scenario = scenario
    this.random = random
    this.facts = new Facts(scenario, this.clock, trace)
    this.writes = new WriteChecker(this.facts)
    this.deliveries = new DeliveryChecker(this.facts)
    this.#parts = {
      broker: new Broker(this, firstLog(scenario, random, this.clock)),
      table: new CheckpointTable(this),
      functions: new Functions(this),
      deadLetters: new DeadLetters(this),
    }
    this.#pollers = new Pollers(this, this.#parts, () => this.#runEnded())
    this.#operator = new Operator(this, this.#parts, () => this.#pollers.areWorking)
    this.#windows = new Windows(this, this.#parts, () => void this.#operator.pause())
  }

  async play(): Promise<Outcome> {
    const { facts, clock, scenario } = this
    const { kind, quietAfterMs, seed } = scenario
    this.#pollers.start()
    this.#windows.plan(() => this.#pollers.machines.map(({ name }) => name))
    if (kind === 'switch') {
      new Switches(this, this.#parts, () => this.#operator.isBusy).plan()
      this.#operator.start()
    }
    clock.after(quietAfterMs, () => this.#becomeQuiet())
    let steps = 0
    while (!this.#done && facts.violations.length === 0 && clock.step()) {
      steps += 1
      await quiescence()
      if (clock.now - worldStart > quietAfterMs + patienceMs) break
      if (steps > 400_000) facts.violate('I6', 'the world does not end')
    }
    const stored = facts.checkpoint
    const end = stored === null || stored.state === 'RUNNING' ? 'drained' : (haltOf(stored)?.code ?? 'HALTED')
    if (!this.#done && facts.violations.length === 0)
      facts.violate(
        'I6',
        `the stream is stuck at offset ${stored?.offset}; the log ends at ${this.#parts.broker.log.end}`,
      )
    const { violations, faults, happenings, maxDuplicates, bound, commits, takeovers, deadLetters } = facts
    return {
      seed,
      violations,
      faults,
      happenings,
      maxDuplicates,
      bound,
      commits,
      takeovers,
      deadLetters,
      end,
      steps,
    }
  }

  kill(run: ObservedRun): void {
    if (!run.machine.alive) return
    this.facts.killed(run)
    run.machine.kill()
    run.ended = true
  }

  freeze(run: ObservedRun): void {
    const { facts, clock, random, scenario } = this
    const { machine } = run
    if (machine.frozen || !machine.alive || run.ended) return
    machine.freeze()
    run.disturbed = true
    facts.log(() => `${machine.name} freezes`)
    const longest = scenario.config.handlerTimeoutMs + 40_000
    clock.after(random.pick([2_000, longest, random.whole(1_000, longest * 2)]), () => {
      if (!machine.alive || !machine.frozen) return
      facts.log(() => `${machine.name} thaws`)
      if (run.kind === 'poll') this.#pollers.thawed(run)
      else machine.thaw()
    })
  }

  /** Called where a pause is most dangerous, such as between a run's read of the checkpoint and its lease. */
  mayPause(likelihood: number): void {
    if (!this.quiet && this.random.chance(this.scenario.rates.paused * likelihood))
      void this.#operator.pause()
  }

  #runEnded(): void {
    if (this.quiet) this.#checkEnd()
    // In these worlds no operator restarts a halted stream. So the world ends after all late writes have arrived.
    else if (this.scenario.kind === 'faults' && this.facts.checkpoint?.state === 'HALTED')
      this.clock.after(150_000, () => this.#becomeQuiet())
  }

  #becomeQuiet(): void {
    if (this.quiet) return
    this.facts.log(() => 'no more faults')
    this.quiet = true
    this.#windows.close()
    if (this.facts.checkpoint?.state === 'PAUSED') void this.#operator.resume()
    this.clock.after(1_000, () => this.#checkEnd())
  }

  /** I6: the stream is drained. In a world of one log it may be halted, if the world contains the reason. */
  #checkEnd(): void {
    const { facts } = this
    const { log } = this.#parts.broker
    const stored = facts.checkpoint
    if (stored === null) {
      const isLeftAlone = facts.damaged && this.scenario.kind === 'faults'
      if (isLeftAlone || this.scenario.entries.every(({ kind }) => kind !== 'change')) this.#end()
    } else if (stored.state !== 'RUNNING') {
      if (this.scenario.kind === 'faults') this.#checkHalt()
    } else if (facts.logOf(stored) === log && log.complete && stored.offset >= log.end) {
      this.deliveries.fence.checkEnd()
      this.#end()
    }
  }

  #checkHalt(): void {
    const { facts } = this
    const stored = facts.checkpoint
    if (stored?.state === 'PAUSED') return void this.#endPause()
    const halt = stored === null ? null : haltOf(stored)
    if (stored === null || !haltIsJustified(halt, facts)) {
      facts.violate('I6', `halted, but the world contains no reason for it: ${halt?.code} ${halt?.message}`)
    }
    if (!this.#fixed && this.#isFixable(halt?.code)) {
      this.#fixed = true
      this.#parts.functions.fixed = true
      void this.#operator.resume()
    } else {
      this.#end()
    }
  }

  async #endPause(): Promise<void> {
    const refused = await this.#operator.resume()
    const { trimmed, damaged } = this.facts
    // Changes that expired during the pause are a gap, and an item that was restored before it needs a reset. No person accepts the
    // one or runs the other in these worlds.
    if (refused?.code === 'DATA_GAP' && trimmed) this.#end()
    if (refused?.code === 'CHECKPOINT_RESTORED' && damaged) this.#end()
  }

  /** Whether a resume is enough: the handler was fixed, or the fault is gone. */
  #isFixable(code: string | undefined): boolean {
    const { spurious, trimmed, damaged } = this.facts
    if (code === 'DATA_GAP' || code === 'LOG_CHANGED') return spurious && !trimmed && !damaged
    return ['HANDLER_FAILED', 'DEAD_LETTER_BREAKER', 'BATCH_CORRUPT', 'BATCH_TOO_LARGE'].includes(code ?? '')
  }

  #end(): void {
    this.#done = true
    this.#pollers.stop()
    this.#operator.stop()
  }
}
