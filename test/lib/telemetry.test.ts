import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { DtsError, type ErrorCode } from '../../lib/errors.ts'
import { emptySummary, functionSummary, type PollSummary } from '../../lib/summary.ts'
import { functionMeasures, runMeasures } from '../../lib/telemetry.ts'

function measures(change: Partial<PollSummary>, thrown: unknown = null): Record<string, number> {
  const summary = { ...emptySummary(), from: '0', ...change }
  return Object.fromEntries(runMeasures(summary, thrown).map(([name, , value]) => [name, value]))
}

const states = [
  'Halted',
  'Paused',
  'Failed',
  'LeaseHeld',
  'LeaseLost',
  'Superseded',
  'Recovered',
  'LeaseTooLong',
  'GroupShared',
] as const
const told = (code: ErrorCode) => new DtsError(code, 'no', { retryable: false })
const broken = new DtsError('BROKER_FAILED', 'no', { retryable: true })

describe('what a run measures', () => {
  const ends: [
    reason: string,
    change: Partial<PollSummary>,
    thrown: unknown,
    state: string | null,
    more?: string,
  ][] = [
    ['an ordinary end', { ended: 'records' }, null, null],
    ['failing handlers, which are counted as retried', { ended: 'handler-failed' }, null, null],
    ['a halted stream', { halted: 'CLUSTER_CHANGED' }, broken, 'Halted'],
    ['a stream that a person stopped', { halted: 'PAUSED' }, broken, 'Paused'],
    ['a fault that cures itself', {}, broken, 'Failed'],
    ['a crash', {}, new TypeError('x'), 'Failed'],
    ['another run at work', { ended: 'lease-held' }, null, 'LeaseHeld'],
    ['a lease that was lost', { ended: 'lease-lost' }, null, 'LeaseLost'],
    ['a run that thawed too late', { ended: 'superseded' }, null, 'Superseded'],
    ['a cluster change without loss', { ended: 'recovered' }, null, 'Recovered'],
    ['a lease that ends years ahead', {}, told('LEASE_TOO_LONG'), 'Failed', 'LeaseTooLong'],
    ['a first start on another one’s group', {}, told('GROUP_SHARED'), 'Failed', 'GroupShared'],
    ['another deployment on the group', { otherDeployment: 'service "a"' }, null, 'GroupShared'],
  ]
  for (const [reason, change, thrown, ...expected] of ends) {
    const wanted = expected.filter((state) => state !== null)
    test(`${reason}: ${wanted.join(', ') || 'no state'}`, () => {
      const found = measures(change, thrown)
      const raised = states.filter((name) => found[name] !== 0)
      assert.deepEqual(raised, wanted)
      for (const name of raised) assert.equal(found[name], 1)
    })
  }

  test('adds up over tables', () => {
    const found = measures({
      handled: { 'shop.a': 3, 'shop.b': 4 },
      skipped: { x: 5 },
      deadLettered: { y: 1 },
    })
    assert.deepEqual([found.Handled, found.Skipped, found.DeadLettered], [7, 5, 1])
  })

  test('what is not known is left out: as 0 it would say that all is well', () => {
    const unknown = measures({ from: null, lagSeconds: null, lagRecords: null, secondsUntilLoss: null })
    for (const name of ['LagSeconds', 'LagRecords', 'SecondsUntilLoss', 'Fetched', 'Handled']) {
      assert.ok(!(name in unknown), name)
    }
    const halted = measures({ from: null, halted: 'DATA_GAP', lagSeconds: 3_600 }, broken)
    assert.equal(halted.LagSeconds, 3_600)
  })

  test('by function, with unreadable records under a name of their own', () => {
    const summary = emptySummary()
    functionSummary(summary, 'shop-dev-orders').handled = 2
    functionSummary(summary, '').deadLettered = 1
    const found = Object.fromEntries(
      [...functionMeasures(summary)].map(([name, list]) => [name, list.map(([, , value]) => value)]),
    )
    assert.deepEqual(found, { 'shop-dev-orders': [2, 0, 0, 0], unreadable: [0, 0, 1, 0] })
  })

  test('stands in docs/telemetry.md, and nothing else does', () => {
    const manual = readFileSync(new URL('../../docs/telemetry.md', import.meta.url), 'utf8')
    const listed = [...manual.matchAll(/^\| `(\w+)` \|/gm)].map((match) => match[1] ?? '')
    const known = { lagSeconds: 1, lagRecords: '1', secondsUntilLoss: 1 }
    assert.deepEqual(listed.toSorted(), Object.keys(measures(known)).toSorted())
  })
})
