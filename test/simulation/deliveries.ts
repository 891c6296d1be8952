import type { BatchRecord, TransactionPart } from '../../lib/dispatch/batch-format.ts'
import type { Facts } from './facts.ts'
import { FenceChecker } from './fence.ts'
import type { Log } from './log.ts'
import { groupIsAhead, type ObservedFunction, type ObservedRun } from './observed.ts'
import { TransactionChecker } from './transactions.ts'

/** The work of a function for one invocation. It is a live copy from its start to its end. */
export interface Copy {
  readonly run: ObservedRun
  readonly name: string
  /** The log that its changes come from. */
  readonly log: Log
  /** Indices into the function's changes. */
  readonly events: readonly number[]
  live: boolean
}

/** Checks each invocation and each handled change against I2, I3 and the duplicates of I5. */
export class DeliveryChecker {
  readonly #facts: Facts
  readonly #copies = new Set<Copy>()
  readonly fence: FenceChecker
  readonly #transactions: TransactionChecker
  #deliveredEpoch = 0

  constructor(facts: Facts) {
    this.#facts = facts
    this.fence = new FenceChecker(facts)
    this.#transactions = new TransactionChecker(facts)
  }

  /** @returns the invocation's changes, by index */
  invoking(
    run: ObservedRun,
    name: string,
    records: readonly BatchRecord[],
    transactions: readonly TransactionPart[] | null,
  ): number[] {
    const facts = this.#facts
    facts.log(() => `${run.owner} invokes ${name} ${records.map(({ offset }) => offset).join(' ')}`)
    run.invocations += 1
    this.#mayAct(run, `invokes ${name}`)
    const { checkpoint, damaged } = facts
    const endsAt = run.machine.now() + facts.scenario.config.handlerTimeoutMs + 15_000
    const isHeld = checkpoint?.owner === run.owner && checkpoint.leaseUntil !== null
    if (!damaged && isHeld && endsAt > (checkpoint.leaseUntil ?? 0))
      facts.violate('I3', `${run.owner} invokes ${name}, and its lease ends before that invocation can end`)
    if (run.base !== null && !damaged && run.log !== facts.logOf(run.base))
      facts.violate('I1', `${run.owner} delivers from another log than the checkpoint's`)
    this.#mustNotBeRestored(run)
    const observed = facts.functions.get(name)
    const indices: number[] = []
    for (const { offset, value } of records) {
      const slot = run.log?.slotAt(offset)
      const index = slot?.entry == null ? undefined : observed?.indexOf.get(slot.entry.index)
      if (observed === undefined || slot === undefined || index === undefined) {
        facts.violate('I1', `${name} received ${offset}, which belongs to another function`)
        continue
      }
      if (slot.value === null || !value.equals(slot.value))
        facts.violate('I1', `${name} received ${offset} with the bytes of another log`)
      this.#handOut(run, observed, index, indices.at(-1))
      indices.push(index)
    }
    if (observed !== undefined && indices.length === records.length)
      this.#transactions.check(run, observed, indices, transactions)
    return indices
  }

  #handOut(run: ObservedRun, observed: ObservedFunction, index: number, previous: number | undefined): void {
    const facts = this.#facts
    const { name, events, handedBy } = observed
    const what = `${name} ${events[index]?.index}`
    if (run.base !== null && !facts.damaged && observed.isCovered(index, facts.coverageOf(run.base))) {
      facts.violate('I5', `${what} was committed before ${run.owner} began, and ${run.owner} sends it again`)
    }
    if (run.ackedKeys.has(`${name}/${index}`)) {
      facts.violate('I5', `${run.owner} sends ${what} again after its acknowledgement`)
    }
    if (observed.definition.delivery.concurrency === 1) {
      const next = previous === undefined ? (run.furthest.get(name) ?? index - 1) : previous
      for (let between = next + 1; between < index; between++) {
        if (observed.putAside[between]) continue
        facts.violate(
          'I2',
          `${run.owner} sends ${what}, but did not send ${events[between]?.index} before it`,
        )
        break
      }
      run.furthest.set(name, Math.max(run.furthest.get(name) ?? -1, index))
    }
    const before = handedBy[index]
    if (before !== null && before !== undefined && before !== run) {
      run.duplicates.add(`${name}/${index}`)
      if (facts.scenario.calm && observed.done[index] && observed.failures[index] === 0)
        facts.violate('I5', `${what} was sent twice in a world without faults`)
      if (!facts.damaged) facts.maxDuplicates = Math.max(facts.maxDuplicates, run.duplicates.size)
    }
    handedBy[index] = run
  }

  /** The group's commit can prove that the item was restored. A run must then not deliver, and must keep that proof. */
  #mustNotBeRestored(run: ObservedRun): void {
    const facts = this.#facts
    if (run.base === null) return
    const { groupCommit, groupGeneration, base } = run
    const known = groupCommit?.mark.whose === 'ours' ? groupCommit.mark.place?.generation : undefined
    if (groupCommit !== undefined && known !== base.generation && groupGeneration !== base.generation)
      facts.violate(
        'I4',
        `${run.owner} delivers in generation ${base.generation}, and did not commit it to the group`,
      )
    if (groupIsAhead(run, base))
      facts.violate('I1', `${run.owner} delivers from a restored item, and the group's commit proved it`)
    else if (base.generation < facts.newestGeneration && facts.damaged && facts.fenceHolds) {
      facts.fenceHolds = false
      facts.happened('restored: cannot be detected')
    }
  }

  #mayAct(run: ObservedRun, what: string): void {
    const facts = this.#facts
    if (run.signal.aborted)
      facts.violate('I3', `${run.owner} ${what} after a newer invocation began in its process`)
    if (run.epoch === null) facts.violate('I3', `${run.owner} ${what} without a lease`)
    else if (facts.leaseHolds && run.epoch < this.#deliveredEpoch) {
      facts.violate(
        'I3',
        `${run.owner} ${what} in epoch ${run.epoch} after epoch ${this.#deliveredEpoch} had delivered`,
      )
    }
  }

  #copyStarts(copy: Copy): void {
    const facts = this.#facts
    const epoch = copy.run.epoch ?? 0
    if (facts.leaseHolds && epoch < this.#deliveredEpoch) {
      facts.violate(
        'I3',
        `${copy.name} starts work of epoch ${epoch} after epoch ${this.#deliveredEpoch} had delivered`,
      )
    }
    this.#deliveredEpoch = Math.max(this.#deliveredEpoch, epoch)
    const observed = facts.functions.get(copy.name)
    for (const other of this.#copies) {
      if (other.name !== copy.name || observed === undefined || !facts.leaseHolds) continue
      const clash = copy.events.some((left) => other.events.some((right) => observed.conflict(left, right)))
      if (clash) {
        facts.violate('I3', `${other.run.owner} and ${copy.run.owner} both have a live copy of ${copy.name}`)
        break
      }
    }
    this.#copies.add(copy)
  }

  copyEnds(copy: Copy): void {
    copy.live = false
    this.#copies.delete(copy)
  }

  /** I2: a change starts after every earlier change that conflicts with it is done. */
  starts(copy: Copy, offset: bigint, replay: boolean): void {
    if (!this.#copies.has(copy)) this.#copyStarts(copy)
    const facts = this.#facts
    const { name } = copy
    const observed = facts.functions.get(name)
    const index = this.#indexOf(copy, offset)
    if (observed === undefined || index === undefined) return
    const place = observed.events[index]?.index
    if (observed.isReplay[index] && !replay)
      facts.violate('I5', `${name} receives ${place} again after a move, without the mark \`replay\``)
    for (let before = observed.prefix; before < index; before++) {
      if (observed.isOpen(before) && observed.conflict(before, index)) {
        facts.violate('I2', `${name} starts ${place} before ${observed.events[before]?.index} is done`)
        return
      }
    }
  }

  finishes(copy: Copy, offset: bigint, generation: number): void {
    const observed = this.#facts.functions.get(copy.name)
    const index = this.#indexOf(copy, offset)
    if (observed === undefined || index === undefined) return
    observed.done[index] = true
    this.fence.write(observed, index, { generation, offset })
    this.#facts.happened(`routed: ${observed.events[index]?.routedBy}`)
  }

  #indexOf({ name, log }: Copy, offset: bigint): number | undefined {
    const entry = log.slotAt(offset)?.entry ?? null
    return entry === null ? undefined : this.#facts.functions.get(name)?.indexOf.get(entry.index)
  }

  /** The changes themselves may have caused this failure. */
  failed(name: string, indices: readonly number[]): void {
    const observed = this.#facts.functions.get(name)
    if (observed === undefined) return
    this.#transactions.failed(observed, indices)
    for (const index of indices) {
      if (indices.length === 1) observed.failedAlone[index] = true
      observed.failures[index] = (observed.failures[index] ?? 0) + 1
      observed.firstFailure[index] = Math.min(observed.firstFailure[index] ?? 0, this.#facts.clock.now)
    }
  }

  /**
   * The first request of a dead letter leaves. A large letter needs two requests. A run that freezes between them sends
   * the second one late, but it is the same letter that the next run writes.
   */
  storesLetter(run: ObservedRun): void {
    this.#mayAct(run, 'stores a dead letter')
  }

  storedDeadLetter(run: ObservedRun, name: string, offset: bigint): void {
    const facts = this.#facts
    facts.log(() => `${run.owner} stores the dead letter of ${name} ${offset}`)
    facts.deadLetters += 1
    const entry = run.log?.slotAt(offset)?.entry ?? null
    if (name === '') {
      if (entry?.kind !== 'unreadable')
        facts.violate('I1', `${offset} has a dead letter as unreadable, and is readable`)
      else facts.storedUnreadable.add(entry.index)
      facts.fault(17)
      return
    }
    const observed = facts.functions.get(name)
    const index = entry === null ? undefined : observed?.indexOf.get(entry.index)
    if (observed === undefined || index === undefined || entry === null) {
      facts.violate('I1', `${name} has a dead letter for ${offset}, which belongs to another function`)
      return
    }
    const { attempts, maxAgeSeconds, onFailure } = observed.definition.delivery
    const age = facts.clock.now - (observed.firstFailure[index] ?? 0)
    const tolerance = facts.scenario.skew === 'none' ? 0 : 60_000
    const failures = observed.failures[index] ?? 0
    const tried = failures >= attempts || age + tolerance >= maxAgeSeconds * 1_000
    if (!entry.tooLarge && !(tried && failures > 0))
      facts.violate(
        'I1',
        `${name} ${entry.index} became a dead letter after ${failures} of ${attempts} attempts`,
      )
    if (!entry.tooLarge && !observed.failedAlone[index])
      facts.violate(
        'I1',
        `${name} ${entry.index} became a dead letter, but only failed together with its batch`,
      )
    if (onFailure === 'halt')
      facts.violate('I1', `${name} ${entry.index} became a dead letter, but onFailure is halt`)
    facts.fault(entry.tooLarge ? 16 : 14)
    observed.putAside[index] = true
    observed.done[index] = true
  }
}
