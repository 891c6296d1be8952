import { after, before, describe } from 'node:test'
import type { Parts } from '../support/parts.ts'
import { type Rig, type Start, startRig, type World } from '../support/world.ts'
import { badInputTests } from './bad-input.ts'
import { conditionTests } from './conditions.ts'
import { deliveryTests } from './delivery.ts'
import { doctorTests } from './doctor.ts'
import { handlerTests } from './handlers.ts'
import { inspectTests } from './inspect.ts'
import { leaseTests } from './lease.ts'
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

type Tests = (start: Start) => void

/** What depends on the log's side: what a broker answers, where its logs begin and end, how it looks times up. */
const logTests: readonly Tests[] = [
  deliveryTests,
  startTests,
  badInputTests,
  recoveryTests,
  recoveryAnchorTests,
  recoveryLossTests,
  recoveryPlaceTests,
]
/** What depends on DynamoDB, on the functions, or on this project's code alone. */
const otherTests: readonly Tests[] = [
  handlerTests,
  leaseTests,
  recoveryPlanTests,
  recoveryDeathTests,
  recoveryRaceTests,
  recoveryWithoutItemTests,
  recoveryRestoredTests,
  doctorTests,
  inspectTests,
  conditionTests,
]

/**
 * The same tests for any set of parts: nothing in them knows which ones run.
 * @param only leaves out what another release of the broker does not change
 */
export function integrationSuite(parts: Parts, only: 'log' | null = null): void {
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
    for (const tests of only === 'log' ? logTests : [...logTests, ...otherTests]) tests(start)
  })
}
