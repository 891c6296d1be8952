import type { Facts } from './facts.ts'
import type { Coverage, ObservedRun } from './observed.ts'

/** The range of times, in seconds, that a ledger entry declares lost. */
export interface StatedLoss {
  readonly from: number
  readonly to: number
}

/** Checks that a new position loses only changes that the ledger declares lost, and marks changes that may repeat. */
export class LossChecker {
  readonly #facts: Facts

  constructor(facts: Facts) {
    this.#facts = facts
  }

  /** A new position passes changes that are not done. If the ledger does not declare them lost, that is a violation. */
  check(before: Coverage | null, after: Coverage, stated: StatedLoss | null): void {
    const facts = this.#facts
    const { entries, config, strangeTimes } = facts.scenario
    const { unroutedTables } = config
    // Early in a stream, changes with wrong times can move the settled time, where the range begins, by some seconds.
    const tolerance = strangeTimes === 'none' ? 0 : 15
    const lose = (place: number, what: string): boolean => {
      const { kind, time, isStrange } = entries[place] ?? { kind: 'change', time: 0, isStrange: false }
      // An unreadable record has no time, and a change with a wrong time lies outside the range.
      const isStated =
        stated !== null &&
        (kind === 'unreadable' || isStrange || (time >= stated.from - tolerance && time <= stated.to))
      if (!isStated) facts.violate('I1', `${what} is lost, and the ledger does not say so`)
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

  /** A position was created that nothing could compare with an earlier one. The changes below it may be lost. */
  cannotBeKnown(after: Coverage): void {
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

  /** A person chose to continue after these changes. */
  markPassed(before: Coverage | null, after: Coverage): void {
    for (const observed of this.#facts.functions.values()) {
      for (const index of observed.events.keys()) {
        const wasCovered = before !== null && observed.isCovered(index, before)
        if (!wasCovered && observed.isCovered(index, after)) observed.passed[index] = true
      }
    }
  }

  /**
   * The item did not know what was done, so every repeat needs the mark `replay`. A recovery cannot know of changes that
   * have a later time than everything it can read.
   */
  markRepeated(run: ObservedRun, after: Coverage): void {
    const mark = run.groupCommit?.mark
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
}
