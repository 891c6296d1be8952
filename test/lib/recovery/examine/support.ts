import type { TestContext } from 'node:test'
import type { CheckpointStore } from '../../../../lib/checkpoint/store.ts'
import type { Check } from '../../../../lib/recovery/examine/checks.ts'
import type { InspectDependencies } from '../../../../lib/recovery/examine/inspect.ts'
import { startStore } from '../../../support/open-stream.ts'
import type { NewRecord } from '../../../support/parts.ts'
import { t0 } from '../../../support/records.ts'

/** Recovery's clock, in milliseconds: twenty seconds after the first record of a test. */
export const clock = (t0 + 20) * 1000

/** A host name that cannot be resolved. Its first part is too long for DNS, so no resolver is asked. */
export const unknownHost = `${'x'.repeat(64)}.invalid`

/** What an examination of a healthy set-up needs: a log with these records, and functions that can be invoked. */
export async function examined(
  t: TestContext,
  store: CheckpointStore,
  records: readonly NewRecord[],
  change: Partial<InspectDependencies> = {},
) {
  const { store: log, connect } = await startStore(t)
  await log.append(records)
  const dependencies: InspectDependencies = {
    store,
    openStream: connect,
    now: () => clock,
    remainingMs: () => 300_000,
    owner: 'request-1',
    config: {
      broker: log.advertised,
      topic: log.topic,
      user: log.user,
      mode: 'dts',
      startTime: t0,
      isOneOfSeveral: false,
      unroutedTables: 'skip',
    },
    passwordNote: () => null,
    functionNames: ['test-orders'],
    routes: {},
    probeFunction: async () => {},
    deadLetters: undefined,
    probeBucket: undefined,
    ghostTables: 'skip',
    ...change,
  }
  return { log, connect, dependencies }
}

/** The result and the detail of a line; undefined if the line is not there. */
export function lineOf(checks: readonly Check[], name: string): [Check['result'], string] | undefined {
  const found = checks.find((check) => check.name === name)
  return found && [found.result, found.detail]
}
