import type { Clock } from '../support/virtual-clock.ts'
import type { DeliveryChecker } from './deliveries.ts'
import type { Facts } from './facts.ts'
import { never } from './machine.ts'
import type { ObservedRun } from './observed.ts'
import type { Random } from './random.ts'
import type { Scenario } from './scenario.ts'
import type { WriteChecker } from './writes.ts'

/** What each fake needs of its world. */
export interface Stage {
  readonly scenario: Scenario
  readonly clock: Clock
  readonly random: Random
  readonly facts: Facts
  readonly writes: WriteChecker
  readonly deliveries: DeliveryChecker
  /** No new fault begins. */
  quiet: boolean
  freeze(run: ObservedRun): void
  kill(run: ObservedRun): void
  /** A person may pause the stream now, in worlds where people do that. */
  mayPause(likelihood: number): void
}

/** Draws whether a fault hits a run. */
export function strikes(stage: Stage, run: ObservedRun, rate: number): boolean {
  return !stage.quiet && !run.steady && stage.random.chance(rate)
}

/** Called at each await of a run: it may kill or freeze the run. Returns false if the run sends nothing more. */
export function survives(stage: Stage, run: ObservedRun): boolean {
  const { rates } = stage.scenario
  if (!run.machine.alive) return false
  if (run.dyingIn !== null) run.dyingIn -= 1
  if (run.dyingIn === 0 && !stage.quiet) {
    stage.facts.fault(23)
    stage.facts.happened('recovery killed')
    stage.kill(run)
    return false
  }
  if (strikes(stage, run, rates.kill)) {
    stage.kill(run)
    return false
  }
  if (strikes(stage, run, rates.freeze)) stage.freeze(run)
  return true
}

/** A request of a run. The run may die before it sends the request, or before it sees the answer. */
export async function request<T>(stage: Stage, run: ObservedRun, backMs: number, serve: () => T): Promise<T> {
  if (!survives(stage, run)) return await never<T>()
  return await run.machine.request(stage.random.whole(1, 8), backMs, () => {
    const answer = serve()
    // The run may also die after the answer has left.
    survives(stage, run)
    return answer
  })
}
