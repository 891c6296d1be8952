import type { UpdateItemCommandInput } from '@aws-sdk/client-dynamodb'
import type { Checkpoint } from '../../lib/checkpoint/types.ts'
import type { BatchRecord } from '../../lib/dispatch/wire.ts'
import type { Clock } from './clock.ts'
import type { Item } from './dynamodb.ts'
import type { Entry } from './entries.ts'
import { type FaultCounts, type FaultNumber, noFaults } from './faults.ts'
import { ObservedFunction, type ObservedRun, toCheckpoint, type Violation } from './observed.ts'
import { type Scenario, worldStart } from './scenario.ts'

/** What the protocol grants for clocks that differ, in milliseconds; not taken from the code that it judges. */
const marginMs = 5_000

/** Work that a function does for one invocation: from its start to its end it is a live copy. */
export interface Copy {
  readonly run: ObservedRun
  readonly name: string
  /** Indices into the function's changes. */
  readonly events: readonly number[]
  live: boolean
}

/** Sees everything and holds it against the invariants. */
export class Checker {
  readonly violations: Violation[] = []
  readonly faults: FaultCounts = noFaults()
  readonly functions: ReadonlyMap<string, ObservedFunction>
  readonly #scenario: Scenario
  readonly #clock: Clock
  readonly #entries: ReadonlyMap<bigint, Entry>
  readonly #unreadable: readonly Entry[]
  readonly #storedUnreadable = new Set<bigint>()
  readonly #runs = new Map<string, ObservedRun>()
  readonly #copies = new Set<Copy>()
  readonly #ackedAtSend = new WeakMap<UpdateItemCommandInput, number>()
  readonly #trace: ((line: string) => void) | null
  #deliveredEpoch = 0
  /** Counts acknowledgements, so that a commit can be told which came before it. */
  #order = 0
  #checkpoint: Checkpoint | null = null
  /** Somebody deleted or restored the item: what the lease protects is not protected from then on. */
  damaged = false
  swapped = false
  deadLetters = 0
  commits = 0
  takeovers = 0
  maxDuplicates = 0
  bound = 0

  constructor(scenario: Scenario, clock: Clock, trace: ((line: string) => void) | null) {
    this.#scenario = scenario
    this.#clock = clock
    this.#trace = trace
    this.functions = new Map(
      scenario.functions.map((definition) => [definition.name, new ObservedFunction(definition, scenario)]),
    )
    this.#entries = new Map(scenario.entries.map((entry) => [entry.offset, entry]))
    this.#unreadable = scenario.entries.filter(({ kind }) => kind === 'unreadable')
  }

  get checkpoint(): Checkpoint | null {
    return this.#checkpoint
  }

  fault(number: FaultNumber): void {
    this.faults[number] += 1
  }

  log(line: () => string): void {
    this.#trace?.(`${((this.#clock.now - worldStart) / 1000).toFixed(3).padStart(9)} ${line()}`)
  }

  violate(invariant: Violation['invariant'], message: string): void {
    this.log(() => `VIOLATION ${invariant}: ${message}`)
    const at = this.#clock.now - worldStart
    this.violations.push({ seed: this.#scenario.seed, invariant, message, at })
  }

  /** Beyond the margin, and after somebody's hand on the item, two holders may well believe in their lease. */
  get #leaseHolds(): boolean {
    return this.#scenario.skew !== 'beyond' && !this.damaged
  }

  begin(run: ObservedRun): void {
    this.#runs.set(run.owner, run)
    const others = [...this.#runs.values()].filter(({ ended, machine }) => !ended && machine.alive)
    if (others.length > 1) this.fault(7)
    this.log(() => `${run.owner} begins`)
  }

  // ── the checkpoint ──

  sending(run: ObservedRun, input: UpdateItemCommandInput): void {
    if (!run.ended) this.#ackedAtSend.set(input, this.#order)
  }

  /** Past every condition, as a person with the console does it. */
  replaced(item: Item | undefined): void {
    this.damaged = true
    this.#checkpoint = item === undefined ? null : toCheckpoint(item)
    this.log(() => `checkpoint replaced: ${item === undefined ? 'gone' : describe(this.#checkpoint)}`)
  }

  written(before: Item | undefined, after: Item, input: UpdateItemCommandInput): void {
    const old = before === undefined ? null : toCheckpoint(before)
    const now = toCheckpoint(after)
    this.#checkpoint = now
    const values = input.ExpressionAttributeValues ?? {}
    const owner = values[':owner']?.S ?? values[':set_owner']?.S
    this.log(() => `written by ${owner ?? 'operator'}: ${describe(now)}`)
    this.#checkCommitted(now)
    if (owner === undefined) return
    const run = this.#runs.get(owner)
    if (run === undefined) this.violate('I4', `the checkpoint was written by ${owner}, whom nobody knows`)
    else if (values[':set_owner'] !== undefined) this.#taken(run, old, now)
    else if (old !== null) this.#renewed(run, old, now, input)
  }

  #taken(run: ObservedRun, old: Checkpoint | null, now: Checkpoint): void {
    if (old !== null && old.owner === run.owner) return
    if (old !== null) {
      if (now.epoch !== old.epoch + 1) this.violate('I4', `epoch from ${old.epoch} to ${now.epoch}`)
      if (old.state !== 'RUNNING') this.violate('I3', `${run.owner} took the lease of a halted stream`)
      if (now.offset !== old.offset) this.violate('I4', 'taking the lease moved the offset')
      const previous = this.#runs.get(old.owner ?? '')
      if (old.leaseUntil > 0 && previous !== undefined && !previous.ended && previous.machine.alive) {
        if (previous.machine.skewMs !== run.machine.skewMs) this.fault(8)
      }
      const early = run.machine.now() - marginMs <= old.leaseUntil
      if (early)
        this.violate('I3', `${run.owner} took a lease ${old.leaseUntil - run.machine.now()} ms early`)
    }
    this.takeovers += 1
    run.epoch = now.epoch
    run.base = now
    let uncovered = 0
    for (const observed of this.functions.values()) {
      for (let index = observed.prefixCovered(now); index < observed.events.length; index++) {
        if (observed.handedBy[index] !== null && !observed.isCovered(index, now)) uncovered += 1
      }
    }
    this.bound = Math.max(this.bound, uncovered)
  }

  #renewed(run: ObservedRun, old: Checkpoint, now: Checkpoint, input: UpdateItemCommandInput): void {
    if (old.owner !== run.owner || old.epoch !== run.epoch) {
      this.violate('I4', `a write of ${run.owner} was accepted while ${old.owner} held epoch ${old.epoch}`)
    }
    if (now.epoch !== old.epoch) this.violate('I4', 'a write under the lease moved the epoch')
    if (now.generation === old.generation && now.offset < old.offset) {
      this.violate('I4', `the offset went back from ${old.offset} to ${now.offset}`)
    }
    for (const observed of this.functions.values()) {
      for (let index = observed.prefixCovered(old); index < observed.events.length; index++) {
        if (observed.isCovered(index, old) && !observed.isCovered(index, now)) {
          this.violate('I4', `${observed.name} lost its progress at ${observed.events[index]?.offset}`)
          break
        }
      }
    }
    if (input.ExpressionAttributeValues?.[':newOffset'] === undefined) {
      if (now.state === 'HALTED') this.log(() => `halted: ${now.halt?.code} ${now.halt?.message}`)
      return
    }
    if (now.leaseUntil < old.leaseUntil) {
      this.violate(
        'I3',
        `a commit made the lease of ${run.owner} end ${old.leaseUntil - now.leaseUntil} ms earlier`,
      )
    }
    if (now.offset > old.offset) this.#countPassed(old.offset, now.offset)
    this.commits += 1
    this.#mustCover(run, now, this.#ackedAtSend.get(input) ?? 0, 'a commit')
  }

  #mustCover(run: ObservedRun, now: Checkpoint, until: number, what: string): void {
    let kept = 0
    for (const ack of run.acked) {
      const observed = this.functions.get(ack.name)
      if (observed?.isCovered(ack.index, now)) continue
      run.acked[kept++] = ack
      if (ack.order <= until) {
        const event = observed?.events[ack.index]
        this.violate(
          'I5',
          `${what} of ${run.owner} leaves out ${ack.name} ${event?.offset}, which was acknowledged`,
        )
      }
    }
    run.acked.length = kept
  }

  #countPassed(from: bigint, to: bigint): void {
    for (let offset = from; offset < to; offset++) {
      const entry = this.#entries.get(offset)
      if (entry === undefined || entry.kind === 'idle' || entry.kind === 'control') this.fault(20)
      if (entry?.isDdl || entry?.changesKey || entry?.unrouted) this.fault(25)
    }
  }

  /** I1: nothing below the committed offset, or a lane's own, may be undone. */
  #checkCommitted(now: Checkpoint): void {
    for (const observed of this.functions.values()) {
      const { events, done } = observed
      for (let index = observed.prefix; index < events.length; index++) {
        if (!done[index] && observed.isCovered(index, now)) {
          this.violate('I1', `${observed.name} ${events[index]?.offset} is committed and was not handled`)
          break
        }
      }
    }
    for (const { offset } of this.#unreadable) {
      if (offset >= now.offset) break
      if (!this.#storedUnreadable.has(offset)) {
        this.violate('I1', `the unreadable record ${offset} is committed and stored nowhere`)
        break
      }
    }
    if (this.#scenario.config.unroutedTables === 'halt') {
      const passed = this.#scenario.entries.find(({ unrouted, offset }) => unrouted && offset < now.offset)
      if (passed !== undefined) this.violate('I1', `${passed.offset} of an unknown table was passed over`)
    }
  }

  // ── delivery ──

  /** @returns the invocation's changes, by index */
  invoking(run: ObservedRun, name: string, records: readonly BatchRecord[]): number[] {
    this.log(() => `${run.owner} invokes ${name} ${records.map(({ offset }) => offset).join(' ')}`)
    run.invocations += 1
    this.#mayAct(run, `invokes ${name}`)
    const { config } = this.#scenario
    const stored = this.#checkpoint
    const endsAt = run.machine.now() + config.handlerTimeoutMs + 15_000
    if (!this.damaged && stored?.owner === run.owner && stored.leaseUntil > 0 && endsAt > stored.leaseUntil) {
      this.violate('I3', `${run.owner} invokes ${name}, which its lease does not cover`)
    }
    const observed = this.functions.get(name)
    const indices: number[] = []
    for (const { offset, value } of records) {
      const index = observed?.index.get(offset)
      const entry = index === undefined ? undefined : observed?.events[index]
      if (observed === undefined || index === undefined || entry === undefined) {
        this.violate('I1', `${name} was sent ${offset}, which is not its own`)
        continue
      }
      if (!this.damaged && (entry.value === null || !value.equals(entry.value))) {
        this.violate('I1', `${name} was sent ${offset} of another log`)
      }
      this.#handOut(run, observed, index, indices.at(-1))
      indices.push(index)
    }
    return indices
  }

  #handOut(run: ObservedRun, observed: ObservedFunction, index: number, previous: number | undefined): void {
    const { name, events, handedBy } = observed
    const what = `${name} ${events[index]?.offset}`
    if (run.base !== null && !this.damaged && observed.isCovered(index, run.base)) {
      this.violate('I5', `${what} was committed before ${run.owner} began, and is sent again`)
    }
    if (run.ackedKeys.has(`${name}/${index}`)) {
      this.violate('I5', `${what} is sent again by ${run.owner}, which has its acknowledgement`)
    }
    if (observed.definition.delivery.concurrency === 1) {
      const next = previous === undefined ? (run.furthest.get(name) ?? index - 1) : previous
      for (let between = next + 1; between < index; between++) {
        if (observed.putAside[between]) continue
        this.violate('I2', `${what} is sent by ${run.owner}, but not ${events[between]?.offset} before it`)
        break
      }
      run.furthest.set(name, Math.max(run.furthest.get(name) ?? -1, index))
    }
    const before = handedBy[index]
    if (before !== null && before !== undefined && before !== run) {
      run.duplicates.add(`${name}/${index}`)
      if (this.#scenario.calm && observed.done[index] && observed.failures[index] === 0)
        this.violate('I5', `${what} is sent twice without any fault`)
      if (!this.damaged) this.maxDuplicates = Math.max(this.maxDuplicates, run.duplicates.size)
    }
    handedBy[index] = run
  }

  #mayAct(run: ObservedRun, what: string): void {
    if (run.signal.aborted)
      this.violate('I3', `${run.owner} ${what} after a newer invocation began in its process`)
    if (run.epoch === null) this.violate('I3', `${run.owner} ${what} without a lease`)
    else if (this.#leaseHolds && run.epoch < this.#deliveredEpoch) {
      this.violate(
        'I3',
        `${run.owner} ${what} in epoch ${run.epoch} after epoch ${this.#deliveredEpoch} delivered`,
      )
    }
  }

  #copyStarts(copy: Copy): void {
    const epoch = copy.run.epoch ?? 0
    if (this.#leaseHolds && epoch < this.#deliveredEpoch) {
      this.violate(
        'I3',
        `${copy.name} starts work of epoch ${epoch} after epoch ${this.#deliveredEpoch} delivered`,
      )
    }
    this.#deliveredEpoch = Math.max(this.#deliveredEpoch, epoch)
    const observed = this.functions.get(copy.name)
    for (const other of this.#copies) {
      if (other.name !== copy.name || observed === undefined || !this.#leaseHolds) continue
      const clash = copy.events.some((left) => other.events.some((right) => observed.conflict(left, right)))
      if (clash) {
        this.violate('I3', `two live copies of ${copy.name}: of ${other.run.owner} and of ${copy.run.owner}`)
        break
      }
    }
    this.#copies.add(copy)
  }

  copyEnds(copy: Copy): void {
    copy.live = false
    this.#copies.delete(copy)
  }

  /** I2: everything before a change that must not change places with it is done before it starts. */
  starts(copy: Copy, offset: bigint): void {
    if (!this.#copies.has(copy)) this.#copyStarts(copy)
    const { name } = copy
    const observed = this.functions.get(name)
    const index = observed?.index.get(offset)
    if (observed === undefined || index === undefined) return
    for (let before = observed.prefix; before < index; before++) {
      if (!observed.done[before] && observed.conflict(before, index)) {
        this.violate('I2', `${name} starts ${offset} before ${observed.events[before]?.offset} is done`)
        return
      }
    }
  }

  finishes(name: string, offset: bigint): void {
    const observed = this.functions.get(name)
    const index = observed?.index.get(offset)
    if (observed !== undefined && index !== undefined) observed.done[index] = true
  }

  /** The answer has reached the poller. */
  acknowledged(run: ObservedRun, name: string, indices: readonly number[]): void {
    for (const index of indices) {
      run.acked.push({ name, index, at: this.#clock.now, order: ++this.#order })
      run.ackedKeys.add(`${name}/${index}`)
    }
    if (indices.length > 0) this.#expectCommit(run)
  }

  /** A commit follows every 200 ms; a run that nothing disturbs has stored the acknowledgement soon after. */
  #expectCommit(run: ObservedRun): void {
    const { freezes } = run.machine
    const acked = this.#clock.now
    this.#clock.after(2_000, () => {
      const { config } = this.#scenario
      const worstCaseMs = config.handlerTimeoutMs + 15_000
      const undisturbed = !run.disturbed && !run.ended && run.machine.alive && run.machine.freezes === freezes
      // A halt waits for what is in flight before it stores anything.
      const mayHalt = this.#scenario.entries.some(({ tooLarge }) => tooLarge)
      const holds = this.#checkpoint?.owner === run.owner && !mayHalt
      if (
        !undisturbed ||
        !holds ||
        run.signal.aborted ||
        this.#clock.now > run.deadline - worstCaseMs - 1_000
      )
        return
      const left = run.acked.find(({ at }) => at <= acked)
      if (left !== undefined)
        this.violate('I5', `${left.name} #${left.index} is not stored 2 s after its answer`)
    })
  }

  /** A failure that may be the changes' own. */
  failed(name: string, indices: readonly number[]): void {
    const observed = this.functions.get(name)
    for (const index of indices) {
      if (observed === undefined) continue
      if (indices.length === 1) observed.failedAlone[index] = true
      observed.failures[index] = (observed.failures[index] ?? 0) + 1
      observed.firstFailure[index] = Math.min(observed.firstFailure[index] ?? 0, this.#clock.now)
    }
  }

  /**
   * The first request of a dead letter leaves. A large one needs two, and a run frozen between them sends the second
   * late: the same letter that the next run would write.
   */
  putsAside(run: ObservedRun): void {
    this.#mayAct(run, 'puts a change aside')
  }

  storedDeadLetter(run: ObservedRun, name: string, offset: bigint): void {
    this.log(() => `${run.owner} puts ${name} ${offset} aside`)
    this.deadLetters += 1
    const entry = this.#entries.get(offset)
    if (name === '') {
      if (entry?.kind !== 'unreadable') this.violate('I1', `${offset} was put aside as unreadable`)
      else this.fault(17)
      this.#storedUnreadable.add(offset)
      return
    }
    const observed = this.functions.get(name)
    const index = observed?.index.get(offset)
    if (observed === undefined || index === undefined || entry === undefined) {
      this.violate('I1', `${name} ${offset} was put aside and is not its own`)
      return
    }
    const { attempts, maxAgeSeconds, onFailure } = observed.definition.delivery
    const age = this.#clock.now - (observed.firstFailure[index] ?? 0)
    const tolerance = this.#scenario.skew === 'none' ? 0 : 60_000
    const tried = (observed.failures[index] ?? 0) >= attempts || age + tolerance >= maxAgeSeconds * 1_000
    if (!entry.tooLarge && !(tried && (observed.failures[index] ?? 0) > 0)) {
      this.violate(
        'I1',
        `${name} ${offset} was given up after ${observed.failures[index]} of ${attempts} tries`,
      )
    }
    if (!entry.tooLarge && !observed.failedAlone[index]) {
      this.violate('I1', `${name} ${offset} was given up for what its batch failed with`)
    }
    if (onFailure === 'halt') this.violate('I1', `${name} ${offset} was put aside although failures halt`)
    this.fault(entry.tooLarge ? 16 : 14)
    observed.putAside[index] = true
    observed.done[index] = true
  }

  // ── ends ──

  killed(run: ObservedRun): void {
    this.log(() => `${run.owner} is killed`)
    if (run.ended || run.epoch === null) return
    if (run.invocations === 0) this.fault(1)
    else if (run.acked.length > 0) this.fault(2)
  }

  /** A run that ended by itself has stored all that it was told. */
  endsWell(run: ObservedRun): void {
    const stored = this.#checkpoint
    if (stored === null || stored.owner !== run.owner || stored.epoch !== run.epoch) return
    if (!this.damaged) this.#mustCover(run, stored, Number.POSITIVE_INFINITY, 'the end')
  }
}

function describe(checkpoint: Checkpoint | null): string {
  if (checkpoint === null) return 'none'
  const { epoch, owner, offset, state, leaseUntil, lanes } = checkpoint
  const ends = leaseUntil === 0 ? 'free' : ((leaseUntil - worldStart) / 1000).toFixed(3)
  return `epoch ${epoch} of ${owner}, offset ${offset}, ${state}, lease ${ends} ${laneText(lanes)}`
}

function laneText(lanes: Checkpoint['lanes']): string {
  return JSON.stringify(lanes, (_key, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  )
}
