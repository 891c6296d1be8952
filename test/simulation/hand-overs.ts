import { isDeepStrictEqual } from 'node:util'
import type { Checkpoint, Wish } from '../../lib/checkpoint/types.ts'
import type { Facts } from './facts.ts'
import type { ObservedRun } from './observed.ts'

/** Without a fault, the run that waits takes the lease this soon after its release, in milliseconds. */
const promptMs = 1_000

/** Checks the wishes of runs for the lease, and counts what happens around a hand-over. */
export class HandOverChecker {
  readonly #facts: Facts
  /** When the stream was last halted or paused. A run that read the item then has ended. */
  #stoppedAt = Number.NEGATIVE_INFINITY

  constructor(facts: Facts) {
    this.#facts = facts
  }

  /** @param isWish whether the write is a wish */
  written(old: Checkpoint | null, now: Checkpoint, isWish: boolean): void {
    if (now.state !== 'RUNNING') this.#stoppedAt = this.#facts.clock.now
    if (isWish) this.#wished(old, now)
    else if (old === null) return
    else if (old.leaseUntil !== null && now.leaseUntil === null) this.#released(now)
    else if (old.epoch !== now.epoch) this.#taken(old, now)
  }

  /** A wish changes nothing else, and only a lease that a run holds can be wished for. */
  #wished(old: Checkpoint | null, now: Checkpoint): void {
    const facts = this.#facts
    const { wish } = now
    if (old === null || wish === null || !isDeepStrictEqual({ ...old, wish }, now))
      facts.violate('I4', 'a wish for the lease changed more than the wish')
    else if (wish.epoch !== now.epoch || now.leaseUntil === null || now.state !== 'RUNNING')
      facts.violate('I3', `${wish.owner} wishes for the lease of epoch ${wish.epoch}, which no run holds`)
    else {
      facts.happened('hand-over: a run asked for the lease')
      const other = old.wish?.epoch === wish.epoch && old.wish.owner !== wish.owner
      if (other) facts.happened('hand-over: two runs asked for one lease')
      if (!this.#waits(wish)) facts.happened('hand-over: the wish of a dead run arrived')
    }
  }

  #released(now: Checkpoint): void {
    const facts = this.#facts
    const { wish, epoch } = now
    if (wish?.epoch !== epoch) return
    facts.happened('hand-over: a lease was released for a run that asked')
    const run = this.#waits(wish)
    if (run === null) return void facts.happened('hand-over: the run that asked was dead at the release')
    const { freezes } = run.machine
    const worstCaseMs = facts.scenario.config.handlerTimeoutMs + 15_000
    const hasTime = facts.clock.now + promptMs < run.deadline - worstCaseMs
    const releasedAt = facts.clock.now
    facts.clock.after(promptMs, () => {
      const stored = facts.checkpoint
      const isCalm = !run.disturbed && run.machine.alive && run.machine.freezes === freezes
      const isFree = stored?.epoch === epoch && !facts.damaged
      const wasStopped = this.#stoppedAt >= releasedAt - promptMs
      if (!isCalm || !isFree || wasStopped || !hasTime || run.signal.aborted) return
      facts.violate('I6', `${run.owner} does not take the lease that was released for it`)
    })
  }

  #taken(old: Checkpoint, now: Checkpoint): void {
    const { wish, epoch, leaseUntil } = old
    if (wish?.epoch !== epoch || leaseUntil !== null) return
    const isSame = wish.owner === now.owner
    this.#facts.happened(
      isSame
        ? 'hand-over: the run that asked took the lease'
        : 'hand-over: another run took the lease after the release',
    )
    if (!isSame && this.#waits(wish) === null)
      this.#facts.happened('hand-over: a run died between the release and its lease')
  }

  /** The run that asked, if it lives and waits. */
  #waits({ owner }: Wish): ObservedRun | null {
    const run = this.#facts.runs.get(owner)
    return run === undefined || run.ended || !run.machine.alive || run.signal.aborted ? null : run
  }
}
