import { after, before, describe } from 'node:test'
import { badInputTests } from './bad-input.ts'
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
import { type Rig, startRig, type World } from './world.ts'

/** Starts the product between the parts under test. */
export type Start = Rig['start']

/** The same tests for any set of parts: nothing in them knows which ones run. */
export function integrationSuite(parts: Parts): void {
  describe(`poller and recovery on ${parts.name}`, () => {
    let rig: Rig | undefined
    before(async () => {
      rig = await startRig(parts)
    })
    after(async () => {
      await (rig === undefined ? parts.stop() : rig.stop())
    })
    const start: Start = async (t, options): Promise<World> => {
      if (rig === undefined) throw new Error('The parts did not start.')
      return rig.start(t, options)
    }
    deliveryTests(start)
    startTests(start)
    handlerTests(start)
    leaseTests(start)
    badInputTests(start)
    recoveryTests(start)
    recoveryAnchorTests(start)
    recoveryLossTests(start)
    recoveryPlaceTests(start)
    recoveryPlanTests(start)
    recoveryDeathTests(start)
    recoveryRaceTests(start)
    recoveryWithoutItemTests(start)
    recoveryRestoredTests(start)
    doctorTests(start)
    inspectTests(start)
  })
}
