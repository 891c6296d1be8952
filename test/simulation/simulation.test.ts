import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { faultNumbers } from './faults.ts'
import { type Report, simulate } from './simulate.ts'

const seeds = 5_000
let report: Report

before(async () => {
  report = await simulate(1, seeds, 2)
})

test(`no invariant is broken in ${seeds} worlds`, () => {
  const replay = report.violations.map(
    ({ seed, invariant, message }) =>
      `${invariant}: ${message} (node test/simulation/main.ts --from ${seed} --seeds 1 --trace)`,
  )
  assert.deepEqual(replay, [])
})

test('every fault on the list has happened', () => {
  const missing = faultNumbers.filter((number) => report.faults[number] === 0)
  assert.deepEqual(missing, [])
})

test('the worlds were not idle: changes were committed, taken over, repeated, and given up', () => {
  assert.ok(report.commits > seeds, `${report.commits} commits`)
  assert.ok(report.takeovers > seeds, `${report.takeovers} takeovers`)
  assert.ok(report.deadLetters > 0, 'dead letters')
  assert.ok((report.ends.drained ?? 0) > seeds * 0.8, JSON.stringify(report.ends))
  assert.ok(
    report.maxDuplicates > 0 && report.maxDuplicates <= report.bound,
    `${report.maxDuplicates} duplicates`,
  )
})
