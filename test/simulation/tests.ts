import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { faultNumbers, type Kind, leftOut } from './faults.ts'
import { emptyReport, type Report, simulate } from './simulate.ts'

/**
 * Plays worlds from seed 1 on, a few in each test, so that each test takes seconds on a busy machine.
 * @returns the report, filled while the tests run
 */
export function worldTests(kind: Kind, seeds: number, perTest = 50): Report {
  const report = emptyReport()
  describe(`${seeds} worlds of the kind ${kind}`, () => {
    for (let from = 1; from <= seeds; from += perTest) {
      const count = Math.min(perTest, seeds - from + 1)
      test(`every invariant holds in the worlds ${from} to ${from + count - 1}`, async () => {
        const { violations } = await simulate(kind, from, count, 2, report)
        const replay = violations.map(
          ({ seed, invariant, message }) =>
            `${invariant}: ${message} (npm run simulate -- --kind ${kind} --from ${seed} --seeds 1 --trace)`,
        )
        assert.deepEqual(replay, [])
      })
    }

    test('the worlds contain commits, takeovers, repeats, dead letters and drained streams', () => {
      assert.ok(report.commits > seeds, `${report.commits} commits`)
      assert.ok(report.takeovers > seeds, `${report.takeovers} takeovers`)
      assert.ok(report.deadLetters > 0, 'dead letters')
      const drained = report.ends.drained ?? 0
      assert.ok(drained > seeds * 0.8, JSON.stringify(report.ends))
      assert.ok(
        report.maxDuplicates > 0 && report.maxDuplicates <= report.bound,
        `${report.maxDuplicates} duplicates`,
      )
    })
  })
  return report
}

/** Needs enough worlds to see every fault. */
export function completeTests(kind: Kind, report: Report): void {
  test('every fault of the list fires', () => {
    const missing = faultNumbers.filter((number) => report.faults[number] === 0)
    assert.deepEqual(missing, leftOut[kind])
  })

  test('permanent damage halts the stream', () => {
    for (const code of ['BATCH_CORRUPT', 'BATCH_TOO_LARGE'])
      assert.ok((report.happenings[`halted: ${code}`] ?? 0) > 0, code)
  })
}
