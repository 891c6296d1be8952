import type { Anchor, Checkpoint } from '../../lib/checkpoint/types.ts'
import type { Facts } from './facts.ts'
import type { Slot } from './log.ts'

/** Checks that every state of the item belongs to one log, never half to one and half to another. */
export class WholenessChecker {
  readonly #facts: Facts
  /** The place where each generation began, in the order of the source. */
  readonly #begun = new Map<number, number>()

  constructor(facts: Facts) {
    this.#facts = facts
  }

  /** Checks a state that was just written. */
  check(old: Checkpoint | null, now: Checkpoint, wasMoved: boolean): void {
    const facts = this.#facts
    const half = (what: string) => facts.violate('I4', `half a checkpoint: ${what}`)
    const log = facts.logOf(now)
    if (wasMoved) this.#begun.set(now.generation, facts.coverageOf(now).below)
    if (!wasMoved && old !== null) {
      if (old.generation !== now.generation || old.clusterId !== now.clusterId)
        half('its cluster alone moved')
      if (old.replayUntil !== now.replayUntil) half('replayUntil changed without a move')
    }
    if (now.clusterId !== log.clusterId) half(`${now.clusterId} with offsets of ${log.clusterId}`)
    const { tail, anchor, offset } = now
    if (tail !== null && (tail.offset >= offset || log.slotAt(tail.offset)?.digest !== tail.digest))
      half(`its tail ${tail.offset} is not the record below ${offset}`)
    if (anchor !== null) {
      if (anchor.offset >= offset) half(`its anchor ${anchor.offset} is not below ${offset}`)
      const slot = log.slotAt(anchor.offset)
      this.#checkAnchor(anchor, slot, slot?.identity, now.generation, half)
    }
    for (const [name, { through, anchor: own }] of Object.entries(now.lanes)) {
      if (through === null) continue
      if (own === null || own.offset !== through) half(`${name} is through ${through} without its anchor`)
      else {
        const slot = log.slotAt(through)
        this.#checkAnchor(own, slot, slot?.routedIdentity, now.generation, half)
      }
    }
  }

  #checkAnchor(
    anchor: Anchor,
    slot: Slot | undefined,
    identity: string | undefined,
    generation: number,
    half: (what: string) => void,
  ): void {
    const { entries } = this.#facts.scenario
    if (slot?.entry?.kind !== 'change' || identity !== anchor.digest) {
      half(`the anchor ${anchor.offset} is another record`)
      return
    }
    const { ordinal, index } = slot.entry
    if (anchor.ordinal !== null && anchor.ordinal !== ordinal)
      half(`the anchor ${anchor.offset} is number ${ordinal} of its statement, not ${anchor.ordinal}`)
    const since = this.#begun.get(generation) ?? 0
    const sawOther = entries.slice(since, index - ordinal).some(({ kind }) => kind === 'change')
    if (anchor.ordinal === null && sawOther) half(`the anchor ${anchor.offset} was not counted`)
  }
}
