import { after, before, describe } from 'node:test'
import { badInputTests } from './bad-input.ts'
import { conditionTests } from './conditions.ts'
import { deliveryTests } from './delivery.ts'
import { doctorTests } from './doctor.ts'
import { handlerTests } from './handlers.ts'
import { inspectTests } from './inspect.ts'
import { leaseTests } from './lease.ts'
import type { Parts } from './parts.ts'
import { recoveryTests } from './recovery.ts'
import { recoveryAnchorTests } from './recovery-anchors.ts'
import { recoveryDeathTests } from './recovery-deaths.ts'
import { recoveryLossTests } from './recovery-loss.ts'
import { recoveryPlaceTests } from './recovery-places.ts'
import { recoveryPlanTests } from './recovery-plans.ts'
import { recoveryRaceTests } from './recovery-races.ts'
import { recoveryRestoredTests } from './recovery-restored.ts'
import { recoveryWithoutItemTests } from './recovery-without-item.ts'
import { startTests } from './start.ts'
import { type Rig, type Start, startRig, type World } from './world.ts'

type Tests = (start: Start) => void

/** The files of an embedded run take a group or two each, so that they can run side by side. */
const groups = {
  // These two depend on the log's side: what a broker answers, where its logs begin and end, how it looks times up.
  delivery: [deliveryTests, startTests, badInputTests],
  recovery: [recoveryTests, recoveryAnchorTests, recoveryLossTests, recoveryPlaceTests],
  // The others depend on DynamoDB, on the functions, or on this project's code alone.
  handlers: [handlerTests, leaseTests],
  moves: [
    recoveryPlanTests,
    recoveryDeathTests,
    recoveryRaceTests,
    recoveryWithoutItemTests,
    recoveryRestoredTests,
  ],
  operation: [doctorTests, inspectTests, conditionTests],
} satisfies Readonly<Record<string, readonly Tests[]>>
type Group = keyof typeof groups

/** What another release of the broker may change. */
export const logGroups: readonly Group[] = ['delivery', 'recovery']
const allGroups = Object.keys(groups) as Group[]

/** The same tests for any set of parts: nothing in them knows which ones run. */
export function integrationSuite(parts: Parts, only: readonly Group[] = allGroups): void {
  describe(`poller and recovery on ${parts.name}`, () => {
    let rig: Rig | undefined
    // A broker is started here, and not in the first test: on a busy machine that alone may take a minute.
    before(
      async () => {
        rig = await startRig(parts)
        await (await parts.startSource({ partitions: 1 })).stop()
      },
      { timeout: 180_000 },
    )
    after(async () => {
      await (rig === undefined ? parts.stop() : rig.stop())
    })
    const start: Start = async (t, options): Promise<World> => {
      if (rig === undefined) throw new Error('The parts did not start.')
      return rig.start(t, options)
    }
    for (const group of only) for (const tests of groups[group]) tests(start)
  })
}
