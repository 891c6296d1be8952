import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { type Kind, kinds } from './faults.ts'
import { type Report, simulate } from './simulate.ts'

const seeds = 5_000
const reports = new Map<Kind, Report>()

/** One kind after the other, on two cores. */
before(async () => {
  for (const kind of kinds) reports.set(kind, await simulate(kind, 1, seeds, 2))
})

function reportOf(kind: Kind): Report {
  return reports.get(kind) ?? assert.fail(`${kind} was not played`)
}

for (const kind of kinds) {
  test(`no invariant is broken in ${seeds} worlds of the kind ${kind}`, () => {
    const replay = reportOf(kind).violations.map(
      ({ seed, invariant, message }) =>
        `${invariant}: ${message} (node test/simulation/main.ts --kind ${kind} --from ${seed} --seeds 1 --trace)`,
    )
    assert.deepEqual(replay, [])
  })
}
