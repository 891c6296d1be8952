import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type FaultNumber, faultNumbers, type Kind } from './faults.ts'
import { emptyReport, type Report, simulate } from './simulate.ts'

/** Faults that a kind of world does not know: a large change halts a stream for good, a restored item damages it. */
const unknown: Readonly<Record<Kind, readonly FaultNumber[]>> = { faults: [22, 23], switch: [16] }

/**
 * Plays worlds from seed 1 on, a few in each test, so that a machine with busy cores needs seconds for a test.
 * @returns what they came to, filled while the tests run
 */
export function worldTests(kind: Kind, seeds: number, perTest = 250): Report {
  const report = emptyReport()
  describe(`${seeds} worlds of the kind ${kind}`, () => {
    for (let from = 1; from <= seeds; from += perTest) {
      const count = Math.min(perTest, seeds - from + 1)
      test(`no invariant is broken in the worlds ${from} to ${from + count - 1}`, async () => {
        const { violations } = await simulate(kind, from, count, 2, report)
        const replay = violations.map(
          ({ seed, invariant, message }) =>
            `${invariant}: ${message} (npm run simulate -- --kind ${kind} --from ${seed} --seeds 1 --trace)`,
        )
        assert.deepEqual(replay, [])
      })
    }

    test('the worlds were not idle: changes were committed, taken over, repeated, and given up', () => {
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

/** For as many worlds as it takes to see everything. */
export function completeTests(kind: Kind, report: Report): void {
  test('every fault on the list has happened', () => {
    const missing = faultNumbers.filter((number) => report.faults[number] === 0)
    assert.deepEqual(missing, unknown[kind])
  })

  test('damage that stays halts the stream', () => {
    for (const code of ['BATCH_CORRUPT', 'BATCH_TOO_LARGE'])
      assert.ok((report.happenings[`halted: ${code}`] ?? 0) > 0, code)
  })
}
