import type { UpdateItemCommandInput } from '@aws-sdk/client-dynamodb'
import { type Checkpoint, haltOf } from '../../lib/checkpoint/types.ts'
import type { Item } from '../support/item-table.ts'
import type { Facts } from './facts.ts'
import { HandOverChecker } from './hand-overs.ts'
import { MoveChecker } from './moves.ts'
import { Coverage, type ObservedRun, toCheckpoint } from './observed.ts'
import { worldStart } from './scenario.ts'
import { WholenessChecker } from './wholeness.ts'

/** The lease's margin for clocks that differ, in milliseconds. Written here, so that the code does not check itself. */
const marginMs = 5_000

/** Checks each write of the checkpoint against I1, I4, the lease of I3, and the commits of I5. */
export class WriteChecker {
  readonly moves: MoveChecker
  readonly #wholeness: WholenessChecker
  readonly #handOvers: HandOverChecker
  readonly #facts: Facts
  readonly #ackedAtSend = new WeakMap<UpdateItemCommandInput, number>()
  /** Counts acknowledgements, so that each commit knows which came before it. */
  #order = 0

  constructor(facts: Facts) {
    this.#facts = facts
    this.moves = new MoveChecker(facts)
    this.#wholeness = new WholenessChecker(facts)
    this.#handOvers = new HandOverChecker(facts)
  }

  sending(run: ObservedRun, input: UpdateItemCommandInput): void {
    if (!run.ended) this.#ackedAtSend.set(input, this.#order)
  }

  /** The item was replaced without any condition, as a person does in the console. */
  replaced(item: Item | undefined): void {
    const facts = this.#facts
    facts.damaged = true
    facts.damagedAt = facts.clock.now
    this.moves.forget()
    // The item no longer knows what an undone move made repeat.
    for (const { isReplay } of facts.functions.values()) isReplay.fill(false)
    facts.store(item === undefined ? null : toCheckpoint(item))
    facts.log(() => `checkpoint replaced: ${item === undefined ? 'deleted' : describe(facts.checkpoint)}`)
  }

  written(before: Item | undefined, after: Item, input: UpdateItemCommandInput): void {
    const facts = this.#facts
    const old = before === undefined ? null : toCheckpoint(before)
    const now = toCheckpoint(after)
    const values = input.ExpressionAttributeValues ?? {}
    const owner = values[':owner']?.S ?? values[':set_owner']?.S
    const run = owner === undefined ? null : (facts.runs.get(owner) ?? null)
    facts.log(() => `written by ${owner ?? 'operator'}: ${describe(now)}`)
    if (owner !== undefined && run === null) {
      facts.violate('I4', `the unknown owner ${owner} wrote the checkpoint`)
      return
    }
    const movesIt = values[':set_generation'] !== undefined
    if (movesIt) this.moves.checkGeneration(run, now)
    if (movesIt && run?.log) facts.logs.set(now.generation, run.log)
    facts.store(now)
    this.#handOvers.written(old, now, values[':set_wish'] !== undefined)
    if (run !== null && values[':set_owner'] !== undefined) {
      if (old === null) this.moves.created(run, now)
      this.#taken(run, old, now)
    } else if (run !== null && old !== null) {
      this.#mustHold(run, old, now)
      if (movesIt) this.moves.moved(run, old, now)
      else this.#renewed(run, old, now, input)
    }
    this.#wholeness.check(old, now, movesIt)
    this.#checkCommitted()
  }

  #taken(run: ObservedRun, old: Checkpoint | null, now: Checkpoint): void {
    const facts = this.#facts
    if (old !== null && old.owner === run.owner) return
    if (old !== null) {
      if (now.epoch !== old.epoch + 1) facts.violate('I4', `epoch from ${old.epoch} to ${now.epoch}`)
      if (old.state !== 'RUNNING' && run.kind === 'poll')
        facts.violate('I3', `${run.owner} took the lease of a halted stream`)
      if (now.offset !== old.offset) facts.violate('I4', 'taking the lease moved the offset')
      const previous = facts.runs.get(old.owner ?? '')
      if (old.leaseUntil !== null && previous !== undefined && !previous.ended && previous.machine.alive) {
        if (previous.machine.skewMs !== run.machine.skewMs) facts.fault(8)
      }
      const ends = old.leaseUntil ?? 0
      if (run.machine.now() - marginMs <= ends)
        facts.violate('I3', `${run.owner} took a lease ${ends - run.machine.now()} ms early`)
    }
    run.epoch = now.epoch
    run.base = now
    if (run.kind === 'recovery') return
    facts.takeovers += 1
    let uncovered = 0
    const covered = facts.coverageOf(now)
    for (const observed of facts.functions.values()) {
      for (let index = observed.prefixCovered(covered); index < observed.events.length; index++) {
        if (observed.handedBy[index] !== null && !observed.isCovered(index, covered)) uncovered += 1
      }
    }
    facts.bound = Math.max(facts.bound, uncovered)
  }

  #mustHold(run: ObservedRun, old: Checkpoint, now: Checkpoint): void {
    if (old.owner !== run.owner || old.epoch !== run.epoch) {
      this.#facts.violate(
        'I4',
        `a write of ${run.owner} was accepted while ${old.owner} held epoch ${old.epoch}`,
      )
    }
    if (now.epoch !== old.epoch) this.#facts.violate('I4', 'a write under the lease moved the epoch')
  }

  #renewed(run: ObservedRun, old: Checkpoint, now: Checkpoint, input: UpdateItemCommandInput): void {
    const facts = this.#facts
    if (now.offset < old.offset) {
      facts.violate('I4', `the offset went back from ${old.offset} to ${now.offset}`)
    }
    const [before, after] = [new Coverage(old, facts.logOf(old)), facts.coverageOf(now)]
    for (const observed of facts.functions.values()) {
      for (let index = observed.prefixCovered(before); index < observed.events.length; index++) {
        if (observed.isCovered(index, before) && !observed.isCovered(index, after)) {
          facts.violate('I4', `${observed.name} lost its progress at ${observed.events[index]?.index}`)
          break
        }
      }
    }
    if (input.ExpressionAttributeValues?.[':set_offset'] === undefined) {
      if (now.state === 'HALTED' && old.state === 'RUNNING') this.moves.halted(run, old, now)
      return
    }
    if (old.leaseUntil === null)
      facts.violate('I3', `a late commit took back the lease that ${run.owner} had released`)
    const shorter = (old.leaseUntil ?? 0) - (now.leaseUntil ?? 0)
    if (shorter > 0) {
      facts.violate('I3', `a commit made the lease of ${run.owner} end ${shorter} ms earlier`)
    }
    if (now.offset > old.offset) this.#countPassed(now, old.offset, now.offset)
    facts.commits += 1
    this.#mustCover(run, after, this.#ackedAtSend.get(input) ?? 0, 'a commit')
  }

  #mustCover(run: ObservedRun, covered: Coverage, until: number, what: string): void {
    const facts = this.#facts
    let kept = 0
    for (const ack of run.acked) {
      const observed = facts.functions.get(ack.name)
      if (observed?.isCovered(ack.index, covered)) continue
      run.acked[kept++] = ack
      if (ack.order <= until) {
        const place = observed?.events[ack.index]?.index
        facts.violate(
          'I5',
          `${what} of ${run.owner} does not cover ${ack.name} ${place}, which was acknowledged before`,
        )
      }
    }
    run.acked.length = kept
  }

  #countPassed(now: Checkpoint, from: bigint, to: bigint): void {
    const facts = this.#facts
    const log = facts.logOf(now)
    for (let offset = from; offset < to; offset++) {
      const entry = log.slotAt(offset)?.entry ?? null
      if (entry === null) facts.fault(20)
      else if (entry.isDdl || entry.changesKey || entry.unrouted) facts.fault(25)
      if (entry?.unrouted) facts.happened(`routed: ${entry.routedBy}`)
    }
  }

  /** I1: each change below the committed offset, or a lane's own, is done, or a person accepted its loss. */
  #checkCommitted(): void {
    const facts = this.#facts
    const { coverage, scenario } = facts
    if (coverage === null) return
    for (const observed of facts.functions.values()) {
      const { events } = observed
      for (let index = observed.prefix; index < events.length; index++) {
        if (observed.isOpen(index) && observed.isCovered(index, coverage)) {
          facts.violate('I1', `${observed.name} ${events[index]?.index} is committed but was not handled`)
          break
        }
      }
    }
    for (const { index } of scenario.unreadable) {
      if (index >= coverage.below) break
      if (!facts.storedUnreadable.has(index) && !facts.lost.has(index)) {
        facts.violate('I1', `the unreadable record ${index} is committed but is no dead letter`)
        break
      }
    }
    if (scenario.config.unroutedTables === 'halt') {
      const passed = scenario.entries.find(
        ({ unrouted, index }) => unrouted && index < coverage.below && !facts.lost.has(index),
      )
      if (passed !== undefined)
        facts.violate('I1', `a commit passed ${passed.index}, whose table has no route`)
    }
  }

  /** The poller received the answer. */
  acknowledged(run: ObservedRun, name: string, indices: readonly number[]): void {
    for (const index of indices) {
      run.acked.push({ name, index, at: this.#facts.clock.now, order: ++this.#order })
      run.ackedKeys.add(`${name}/${index}`)
    }
    if (indices.length > 0) this.#expectCommit(run)
  }

  /** The poller commits every 200 ms. Without a fault, a run stores an acknowledgement within that time. */
  #expectCommit(run: ObservedRun): void {
    const facts = this.#facts
    const { freezes } = run.machine
    const acked = facts.clock.now
    facts.clock.after(2_000, () => {
      const { config, entries } = facts.scenario
      const worstCaseMs = config.handlerTimeoutMs + 15_000
      const undisturbed = !run.disturbed && !run.ended && run.machine.alive && run.machine.freezes === freezes
      // A halt waits for the invocations in flight before it stores anything.
      const mayHalt = entries.some(({ tooLarge }) => tooLarge) || facts.deadLetters >= 20
      const holds = facts.checkpoint?.owner === run.owner && !mayHalt
      if (
        !undisturbed ||
        !holds ||
        run.signal.aborted ||
        facts.clock.now > run.deadline - worstCaseMs - 1_000
      )
        return
      const left = run.acked.find(({ at }) => at <= acked)
      if (left !== undefined)
        facts.violate('I5', `${left.name} #${left.index} is not committed 2 s after its acknowledgement`)
    })
  }

  /** A run that ended by itself has committed every acknowledgement. */
  endsWell(run: ObservedRun): void {
    const { checkpoint, coverage, damaged } = this.#facts
    if (checkpoint === null || coverage === null || damaged) return
    if (checkpoint.owner !== run.owner || checkpoint.epoch !== run.epoch) return
    this.#mustCover(run, coverage, Number.POSITIVE_INFINITY, 'the end')
  }
}

function describe(checkpoint: Checkpoint | null): string {
  if (checkpoint === null) return 'none'
  const { epoch, owner, offset, state, leaseUntil, lanes, generation, clusterId } = checkpoint
  const halt = haltOf(checkpoint)
  const ends = leaseUntil === null ? 'free' : ((leaseUntil - worldStart) / 1000).toFixed(3)
  const why = halt === null ? '' : ` (${halt.code})`
  return `epoch ${epoch} of ${owner}, ${clusterId} ${generation}, offset ${offset}, ${state}${why}, lease ${ends} ${laneText(lanes)}`
}

function laneText(lanes: Checkpoint['lanes']): string {
  return JSON.stringify(
    Object.fromEntries(
      Object.entries(lanes).map(([name, { through, trouble }]) => [
        name,
        [through?.toString(), trouble?.offset.toString()],
      ]),
    ),
  )
}
