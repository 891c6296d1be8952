import type { Checkpoint } from '../../lib/checkpoint/types.ts'
import type { MarkedPlace } from '../../lib/kafka/commit-mark.ts'
import type { Clock } from '../support/virtual-clock.ts'
import { type FaultCounts, type FaultNumber, noFaults } from './faults.ts'
import type { Log } from './log.ts'
import { Coverage, isBehind, ObservedFunction, type ObservedRun, type Violation } from './observed.ts'
import { type Scenario, worldStart } from './scenario.ts'

/** What is known of a world by one who sees everything, and what was found wrong in it. */
export class Facts {
  readonly scenario: Scenario
  readonly clock: Clock
  readonly violations: Violation[] = []
  readonly faults: FaultCounts = noFaults()
  /** How often other things happened that a test wants to have seen, by name. */
  readonly happenings: Record<string, number> = {}
  readonly functions: ReadonlyMap<string, ObservedFunction>
  readonly runs = new Map<string, ObservedRun>()
  /** The log that a generation of the checkpoint belongs to. */
  readonly logs = new Map<number, Log>()
  /** Entries that somebody accepted to be lost, by their place. */
  readonly lost = new Set<number>()
  /** Unreadable records that the dead-letter queue has, by their place. */
  readonly storedUnreadable = new Set<number>()
  readonly #trace: ((line: string) => void) | null
  #checkpoint: Checkpoint | null = null
  #coverage: Coverage | null = null
  /** Somebody deleted or restored the item: what the lease protects is not protected from then on. */
  damaged = false
  /** When that was last, by the world's clock. */
  damagedAt = Number.NEGATIVE_INFINITY
  /** The newest generation that an item ever had. */
  newestGeneration = 0
  /** False once an item of an older generation was used and nothing could have told: then effects may be left out. */
  fenceHolds = true
  trimmed = false
  /** A broker named wrong offsets. */
  spurious = false
  deadLetters = 0
  commits = 0
  takeovers = 0
  maxDuplicates = 0
  bound = 0

  constructor(scenario: Scenario, clock: Clock, trace: ((line: string) => void) | null) {
    this.scenario = scenario
    this.clock = clock
    this.#trace = trace
    this.functions = new Map(
      scenario.routing.functions.map((definition) => [
        definition.name,
        new ObservedFunction(definition, scenario.entries),
      ]),
    )
  }

  get checkpoint(): Checkpoint | null {
    return this.#checkpoint
  }

  /** What the stored checkpoint covers; null where there is none. */
  get coverage(): Coverage | null {
    if (this.#coverage === null && this.#checkpoint !== null)
      this.#coverage = this.coverageOf(this.#checkpoint)
    return this.#coverage
  }

  store(checkpoint: Checkpoint | null): void {
    this.#checkpoint = checkpoint
    this.#coverage = null
  }

  logOf({ generation }: Pick<Checkpoint, 'generation'>): Log {
    const log = this.logs.get(generation)
    if (log === undefined) throw new RangeError(`nobody knows generation ${generation}`)
    return log
  }

  coverageOf(checkpoint: Checkpoint): Coverage {
    return checkpoint === this.#checkpoint && this.#coverage !== null
      ? this.#coverage
      : new Coverage(checkpoint, this.logOf(checkpoint))
  }

  /** The order of the two writes tells a restored item from one that is only late. */
  groupCommitted(place: MarkedPlace): void {
    if (this.damaged) return
    if (this.#checkpoint === null || isBehind(this.#checkpoint, place))
      this.violate('I4', `the group has ${place.generation} ${place.offset} before the item`)
  }

  fault(number: FaultNumber): void {
    this.faults[number] += 1
  }

  happened(what: string): void {
    this.happenings[what] = (this.happenings[what] ?? 0) + 1
  }

  log(line: () => string): void {
    this.#trace?.(`${((this.clock.now - worldStart) / 1000).toFixed(3).padStart(9)} ${line()}`)
  }

  violate(invariant: Violation['invariant'], message: string): void {
    this.log(() => `VIOLATION ${invariant}: ${message}`)
    const at = this.clock.now - worldStart
    this.violations.push({ seed: this.scenario.seed, invariant, message, at })
  }

  /** Beyond the margin, and after somebody's hand on the item, two holders may well believe in their lease. */
  get leaseHolds(): boolean {
    return this.scenario.skew !== 'beyond' && !this.damaged
  }

  begin(run: ObservedRun): void {
    this.runs.set(run.owner, run)
    const others = [...this.runs.values()].filter(
      ({ kind, ended, machine }) => kind === 'poll' && !ended && machine.alive,
    )
    if (run.kind === 'poll' && others.length > 1) this.fault(7)
    this.log(() => `${run.owner} begins`)
  }

  killed(run: ObservedRun): void {
    this.log(() => `${run.owner} is killed`)
    if (run.ended || run.epoch === null || run.kind !== 'poll') return
    if (run.invocations === 0) this.fault(1)
    else if (run.acked.length > 0) this.fault(2)
  }
}
