import type { Checker } from './checker.ts'
import type { Clock } from './clock.ts'
import { never } from './machine.ts'
import type { ObservedRun } from './observed.ts'
import type { Random } from './random.ts'
import type { Scenario } from './scenario.ts'

/** What every fake needs to do its part in a world. */
export interface Stage {
  readonly scenario: Scenario
  readonly clock: Clock
  readonly random: Random
  readonly checker: Checker
  /** Faults no longer begin. */
  quiet: boolean
  freeze(run: ObservedRun): void
  kill(run: ObservedRun): void
  /** A person may stop the stream just now. */
  mayPause(): void
}

/** Draws whether a fault happens here. */
export function strikes(stage: Stage, rate: number): boolean {
  return !stage.quiet && stage.random.chance(rate)
}

/** At each await of a run: it may be killed or frozen. False when nothing is sent any more. */
export function survives(stage: Stage, run: ObservedRun): boolean {
  if (!run.machine.alive) return false
  if (strikes(stage, stage.scenario.rates.kill)) {
    stage.kill(run)
    return false
  }
  if (strikes(stage, stage.scenario.rates.freeze)) stage.freeze(run)
  return true
}

/** A request of a run to somewhere, which it may not live to send, or to see answered. */
export async function request<T>(stage: Stage, run: ObservedRun, backMs: number, serve: () => T): Promise<T> {
  if (!survives(stage, run)) return await never<T>()
  return await run.machine.request(stage.random.whole(1, 8), backMs, () => {
    const answer = serve()
    // The other half of the await: the answer is there, and nobody takes it.
    survives(stage, run)
    return answer
  })
}
