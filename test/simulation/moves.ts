import { type Anchor, type Checkpoint, haltOf } from '../../lib/checkpoint/types.ts'
import type { ResetResult } from '../../lib/recovery/move/reset.ts'
import type { Facts } from './facts.ts'
import { howFindable, shouldWait } from './findable.ts'
import type { Log } from './log.ts'
import { LossChecker, type StatedLoss } from './losses.ts'
import { Coverage, groupIsAhead, type ObservedRun } from './observed.ts'
import type { Entry } from './source.ts'

/** The ledger's words for moves to a place that a person chose. */
const chosen: ReadonlySet<string> = new Set([
  'timestamp',
  'offset',
  'earliest',
  'latest',
  'committed',
  'ledger',
])
/** The results of a move that its answer must state. */
interface Made {
  /** Changes that were done before the move and that the log had at that time. */
  readonly repeats: ReadonlySet<Entry>
}

/**
 * Checks each move of the checkpoint. It loses only changes whose loss a person accepted. If the log contains the anchor,
 * nothing repeats. Other repeats are stated and marked. Of several recoveries, one moves the checkpoint.
 */
export class MoveChecker {
  readonly #facts: Facts
  readonly #losses: LossChecker
  readonly #made = new WeakMap<ObservedRun, Made>()
  /** Generations that some recovery's answer claims to have moved the checkpoint away from. */
  readonly #claimed = new Set<number>()

  constructor(facts: Facts) {
    this.#facts = facts
    this.#losses = new LossChecker(facts)
  }

  /** Whether all changes have right times. Only then can a checker see that a log was still to reach a time. */
  get #isPlain(): boolean {
    return this.#facts.scenario.strangeTimes === 'none'
  }

  /** A move was written. */
  moved(run: ObservedRun, old: Checkpoint, now: Checkpoint): void {
    const facts = this.#facts
    const { log } = run
    if (log === null) {
      facts.violate('I4', `${run.owner} moved the checkpoint without looking at a log`)
      return
    }
    facts.happened('moved')
    this.#checkRead(run, old)
    if (now.state !== 'RUNNING' || now.leaseUntil !== null)
      facts.violate('I4', 'a move left the stream halted, or its lease taken')
    const { how, lost } = this.#checkLedger(run, old, now)
    if (lost !== null && !run.acceptsLoss)
      facts.violate('I1', `${run.owner} loses changes, and no person accepted a loss`)
    const [before, after] = [new Coverage(old, facts.logOf(old)), new Coverage(now, log)]
    this.#losses.check(before, after, lost)
    if (lost !== null) this.#losses.markPassed(before, after)
    if (groupIsAhead(run, old)) this.#losses.markRepeated(run, after)
    this.#compare(run, log, old, before, after, how)
    if (chosen.has(how) && after.lanes.size > 0)
      facts.violate('I1', `a move by ${how} to a chosen place kept lanes ahead of it`)
    facts.happened(`moved by ${how}`)
    if (run.kind === 'poll') facts.happened('recovered by the poller')
  }

  /**
   * No generation is used twice. If the item was restored, and neither clock nor group know the newer generation, the code
   * cannot detect it.
   */
  checkGeneration(run: ObservedRun | null, { generation }: Checkpoint): void {
    const facts = this.#facts
    const { newestGeneration } = facts
    facts.newestGeneration = Math.max(newestGeneration, generation)
    if (generation > newestGeneration || run === null) return
    const mark = run.groupCommit?.mark
    // A write that takes effect after its run has ended was decided at an earlier time.
    const decidedAt = run.ended ? run.startedAt : run.machine.now()
    const isKnown =
      !facts.damaged ||
      decidedAt >= (newestGeneration + 1) * 1000 ||
      (mark?.whose === 'ours' && mark.place !== null && mark.place.generation >= newestGeneration)
    if (isKnown) facts.violate('I4', `generation ${generation} after generation ${newestGeneration}`)
    facts.fenceHolds = false
    facts.happened('generation used again: cannot be detected')
  }

  /** An item was created. */
  created(run: ObservedRun, now: Checkpoint): void {
    const facts = this.#facts
    if (!facts.damaged || run.log === null) return
    const after = facts.coverageOf(now)
    const isKnown = run.groupCommit?.mark.whose === 'ours'
    facts.happened(isKnown ? 'created from the group commit' : 'created: position unknown')
    if (!isKnown) {
      this.#losses.cannotBeKnown(after)
      return
    }
    const { lost } = this.#statement(now)
    if (lost !== null && !run.acceptsLoss)
      facts.violate('I1', `${run.owner} loses changes, and no person accepted a loss`)
    this.#losses.check(null, after, lost)
    if (lost !== null) this.#losses.markPassed(null, after)
    this.#losses.markRepeated(run, after)
  }

  /** The item was replaced, so earlier claims do not count. */
  forget(): void {
    this.#claimed.clear()
  }

  /** A decision is written only over the checkpoint that it was made from. */
  #checkRead(run: ObservedRun, old: Checkpoint): void {
    const { read } = run
    if (this.#facts.damagedAt >= run.startedAt) return
    const place = ({ state, generation, clusterId, offset, lanes, anchor }: Checkpoint) =>
      JSON.stringify([state, generation, clusterId, offset, lanes, anchor], (_key, value: unknown) =>
        typeof value === 'bigint' ? String(value) : value,
      )
    if (read === null || place(read) !== place(old))
      this.#facts.violate('I4', `${run.owner} moved a checkpoint other than the one that it had read`)
  }

  #checkLedger(run: ObservedRun, old: Checkpoint, now: Checkpoint): { how: string; lost: StatedLoss | null } {
    const entry = now.ledger.at(-1)
    const place = ({ clusterId, offset, generation }: Checkpoint) => `${clusterId} ${offset} ${generation}`
    const says = (one: typeof entry) =>
      [one?.from, one?.to].map((at) => `${at?.clusterId} ${at?.offset} ${at?.generation}`).join(' to ')
    if (
      // A pause and resume in the meantime add an entry that the move does not keep.
      now.ledger.length !== Math.min(20, (run.read?.ledger.length ?? 0) + 1) ||
      says(entry) !== `${place(old)} to ${place(now)}`
    )
      this.#facts.violate(
        'I4',
        `the ledger says ${says(entry)} of a move from ${place(old)} to ${place(now)}`,
      )
    return this.#statement(now)
  }

  /** How the last entry of the ledger says that the checkpoint was moved, and the loss that it states. */
  #statement({ ledger }: Checkpoint): { how: string; lost: StatedLoss | null } {
    const entry = ledger.at(-1)
    const how = /by (\w+)/.exec(entry?.how ?? '')?.[1] ?? ''
    const lost = /lost [^(]*\((\d+)\) to [^(]*\((\d+)\)/.exec(entry?.how ?? '')
    return { how, lost: lost === null ? null : { from: Number(lost[1]), to: Number(lost[2]) } }
  }

  /** A change that the old position covers and the new one does not repeats. */
  #compare(
    run: ObservedRun,
    log: Log,
    old: Checkpoint,
    before: Coverage,
    after: Coverage,
    how: string,
  ): void {
    const facts = this.#facts
    const oldLog = facts.logOf(old)
    const isStored = log === oldLog && old.offset >= log.earliest && old.offset <= run.endAtOpen
    const logs = { from: oldLog, to: log, end: run.endAtOpen }
    const isKept = (anchor: Anchor | null, isLane = true) => {
      if (chosen.has(how) || (isLane && oldLog.dialect.untagged !== log.dialect.untagged)) return false
      const found = howFindable(anchor, logs)
      if (!isStored && found === 'number') facts.happened('equal rows distinguished')
      return isStored || found !== null
    }
    const keepsAll = isKept(old.anchor, false)
    const repeats = new Set<Entry>()
    for (const observed of facts.functions.values()) {
      for (const [index, event] of observed.events.entries()) {
        if (!observed.isCovered(index, before) || observed.isCovered(index, after)) continue
        const lane = old.lanes[observed.laneName(index, oldLog)]
        if (event.index < before.below ? keepsAll : isKept(lane?.anchor ?? null)) {
          facts.violate(
            'I5',
            `${observed.name} ${event.index} is done and is in the new log, but the new position does not cover it`,
          )
          return
        }
        if (!observed.done[index]) continue
        observed.isReplay[index] = true
        facts.happened('repeated by a move')
        const slot = log.slotOf(event)
        if (slot !== undefined && slot.offset < run.endAtOpen) repeats.add(event)
      }
    }
    if (repeats.size > 0 && this.#isPlain && shouldWait(old, logs, how))
      facts.violate('I5', `a move by ${how} did not wait for the log to reach the last committed change`)
    if (keepsAll) facts.happened('continued exactly')
    if (keepsAll && !isStored) facts.happened(`found among times: ${facts.scenario.strangeTimes}`)
    if (how === 'time') facts.happened(`moved by time among times: ${facts.scenario.strangeTimes}`)
    if (Object.values(old.lanes).some(({ through, anchor }) => through !== null && isKept(anchor)))
      facts.happened('a lane stayed ahead')
    this.#made.set(run, { repeats })
  }

  /** Recovery returned an answer. */
  stated(run: ObservedRun, { applied, from, repeats, countedTo }: ResetResult): void {
    const facts = this.#facts
    const made = this.#made.get(run)
    if (!applied || made === undefined || from === null) return
    if (this.#claimed.has(from.generation))
      facts.violate('I4', `two recoveries both moved the checkpoint of generation ${from.generation}`)
    this.#claimed.add(from.generation)
    // If a batch could not be read, the answer says that counting ended before it.
    const isCounted = (entry: Entry) =>
      countedTo === null || (run.log?.slotOf(entry)?.offset ?? 0n) < BigInt(countedTo)
    const counted = [...made.repeats].filter(isCounted)
    for (const [table, { length: count }] of Map.groupBy(counted, (entry) => entry.table).entries()) {
      if (count > (repeats[table] ?? 0))
        facts.violate(
          'I5',
          `${count} changes of ${table} repeat, but the answer states ${repeats[table] ?? 0}`,
        )
    }
  }

  /** The stream was halted because of its log. */
  halted(run: ObservedRun, old: Checkpoint, now: Checkpoint): void {
    const facts = this.#facts
    const halt = haltOf(now)
    const code = halt?.code
    facts.log(() => `halted: ${code} ${halt?.message}`)
    facts.happened(`halted: ${code}`)
    const oldLog = facts.logOf(old)
    const { log } = run
    if (code === 'CHECKPOINT_RESTORED' && !facts.damaged)
      facts.violate('I6', 'halted for a restored item, but no item was restored')
    if (log === null || facts.damaged) return
    const isOther = log !== oldLog
    const isJustified = {
      CLUSTER_CHANGED: isOther && log.clusterId !== old.clusterId,
      LOG_CHANGED: isOther || facts.spurious,
      DATA_GAP: isOther || facts.trimmed || facts.spurious,
    }
    if (code !== undefined && code in isJustified && !isJustified[code as keyof typeof isJustified])
      facts.violate('I6', `halted for ${code} on the checkpoint's own log`)
    const mayRecover = facts.scenario.config.onClusterChange === 'recover'
    const isForLog = code !== undefined && code in isJustified
    const logs = { from: oldLog, to: log, end: run.endAtOpen }
    if (!isForLog || !isOther || !mayRecover) return
    if (howFindable(old.anchor, logs) !== null)
      facts.violate('I6', `halted for ${code}, but the log contains the anchor`)
    else if (this.#isPlain && shouldWait(old, logs, 'time'))
      facts.violate('I6', `halted for ${code}, but the log was still to reach the last committed change`)
  }
}
