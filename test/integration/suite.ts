import { after, before, describe } from 'node:test'
import type { Parts } from '../support/parts.ts'
import { type Rig, type Start, startRig, type World } from '../support/world.ts'
import { badInputTests } from './bad-input.ts'
import { conditionTests } from './conditions.ts'
import { deliveryTests } from './delivery.ts'
import { doctorTests } from './doctor.ts'
import { driftTests } from './drift.ts'
import { handOverTests } from './hand-over.ts'
import { handlerTests } from './handlers.ts'
import { inspectTests } from './inspect.ts'
import { leaseTests } from './lease.ts'
import { lookTests } from './look.ts'
import { filledPartitionTests, partitionTests } from './partitions.ts'
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

/** Each file of an embedded run takes one or two groups, so that the files run in parallel. */
const groups = {
  // These two depend on the broker: its answers, the range of its logs, its look-ups by time.
  delivery: [deliveryTests, startTests, badInputTests],
  recovery: [recoveryTests, recoveryAnchorTests, recoveryLossTests, recoveryPlaceTests, lookTests],
  // The others depend only on DynamoDB, on the functions, or on this project's code.
  handlers: [handlerTests, leaseTests, handOverTests],
  moves: [recoveryPlanTests, recoveryWithoutItemTests, recoveryRestoredTests],
  interruptions: [recoveryDeathTests, recoveryRaceTests],
  operation: [doctorTests, inspectTests, conditionTests, driftTests],
  // A DTS task has one partition, so these need a plain Kafka. The emulator has records in the first one only.
  partitions: [partitionTests],
  filledPartitions: [filledPartitionTests],
} satisfies Readonly<Record<string, readonly Tests[]>>
type Group = keyof typeof groups

/** Groups that another release of the broker may affect. */
export const logGroups: readonly Group[] = ['delivery', 'recovery']
const allGroups = Object.keys(groups) as Group[]

/** The same tests for any set of parts. No test knows which parts run. */
export function integrationSuite(parts: Parts, only: readonly Group[] = allGroups): void {
  describe(`poller and recovery on ${parts.name}`, () => {
    let rig: Rig | undefined
    // The brokers start here and not in the first test, because that may take minutes on a busy machine.
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
