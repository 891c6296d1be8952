import type { Checkpoint } from '../../lib/checkpoint/types.ts'
import type { MarkedPlace } from '../../lib/kafka/commit-mark.ts'
import type { Clock } from '../support/virtual-clock.ts'
import { type FaultCounts, type FaultNumber, noFaults } from './faults.ts'
import type { Log } from './log.ts'
import { Coverage, isOlder, ObservedFunction, type ObservedRun, type Violation } from './observed.ts'
import { type Scenario, worldStart } from './scenario.ts'

/** Everything that happened in a world, and every violation that a checker found. */
export class Facts {
  readonly scenario: Scenario
  readonly clock: Clock
  readonly violations: Violation[] = []
  readonly faults: FaultCounts = noFaults()
  /** How often each other event happened, by name. A test asserts that each one was seen. */
  readonly happenings: Record<string, number> = {}
  readonly functions: ReadonlyMap<string, ObservedFunction>
  readonly runs = new Map<string, ObservedRun>()
  /** The log that a generation of the checkpoint belongs to. */
  readonly logs = new Map<number, Log>()
  /** Entries that a person accepted to lose, by their place. */
  readonly lost = new Set<number>()
  /** Unreadable records in the dead-letter queue, by their place. */
  readonly storedUnreadable = new Set<number>()
  readonly #trace: ((line: string) => void) | null
  #checkpoint: Checkpoint | null = null
  #coverage: Coverage | null = null
  /** The item was deleted or restored. From then on the lease protects nothing. */
  damaged = false
  /** When that last happened, by the world's clock. */
  damagedAt = Number.NEGATIVE_INFINITY
  /** The newest generation that an item ever had. */
  newestGeneration = 0
  /** False after a run used an item of an older generation and could not detect it: a fence may then drop changes. */
  fenceHolds = true
  trimmed = false
  /** A broker answered with wrong offsets. */
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

  /** The changes that the stored checkpoint covers; null if there is no checkpoint. */
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
    if (log === undefined) throw new RangeError(`generation ${generation} has no log`)
    return log
  }

  coverageOf(checkpoint: Checkpoint): Coverage {
    return checkpoint === this.#checkpoint && this.#coverage !== null
      ? this.#coverage
      : new Coverage(checkpoint, this.logOf(checkpoint))
  }

  /** The item is written before the group. So a group that is ahead of the item proves that the item was restored. */
  groupCommitted(place: MarkedPlace): void {
    if (this.damaged) return
    if (this.#checkpoint === null || isOlder(this.#checkpoint, place))
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

  /** If clocks differ by more than the margin, or the item was replaced, two runs may both hold a valid lease. */
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
