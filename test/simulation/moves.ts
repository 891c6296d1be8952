import { type Anchor, type Checkpoint, haltOf } from '../../lib/checkpoint/types.ts'
import type { ResetResult } from '../../lib/recovery/move/reset.ts'
import type { Facts } from './facts.ts'
import { howFindable, shouldWait } from './findable.ts'
import type { Log } from './log.ts'
import { Coverage, type ObservedRun, toldAhead } from './observed.ts'
import type { Entry } from './source.ts'

/** How moves by a person's own choice are called in the ledger. */
const chosen: ReadonlySet<string> = new Set([
  'timestamp',
  'offset',
  'earliest',
  'latest',
  'committed',
  'ledger',
])
/** What a move made, as far as its answer has to agree with it. */
interface Made {
  /** Done before, and in the log at that time. */
  readonly repeats: ReadonlySet<Entry>
}

/**
 * Holds moves of the checkpoint against the invariants: nothing is lost that nobody accepted, nothing repeats where
 * the log allows to go on exactly, what repeats is stated and marked, and one of several recoveries moves it.
 */
export class MoveChecker {
  readonly #facts: Facts
  readonly #made = new WeakMap<ObservedRun, Made>()
  /** Generations that somebody was told to have moved the checkpoint away from. */
  readonly #claimed = new Set<number>()

  constructor(facts: Facts) {
    this.#facts = facts
  }

  /** Where changes are dated as the source goes, a log can be told not to have got to a time. */
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
      facts.violate('I4', 'a move left the stream halted, or its lease behind')
    const { how, lost } = this.#checkLedger(run, old, now)
    if (lost !== null && !run.acceptsLoss)
      facts.violate('I1', `${run.owner} loses changes, and nobody said that it may`)
    const [before, after] = [new Coverage(old, facts.logOf(old)), new Coverage(now, log)]
    this.#checkLost(before, after, lost)
    if (lost !== null) this.#markPassed(before, after)
    if (toldAhead(run, old)) this.#markRepeated(run, after)
    this.#compare(run, log, old, before, after, how)
    if (chosen.has(how) && after.lanes.size > 0)
      facts.violate('I1', `somebody went to a place by ${how}, and lanes go on beyond it`)
    facts.happened(`moved by ${how}`)
    if (run.kind === 'poll') facts.happened('recovered by the poller')
  }

  /**
   * No generation is used twice. Where the item was set back, and neither clock nor group know of the newer one, nothing
   * could tell.
   */
  checkGeneration(run: ObservedRun | null, { generation }: Checkpoint): void {
    const facts = this.#facts
    const { newestGeneration } = facts
    facts.newestGeneration = Math.max(newestGeneration, generation)
    if (generation > newestGeneration || run === null) return
    const mark = run.told?.mark
    const isKnown =
      !facts.damaged ||
      run.machine.now() >= (newestGeneration + 1) * 1000 ||
      (mark?.whose === 'ours' && mark.place !== null && mark.place.generation >= newestGeneration)
    if (isKnown) facts.violate('I4', `generation ${generation} after generation ${newestGeneration}`)
    facts.fenceHolds = false
    facts.happened('generation used again: nothing tells')
  }

  /** An item was written where there was none. */
  created(run: ObservedRun, now: Checkpoint): void {
    const facts = this.#facts
    if (!facts.damaged || run.log === null) return
    const after = facts.coverageOf(now)
    const isKnown = run.told?.mark.whose === 'ours'
    facts.happened(isKnown ? 'created where the group is' : 'created: nothing tells')
    if (!isKnown) {
      this.#lose(after)
      return
    }
    const { lost } = this.#statement(now)
    if (lost !== null && !run.acceptsLoss)
      facts.violate('I1', `${run.owner} loses changes, and nobody said that it may`)
    this.#checkLost(null, after, lost)
    if (lost !== null) this.#markPassed(null, after)
    this.#markRepeated(run, after)
  }

  /** What a position passes over is lost, and nobody can know. */
  #lose(after: Coverage): void {
    const facts = this.#facts
    for (const observed of facts.functions.values()) {
      for (const index of observed.events.keys()) {
        if (!observed.isCovered(index, after)) continue
        observed.passed[index] = true
        if (observed.isOpen(index)) observed.lost[index] = true
      }
    }
    for (let place = 0; place < after.below; place++) facts.lost.add(place)
  }

  /** A person chose to continue after these. */
  #markPassed(before: Coverage | null, after: Coverage): void {
    for (const observed of this.#facts.functions.values()) {
      for (const index of observed.events.keys()) {
        const wasCovered = before !== null && observed.isCovered(index, before)
        if (!wasCovered && observed.isCovered(index, after)) observed.passed[index] = true
      }
    }
  }

  /**
   * The item did not know what was done: whatever comes again has to say so. What the source dates later than anything that a
   * recovery can see cannot be known.
   */
  #markRepeated(run: ObservedRun, after: Coverage): void {
    const mark = run.told?.mark
    const slots = run.log?.slots.filter(({ offset }) => offset < run.endAtOpen) ?? []
    const known = Math.max(
      run.startedAt / 1000,
      slots.at(-1)?.time ?? -1,
      mark?.whose === 'ours' ? (mark.timestamp ?? -1) : -1,
    )
    for (const observed of this.#facts.functions.values()) {
      for (const [index, { time }] of observed.events.entries()) {
        const isSeen = time <= known && observed.done[index]
        if (isSeen && !observed.isCovered(index, after)) observed.isReplay[index] = true
      }
    }
  }

  /** Another life of the item begins. */
  forget(): void {
    this.#claimed.clear()
  }

  /** Whoever decides on what was read must not write over something else. */
  #checkRead(run: ObservedRun, old: Checkpoint): void {
    const { read } = run
    if (this.#facts.damagedAt >= run.startedAt) return
    const place = ({ state, generation, clusterId, offset, lanes, anchor }: Checkpoint) =>
      JSON.stringify([state, generation, clusterId, offset, lanes, anchor], (_key, value: unknown) =>
        typeof value === 'bigint' ? String(value) : value,
      )
    if (read === null || place(read) !== place(old))
      this.#facts.violate('I4', `${run.owner} moved a checkpoint that it had not read`)
  }

  #checkLedger(
    run: ObservedRun,
    old: Checkpoint,
    now: Checkpoint,
  ): { how: string; lost: { from: number; to: number } | null } {
    const entry = now.ledger.at(-1)
    const place = ({ clusterId, offset, generation }: Checkpoint) => `${clusterId} ${offset} ${generation}`
    const says = (one: typeof entry) =>
      [one?.from, one?.to].map((at) => `${at?.clusterId} ${at?.offset} ${at?.generation}`).join(' to ')
    if (
      // Somebody who stops the stream and resumes it meanwhile is not in it.
      now.ledger.length !== Math.min(20, (run.read?.ledger.length ?? 0) + 1) ||
      says(entry) !== `${place(old)} to ${place(now)}`
    )
      this.#facts.violate(
        'I4',
        `the ledger says ${says(entry)} of a move from ${place(old)} to ${place(now)}`,
      )
    return this.#statement(now)
  }

  /** What the last entry of the ledger says that was lost, and by which way. */
  #statement({ ledger }: Checkpoint): { how: string; lost: { from: number; to: number } | null } {
    const entry = ledger.at(-1)
    const how = /by (\w+)/.exec(entry?.how ?? '')?.[1] ?? ''
    const lost = /lost [^(]*\((\d+)\) to [^(]*\((\d+)\)/.exec(entry?.how ?? '')
    return { how, lost: lost === null ? null : { from: Number(lost[1]), to: Number(lost[2]) } }
  }

  /** What the new position has as done and nobody has done is lost: it has to be in the ledger. */
  #checkLost(before: Coverage | null, after: Coverage, stated: { from: number; to: number } | null): void {
    const facts = this.#facts
    const { entries, config } = facts.scenario
    const { unroutedTables } = config
    const lose = (place: number, what: string): boolean => {
      const { kind, time, isStrange } = entries[place] ?? { kind: 'change', time: 0, isStrange: false }
      // What cannot be read has no time, and what has a strange one is not found where it should be.
      const isStated =
        stated !== null && (kind === 'unreadable' || isStrange || (time >= stated.from && time <= stated.to))
      if (!isStated) facts.violate('I1', `${what} is lost, and nobody was told`)
      facts.lost.add(place)
      return isStated
    }
    for (const observed of facts.functions.values()) {
      for (let index = observed.prefix; index < observed.events.length; index++) {
        const place = observed.events[index]?.index ?? 0
        if (!observed.isOpen(index) || !observed.isCovered(index, after)) continue
        observed.lost[index] = true
        if (!lose(place, `${observed.name} ${place} of ${entries[place]?.time}`)) return
        facts.happened('lost, as stated')
      }
    }
    for (let place = before?.below ?? 0; place < after.below; place++) {
      const entry = entries[place]
      const mayBeSkipped = entry?.kind === 'change' && !(entry.unrouted && unroutedTables === 'halt')
      if (entry === undefined || mayBeSkipped) continue
      if (!facts.storedUnreadable.has(place) && !facts.lost.has(place)) lose(place, `the record ${place}`)
    }
  }

  /** What was done by the old position and is not by the new one repeats. */
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
      if (chosen.has(how) || (isLane && oldLog.hand.untagged !== log.hand.untagged)) return false
      const found = howFindable(anchor, logs)
      if (!isStored && found === 'number') facts.happened('equal rows told apart')
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
            `${observed.name} ${event.index} is done, stands in the new log, and is forgotten`,
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
      facts.violate('I5', `went on by ${how} in a log that was still to bring the last committed change`)
    if (keepsAll) facts.happened('went on exactly')
    if (keepsAll && !isStored) facts.happened(`found among times: ${facts.scenario.strangeTimes}`)
    if (how === 'time') facts.happened(`moved by time among times: ${facts.scenario.strangeTimes}`)
    if (Object.values(old.lanes).some(({ through, anchor }) => through !== null && isKept(anchor)))
      facts.happened('a lane stayed ahead')
    this.#made.set(run, { repeats })
  }

  /** An answer of recovery has come back. */
  stated(run: ObservedRun, { applied, from, repeats, countedTo }: ResetResult): void {
    const facts = this.#facts
    const made = this.#made.get(run)
    if (!applied || made === undefined || from === null) return
    if (this.#claimed.has(from.generation))
      facts.violate('I4', `two recoveries both moved the checkpoint of generation ${from.generation}`)
    this.#claimed.add(from.generation)
    // Where a batch could not be read, counting ended before it, and the answer says so.
    const isCounted = (entry: Entry) =>
      countedTo === null || (run.log?.slotOf(entry)?.offset ?? 0n) < BigInt(countedTo)
    const counted = [...made.repeats].filter(isCounted)
    for (const [table, { length: count }] of Map.groupBy(counted, (entry) => entry.table).entries()) {
      if (count > (repeats[table] ?? 0))
        facts.violate('I5', `${count} changes of ${table} repeat where ${repeats[table] ?? 0} were stated`)
    }
  }

  /** The stream was halted for what its log is. */
  halted(run: ObservedRun, old: Checkpoint, now: Checkpoint): void {
    const facts = this.#facts
    const halt = haltOf(now)
    const code = halt?.code
    facts.log(() => `halted: ${code} ${halt?.message}`)
    facts.happened(`halted: ${code}`)
    const oldLog = facts.logOf(old)
    const { log } = run
    if (code === 'CHECKPOINT_RESTORED' && !facts.damaged)
      facts.violate('I6', 'halted for a restored item, and nobody restored one')
    if (log === null || facts.damaged) return
    const isOther = log !== oldLog
    const isJustified = {
      CLUSTER_CHANGED: isOther && log.clusterId !== old.clusterId,
      LOG_CHANGED: isOther || facts.spurious,
      DATA_GAP: isOther || facts.trimmed || facts.spurious,
    }
    if (code !== undefined && code in isJustified && !isJustified[code as keyof typeof isJustified])
      facts.violate('I6', `halted for ${code} on the log that the checkpoint belongs to`)
    const mayRecover = facts.scenario.config.onClusterChange === 'recover'
    const isForLog = code !== undefined && code in isJustified
    const logs = { from: oldLog, to: log, end: run.endAtOpen }
    if (!isForLog || !isOther || !mayRecover) return
    if (howFindable(old.anchor, logs) !== null)
      facts.violate('I6', `halted for ${code} where going on loses and repeats nothing`)
    else if (this.#isPlain && shouldWait(old, logs, 'time'))
      facts.violate('I6', `halted for ${code} by a log that is still to bring the last committed change`)
  }
}
